//! Raw sound: a block of interleaved samples.

use std::time::Duration;

use crate::pool::Buffer;
use crate::time::Timestamp;

/// A block of PCM samples. Cloning counts a reference.
///
/// Stamps advance by exact sample counts: a receiver that hears Opus with stamps that wander
/// stretches and squeezes the sound. Only a block marked as a discontinuity starts a new count.
#[derive(Clone, Debug)]
pub struct AudioFrame {
    /// When the first sample was captured.
    pub time: Timestamp,
    /// Samples from -1 to 1, channels interleaved.
    pub samples: Buffer<f32>,
    /// Samples per second and channel.
    pub rate: u32,
    /// Channels, at least 1.
    pub channels: u16,
    /// Whether sound before this block is missing, so that its time is not where the block before it ended.
    pub discontinuity: bool,
}

impl AudioFrame {
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
