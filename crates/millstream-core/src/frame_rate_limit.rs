//! Which pictures an encoder leaves out to keep to [`Control::MaxFrameRate`](crate::Control::MaxFrameRate).

use std::time::Duration;

use crate::time::Timestamp;
use crate::units::FrameRate;

/// Leaves out pictures above a frame rate, evenly spread.
///
/// Pictures are due at even intervals. One may come up to three eighths of an interval early, so that a
/// camera whose pictures jitter by a third of an interval loses none, and of twice the rate every second one
/// is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameRateLimit {
    /// The time from one picture to the next.
    interval: Option<Duration>,
    due: Option<Timestamp>,
}

impl FrameRateLimit {
    /// Sets the limit, or takes it off.
    pub fn set(&mut self, limit: Option<FrameRate>) {
        self.interval = limit.map(|rate| rate.time_of(1));
        self.due = None;
    }

    /// Whether the picture captured at `time` stays within the limit.
    pub fn admits(&mut self, time: Timestamp) -> bool {
        let Some(interval) = self.interval else { return true };
        let due = self.due.unwrap_or(time);
        // A source that starts again, with earlier stamps, starts a new row.
        let restarts = due.since(time) > 2 * interval;
        if !restarts && due.since(time) > interval * 3 / 8 {
            return false;
        }
        let keeps_step = !restarts && time.since(due) < interval;
        self.due = Some(if keeps_step { due } else { time } + interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the pictures at `times`, in milliseconds, a limit of `rate` admits.
    fn admitted(rate: u32, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut limit = FrameRateLimit::default();
        limit.set(FrameRate::new(rate, 1));
        times.into_iter().filter(|time| limit.admits(Timestamp::from_millis(*time))).collect()
    }

    #[test]
    fn a_higher_rate_is_thinned_evenly() {
        assert_eq!(admitted(25, (0..200).step_by(20)), [0, 40, 80, 120, 160]);
        assert_eq!(admitted(10, (0..400).step_by(40)), [0, 80, 200, 280], "ten a second, as near as 25 a second come");
        assert_eq!(admitted(30, (0..10_000).step_by(10)).len(), 301, "thirty a second, and the first");
    }

    #[test]
    fn a_rate_within_the_limit_loses_nothing_to_jitter_or_pauses() {
        let jittering = [0, 43, 70, 111, 160, 205, 235];
        assert_eq!(admitted(25, jittering), jittering);
        assert_eq!(admitted(25, [0, 40, 5000, 5040, 5080]), [0, 40, 5000, 5040, 5080]);
    }

    #[test]
    fn stamps_that_start_again_and_no_limit_admit_all() {
        assert_eq!(admitted(10, [5000, 5100, 0, 100, 150]), [5000, 5100, 0, 100]);
        let mut limit = FrameRateLimit::default();
        limit.set(FrameRate::new(1, 1));
        assert!(limit.admits(Timestamp::ZERO) && !limit.admits(Timestamp::from_millis(10)));
        limit.set(None);
        assert!(limit.admits(Timestamp::from_millis(20)) && limit.admits(Timestamp::from_millis(21)));
    }
}
