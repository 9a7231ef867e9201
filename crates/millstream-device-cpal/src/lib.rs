//! Microphones and speakers, by `cpal`: a sound server that speaks PulseAudio's protocol (PipeWire, PulseAudio) or
//! ALSA on Linux, and what other systems have.
//!
//! | type | kind | does |
//! |---|---|---|
//! | [`microphone`] | source | gives what a device records |
//! | [`speaker`] | sink, with a source | plays sound on a device, and gives what it plays |
//!
//! A device's clock is not the pipeline's. What comes from one is resampled to 48 kHz by a ratio that follows the
//! difference, and so is what goes to one: stamps count samples, and stay within milliseconds of the pipeline's clock.
//!
//! Nothing that a device does ends a pipeline once it runs. One that is lost is opened again. Through ALSA's own
//! plug-in for sound servers (`alsa:pulse`) it cannot be seen when the server moves a stream to another device;
//! the server itself says so, and is asked where it is there.
//!
//! What is not here: echo cancellation, and mixing several sounds for one speaker, which a stage before it does.

#![cfg_attr(not(test), forbid(unsafe_code))]

#[cfg(test)]
mod allocations;
mod capture;
mod health;
mod host;
mod keep;
mod list;
pub mod microphone;
mod played;
#[cfg(feature = "pulseaudio")]
mod pulse;
mod quiet;
mod render;
mod resampler;
pub mod speaker;
mod steer;
mod stream;
mod volume;

pub use microphone::Microphone;
pub use played::Played;
pub use speaker::Speaker;
pub use volume::Volume;

use millstream_core::device::{Devices, Kind, Mode};
use millstream_core::units::Span;
use millstream_core::{Error, Registry, Result};

/// Samples per second and channel of what a microphone gives.
const RATE: u32 = 48_000;

/// Adds `microphone` and `speaker` to `registry`, and the devices that they open.
pub fn register(registry: &mut Registry) {
    registry.add(microphone::descriptor());
    registry.add(speaker::descriptor());
    registry.add_devices(Devices::new(Kind::Microphone, "microphone", microphone::list, microphone::choose));
    registry.add_devices(Devices::new(Kind::Speaker, "speaker", speaker::list, speaker::choose));
}

/// Frames in a block of `span`.
fn blocks(span: Span) -> Result<usize> {
    match span.duration().as_millis() {
        millis @ (10 | 20) => Ok(millis as usize * RATE as usize / 1000),
        _ => Err(Error::config(format!("`block` is {span}; a block lasts 10 ms or 20 ms"))),
    }
}

/// A device in words, for the log.
fn what(found: &list::Found) -> String {
    let mode = found.listed.modes.first().map(Mode::to_string).unwrap_or_default();
    format!("{} `{}` ({}), {mode}", found.listed.kind, found.listed.name, found.listed.id)
}
