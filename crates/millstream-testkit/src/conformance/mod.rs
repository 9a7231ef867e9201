//! What a source, an encoder, a decoder, a packetizer, a transform, a stage with several inputs, a sink and a WebRTC
//! engine must do: one call in a test of each plug-in.
//!
//! ```
//! use millstream_core::{AudioFrame, Out};
//! use millstream_testkit::{conformance, examples};
//!
//! let pass = |block: AudioFrame, out: &mut Out<AudioFrame>| {
//!     out.push(block);
//!     Ok(())
//! };
//! conformance::transform(|| pass, |number| examples::block(48_000, 2, number));
//! ```
//!
//! Each function makes a new worker for each requirement, calls it by hand in virtual time, and panics where
//! the call stands with the requirement that is not met and what was seen instead. What a stage passes on is
//! not answered, so that, for instance, the bit rate is followed only by encoders that answer
//! [`Control::Bitrate`](millstream_core::Control::Bitrate).
//!
//! What is not here: whether a picture looks right. That is a matter of each codec's own tests.

mod allocations;
mod audio_encoder;
mod bench;
mod decoder;
mod engine;
mod many;
mod options;
mod packetizer;
mod rule;
mod sink;
mod source;
mod transform;
mod video_encoder;

pub use allocations::allocations;
pub use audio_encoder::audio_encoder;
pub use decoder::{audio_decoder, video_decoder};
pub use engine::{EngineUnderTest, engine};
pub use many::several_inputs;
pub use options::{documentation, options};
pub use packetizer::packetizer;
pub use sink::sink;
pub use source::source;
pub use transform::transform;
pub use video_encoder::video_encoder;
