//! What a sink must do.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Cx, Sink, Timestamp};

use super::bench::Stand;
use super::rule::{Seen, ensure, must, unexpected};
use crate::examples::Odd;

/// Items that are given.
const ITEMS: u64 = 40;

/// Says that a sink does what a sink must: `make` gives new ones that would do the same, `items` the item of a
/// number, one as good as the next, whose times do not go back.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn sink<T: Odd, S: Sink<T> + 'static>(make: impl Fn() -> S, items: impl Fn(u64) -> T) {
    let fresh = || (make(), Stand::at(Timestamp::ZERO));
    must("a sink takes good items, and bears being woken early and the end of its input, twice", || {
        let (mut sink, mut stand) = fresh();
        for number in 0..ITEMS {
            give(&mut sink, &mut stand, items(number)).map_err(|seen| format!("{seen} at good item {number}"))?;
            woken(&mut sink, &mut stand.cx)?;
        }
        finished(&mut sink, &mut stand.cx)?;
        woken(&mut sink, &mut stand.cx)?;
        finished(&mut sink, &mut stand.cx)
    });
    must("a sink bears an input that ends without an item", || {
        let (mut sink, mut stand) = fresh();
        woken(&mut sink, &mut stand.cx)?;
        finished(&mut sink, &mut stand.cx)
    });
    must("a sink bears a pause, and items that are late", || {
        let (mut sink, mut stand) = fresh();
        for number in 0..ITEMS {
            if number == ITEMS / 2 {
                stand.hand.advance(Duration::from_secs(60));
            }
            give(&mut sink, &mut stand, items(number))?;
        }
        finished(&mut sink, &mut stand.cx)
    });
    must("a sink takes an unusual item or refuses it in words, and a bad one spoils no good one", || {
        let good = items(0);
        for (what, odd) in T::odd(&good) {
            takes_or_refuses(fresh(), [odd.clone()], &good).map_err(|seen| format!("{seen}, given {what}"))?;
            takes_or_refuses(fresh(), [good.clone(), odd], &good)
                .map_err(|seen| format!("{seen}, given {what} after a good item"))?;
        }
        Ok(())
    });
}

/// Gives `item` at its time, or now if that has passed, after ringing the alarm that is due.
fn give<T: Odd>(sink: &mut impl Sink<T>, stand: &mut Stand, item: T) -> Seen {
    stand.hand.set(item.time());
    if stand.cx.take_alarm(item.time()) {
        woken(sink, &mut stand.cx)?;
    }
    sink.consume(item, &mut stand.cx).map_err(|error| unexpected(&error))
}

fn woken<T>(sink: &mut impl Sink<T>, cx: &mut Cx) -> Seen {
    sink.wake(cx).map_err(|error| format!("{} in `wake`", unexpected(&error)))
}

fn finished<T>(sink: &mut impl Sink<T>, cx: &mut Cx) -> Seen {
    sink.finish(cx).map_err(|error| format!("{} in `finish`", unexpected(&error)))
}

/// Gives `items`, of which the last may be refused, then `good`, which may not if the last was only bad itself.
fn takes_or_refuses<T: Odd, S: Sink<T>>(
    (mut sink, mut stand): (S, Stand),
    items: impl IntoIterator<Item = T>,
    good: &T,
) -> Seen {
    for item in items {
        if let Err(error) = sink.consume(item, &mut stand.cx) {
            ensure(error.to_string().len() > 10 && error.kind() != Kind::Panic, || unexpected(&error))?;
            if error.kind() != Kind::BadItem {
                return Ok(());
            }
        }
    }
    if let Err(error) = sink.consume(good.clone(), &mut stand.cx) {
        // A file that began with one size holds no other: that ends it, in words.
        let ends = matches!(error.kind(), Kind::Fatal | Kind::Config);
        ensure(ends && error.to_string().len() > 10, || format!("{} at a good item", unexpected(&error)))?;
    }
    finished(&mut sink, &mut stand.cx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use crate::{Collected, examples};
    use millstream_core::{Error, Result, VideoFrame};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        NeedsAnItem,
        EndsOnce,
        FearsTheAlarm,
        FearsAPause,
        PanicsAtOnePixel,
    }

    struct Fake {
        fault: Fault,
        taken: u64,
        ended: bool,
    }

    impl Sink<VideoFrame> for Fake {
        fn consume(&mut self, frame: VideoFrame, cx: &mut Cx) -> Result<()> {
            self.taken += 1;
            let late = cx.now().since(frame.time) > Duration::from_secs(50);
            if self.fault == Fault::FearsAPause && late {
                return Err(Error::fatal("so late"));
            }
            assert!(self.fault != Fault::PanicsAtOnePixel || frame.width() > 1, "one pixel");
            Ok(())
        }
        fn wake(&mut self, _: &mut Cx) -> Result<()> {
            if self.fault == Fault::FearsTheAlarm { Err(Error::fatal("who is there?")) } else { Ok(()) }
        }
        fn finish(&mut self, _: &mut Cx) -> Result<()> {
            let wrong = match self.fault {
                Fault::NeedsAnItem => self.taken == 0,
                Fault::EndsOnce => self.ended,
                _ => false,
            };
            self.ended = true;
            if wrong { Err(Error::fatal("not now")) } else { Ok(()) }
        }
    }

    #[test]
    fn a_good_sink_passes_and_each_fault_is_found() {
        let picture = |number| examples::picture((64, 36), number);
        sink(Collected::<VideoFrame>::default, picture);
        for (fault, words) in [
            (Fault::NeedsAnItem, "without an item. Seen: the error `not now` (Fatal) in `finish`"),
            (Fault::EndsOnce, "the end of its input, twice. Seen: the error `not now`"),
            (Fault::FearsTheAlarm, "`who is there?` (Fatal) in `wake`"),
            (Fault::FearsAPause, "items that are late. Seen: the error `so late`"),
            (Fault::PanicsAtOnePixel, "Seen: a panic: one pixel"),
        ] {
            fails(words, || sink(|| Fake { fault, taken: 0, ended: false }, picture));
        }
    }
}
