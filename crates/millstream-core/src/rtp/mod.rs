//! RTP as the stages of a pipeline share it: packets that travel together, and the sequence numbers and timestamps
//! of a stream.
//!
//! It stands in the core because a codec crate may bring its own packetizer, and codec crates do not depend on one
//! another. Payload formats and the jitter buffer are not here.

mod extension;
mod packets;
mod sequencer;

pub use extension::{Extensions, write_extension};
pub use packets::{Arrival, RtpHeader, RtpPackets};
pub use sequencer::{Seed, Sequencer};
