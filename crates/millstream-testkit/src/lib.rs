//! Tools for testing Millstream stages: collecting sinks, limited sources, measuring, and an honest skip.
//!
//! A development dependency; nothing here runs in a program.

#![forbid(unsafe_code)]

mod collect;
mod measure;
mod skip;

pub use collect::{Collected, limited};
pub use measure::{psnr, strength, tone};
pub use skip::skipped;
