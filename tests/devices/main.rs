//! Real devices, or what stands for them: captured, played in Chromium, and listed by the command.

#[allow(dead_code, reason = "the browser tests use more of it")]
#[path = "../browser/chromium.rs"]
mod chromium;
mod guest;
#[cfg(target_os = "linux")]
mod screen;
