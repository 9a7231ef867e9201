//! When a source that paces itself is due: counted from the start of the pipeline, so that sources
//! stay in step and nothing drifts.

use std::time::Duration;

use millstream_core::units::FrameRate;
use millstream_core::{Cx, Timestamp};

/// How late a test source may be before it gives up what lies between: a laptop that slept would
/// otherwise have minutes to make up, while a stall of a debugger or a slow machine keeps every item.
const LATEST: Duration = Duration::from_secs(5);

/// Counts items of a source, each due at a multiple of a period from the start.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: FrameRate,
    next: u64,
}

impl Pace {
    pub(crate) fn new(rate: FrameRate) -> Pace {
        Pace { rate, next: 0 }
    }

    /// How many items came before the next one.
    pub(crate) fn count(&self) -> u64 {
        self.next
    }

    /// When the next item is due.
    pub(crate) fn due(&self, cx: &Cx) -> Timestamp {
        cx.start() + self.rate.time_of(self.next)
    }

    /// Counts the next item as given.
    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    /// Leaves out what is more than five seconds late; whether anything was.
    pub(crate) fn skip_if_too_late(&mut self, cx: &Cx) -> bool {
        let late = cx.now().since(self.due(cx));
        late > LATEST && self.skip_to_now(cx)
    }

    /// Leaves out every item that was due before now; whether there was any.
    pub(crate) fn skip_to_now(&mut self, cx: &Cx) -> bool {
        let elapsed = cx.now().since(cx.start()).as_nanos();
        let period = u128::from(self.rate.denominator()) * 1_000_000_000;
        let first = (elapsed * u128::from(self.rate.numerator())).div_ceil(period) as u64;
        let skipped = first > self.next;
        self.next = self.next.max(first);
        skipped
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use millstream_core::{Clock, Hand, Next, Result, Run, Source, Upstream, Utc};
    use std::task::Waker;

    /// A `Cx` that starts `start` after the clock's zero, which is `utc` after the Unix epoch.
    pub(crate) fn cx(start: Timestamp, utc: Duration) -> (Cx, Hand) {
        let (clock, hand) = Clock::manual();
        hand.set(start);
        let clock = clock.with_utc_at_zero(Utc::from_unix_nanos(utc.as_nanos() as u64));
        let run = Run::default();
        run.start(start);
        (Cx::new(clock, Waker::noop().clone(), Upstream::default(), run), hand)
    }

    /// The next item, after moving the clock to when it is due.
    pub(crate) fn step<T>(source: &mut impl Source<T>, cx: &mut Cx, hand: &Hand) -> Result<Option<T>> {
        loop {
            match source.next(cx)? {
                Next::Item(item) => return Ok(Some(item)),
                Next::Until(time) => {
                    assert!(time > cx.now(), "asked to wait for the past");
                    hand.set(time);
                }
                Next::Idle => panic!("idle"),
                Next::End => return Ok(None),
            }
        }
    }

    #[test]
    fn skipping_stops_at_the_first_item_that_is_not_late() {
        let (cx, hand) = cx(Timestamp::from_millis(100), Duration::ZERO);
        let mut pace = Pace::new(FrameRate::new(30_000, 1001).unwrap());
        assert!(!pace.skip_to_now(&cx));
        for now in [100, 133, 134, 1101, 1102, 86_400_000] {
            hand.set(Timestamp::from_millis(now));
            pace.skip_to_now(&cx);
            assert!(pace.due(&cx) >= cx.now());
            assert!(pace.count() == 0 || cx.start() + pace.rate.time_of(pace.count() - 1) < cx.now());
        }
    }
}
