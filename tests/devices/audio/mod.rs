//! Microphones and speakers of a sound server of the test's own.

mod faults;
mod footprint;
mod hangs;
mod heard;
mod play;
mod record;

pub(crate) use heard::Sine;
