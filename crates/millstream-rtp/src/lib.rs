//! RTP packetizers: one encoded frame in, the packets that carry it out, together.
//!
//! What is not here: payload types, SSRCs, pacing, retransmission, encryption. They belong to a
//! connection, whose engine writes them into what leaves this crate.
//!
//! | stage type | takes | gives | payload format |
//! |---|---|---|---|
//! | `vp8-packetizer` | encoded vp8 | packets of vp8 | RFC 7741 |
//! | `opus-packetizer` | encoded opus | packets of opus | RFC 7587 |
//!
//! ```
//! use millstream_core::{EncodedFrame, Layer, Out, Role, Stage, Timestamp, VP8};
//! use millstream_rtp::vp8::{Options, Packetizer};
//!
//! let mut packetizer = Packetizer::new(Options::default());
//! let frame = EncodedFrame::new(VP8, Timestamp::ZERO, vec![0; 3000]).with_role(Role::Start).with_size((640, 360));
//! let mut out = Out::at(Timestamp::ZERO);
//! packetizer.process(frame, &mut out)?;
//! let packets = out.items().pop_front().expect("one frame gives one group of packets");
//! // 3000 bytes in three packets of 1000, each behind a descriptor of four bytes.
//! assert_eq!(packets.iter().map(|(_, payload)| payload.len()).collect::<Vec<_>>(), [1004, 1004, 1004]);
//! # Ok::<(), millstream_core::Error>(())
//! ```
//!
//! # Adding a codec
//! Write a module with `Options`, `Packetizer` and `descriptor`, as [`opus`] does in a hundred
//! lines, and add its line to [`register`]. Sequence numbers and timestamps come from one place.

#![forbid(unsafe_code)]

pub mod opus;
pub mod vp8;

use millstream_core::Registry;

/// Adds `vp8-packetizer` and `opus-packetizer` to what `registry` knows.
pub fn register(registry: &mut Registry) {
    registry.add(vp8::descriptor());
    registry.add(opus::descriptor());
}
