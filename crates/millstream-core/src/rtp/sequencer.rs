//! Sequence numbers and timestamps of one RTP stream, from a random start (RFC 3550, section 5.1). Every
//! packetizer has a [`Sequencer`].

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::codec::Codec;
use crate::time::Timestamp;

/// Gives the packets of one stream their sequence numbers and timestamps.
#[derive(Debug)]
pub struct Sequencer {
    sequence: u16,
    offset: u32,
    clock_rate: u32,
}

impl Sequencer {
    /// A stream of `codec` whose first sequence number and timestamp come from `seed`.
    pub fn new(codec: &Codec, seed: &mut Seed) -> Sequencer {
        Sequencer {
            // The upper half is left out as libwebrtc does: a first number next to the wrap lets a
            // receiver that misses the first packets guess the SRTP rollover counter wrong (RFC 3711, 3.3.1).
            sequence: seed.number() as u16 & 0x7FFF,
            offset: seed.number() as u32,
            clock_rate: codec.clock_rate,
        }
    }

    /// The next packet's sequence number.
    pub fn sequence(&mut self) -> u16 {
        self.sequences(1)
    }

    /// The first sequence number of the next `count` packets; the others follow it, modulo 2^16.
    pub fn sequences(&mut self, count: usize) -> u16 {
        let first = self.sequence;
        self.sequence = first.wrapping_add(count as u16);
        first
    }

    /// The RTP timestamp of `time`: ticks of the codec's clock behind the random start, modulo 2^32.
    pub fn timestamp(&self, time: Timestamp) -> u32 {
        self.offset.wrapping_add(time.ticks(self.clock_rate) as u32)
    }
}

/// Numbers to start from: unpredictable, or the same each time where a seed is given.
///
/// They are no secrets. RFC 3550 wants them unpredictable because known plaintext eases attacks on
/// weak encryption; what protects a connection is SRTP.
#[derive(Debug)]
pub struct Seed(u64);

impl Seed {
    /// Starts from `seed`, or from what the standard library seeds its hash maps with.
    pub fn new(seed: Option<u64>) -> Seed {
        Seed(seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()))
    }

    /// The next number: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), which works with any seed.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VP8;

    #[test]
    fn a_seed_fixes_the_start_and_none_makes_it_differ() {
        let start = |seed| {
            let mut stream = Sequencer::new(&VP8, &mut Seed::new(seed));
            (stream.sequence(), stream.timestamp(Timestamp::ZERO))
        };
        assert_eq!(start(Some(1)), start(Some(1)));
        assert_ne!(start(Some(1)), start(Some(2)));
        assert_ne!(start(None), start(None));
    }

    #[test]
    fn sequence_numbers_and_timestamps_wrap() {
        let mut stream = Sequencer { sequence: 0xFFFF, offset: u32::MAX, clock_rate: 90_000 };
        assert_eq!((stream.sequence(), stream.sequence()), (0xFFFF, 0));
        assert_eq!((stream.sequences(65_540), stream.sequence()), (1, 5));
        assert_eq!(stream.timestamp(Timestamp::from_millis(1000)), 89_999);
        // 2^32 ticks of 90 kHz are 13 h 15 min.
        let wrap = Timestamp::from_nanos((1u128 << 32).wrapping_mul(100_000).div_ceil(9) as u64);
        assert_eq!(stream.timestamp(wrap), u32::MAX);
    }
}
