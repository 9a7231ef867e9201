//! What a pipeline gave: sound or pictures, and when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream::Running;
use millstream::core::{AudioFrame, Cx, Sink, Timestamp, VideoFrame};
use millstream_testkit::{strength, tone};

/// How long a condition is waited for, in looks of 20 ms.
const LOOKS: u32 = 1500;

/// Blocks of sound as they came. Cloning shares them.
#[derive(Clone, Default)]
pub(crate) struct Blocks(Arc<Mutex<Vec<(Timestamp, AudioFrame)>>>);

impl Blocks {
    /// A sink that keeps them.
    pub(crate) fn sink(&self) -> impl Sink<AudioFrame> + 'static {
        let kept = self.clone();
        move |block: AudioFrame, cx: &mut Cx| {
            // A copy, so that what is kept does not hold the source's buffers.
            let samples = block.samples.to_vec();
            kept.lock().push((cx.now(), block.with_samples(samples)));
            Ok(())
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<(Timestamp, AudioFrame)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many came.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// The first channel of those from `first` on.
    pub(crate) fn sound(&self, first: usize) -> Vec<f32> {
        let blocks = self.lock();
        let samples = blocks[first..]
            .iter()
            .flat_map(|(_, block)| block.samples.iter().copied().step_by(usize::from(block.channels)));
        samples.collect()
    }
}

/// When pictures were captured, and when they came. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Pictures(Arc<Mutex<Vec<(Timestamp, Timestamp)>>>);

impl Pictures {
    /// A sink that notes it.
    pub(crate) fn sink(&self) -> impl Sink<VideoFrame> + 'static {
        let noted = self.clone();
        move |picture: VideoFrame, cx: &mut Cx| {
            noted.0.lock().unwrap_or_else(PoisonError::into_inner).push((picture.time, cx.now()));
            Ok(())
        }
    }

    /// The longest between two, by capture and by arrival, since the start.
    pub(crate) fn gaps(&self) -> (Duration, Duration) {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = |gaps: &mut dyn Iterator<Item = Duration>| gaps.max().unwrap_or_default();
        (
            longest(&mut noted.windows(2).map(|pair| pair[1].0.since(pair[0].0))),
            longest(&mut noted.windows(2).map(|pair| pair[1].1.since(pair[0].1))),
        )
    }
}

/// Waits until `condition` holds, and says when that was on the pipeline's clock.
#[track_caller]
pub(crate) fn until(running: &Running, what: &str, mut condition: impl FnMut() -> bool) -> Timestamp {
    for _ in 0..LOOKS {
        if condition() {
            return running.clock().now();
        }
        assert!(!running.wait_for(Duration::from_millis(20)), "the pipeline ended before {what}");
    }
    panic!("not in 30 s: {what}; {:#?}", running.statistics())
}

/// Lets `span` pass.
pub(crate) fn pass(running: &Running, span: Duration) {
    assert!(!running.wait_for(span), "the pipeline ended");
}

/// What a recording of a sine is in its parts of 100 ms, most of them: a machine that is busy tears some.
pub(crate) struct Sine {
    /// The strongest frequency in Hz.
    pub(crate) hz: f64,
    /// How strong it is.
    pub(crate) amplitude: f64,
    /// Its harmonics beside it, in dB.
    pub(crate) distortion: f64,
}

impl Sine {
    /// The sine of `hz`, or what else there is.
    pub(crate) fn of(sound: &[f32], hz: f64) -> Sine {
        let parts: Vec<Sine> = sound.chunks_exact(4800).map(|part| Sine::part(part, hz)).collect();
        assert!(parts.len() >= 5, "half a second is needed to judge");
        let median = |value: fn(&Sine) -> f64| {
            let mut values: Vec<f64> = parts.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Sine {
            hz: median(|part| part.hz),
            amplitude: median(|part| part.amplitude),
            distortion: median(|part| part.distortion),
        }
    }

    fn part(part: &[f32], hz: f64) -> Sine {
        let amplitude = strength(part, 48_000, hz);
        let harmonics: f64 = (2..=10).map(|n| strength(part, 48_000, hz * f64::from(n)).powi(2)).sum();
        Sine {
            hz: tone(part, 48_000, 10.0),
            amplitude,
            distortion: 20.0 * (harmonics.sqrt() / amplitude.max(1e-9)).log10(),
        }
    }
}
