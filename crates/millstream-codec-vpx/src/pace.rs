//! Capture times as libvpx's rate control wants them: from 0, strictly rising, without gaps.

use std::time::Duration;

use millstream_core::Timestamp;

/// Ticks of libvpx's time base in a second: those of RTP video, as in libwebrtc.
pub(crate) const TICKS_PER_SECOND: u32 = 90_000;

/// When a frame is shown and for how long, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) start: i64,
    pub(crate) length: u32,
}

impl Slot {
    /// The length in time.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_nanos(u64::from(self.length) * 1_000_000_000 / u64::from(TICKS_PER_SECOND))
    }
}

/// Gives frames their [`Slot`]s.
///
/// libvpx divides the bit rate by the frame rate that it sees in them: in the distance between the
/// ends of two slots. So a slot is as long as frames have been apart of late.
#[derive(Debug)]
pub(crate) struct Pace {
    last: Option<Timestamp>,
    start: i64,
    /// How far frames are apart of late, in ticks.
    distance: f64,
}

/// The shortest distance that counts, in ticks: 1000 pictures a second, the most there are.
const SHORTEST: f64 = 90.0;

/// The longest distance that counts, in ticks: a quarter second.
const LONGEST: f64 = 22_500.0;

/// The longest distance that counts, in distances of late. A picture after a pause may spend twice
/// its share, and not what the pause has saved: libvpx overshoots in a single large frame (80 kB
/// where a quarter second at 1 Mbit/s is 31, measured), and a link wants no burst.
const LONGEST_STEP: f64 = 2.0;

/// The share of the newest distance in the average: a camera's stamps wander by milliseconds, and a
/// change of frame rate is followed within forty frames.
const NEWEST: f64 = 1.0 / 8.0;

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace { last: None, start: 0, distance: f64::from(TICKS_PER_SECOND) / 30.0 }
    }

    /// The slot of a frame captured at `time`.
    pub(crate) fn slot(&mut self, time: Timestamp) -> Slot {
        if let Some(last) = self.last {
            let passed = time.since(last).as_secs_f64() * f64::from(TICKS_PER_SECOND);
            let mut counted = passed.clamp(SHORTEST, LONGEST);
            if self.start == 0 {
                // The first distance seen is better than the guess before it.
                self.distance = counted;
            } else {
                counted = counted.min(self.distance * LONGEST_STEP);
                self.distance += (counted - self.distance) * NEWEST;
            }
            self.start += counted.round() as i64;
        }
        self.last = Some(time);
        Slot { start: self.start, length: self.distance.round() as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_at_a_steady_rate_touch() {
        for fps in [5, 15, 30, 60] {
            let mut pace = Pace::new();
            let mut slots = (0..100).map(|count| pace.slot(Timestamp::from_nanos(count * 1_000_000_000 / fps)));
            slots.next();
            let mut end = None;
            for slot in slots {
                assert_eq!(end.unwrap_or(slot.start), slot.start);
                end = Some(slot.start + i64::from(slot.length));
            }
        }
    }

    #[test]
    fn a_pause_counts_as_two_frames_and_time_never_stands_still() {
        let mut pace = Pace::new();
        pace.slot(Timestamp::from_millis(100));
        assert_eq!(pace.slot(Timestamp::from_millis(133)).start, 2970);
        assert_eq!(pace.slot(Timestamp::from_millis(60_000)).start, 3 * 2970);
        assert_eq!(pace.slot(Timestamp::from_millis(60_000)).start, 3 * 2970 + 90);
        assert_eq!(pace.slot(Timestamp::from_millis(1)).start, 3 * 2970 + 180);
    }

    #[test]
    fn a_change_of_frame_rate_is_followed() {
        let mut pace = Pace::new();
        let mut time = Timestamp::ZERO;
        for (millis, ticks) in [(33, 2970), (200, 18_000), (20, 1800)] {
            let slots: Vec<Slot> = (0..40)
                .map(|_| {
                    time += Duration::from_millis(millis);
                    pace.slot(time)
                })
                .collect();
            let length = f64::from(slots[39].length);
            assert!((length / f64::from(ticks) - 1.0).abs() < 0.05, "{length} of {ticks}");
        }
    }
}
