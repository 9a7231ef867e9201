//! Tools for testing Millstream stages and engines: conformance suites, an emulated network, engines without one, a camera, a sound server and an
//! X server without hardware, collecting sinks, limited sources, measuring, and an honest skip.
//!
//! A development dependency; nothing here runs in a program.

#![forbid(unsafe_code)]

pub mod camera;
mod chance;
mod collect;
pub mod conformance;
mod emulated;
pub mod engine;
pub mod examples;
mod measure;
mod skip;
pub mod sound;
#[cfg(unix)]
mod xvfb;

pub use chance::Chance;
pub use collect::{Collected, limited};
pub use emulated::{Conditions, Counts, EmulatedLink, EmulatedNetwork};
pub use measure::{bends, psnr, strength, tone};
pub use skip::skipped;
#[cfg(unix)]
pub use xvfb::Xvfb;
