//! What a stage of any kind must do; an encoder and a packetizer must do it too.

use millstream_core::error::Kind;
use millstream_core::{Item, Role, Stage, Timestamp};

use super::bench::Bench;
use super::rule::{Seen, ensure, must, same_kind, unexpected, wishes};
use crate::examples::Odd;

/// Items that are given.
const ITEMS: u64 = 40;

/// Says that a stage does what any stage must: `make` gives new ones that would do the same, `items` the item of
/// a number, one as good as the next, whose times do not go back.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn transform<I: Odd, O: Item, S: Stage<I, O> + 'static>(make: impl Fn() -> S, items: impl Fn(u64) -> I) {
    let bench = || Bench::new(make());
    must("a stage gives something, the last at the latest when its input ends", || {
        let given = bench().run((0..ITEMS).map(&items))?;
        ensure(!given.is_empty(), || format!("nothing of {ITEMS} items"))
    });
    must("a stage answers a wish or passes it on as one of its kind, at any time, and goes on", || {
        bears_wishes(&mut bench(), &items)
    });
    must("a stage bears being woken early: it gives what it would have given", || {
        let plain = told(&bench().run((0..ITEMS).map(&items))?);
        let woken = told(&run_woken(&mut bench(), &items)?);
        ensure(plain == woken, || format!("{woken:?}, and without being woken {plain:?}"))
    });
    must("the times of what a stage gives do not go back where those of what it takes do not", || {
        let given = bench().run((0..ITEMS).map(&items))?;
        let back = given.windows(2).find(|pair| pair[1].time() < pair[0].time());
        back.map_or(Ok(()), |pair| Err(format!("{} after {}", pair[1].time(), pair[0].time())))
    });
    must("a time of capture that is only estimated stays an estimate in what is made of the item", || {
        let estimated = |number| items(number).estimated();
        for (given, expected) in
            [(bench().run((0..ITEMS).map(&items))?, false), (bench().run((0..ITEMS).map(estimated))?, true)]
        {
            let other = given.iter().filter(|item| item.time_is_estimated() != expected).count();
            ensure(other == 0, || format!("{other} of {} items say {}", given.len(), !expected))?;
        }
        Ok(())
    });
    must("a stage bears the end of its input twice, and gives nothing at the second", || {
        let mut bench = bench();
        bench.run((0..ITEMS).map(&items))?;
        let more = bench.finish().map_err(|error| unexpected(&error))?;
        ensure(more.is_empty(), || format!("{} items", more.len()))
    });
    must("a stage bears an input that ends without an item", || {
        let mut bench = bench();
        bench.wake().and_then(|_| bench.finish()).map(drop).map_err(|error| unexpected(&error))
    });
    must("a stage takes an unusual item or refuses it in words, and a bad one spoils no good one", || {
        let good = items(0);
        for (what, odd) in I::odd(&good) {
            takes_or_refuses(&mut bench(), [odd.clone()], &good).map_err(|seen| format!("{seen}, given {what}"))?;
            takes_or_refuses(&mut bench(), [good.clone(), odd], &good)
                .map_err(|seen| format!("{seen}, given {what} after a good item"))?;
        }
        Ok(())
    });
}

/// What can be told of items whatever they are.
fn told<O: Item>(items: &[O]) -> Vec<(Timestamp, Role)> {
    items.iter().map(|item| (item.time(), item.role())).collect()
}

fn run_woken<I: Item, O: Item>(bench: &mut Bench<I, O>, items: &impl Fn(u64) -> I) -> Result<Vec<O>, String> {
    let words = |error| unexpected(&error);
    let mut all = bench.wake().map_err(words)?;
    for number in 0..ITEMS {
        all.extend(bench.give(items(number)).map_err(words)?);
        all.extend(bench.wake().map_err(words)?);
        all.extend(bench.wake().map_err(words)?);
    }
    all.extend(bench.finish().map_err(words)?);
    Ok(all)
}

fn bears_wishes<I: Item, O: Item>(bench: &mut Bench<I, O>, items: &impl Fn(u64) -> I) -> Seen {
    for (number, wish) in wishes().into_iter().chain(wishes()).enumerate() {
        if let Some(passed) = bench.ask(wish) {
            ensure(same_kind(passed, wish), || format!("{passed:?} for {wish:?}"))?;
        }
        bench.give(items(number as u64)).map_err(|error| format!("{}, after {wish:?}", unexpected(&error)))?;
    }
    Ok(())
}

/// Gives `items`, of which the last may be refused, then `good`, which may not if the last was only bad itself.
fn takes_or_refuses<I: Item, O: Item>(bench: &mut Bench<I, O>, items: impl IntoIterator<Item = I>, good: &I) -> Seen {
    for item in items {
        if let Err(error) = bench.give(item) {
            ensure(error.to_string().len() > 10 && error.kind() != Kind::Panic, || unexpected(&error))?;
            if error.kind() != Kind::BadItem {
                return Ok(());
            }
        }
    }
    if let Err(error) = bench.give(good.clone()) {
        // What fits each by itself need not fit together: a change that it cannot follow ends it, in words.
        let ends = matches!(error.kind(), Kind::Fatal | Kind::Config);
        ensure(ends && error.to_string().len() > 10, || format!("{} at a good item", unexpected(&error)))?;
    }
    bench.finish().map(drop).map_err(|error| format!("{} in `finish`", unexpected(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use crate::examples;
    use millstream_core::{AudioFrame, Control, Cx, Error, Out, Result};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        Swallows,
        TwistsWishes,
        GivesWhenWoken,
        GoesBack,
        GivesAtEachEnd,
        NeedsAnItem,
        PanicsWhenEmpty,
        SaysNothing,
        NeverRecovers,
        TrustsEstimates,
    }

    /// Holds one block back.
    struct Fake {
        fault: Fault,
        held: Option<AudioFrame>,
        spoilt: bool,
    }

    fn fake(fault: Fault) -> impl Fn() -> Fake {
        move || Fake { fault, held: None, spoilt: false }
    }

    impl Stage<AudioFrame, AudioFrame> for Fake {
        fn process(&mut self, block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
            if block.is_empty() {
                assert!(self.fault != Fault::PanicsWhenEmpty, "no samples");
                self.spoilt = self.fault == Fault::NeverRecovers;
                let words = if self.fault == Fault::SaysNothing { "" } else { "a block without samples" };
                return Err(Error::bad_item(words));
            }
            if self.spoilt {
                return Err(Error::bad_item("still the block without samples"));
            }
            let estimated = block.time_is_estimated && self.fault != Fault::TrustsEstimates;
            let before = self.held.replace(block.with_estimated_time(estimated));
            if self.fault != Fault::Swallows {
                out.items().extend(before);
            }
            Ok(())
        }

        fn wake(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
            if self.fault == Fault::GivesWhenWoken {
                out.items().extend(self.held.clone());
            }
            Ok(())
        }

        fn finish(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
            if self.fault == Fault::NeedsAnItem {
                let _ = self.held.as_ref().ok_or_else(|| Error::fatal("nothing is held"))?;
            }
            let last = if self.fault == Fault::GivesAtEachEnd { self.held.clone() } else { self.held.take() };
            if self.fault == Fault::GoesBack {
                out.items().extend(last.map(|block| block.with_time(Timestamp::ZERO)));
            } else if self.fault != Fault::Swallows {
                out.items().extend(last);
            }
            Ok(())
        }

        fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
            match self.fault {
                Fault::TwistsWishes => Some(Control::Pause(true)),
                _ => Some(wish),
            }
        }
    }

    #[test]
    fn a_good_stage_passes_and_each_fault_is_found() {
        let block = |number| examples::block(48_000, 2, number);
        transform(fake(Fault::None), block);
        for (fault, words) in [
            (Fault::Swallows, "nothing of 40 items"),
            (Fault::TwistsWishes, "as one of its kind, at any time, and goes on. Seen: Pause(true) for KeyFrame"),
            (Fault::GivesWhenWoken, "bears being woken early"),
            (Fault::TrustsEstimates, "stays an estimate in what is made of the item. Seen: 40 of 40 items say false"),
            (Fault::GoesBack, "do not go back where those of what it takes do not. Seen: 0.000 s after 0.380 s"),
            (Fault::GivesAtEachEnd, "gives nothing at the second. Seen: 1 items"),
            (Fault::NeedsAnItem, "`nothing is held` (Fatal)"),
            (
                Fault::PanicsWhenEmpty,
                "refuses it in words, and a bad one spoils no good one. Seen: a panic: no samples",
            ),
            (Fault::SaysNothing, "Seen: the error `` (BadItem), given a block without samples"),
            (Fault::NeverRecovers, "at a good item"),
        ] {
            fails(words, || transform(fake(fault), block));
        }
    }
}
