//! What a source must do.

use std::sync::mpsc;
use std::time::Duration;

use millstream_core::{Control, Item, Next, Source, Timestamp};

use super::bench::Stand;
use super::rule::{Seen, ensure, must, unexpected, wishes};

/// Where the pipeline starts: not where its clock does.
const START: Timestamp = Timestamp::from_millis(3000);
/// Items that are looked at.
const ITEMS: usize = 40;
/// Items after which a source counts as one without an end.
const MOST_ITEMS: usize = 1000;
/// Calls without an item in a row, after which a source counts as stuck.
const PATIENCE: usize = 1000;
/// How long a source may take to return once the pipeline stops ([`Source::next`]).
const STOPS_WITHIN: Duration = Duration::from_millis(100);
/// How often stopping is tried: a loaded machine may wake a thread late once.
const STOP_ATTEMPTS: usize = 4;

/// Says that a source does what a source must: `make` gives new ones that would give the same.
///
/// For sources that run in virtual time. One that blocks in a driver has a clock of its own.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn source<T: Item, S: Source<T> + 'static>(make: impl Fn() -> S) {
    must("a source counts from the start of the pipeline, where its first item is stamped", || {
        let first = drive(&mut make(), &mut Stand::at(START), 1)?;
        let Some(first) = first.first() else { return Err("no item at all".to_owned()) };
        ensure(first.time == START, || format!("a start at {START} and a first stamp of {}", first.time))
    });
    must("the stamps of a source never go back", || {
        let given = drive(&mut make(), &mut Stand::at(START), ITEMS)?;
        let back = given.windows(2).find(|pair| pair[1].time < pair[0].time);
        back.map_or(Ok(()), |pair| Err(format!("{} after {}", pair[1].time, pair[0].time)))
    });
    must("a source gives no item before it was captured", || {
        let given = drive(&mut make(), &mut Stand::at(START), ITEMS)?;
        let early = given.iter().find(|item| item.time > item.given);
        early.map_or(Ok(()), |item| Err(format!("an item stamped {} at {}", item.time, item.given)))
    });
    must("a source that says `Until` gives nothing before, and names a time to come", || keeps_its_word(&mut make()));
    must("a source knows no clock but the pipeline's: two runs are alike, and a later start shifts all stamps", || {
        let run = |start| {
            let given = drive(&mut make(), &mut Stand::at(start), ITEMS)?;
            Ok::<_, String>(given.iter().map(|item| (item.time.since(start), item.size)).collect::<Vec<_>>())
        };
        let (one, other, later) = (run(START)?, run(START)?, run(START + Duration::from_secs(1000))?);
        ensure(one == other, || format!("{one:?} and then {other:?}, since the start and in bytes"))?;
        ensure(one == later, || format!("{one:?}, and {later:?} with a start 1000 s later"))
    });
    must("a source that is asked late goes on", || {
        let mut stand = Stand::at(START);
        stand.hand.set(START + Duration::from_secs(2));
        let given = drive(&mut make(), &mut stand, ITEMS)?;
        ensure(!given.is_empty(), || "nothing any more".to_owned())?;
        ensure(given.is_sorted_by_key(|item| item.time) && given[0].time >= START, || format!("{given:?}"))
    });
    must("a source that has ended stays ended", || {
        let (mut source, mut stand) = (make(), Stand::at(START));
        let endless = drive(&mut source, &mut stand, MOST_ITEMS)?.len() == MOST_ITEMS;
        if endless {
            return Ok(());
        }
        for later in [0, 1, 3600] {
            stand.hand.advance(Duration::from_secs(later));
            source.control(Control::Pause(false), &mut stand.cx);
            let next = source.next(&mut stand.cx).map_err(|error| unexpected(&error))?;
            ensure(matches!(next, Next::End), || format!("{} after the end", name(&next)))?;
        }
        Ok(())
    });
    must("a source bears every wish, at any time, and goes on", || bears_wishes(&mut make()));
    must("a source returns from `next` within 100 ms of real time once the pipeline stops", || stops(&make));
}

/// One item: its stamp, its size, and when it was given.
#[derive(Debug)]
struct Given {
    time: Timestamp,
    size: usize,
    given: Timestamp,
}

/// Up to `limit` items, each at the time it asks for; fewer if it ends or falls idle.
fn drive<T: Item>(source: &mut impl Source<T>, stand: &mut Stand, limit: usize) -> Result<Vec<Given>, String> {
    let (mut all, mut calls) = (Vec::new(), 0);
    while all.len() < limit && calls < PATIENCE {
        let given = stand.cx.now();
        match source.next(&mut stand.cx).map_err(|error| unexpected(&error))? {
            Next::Item(item) => {
                calls = 0;
                all.push(Given { time: item.time(), size: item.size(), given });
            }
            Next::Until(time) => {
                calls += 1;
                stand.hand.set(time);
            }
            Next::Idle | Next::End => return Ok(all),
        }
    }
    ensure(calls < PATIENCE, || format!("{calls} times `Until` or less, and no item"))?;
    Ok(all)
}

fn keeps_its_word<T: Item>(source: &mut impl Source<T>) -> Seen {
    let mut stand = Stand::at(START);
    for _ in 0..ITEMS {
        match source.next(&mut stand.cx).map_err(|error| unexpected(&error))? {
            Next::Until(time) => {
                let now = stand.cx.now();
                ensure(time > now, || format!("`Until({time})` at {now}"))?;
                for asked in [now, Timestamp::from_nanos(time.as_nanos() - 1)] {
                    stand.hand.set(asked);
                    let next = source.next(&mut stand.cx).map_err(|error| unexpected(&error))?;
                    ensure(!matches!(next, Next::Item(_) | Next::End), || {
                        format!("{} at {asked}, though `Until({time})` was said", name(&next))
                    })?;
                }
                stand.hand.set(time);
            }
            Next::Item(_) => {}
            Next::Idle | Next::End => break,
        }
    }
    Ok(())
}

fn bears_wishes<T: Item>(source: &mut impl Source<T>) -> Seen {
    let mut stand = Stand::at(START);
    let mut times = Vec::new();
    for wish in wishes().into_iter().chain(wishes()) {
        source.control(wish, &mut stand.cx);
        stand.hand.advance(Duration::from_millis(7));
        let given = drive(source, &mut stand, 2).map_err(|seen| format!("{seen}, after {wish:?}"))?;
        times.extend(given.iter().map(|item| item.time));
    }
    ensure(times.is_sorted(), || format!("stamps that go back: {times:?}"))?;
    let ended = matches!(source.next(&mut stand.cx), Ok(Next::End));
    let more = drive(source, &mut stand, 1)?;
    ensure(ended || !more.is_empty(), || "neither an item nor the end, after `Pause(false)`".to_owned())
}

/// Runs the source in a thread of its own, as a runner does, and stops the pipeline.
fn stops<T: Item, S: Source<T> + 'static>(make: &impl Fn() -> S) -> Seen {
    for _ in 0..STOP_ATTEMPTS {
        let (mut source, Stand { mut cx, hand, run }) = (make(), Stand::at(START));
        let ((tell, ended), (begin, begun)) = (mpsc::channel(), mpsc::channel());
        // It stays behind if the source never returns; the test then fails and ends the process.
        std::thread::spawn(move || {
            // A thread that starts late must not see the stop before its first call.
            let _ = begin.send(());
            loop {
                match source.next(&mut cx) {
                    Ok(Next::Item(_)) => {}
                    Ok(Next::Until(time)) => hand.set(time),
                    Ok(Next::Idle) => std::thread::yield_now(),
                    Ok(Next::End) | Err(_) => break,
                }
                if cx.stopping() {
                    break;
                }
            }
            // Nobody listens any more where it took too long.
            let _ = tell.send(());
        });
        begun.recv().map_err(|_| "its thread did not start".to_owned())?;
        // Time to go to sleep, for one that blocks.
        let ended_before = ended.recv_timeout(Duration::from_millis(10)).is_ok();
        run.stop();
        if ended_before || ended.recv_timeout(STOPS_WITHIN).is_ok() {
            return Ok(());
        }
    }
    Err("it was still in there, or had panicked".to_owned())
}

fn name<T>(next: &Next<T>) -> &'static str {
    match next {
        Next::Item(_) => "an item",
        Next::Until(_) => "`Until`",
        Next::Idle => "`Idle`",
        Next::End => "`End`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use crate::examples;
    use millstream_core::{AudioFrame, Clock, Cx, Result};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        CountsFromZero,
        GoesBack,
        Early,
        BreaksItsWord,
        AsksForThePast,
        KnowsAnotherClock,
        GivesUpWhenLate,
        StartsAgain,
        PanicsAtAWish,
        StaysPaused,
        Nothing,
    }

    /// Gives 20 blocks of 10 ms.
    struct Fake {
        fault: Fault,
        given: u64,
        asked: u64,
        paused: bool,
    }

    fn fake(fault: Fault) -> impl Fn() -> Fake {
        move || Fake { fault, given: 0, asked: 0, paused: false }
    }

    impl Source<AudioFrame> for Fake {
        fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
            self.asked += 1;
            let from = if self.fault == Fault::CountsFromZero { Timestamp::ZERO } else { cx.start() };
            let mut time = from + Duration::from_millis(10 * self.given);
            if self.paused {
                return Ok(Next::Idle);
            }
            if self.given == 20 || self.fault == Fault::Nothing {
                self.given = if self.fault == Fault::StartsAgain { 0 } else { self.given };
                return Ok(Next::End);
            }
            if self.fault == Fault::GivesUpWhenLate && cx.now().since(time) > Duration::from_secs(1) {
                return Ok(Next::End);
            }
            let breaks = self.fault == Fault::BreaksItsWord && self.asked.is_multiple_of(2);
            if cx.now() < time && self.fault != Fault::Early && !breaks {
                let past = self.fault == Fault::AsksForThePast && self.asked.is_multiple_of(2);
                return Ok(Next::Until(if past { cx.now() } else { time }));
            }
            match self.fault {
                Fault::GoesBack if self.given == 7 => time = cx.start(),
                Fault::BreaksItsWord => time = time.min(cx.now()),
                _ => {}
            }
            self.given += 1;
            let nanos = Clock::system().utc(Timestamp::ZERO).unix_nanos() as usize;
            let length = if self.fault == Fault::KnowsAnotherClock { nanos % 997 } else { 80 };
            Ok(Next::Item(examples::sound(8000, 1, 0, length).with_time(time)))
        }

        fn control(&mut self, wish: Control, _: &mut Cx) {
            match (self.fault, wish) {
                (Fault::PanicsAtAWish, Control::MaxSize(..)) => panic!("no size here"),
                (Fault::StaysPaused, Control::Pause(pause)) => self.paused |= pause,
                (_, Control::Pause(pause)) => self.paused = pause,
                _ => {}
            }
        }
    }

    #[test]
    fn a_good_source_passes_and_each_fault_is_found() {
        source(fake(Fault::None));
        for (fault, words) in [
            (Fault::Nothing, "no item at all"),
            (Fault::CountsFromZero, "a start at 3.000 s and a first stamp of 0.000 s"),
            (Fault::GoesBack, "never go back. Seen: 3.000 s after 3.060 s"),
            (Fault::Early, "before it was captured. Seen: an item stamped 3.010 s at 3.000 s"),
            (Fault::BreaksItsWord, "gives nothing before, and names a time to come. Seen: an item at 3."),
            (Fault::AsksForThePast, "names a time to come. Seen: `Until(3."),
            (Fault::KnowsAnotherClock, "two runs are alike"),
            (Fault::GivesUpWhenLate, "asked late goes on"),
            (Fault::StartsAgain, "stays ended. Seen: an item"),
            (Fault::PanicsAtAWish, "bears every wish, at any time, and goes on. Seen: a panic: no size here"),
            (Fault::StaysPaused, "neither an item nor the end"),
        ] {
            fails(words, || source(fake(fault)));
        }
    }

    #[test]
    fn one_that_blocks_through_the_stop_is_found_and_one_that_looks_is_not() {
        let deaf = || {
            |_: &mut Cx| -> Result<Next<AudioFrame>> {
                loop {
                    std::thread::park();
                }
            }
        };
        assert!(stops(&deaf).is_err());
        let looks = || {
            |cx: &mut Cx| -> Result<Next<AudioFrame>> {
                while !cx.stopping() {
                    std::thread::yield_now();
                }
                Ok(Next::End)
            }
        };
        assert_eq!(stops(&looks), Ok(()));
    }
}
