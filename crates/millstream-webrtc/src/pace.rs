//! How fast what was kept for a joiner is sent: faster than it was captured, and not all at once.

use std::time::Duration;

use millstream_core::Timestamp;

/// How many times faster than it was captured: a joiner who is half a second behind has caught up after
/// 170 ms. At 1.5 Mbit/s that makes 6, what a key frame takes for a moment anyhow.
const SPEED: u32 = 4;

/// After this nothing is held back, whatever the times of frames say: a quarter of the second that may
/// have been kept at most.
const LONGEST: Duration = Duration::from_millis(250);

/// When frames that were kept are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// When sending begins.
    pub(crate) from: Timestamp,
    /// When the first frame was captured.
    pub(crate) first: Timestamp,
}

impl Pace {
    /// When a frame that was captured at `time` may be sent.
    pub(crate) fn due(self, time: Timestamp) -> Timestamp {
        self.from + (time.since(self.first) / SPEED).min(LONGEST)
    }
}
