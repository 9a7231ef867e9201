//! What a pipeline gave: sound or pictures, and when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream::Running;
use millstream::core::{AudioFrame, Cx, Sink, Timestamp, VideoFrame};

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
            let samples = block.samples.to_vec().into();
            kept.lock().push((cx.now(), AudioFrame { samples, ..block }));
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
