//! Opus over RTP: RFC 7587. One packet of Opus is one payload.

use millstream_core::{
    ByteRing, Codec, Descriptor, EncodedFrame, Error, Format, OPUS, Out, Pool, Result, RtpHeader, RtpPackets, Stage,
    Timestamp, Worker,
};
use schemars::JsonSchema;
use serde::Deserialize;

use millstream_core::rtp::{Seed, Sequencer};

/// The stage type `opus-packetizer`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage(
        "opus-packetizer",
        "Puts Opus packets into RTP packets (RFC 7587)",
        Format::Encoded(OPUS),
        Format::Packets(OPUS),
    )
    .light()
    .build(|options: Options, _| Ok(Worker::stage(Packetizer::new(options))))
}

/// Options of `opus-packetizer`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// Fixes the first sequence number and timestamp, so that two runs give the same packets.
    /// Random if not given, as RFC 3550 requires.
    pub seed: Option<u64>,
}

/// The stage `opus-packetizer`.
///
/// The first packet after silence carries the marker (RFC 7587, section 4.1); silence is a frame
/// that starts later than the one before it ended.
#[derive(Debug)]
pub struct Packetizer {
    sequencer: Sequencer,
    /// Where the frame before ends, once there was one.
    end: Option<Timestamp>,
    ring: ByteRing,
    headers: Pool<RtpHeader>,
}

/// Half the shortest Opus frame (2.5 ms: RFC 6716, section 2.1.4) in ticks of 48 kHz: what is
/// missing is whole frames, so anything less is rounding.
const GAP_TICKS: u64 = 60;

/// Bytes in a chunk of the ring: half a second at 64 kbit/s.
const CHUNK: usize = 4 * 1024;

/// Chunks in the ring: with [`CHUNK`], eight seconds at 64 kbit/s and one at 510, the most Opus gives.
const CHUNKS: usize = 16;

/// Packets whose headers are kept for reuse: a second of 20 ms each, and some.
const GROUPS: usize = 64;

impl Packetizer {
    /// A packetizer for one stream.
    pub fn new(options: Options) -> Packetizer {
        Packetizer {
            sequencer: Sequencer::new(&OPUS, &mut Seed::new(options.seed)),
            end: None,
            ring: ByteRing::new(CHUNK, CHUNKS),
            headers: Pool::new(GROUPS),
        }
    }
}

impl Stage<EncodedFrame, RtpPackets> for Packetizer {
    fn process(&mut self, frame: EncodedFrame, out: &mut Out<RtpPackets>) -> Result<()> {
        frame.require(&OPUS)?;
        if frame.data.is_empty() {
            return Err(Error::bad_item("an Opus packet without a byte: its encoder pushed what it dropped"));
        }
        let after_silence = self.end.is_none_or(|end| {
            frame.time.ticks(OPUS.clock_rate).saturating_sub(end.ticks(OPUS.clock_rate)) >= GAP_TICKS
        });
        self.end = Some(frame.time + frame.duration);

        // The copy is short, and lets go of the encoder's buffer while an engine keeps ours to send again.
        let data = self.ring.copy(&frame.data);
        let (sequence, timestamp) = (self.sequencer.sequence(), self.sequencer.timestamp(frame.time));
        let header = RtpHeader::new(sequence, timestamp, 0..data.len() as u32).with_marker(after_silence);
        let headers = self.headers.collect([header]);
        out.push(RtpPackets::of(&frame, headers, data));
        Ok(())
    }

    fn takes(&self) -> Option<Codec> {
        Some(OPUS)
    }

    fn gives(&self) -> Option<Codec> {
        Some(OPUS)
    }
}
