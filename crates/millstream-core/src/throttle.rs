//! Limits how often key frames are requested, however many consumers want one. It has no clock: the caller passes the
//! time.

use std::time::Duration;

use crate::time::Timestamp;

/// The least time between two requests for a key frame: LiveKit's interval for its best quality. A key frame is several
/// times as large as other frames.
pub const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// The longest interval that a consumer with [repeated requests](Throttle::backing_off) reaches. A group of pictures is
/// seldom longer, so a key frame comes anyway.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(8);

/// Merges key-frame requests and passes at most one on per [`KEY_FRAME_INTERVAL`].
#[derive(Clone, Debug)]
pub struct Throttle {
    wanted: bool,
    /// When the last one was requested.
    asked: Option<Timestamp>,
    /// When the last one came, if one was requested before.
    came: Option<Timestamp>,
    interval: Duration,
    longest: Duration,
}

impl Throttle {
    /// For the requests of many consumers together: the interval stays the same.
    pub const fn steady() -> Throttle {
        Throttle { wanted: false, asked: None, came: None, interval: KEY_FRAME_INTERVAL, longest: KEY_FRAME_INTERVAL }
    }

    /// For the requests of one consumer of many, since all of them pay for each key frame. A request that is passed on
    /// less than twice the interval after the last one doubles the interval, up to [`LONGEST_INTERVAL`]. A quiet time of
    /// twice the interval halves it again: 30 s without a request reset it.
    pub const fn backing_off() -> Throttle {
        Throttle { longest: LONGEST_INTERVAL, ..Throttle::steady() }
    }

    /// Notes that a consumer wants a key frame.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// Notes that a key frame came, which answers all requests. The next is requested no earlier than
    /// [`KEY_FRAME_INTERVAL`] later; otherwise an encoder that is late once would give three within a second.
    pub fn satisfied(&mut self, now: Timestamp) {
        self.wanted = false;
        // A stream starts with a key frame that nobody requested: the first request after it need not wait.
        self.came = self.asked.map(|_| now);
    }

    /// Whether to request a key frame now.
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

    /// When to request a key frame, if a consumer wants one.
    pub fn due(&self) -> Option<Timestamp> {
        self.wanted.then(|| self.next())
    }

    /// Whether a request would be passed on at once.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.next() <= now
    }

    fn next(&self) -> Timestamp {
        let asked = self.asked.map(|asked| asked + self.interval);
        let came = self.came.map(|came| came + KEY_FRAME_INTERVAL);
        asked.max(came).unwrap_or(Timestamp::ZERO)
    }

    /// Sets the interval after a request that comes `quiet` after the one before.
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
