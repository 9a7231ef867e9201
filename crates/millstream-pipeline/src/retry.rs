//! What a stage or a sink that retries misses between a loss and its recovery.

use std::time::Duration;

use millstream_core::throttle::Throttle;
use millstream_core::{Clock, Incoming, InputId, Item, Timestamp};

use crate::gap::Gap;

/// How long what was lost is left alone: twice as long each time, until it works again.
const WAIT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// The time until the next attempt: 100 ms, then twice as long each time, at most 5 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(crate) fn next(&mut self) -> Duration {
        let wait = WAIT[0].saturating_mul(1 << self.attempts.min(16)).min(WAIT[1]);
        self.attempts += 1;
        wait
    }

    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// The outage of one stage: from a loss until everything it takes can be decoded again.
#[derive(Debug)]
pub(crate) struct Outage {
    /// Whether there is one.
    active: bool,
    /// Whether the stage has taken no item since the loss.
    lost: bool,
    /// It is not called before this time.
    until: Option<Timestamp>,
    backoff: Backoff,
    /// What cannot be decoded of each input that gave something since the loss.
    gaps: Vec<(InputId, Gap)>,
    /// Whether it takes encoded video, of which it needs a key frame afterwards.
    video: bool,
    throttle: Throttle,
}

impl Default for Outage {
    fn default() -> Outage {
        Outage {
            active: false,
            lost: false,
            until: None,
            backoff: Backoff::default(),
            gaps: Vec::new(),
            video: false,
            throttle: Throttle::backing_off(),
        }
    }
}

impl Outage {
    /// The stage lost what it depends on; how long it is left alone, and whether it had worked before.
    pub(crate) fn begin(&mut self, now: Timestamp) -> (Duration, bool) {
        let wait = self.backoff.next();
        self.until = Some(now + wait);
        self.active = true;
        self.gaps.clear();
        (wait, !std::mem::replace(&mut self.lost, true))
    }

    /// The stage took an item; whether it had lost what it depends on.
    pub(crate) fn took_item(&mut self) -> bool {
        if !self.lost {
            return false;
        }
        self.backoff.reset();
        std::mem::take(&mut self.lost)
    }

    /// Whether the stage may have `received`: not during the backoff, and then only from the next frame on that a
    /// decoder can start from.
    pub(crate) fn admits<R: Incoming>(&mut self, received: &R, clock: &Clock) -> bool {
        let Some((input, item)) = received.item() else { return true };
        self.video |= item.is_referred_to();
        if !self.active {
            return true;
        }
        let index = self.gaps.iter().position(|(known, _)| *known == input).unwrap_or_else(|| {
            self.gaps.push((input, Gap::closed()));
            self.gaps.len() - 1
        });
        let gap = &mut self.gaps[index].1;
        if self.until.is_some_and(|until| until > clock.now()) {
            gap.dropped(item);
            return false;
        }
        let admitted = gap.lets_through(item);
        if admitted && !self.lost && self.gaps.iter().all(|(_, gap)| !gap.is_open()) {
            self.active = false;
        }
        admitted
    }

    /// Whether the stage is left alone now.
    pub(crate) fn is_backing_off(&self, clock: &Clock) -> bool {
        self.until.is_some_and(|until| until > clock.now())
    }

    /// When the backoff is over.
    pub(crate) fn alarm(&self) -> Option<Timestamp> {
        self.until
    }

    /// Ends the backoff if its time has come, or at once because the stage `woke` itself; whether it did.
    pub(crate) fn expire(&mut self, woke: bool, clock: &Clock) -> bool {
        let over = self.until.is_some_and(|until| woke || until <= clock.now());
        if over {
            self.until = None;
        }
        over
    }

    /// Whether to ask for a key frame now.
    pub(crate) fn asks_for_key_frame(&mut self, clock: &Clock) -> bool {
        if !self.video || !self.active || self.until.is_some() {
            return false;
        }
        self.throttle.want();
        self.throttle.ask(clock.now())
    }
}
