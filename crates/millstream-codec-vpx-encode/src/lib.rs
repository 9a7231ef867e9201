//! VP8 by the crate `vpx-encode`: the stage `vp8-vpx-encode`, a second encoder to compare with.
//!
//! It cannot give a key frame without starting anew, follow a bit rate, keep to one thread or a speed, or
//! take a picture where it lies; the README beside it says what each costs. `vp8-encoder` can.
//!
//! The feature `bindings` holds all of it, because the bindings need libvpx's headers when they are built.

#[cfg(feature = "bindings")]
mod encoder;
#[cfg(feature = "bindings")]
mod options;
#[cfg(feature = "bindings")]
mod worker;

#[cfg(feature = "bindings")]
pub use encoder::{Encoder, descriptor, register};
#[cfg(feature = "bindings")]
pub use options::Options;
