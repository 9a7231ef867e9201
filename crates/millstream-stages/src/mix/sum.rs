//! The samples of all inputs added up at their places, until they are given.

use millstream_core::AudioFrame;

/// A ring of the samples that were not yet given, from the oldest one on. Samples are counted from
/// the pipeline's start, in each channel.
#[derive(Debug)]
pub(super) struct Sum {
    samples: Vec<f32>,
    channels: usize,
    block: usize,
    from: i64,
    filled: i64,
}

impl Sum {
    /// Silence from sample 0 on, with room for at least `room` samples in each channel, to be given
    /// in blocks of `block`.
    pub(super) fn new(channels: u16, block: usize, room: usize) -> Sum {
        let (channels, capacity) = (usize::from(channels), room.next_multiple_of(block));
        Sum { samples: vec![0.0; capacity * channels], channels, block, from: 0, filled: 0 }
    }

    /// The oldest sample that was not yet given.
    pub(super) fn from(&self) -> i64 {
        self.from
    }

    /// The end of the block that is given next.
    pub(super) fn block_end(&self) -> i64 {
        self.from + self.block as i64
    }

    /// The end of what there is room for.
    pub(super) fn end(&self) -> i64 {
        self.from + self.capacity() as i64
    }

    /// How many blocks there is room for.
    pub(super) fn blocks(&self) -> usize {
        self.capacity() / self.block
    }

    /// Whether nothing was added that is not yet given.
    pub(super) fn is_empty(&self) -> bool {
        self.filled <= self.from
    }

    fn capacity(&self) -> usize {
        self.samples.len() / self.channels
    }

    /// Adds the samples of `frame`, which begins at `start`, that lie in `from..to`, for which there is room.
    pub(super) fn add(&mut self, frame: &AudioFrame, start: i64, from: i64, to: i64, gain: f32) {
        debug_assert!(self.from <= from && to <= self.end(), "{from}..{to} of {}..{}", self.from, self.end());
        let channels = usize::from(frame.channels);
        let part = (from - start) as usize * channels..(to - start) as usize * channels;
        let (mut place, mut rest) = (self.place(from), &frame.samples[part]);
        while !rest.is_empty() {
            let run = (rest.len() / channels).min(self.capacity() - place);
            let (now, later) = rest.split_at(run * channels);
            let sum = &mut self.samples[place * self.channels..][..run * self.channels];
            add_as(sum, self.channels, now, channels, gain);
            (place, rest) = (0, later);
        }
        self.filled = self.filled.max(to);
    }

    /// Moves the next block into `to`, which has its size.
    pub(super) fn take(&mut self, to: &mut [f32]) {
        let place = self.place(self.from) * self.channels;
        // The ring holds whole blocks, and each begins at a multiple of its size: none is split.
        let block = &mut self.samples[place..][..self.block * self.channels];
        to.copy_from_slice(block);
        block.fill(0.0);
        self.from = self.block_end();
    }

    /// The size of a block, all channels.
    pub(super) fn block_len(&self) -> usize {
        self.block * self.channels
    }

    /// Leaves out every block before the one that holds `sample`; whether there was any. It is empty.
    pub(super) fn skip_to(&mut self, sample: i64) -> bool {
        debug_assert!(self.is_empty(), "nothing is left out that somebody gave");
        let block = self.block as i64;
        let from = sample.div_euclid(block) * block;
        let skips = from > self.from;
        self.from = self.from.max(from);
        skips
    }

    fn place(&self, sample: i64) -> usize {
        sample.rem_euclid(self.capacity() as i64) as usize
    }
}

/// Adds `samples` of `from` channels to those of `to` channels: one is spread, two are averaged.
fn add_as(sum: &mut [f32], to: usize, samples: &[f32], from: usize, gain: f32) {
    match (from, to) {
        (1, 2) => sum.chunks_exact_mut(2).zip(samples).for_each(|(sum, sample)| {
            sum[0] += gain * sample;
            sum[1] += gain * sample;
        }),
        (2, 1) => sum.iter_mut().zip(samples.chunks_exact(2)).for_each(|(sum, pair)| {
            *sum += gain * (pair[0] + pair[1]) / 2.0;
        }),
        _ => sum.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += gain * sample),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::Timestamp;

    fn frame(channels: u16, samples: &[f32]) -> AudioFrame {
        AudioFrame::new(48_000, channels, Timestamp::ZERO, samples.to_vec())
    }

    fn taken(sum: &mut Sum) -> Vec<f32> {
        let mut block = vec![f32::NAN; sum.block_len()];
        sum.take(&mut block);
        block
    }

    #[test]
    fn the_ring_goes_round_and_leaves_silence_behind() {
        let mut sum = Sum::new(1, 2, 5);
        assert_eq!(sum.end(), 6);
        sum.add(&frame(1, &[1.0, 2.0, 3.0, 4.0]), 1, 1, 5, 1.0);
        sum.add(&frame(1, &[9.0, 10.0, 20.0, 9.0]), 0, 1, 3, 0.5);
        assert_eq!((taken(&mut sum), taken(&mut sum)), (vec![0.0, 6.0], vec![12.0, 3.0]));
        sum.add(&frame(1, &[5.0, 6.0, 7.0, 8.0, 9.0]), 5, 5, 10, 1.0);
        assert_eq!(
            (taken(&mut sum), taken(&mut sum), taken(&mut sum)),
            (vec![4.0, 5.0], vec![6.0, 7.0], vec![8.0, 9.0])
        );
        assert!(sum.is_empty());
        assert_eq!(taken(&mut sum), [0.0, 0.0]);
    }

    #[test]
    fn one_channel_is_spread_and_two_are_averaged() {
        let mut stereo = Sum::new(2, 2, 2);
        stereo.add(&frame(1, &[1.0, 2.0]), 0, 0, 2, 2.0);
        stereo.add(&frame(2, &[0.25, 0.5, 0.75, 1.0]), 0, 0, 2, 1.0);
        assert_eq!(taken(&mut stereo), [2.25, 2.5, 4.75, 5.0]);
        let mut mono = Sum::new(1, 2, 2);
        mono.add(&frame(2, &[1.0, 0.5, 0.0, 1.0]), 0, 0, 2, 2.0);
        assert_eq!(taken(&mut mono), [1.5, 1.0]);
    }

    #[test]
    fn blocks_stay_at_their_multiples() {
        let mut sum = Sum::new(1, 4, 8);
        assert!(!sum.skip_to(3));
        assert!(sum.skip_to(11));
        assert_eq!((sum.from(), sum.block_end()), (8, 12));
        assert!(!sum.skip_to(-5));
        assert_eq!(sum.from(), 8);
    }
}
