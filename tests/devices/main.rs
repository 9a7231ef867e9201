//! What devices do to a pipeline, without hardware: a camera of our own, a sound server with a virtual
//! microphone and speaker, an X server without a screen.
//!
//! The tests share the machine's cores, so they run one after the other.

mod audio;
mod camera;
#[path = "../browser/chromium.rs"]
#[allow(dead_code, reason = "the tests in a browser use all of it")]
mod chromium;
mod program;
#[cfg(target_os = "linux")]
mod screen;
mod webcam;
