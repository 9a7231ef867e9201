//! What devices do to a pipeline, without hardware: `millstream run` itself, with a camera of our own.
//!
//! The tests share the machine's cores, so they run one after the other.

mod camera;
#[path = "../browser/chromium.rs"]
#[expect(dead_code, reason = "the browser tests need more of it")]
mod chromium;
mod program;
