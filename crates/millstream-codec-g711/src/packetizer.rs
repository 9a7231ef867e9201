//! G.711 over RTP: RFC 3551, section 4.5.14. One frame is one payload, a byte for each sample.

use millstream_core::rtp::{Seed, Sequencer};
use millstream_core::{
    ByteRing, Codec, EncodedFrame, Error, Out, Pool, Result, RtpHeader, RtpPackets, Stage, Timestamp, samples_to_time,
};

use crate::RATE;
use crate::law::Law;
use crate::options::PacketizerOptions;

/// The stages `pcmu-packetizer` and `pcma-packetizer`.
///
/// The first packet after silence carries the marker (RFC 3551, section 4.1); silence is a frame
/// that starts later than the one before it ended.
#[derive(Debug)]
pub struct Packetizer {
    law: Law,
    sequencer: Sequencer,
    /// Where the frame before ends, once there was one.
    end: Option<Timestamp>,
    ring: ByteRing,
    headers: Pool<RtpHeader>,
}

/// The most bytes in a packet, 150 ms: what fits every path, as for pictures. RFC 3551 has receivers
/// take 200 ms at least.
pub const MAX_PAYLOAD: usize = 1_200;

/// Half of 10 ms, the shortest frame in use: what is missing is whole frames, so anything less is rounding.
const GAP_TICKS: u64 = 40;

/// Bytes in a chunk of the ring: half a second.
const CHUNK: usize = 4_000;

/// Chunks in the ring: with [`CHUNK`], eight seconds.
const CHUNKS: usize = 16;

/// Packets whose headers are kept for reuse: a second of 20 ms each, and some.
const GROUPS: usize = 64;

impl Packetizer {
    /// A packetizer for one stream of `law`.
    pub fn new(law: Law, options: PacketizerOptions) -> Packetizer {
        Packetizer {
            law,
            sequencer: Sequencer::new(&law.codec(), &mut Seed::new(options.seed)),
            end: None,
            ring: ByteRing::new(CHUNK, CHUNKS),
            headers: Pool::new(GROUPS),
        }
    }
}

impl Stage<EncodedFrame, RtpPackets> for Packetizer {
    fn process(&mut self, frame: EncodedFrame, out: &mut Out<RtpPackets>) -> Result<()> {
        frame.require(&self.law.codec())?;
        let bytes = frame.data.len();
        if bytes == 0 {
            return Err(Error::bad_item("a G.711 frame without a byte: its encoder pushed what it dropped"));
        }
        if bytes > MAX_PAYLOAD {
            return Err(Error::bad_item(format!(
                "a G.711 frame of {bytes} bytes, where a packet holds {MAX_PAYLOAD}: let its encoder give shorter ones"
            )));
        }
        let after_silence =
            self.end.is_none_or(|end| frame.time.ticks(RATE).saturating_sub(end.ticks(RATE)) >= GAP_TICKS);
        // A byte is a sample, whether or not the frame says how long it is.
        self.end = Some(frame.time + frame.duration.max(samples_to_time(bytes as u64, RATE)));

        // The copy is short, and lets go of the encoder's buffer while an engine keeps ours to send again.
        let data = self.ring.copy(&frame.data);
        let (sequence, timestamp) = (self.sequencer.sequence(), self.sequencer.timestamp(frame.time));
        let header = RtpHeader::new(sequence, timestamp, 0..bytes as u32).with_marker(after_silence);
        let headers = self.headers.collect([header]);
        out.push(RtpPackets::of(&frame, headers, data));
        Ok(())
    }

    fn takes(&self) -> Option<Codec> {
        Some(self.law.codec())
    }

    fn gives(&self) -> Option<Codec> {
        Some(self.law.codec())
    }
}
