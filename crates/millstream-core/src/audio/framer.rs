//! Blocks of any size into frames of one size, stamped by exact sample counts.

use super::{AudioFrame, samples_to_time};
use crate::error::Result;
use crate::time::Timestamp;

/// Cuts sound into frames of as many samples as an encoder wants at a time.
///
/// Stamps count samples from an anchor, so that they are perfectly continuous however the blocks'
/// own stamps wander. A block that says it is a discontinuity, or that is more than a frame away
/// from where the count is, drops what had not filled a frame and is the new anchor.
#[derive(Debug)]
pub struct Framer {
    rate: u32,
    channels: u16,
    /// Samples of one channel in a frame.
    length: usize,
    /// When the first sample counted was captured.
    anchor: Option<Timestamp>,
    /// Samples of one channel given since.
    given: u64,
    /// Samples of all channels that wait for more.
    rest: Vec<f32>,
    /// Whether the last block's time was only estimated.
    estimated: bool,
}

impl Framer {
    /// Cuts sound at `rate` in `channels` channels into frames of `length` samples of each.
    ///
    /// # Panics
    /// If one of them is 0: an encoder has refused such sound before.
    pub fn new(rate: u32, channels: u16, length: usize) -> Framer {
        assert!(rate > 0 && channels > 0 && length > 0, "sound has a rate and channels, and a frame has samples");
        let rest = Vec::with_capacity(length * usize::from(channels));
        Framer { rate, channels, length, anchor: None, given: 0, rest, estimated: false }
    }

    /// Whether `block` is of the kind that is cut here.
    pub fn fits(&self, block: &AudioFrame) -> bool {
        (self.rate, self.channels) == (block.rate, block.channels)
    }

    /// Whether the time of the block that was pushed last is only estimated, and so that of the frames it fills.
    pub fn time_is_estimated(&self) -> bool {
        self.estimated
    }

    /// Cuts `block`; `frame` gets each full frame with the time of its first sample.
    ///
    /// # Errors
    /// What `frame` returns: the frame is gone, and what stands behind it in `block` too.
    pub fn push(&mut self, block: &AudioFrame, mut frame: impl FnMut(Timestamp, &[f32]) -> Result<()>) -> Result<()> {
        self.estimated = block.time_is_estimated;
        if block.discontinuity || self.is_astray(block.time) {
            self.anchor = Some(block.time);
            self.given = 0;
            self.rest.clear();
        }
        let mut samples = &block.samples[..];
        while self.rest.len() + samples.len() >= self.full() {
            let (head, tail) = samples.split_at(self.full() - self.rest.len());
            samples = tail;
            let time = self.time();
            self.given += self.length as u64;
            if self.rest.is_empty() {
                frame(time, head)?;
            } else {
                self.rest.extend_from_slice(head);
                let encoded = frame(time, &self.rest);
                self.rest.clear();
                encoded?;
            }
        }
        self.rest.extend_from_slice(samples);
        Ok(())
    }

    /// Gives what waits as a last frame, filled up with silence.
    ///
    /// # Errors
    /// What `frame` returns.
    pub fn finish(&mut self, frame: impl FnOnce(Timestamp, &[f32]) -> Result<()>) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        self.rest.resize(self.full(), 0.0);
        let time = self.time();
        self.given += self.length as u64;
        let encoded = frame(time, &self.rest);
        self.rest.clear();
        encoded
    }

    /// Samples of all channels in a frame.
    fn full(&self) -> usize {
        self.length * usize::from(self.channels)
    }

    /// When the first sample not yet given was captured, by count.
    fn time(&self) -> Timestamp {
        self.anchor.unwrap_or_default() + samples_to_time(self.given, self.rate)
    }

    /// Whether a block that starts at `time` is not where the count is.
    fn is_astray(&self, time: Timestamp) -> bool {
        let Some(anchor) = self.anchor else { return true };
        let waiting = self.rest.len() / usize::from(self.channels);
        let expected = anchor + samples_to_time(self.given + waiting as u64, self.rate);
        time.since(expected).max(expected.since(time)) > samples_to_time(self.length as u64, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(time: Timestamp, samples: std::ops::Range<usize>) -> AudioFrame {
        AudioFrame::new(48_000, 1, time, samples.map(|sample| sample as f32).collect::<Vec<_>>())
    }

    /// The frames that `block` fills: when each starts, and its first sample.
    fn push(framer: &mut Framer, block: &AudioFrame) -> Vec<(u64, f32)> {
        let mut all = Vec::new();
        let collect = |time: Timestamp, frame: &[f32]| {
            assert_eq!(frame.len(), 960);
            assert!(frame.windows(2).all(|pair| pair[1] == pair[0] + 1.0), "samples in order");
            all.push((time.as_nanos() / 1000, frame[0]));
            Ok(())
        };
        framer.push(block, collect).unwrap();
        all
    }

    #[test]
    fn a_block_off_by_less_than_a_frame_does_not_move_the_count() {
        let mut framer = Framer::new(48_000, 1, 960);
        assert_eq!(push(&mut framer, &block(Timestamp::from_millis(5), 0..1000)), [(5_000, 0.0)]);
        let wandering = block(Timestamp::from_millis(5 + 20 + 19), 1000..3000);
        assert_eq!(push(&mut framer, &wandering), [(25_000, 960.0), (45_000, 1920.0)]);
    }

    #[test]
    fn a_jump_and_a_discontinuity_drop_the_rest_and_count_anew() {
        let mut framer = Framer::new(48_000, 1, 960);
        push(&mut framer, &block(Timestamp::ZERO, 0..1000));
        assert_eq!(push(&mut framer, &block(Timestamp::from_millis(100), 0..1000)), [(100_000, 0.0)]);
        let marked = block(Timestamp::from_millis(121), 0..960).with_discontinuity(true);
        assert_eq!(push(&mut framer, &marked), [(121_000, 0.0)]);
    }
}
