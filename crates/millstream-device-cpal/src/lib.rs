//! Microphones and speakers.
#![forbid(unsafe_code)]
mod capture;
mod render;
mod resampler;
mod steer;
mod volume;
/// Samples per second and channel of all sound that is given, and of most that is taken.
const RATE: u32 = 48_000;
