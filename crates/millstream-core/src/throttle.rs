//! How often key frames are asked for, whoever wishes how many. It knows no clock: the caller says what
//! time it is.

use std::time::Duration;

use crate::time::Timestamp;

/// The least time between two key frames that are asked for: what LiveKit waits for its best
/// quality. A key frame costs several times what others cost.
pub const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// The longest that [one who wishes](Throttle::backing_off) again and again waits between two. A group
/// of pictures is seldom longer, so that one comes by itself.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(8);

/// Merges key-frame wishes, and lets one through at most every [`KEY_FRAME_INTERVAL`].
#[derive(Clone, Debug)]
pub struct Throttle {
    wanted: bool,
    /// When one was last asked for.
    asked: Option<Timestamp>,
    /// When one last came, if one was asked for before.
    came: Option<Timestamp>,
    interval: Duration,
    longest: Duration,
}

impl Throttle {
    /// For the wishes of many together: the interval stays.
    pub const fn steady() -> Throttle {
        Throttle { wanted: false, asked: None, came: None, interval: KEY_FRAME_INTERVAL, longest: KEY_FRAME_INTERVAL }
    }

    /// For the wishes of one among many, who all pay for each key frame. A wish that is let through
    /// less than twice the interval after the one before doubles it, up to [`LONGEST_INTERVAL`]. Each
    /// twice the interval without a wish halves it again: after 30 s all is as it was.
    pub const fn backing_off() -> Throttle {
        Throttle { longest: LONGEST_INTERVAL, ..Throttle::steady() }
    }

    /// Somebody wants a key frame.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// One came by: whoever wanted one has it. The next is asked for [`KEY_FRAME_INTERVAL`] after it at the
    /// earliest, or an encoder that is late once would give three within a second.
    pub fn satisfied(&mut self, now: Timestamp) {
        self.wanted = false;
        // The one that a stream starts with was not asked for: whoever comes then need not wait.
        self.came = self.asked.map(|_| now);
    }

    /// Whether to ask for one now.
    pub fn ask(&mut self, now: Timestamp) -> bool {
        let ask = self.due().is_some_and(|due| due <= now);
        if ask {
            if let Some(before) = self.asked {
                self.adapt(now.since(before));
            }
            self.wanted = false;
            self.asked = Some(now);
        }
        ask
    }

    /// From when on to ask for one, if somebody wants one.
    pub fn due(&self) -> Option<Timestamp> {
        self.wanted.then(|| self.next())
    }

    /// Whether one that is wanted now is asked for at once.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.next() <= now
    }

    fn next(&self) -> Timestamp {
        let asked = self.asked.map(|asked| asked + self.interval);
        let came = self.came.map(|came| came + KEY_FRAME_INTERVAL);
        asked.max(came).unwrap_or(Timestamp::ZERO)
    }

    /// Sets the interval, now that one is asked for this long after the one before.
    fn adapt(&mut self, mut quiet: Duration) {
        if quiet < 2 * self.interval {
            self.interval = self.longest.min(2 * self.interval);
        }
        while self.interval > KEY_FRAME_INTERVAL && quiet >= 2 * self.interval {
            quiet -= 2 * self.interval;
            self.interval /= 2;
        }
    }
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle::steady()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When `throttle` asks, in milliseconds, if somebody wishes every 10 ms from `from` to `to`.
    fn asked(throttle: &mut Throttle, from: u64, to: u64) -> Vec<u64> {
        let wishes = (from..to).step_by(10);
        let ask = |millis: &u64| {
            throttle.want();
            throttle.ask(Timestamp::from_millis(*millis))
        };
        wishes.filter(ask).collect()
    }

    #[test]
    fn a_hundred_wishes_in_a_second_are_asked_twice() {
        let mut throttle = Throttle::steady();
        assert_eq!(asked(&mut throttle, 1000, 2000), [1000, 1500]);
        assert_eq!(throttle.due(), Some(Timestamp::from_millis(2000)), "the last ones are remembered");
        assert!(throttle.ask(Timestamp::from_millis(2000)));
        assert_eq!(throttle.due(), None);
    }

    #[test]
    fn a_key_frame_that_comes_by_serves_those_who_wait() {
        let mut throttle = Throttle::steady();
        throttle.want();
        assert!(throttle.ask(Timestamp::from_millis(10)));
        throttle.want();
        throttle.satisfied(Timestamp::from_millis(50));
        assert!(!throttle.ask(Timestamp::from_millis(1000)));
        throttle.want();
        assert_eq!(throttle.due(), Some(Timestamp::from_millis(550)), "counted from the key frame");
    }

    #[test]
    fn one_who_wishes_all_the_time_is_heard_less_and_less() {
        let mut throttle = Throttle::backing_off();
        let expected = [0, 500, 1500, 3500, 7500, 15_500, 23_500, 31_500, 39_500, 47_500, 55_500];
        assert_eq!(asked(&mut throttle, 0, 60_000), expected);
    }

    #[test]
    fn one_who_was_quiet_is_heard_as_at_first() {
        let mut throttle = Throttle::backing_off();
        asked(&mut throttle, 0, 20_000);
        // The last was let through at 15.5 s, with an interval of 8 s: 16 s halve it, 8 s more halve it again.
        let at = |throttle: &mut Throttle, millis| asked(throttle, millis, millis + 1);
        assert_eq!(at(&mut throttle, 31_500), [31_500]);
        assert_eq!(throttle.interval, Duration::from_secs(4));
        assert_eq!(at(&mut throttle, 35_500), [35_500]);
        assert_eq!(throttle.interval, Duration::from_secs(8), "too soon");
        assert_eq!(at(&mut throttle, 65_500), [65_500]);
        assert_eq!(throttle.interval, KEY_FRAME_INTERVAL, "after 16 + 8 + 4 + 2 s");
    }

    #[test]
    fn one_that_came_by_itself_does_not_make_a_patient_one_wait_longer() {
        let mut throttle = Throttle::backing_off();
        asked(&mut throttle, 0, 3500);
        throttle.satisfied(Timestamp::from_millis(3000));
        throttle.want();
        assert_eq!(throttle.due(), Some(Timestamp::from_millis(3500)));
    }
}
