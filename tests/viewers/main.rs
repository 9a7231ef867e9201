//! Many viewers at once, without a browser and beside one: key frames, coming and going, one that stops,
//! and whether what is seen and heard stays together.
//!
//! The tests share the machine's cores, and count what their process has: they run one after the other.

mod adapt;
mod allocated;
#[allow(dead_code, reason = "the browser's tests use more of it")]
#[path = "../browser/chromium.rs"]
mod chromium;
mod coming_and_going;
mod key_frames;
mod native;
mod offers;
mod processes;
mod show;
mod skew;
mod stopped;
