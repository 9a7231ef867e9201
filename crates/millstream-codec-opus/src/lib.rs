//! Opus by libopus: the stage `opus-encoder` takes sound in blocks of any size and gives Opus packets.
//!
//! What is not here: resampling (48, 24, 16, 12 and 8 kHz are taken as they are), more than two
//! channels, and decoding.
//!
//! ```
//! use millstream_codec_opus::{Encoder, Options};
//! use millstream_core::{AudioFrame, Out, Stage, Timestamp};
//!
//! let mut encoder = Encoder::new(Options::default());
//! let mut out = Out::at(Timestamp::ZERO);
//! let block = AudioFrame::new(48_000, 2, Timestamp::ZERO, vec![0.0; 2 * 1000]);
//! encoder.process(block, &mut out)?;
//! // 1000 samples are one packet of 20 ms, and 40 samples that wait for more.
//! assert_eq!(out.items().len(), 1);
//! # Ok::<(), millstream_core::Error>(())
//! ```
//!
//! libopus 1.6.1 is built in by the crate `opus`, which needs cmake and a C compiler.

#![forbid(unsafe_code)]

mod encoder;
mod options;

use millstream_core::known::SoundTaken;
use millstream_core::{Descriptor, Format, OPUS, Registry, Worker};

use encoder::RATES;

pub use encoder::Encoder;
pub use options::{Application, Complexity, FrameLength, Options, Rate};

/// Adds `opus-encoder` to what `registry` knows.
pub fn register(registry: &mut Registry) {
    registry.add(descriptor());
}

/// The stage type `opus-encoder`. It is heavy though a frame takes a fraction of a millisecond: a
/// microphone's thread must not wait for it.
pub fn descriptor() -> Descriptor {
    Descriptor::stage("opus-encoder", "Encodes sound as Opus", Format::Audio, Format::Encoded(OPUS))
        .taking(SoundTaken { rates: RATES, channels: 2 })
        .build(|options: Options, _| Ok(Worker::stage(Encoder::new(options))))
}

/// The version of libopus, as it says itself.
pub fn version() -> &'static str {
    opus::version()
}
