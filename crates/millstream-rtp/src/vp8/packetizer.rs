//! One VP8 frame in, its packets out: of nearly equal size, copied once.

use millstream_core::{
    ByteRing, Codec, EncodedFrame, Error, Out, Pool, Result, Role, RtpHeader, RtpPackets, Stage, VP8,
};

use super::Options;
use super::descriptor::{Descriptor, Temporal};
use millstream_core::rtp::{Seed, Sequencer};

/// The stage `vp8-packetizer`.
///
/// The packets of a frame differ by at most one byte of payload, as in libwebrtc: a small last packet
/// costs as much overhead as a large one, and equal ones pace and protect better.
///
/// Temporal layers are written (TL0PICIDX and TID) from the first [`Role::Start`] after a frame of a
/// higher layer was seen. A receiver that has seen frames without them cannot place frames that refer
/// back with them, so they cannot begin in between.
#[derive(Debug)]
pub struct Packetizer {
    max_payload: usize,
    sequencer: Sequencer,
    picture_id: u16,
    tl0_pic_idx: u8,
    layers: Layers,
    ring: ByteRing,
    headers: Pool<RtpHeader>,
}

/// Whether the stream has temporal layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layers {
    None,
    /// They were seen and will be written from the next start.
    Seen,
    Written,
}

/// Bytes in a chunk of the ring: a quarter second at 8 Mbit/s. A larger frame gets its own chunk.
const CHUNK: usize = 256 * 1024;

/// Chunks in the ring: with [`CHUNK`], 2 MiB. An engine keeps packets for a second to send them again.
const CHUNKS: usize = 8;

/// Groups of packets whose headers are kept for reuse: a second at 60 fps.
const GROUPS: usize = 64;

impl Packetizer {
    /// A packetizer for one stream.
    pub fn new(options: Options) -> Packetizer {
        let mut seed = Seed::new(options.seed);
        Packetizer {
            max_payload: options.max_payload.bytes(),
            sequencer: Sequencer::new(&VP8, &mut seed),
            picture_id: seed.number() as u16 & 0x7FFF,
            tl0_pic_idx: seed.number() as u8,
            layers: Layers::None,
            ring: ByteRing::new(CHUNK, CHUNKS),
            headers: Pool::new(GROUPS),
        }
    }

    /// What the packets of `frame` say of it; counts it.
    fn describe(&mut self, frame: &EncodedFrame) -> Descriptor {
        let tid = frame.layer.temporal;
        if self.layers == Layers::None && tid > 0 {
            self.layers = Layers::Seen;
        }
        if self.layers == Layers::Seen && frame.role == Role::Start {
            self.layers = Layers::Written;
        }
        if tid == 0 {
            self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        }
        self.picture_id = (self.picture_id + 1) & 0x7FFF;
        Descriptor {
            non_reference: frame.role == Role::Discardable,
            picture_id: self.picture_id,
            // A frame does not say what it refers to, so no point to switch up is promised.
            temporal: (self.layers == Layers::Written).then_some(Temporal {
                tl0_pic_idx: self.tl0_pic_idx,
                tid,
                sync: false,
            }),
        }
    }
}

impl Stage<EncodedFrame, RtpPackets> for Packetizer {
    fn process(&mut self, frame: EncodedFrame, out: &mut Out<RtpPackets>) -> Result<()> {
        frame.require(&VP8)?;
        if frame.data.is_empty() {
            return Err(Error::bad_item("a VP8 frame without a byte: its encoder pushed what it dropped"));
        }
        let descriptor = self.describe(&frame);
        let room = self.max_payload - descriptor.len();
        let timestamp = self.sequencer.timestamp(frame.time);
        let count = frame.data.len().div_ceil(room);

        let (first, later) = (descriptor.write(true), descriptor.write(false));
        let data = self.ring.fill(frame.data.len() + count * descriptor.len(), |data| {
            for (index, share) in shares(&frame.data, count).enumerate() {
                // In two steps, the first of known length: a call to copy four bytes takes longer than they do.
                let (short, layers) = if index == 0 { first } else { later };
                data.extend_from_slice(&short);
                if descriptor.temporal.is_some() {
                    data.extend_from_slice(&layers);
                }
                data.extend_from_slice(share);
            }
        });

        let sequence = self.sequencer.sequences(count);
        let mut end = 0;
        let headers = lengths(frame.data.len(), count).enumerate().map(move |(index, length)| {
            let start = end;
            end += (descriptor.len() + length) as u32;
            let marker = index + 1 == count;
            RtpHeader::new(sequence.wrapping_add(index as u16), timestamp, start..end).with_marker(marker)
        });
        let headers = self.headers.collect(headers);
        out.push(RtpPackets::of(&frame, headers, data));
        Ok(())
    }

    fn takes(&self) -> Option<Codec> {
        Some(VP8)
    }

    fn gives(&self) -> Option<Codec> {
        Some(VP8)
    }
}

/// `data` in `count` shares whose lengths differ by at most one, the longer ones last.
fn shares(data: &[u8], count: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    lengths(data.len(), count).map(move |length| {
        let (share, tail) = rest.split_at(length);
        rest = tail;
        share
    })
}

/// The lengths of [`shares`].
fn lengths(whole: usize, count: usize) -> impl Iterator<Item = usize> {
    let (length, longer) = (whole / count, whole % count);
    (0..count).map(move |index| length + usize::from(index >= count - longer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_nearly_equal_and_complete() {
        let data: Vec<u8> = (0..=255).cycle().take(10_007).collect();
        for count in [1, 2, 3, 9, 100, 10_007] {
            let all: Vec<&[u8]> = shares(&data, count).collect();
            assert_eq!(all.len(), count);
            assert_eq!(all.concat(), data);
            let (least, most) = (all.iter().map(|share| share.len()).min(), all.iter().map(|share| share.len()).max());
            assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }
}
