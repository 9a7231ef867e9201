//! What flows through Millstream, the three traits that every stage implements, and the registry in
//! which stages are found.
//!
//! A plug-in depends on this crate alone. It contains no runner, no codec, no I/O and no async runtime, and it compiles
//! for the browser.
//!
//! # What flows
//! [`VideoFrame`] (a raw picture), [`AudioFrame`] (a block of PCM), [`EncodedFrame`] (one access unit
//! or audio packet), [`RtpPackets`] (the packets of one access unit, together). Each carries the
//! time of its capture on the pipeline's [`Clock`]; cloning an item counts references.
//!
//! # Writing a stage
//! Implement [`Source`], [`Stage`] or [`Sink`], or write a closure:
//! ```
//! use millstream_core::{AudioFrame, Out, Result, Stage, Timestamp};
//!
//! /// Passes every second block on.
//! struct Halve { odd: bool }
//!
//! impl Stage<AudioFrame, AudioFrame> for Halve {
//!     fn process(&mut self, block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
//!         self.odd = !self.odd;
//!         if self.odd {
//!             out.push(block);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let block = AudioFrame::new(48_000, 1, Timestamp::ZERO, vec![0.0; 960]);
//! let mut out = Out::at(Timestamp::ZERO);
//! let mut halve = Halve { odd: false };
//! halve.process(block.clone(), &mut out)?;
//! halve.process(block, &mut out)?;
//! assert_eq!(out.items().len(), 1);
//! # Ok::<(), millstream_core::Error>(())
//! ```
//! To be declared in TOML it also needs an options struct and a [`Descriptor`]; see
//! [`Descriptor::stage`] and any crate named `millstream-codec-*`.

#![forbid(unsafe_code)]

mod any;
pub mod audio;
mod codec;
mod control;
mod cx;
pub mod descriptor;
pub mod device;
mod encoded;
pub mod error;
mod format;
mod frame_rate_limit;
mod input;
mod item;
pub mod known;
mod media;
pub mod options;
mod pool;
mod registry;
mod role;
pub mod rtp;
mod stage;
pub mod throttle;
mod time;
pub mod units;
mod video;
pub mod worker;

pub use audio::{AudioFrame, samples_to_time};
pub use bytes::Bytes;
pub use codec::{Codec, CodecParameters, OPUS, VP8};
pub use control::{Control, Layers, Requests, Upstream};
pub use cx::{Cx, Out, Run};
pub use descriptor::{Descriptor, Joined};
pub use encoded::EncodedFrame;
pub use error::{Error, Result};
pub use format::{Accepts, Format};
pub use frame_rate_limit::FrameRateLimit;
pub use input::{FromInput, InputEvent, InputId};
#[doc(hidden)]
pub use item::Incoming;
pub use item::Item;
pub use known::Known;
pub use media::Media;
pub use pool::{Buffer, ByteRing, Pool};
pub use registry::Registry;
pub use role::{Layer, Role};
pub use rtp::{RtpHeader, RtpPackets};
pub use stage::{MaybeSend, Next, Sink, Source, Stage};
pub use time::{Clock, Hand, Ticks, Timestamp, Utc};
pub use video::{
    Color, CpuPlanes, MAX_DIMENSION, Matrix, PixelFormat, Plane, PlaneLayout, PlaneMut, Range, Rotation, Storage,
    VideoFrame,
};
pub use worker::{Bundle, Worker};
