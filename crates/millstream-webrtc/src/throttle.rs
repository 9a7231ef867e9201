//! At most one key frame per half second, whoever wishes how many.

use std::time::Duration;

use millstream_core::Timestamp;

/// The least time between two key frames that are asked for: what LiveKit waits for its best
/// quality. A key frame costs several times what others cost.
pub const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Merges key-frame wishes. It knows no clock: the caller says what time it is.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    asked: Option<Timestamp>,
    wanted: bool,
}

impl Throttle {
    /// Somebody wants a key frame.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// One came by: whoever wanted one has it. The next is asked for an interval after it and not after
    /// the wish for it, or an encoder that is late once would give three within a second.
    pub(crate) fn satisfied(&mut self, now: Timestamp) {
        self.wanted = false;
        // The one that a stream starts with was not asked for: whoever comes then need not wait.
        self.asked = self.asked.map(|_| now);
    }

    /// Whether to ask for one now.
    pub(crate) fn ask(&mut self, now: Timestamp) -> bool {
        let ask = self.due().is_some_and(|due| due <= now);
        if ask {
            self.wanted = false;
            self.asked = Some(now);
        }
        ask
    }

    /// From when on to ask for one, if somebody wants one.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.wanted.then(|| self.asked.map_or(Timestamp::ZERO, |asked| asked + KEY_FRAME_INTERVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_wishes_in_a_second_are_asked_twice() {
        let mut throttle = Throttle::default();
        let mut asked = Vec::new();
        for millis in (1000..2000).step_by(10) {
            throttle.want();
            if throttle.ask(Timestamp::from_millis(millis)) {
                asked.push(millis);
            }
        }
        assert_eq!(asked, [1000, 1500]);
        assert_eq!(throttle.due(), Some(Timestamp::from_millis(2000)), "the last ones are remembered");
        assert!(throttle.ask(Timestamp::from_millis(2000)));
        assert_eq!(throttle.due(), None);
    }

    #[test]
    fn a_key_frame_that_comes_by_serves_those_who_wait() {
        let mut throttle = Throttle::default();
        throttle.want();
        assert!(throttle.ask(Timestamp::from_millis(10)));
        throttle.want();
        throttle.satisfied(Timestamp::from_millis(50));
        assert!(!throttle.ask(Timestamp::from_millis(1000)));
        throttle.want();
        assert_eq!(throttle.due(), Some(Timestamp::from_millis(550)), "counted from the key frame");
    }
}
