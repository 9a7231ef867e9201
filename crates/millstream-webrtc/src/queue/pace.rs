//! How fast what was kept for a new viewer is sent: faster than it was captured, and not all at once.

use std::time::Duration;

use millstream_core::Timestamp;

/// How many times faster than it was captured: a viewer that is half a second behind has caught up after
/// 170 ms. At 1.5 Mbit/s that makes 6, what a key frame takes for a moment anyhow.
const SPEED: u32 = 4;

/// No frame is held back for longer than this, whatever its capture time says: a quarter of the second that may
/// have been kept at most.
const LONGEST: Duration = Duration::from_millis(250);

/// When frames that were kept are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// When sending begins.
    pub(super) from: Timestamp,
    /// When the first frame was captured.
    pub(super) first: Timestamp,
}

impl Pace {
    /// When a frame that was captured at `time` may be sent.
    pub(super) fn due(self, time: Timestamp) -> Timestamp {
        self.from + (time.since(self.first) / SPEED).min(LONGEST)
    }
}
