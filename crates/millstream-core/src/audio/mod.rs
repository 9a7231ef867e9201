//! Raw sound: a block of interleaved samples, and a [`Framer`] that cuts blocks into frames of one size.

mod framer;

use std::time::Duration;

use crate::pool::Buffer;
use crate::time::Timestamp;

pub use framer::Framer;

/// A block of PCM samples. Cloning counts a reference.
///
/// Times advance by exact sample counts: if they wander, a receiver of Opus stretches and squeezes the sound. Only a
/// block that is marked as a discontinuity starts a new count.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AudioFrame {
    /// When the first sample was captured.
    pub time: Timestamp,
    /// Whether `time` is only estimated from when it arrived: no sender report has arrived yet.
    pub time_is_estimated: bool,
    /// Samples from -1 to 1, channels interleaved.
    pub samples: Buffer<f32>,
    /// Samples per second and channel.
    pub rate: u32,
    /// Channels, at least 1.
    pub channels: u16,
    /// Whether sound before this block is missing: its time is then not where the block before it ended.
    pub discontinuity: bool,
}

impl AudioFrame {
    /// Sound at `rate` samples per second in `channels` channels, whose first sample was captured at `time`.
    pub fn new(rate: u32, channels: u16, time: Timestamp, samples: impl Into<Buffer<f32>>) -> AudioFrame {
        let samples = samples.into();
        AudioFrame { time, time_is_estimated: false, samples, rate, channels, discontinuity: false }
    }

    /// The same sound, captured at `time`.
    #[must_use]
    pub fn with_time(mut self, time: Timestamp) -> AudioFrame {
        self.time = time;
        self
    }

    /// What was captured at the same time, as `samples`.
    #[must_use]
    pub fn with_samples(mut self, samples: impl Into<Buffer<f32>>) -> AudioFrame {
        self.samples = samples.into();
        self
    }

    /// The same sound, before which some is missing if `discontinuity`.
    #[must_use]
    pub fn with_discontinuity(mut self, discontinuity: bool) -> AudioFrame {
        self.discontinuity = discontinuity;
        self
    }

    /// The same sound, whose time is only estimated if `estimated`.
    #[must_use]
    pub fn with_estimated_time(mut self, estimated: bool) -> AudioFrame {
        self.time_is_estimated = estimated;
        self
    }

    /// Samples in each channel.
    pub fn len(&self) -> usize {
        self.samples.len() / usize::from(self.channels.max(1))
    }

    /// Whether there is no sample in it.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        samples_to_time(self.len() as u64, self.rate)
    }
}

/// How long `samples` samples of one channel last at `rate` per second, rounded down to nanoseconds.
pub const fn samples_to_time(samples: u64, rate: u32) -> Duration {
    Duration::from_nanos((samples as u128 * 1_000_000_000 / rate as u128) as u64)
}
