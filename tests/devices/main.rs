//! Devices that are none: a sound server with a virtual microphone and speaker, an X server without a screen.

mod audio;
#[path = "../browser/chromium.rs"]
#[allow(dead_code, reason = "the tests in a browser use all of it")]
mod chromium;
mod guest;
#[cfg(target_os = "linux")]
mod screen;
