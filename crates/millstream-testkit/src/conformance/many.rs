//! What a stage with several inputs must do.

use std::collections::VecDeque;
use std::time::Duration;

use millstream_core::{
    Control, Error, FromInput, Hand, InputEvent, InputId, Item, Out, Role, Stage, Timestamp, Upstream,
};

use super::bench::Stand;
use super::rule::{Seen, ensure, must, same_kind, unexpected, wishes};

/// Items that an input gives.
const ITEMS: u64 = 40;
/// Items that an input gives that is far ahead of the others.
const AHEAD: u64 = 1000;
/// What any stage has given up to wait for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a stage may be woken within that time before its alarm counts as stuck.
const MOST_WAKES: usize = 100_000;

/// Says that a stage with several inputs does what one must: `make` gives new ones that would do the same,
/// `items` the item of a number, one as good as the next, whose times do not go back. The same is given to all.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn several_inputs<T: Item, O: Item, S: Stage<FromInput<T>, O> + 'static>(
    make: impl Fn() -> S,
    items: impl Fn(u64) -> T,
) {
    let bench = |inputs: u32| {
        let mut bench = Many::new(make());
        (0..inputs).try_for_each(|input| bench.join(input)).map(|()| bench)
    };
    // Two inputs, a third that joins late, a first that ends early.
    let all = |bench: &mut Many<T, O>, woken: bool| {
        for number in 0..ITEMS {
            if number == ITEMS / 4 {
                bench.join(2)?;
            }
            if number == ITEMS / 2 {
                bench.end(0)?;
            }
            for input in 0..3 {
                let is_there = match input {
                    0 => number < ITEMS / 2,
                    2 => number >= ITEMS / 4,
                    _ => true,
                };
                if is_there {
                    bench.give(input, items(number))?;
                }
                if woken {
                    bench.wake()?;
                    bench.wake()?;
                }
            }
        }
        bench.end(2)?;
        bench.end(1)?;
        bench.finish()
    };
    must("inputs join, give and end while others go on, and something is given", || {
        let mut bench = bench(2)?;
        all(&mut bench, false)?;
        ensure(!bench.given.is_empty(), || format!("nothing of {ITEMS} items of each of three inputs"))
    });
    must("a stage with several inputs bears being woken early: it gives what it would have given", || {
        let told = |woken| {
            let mut bench = bench(2)?;
            if woken {
                bench.wake()?;
            }
            all(&mut bench, woken)?;
            Ok::<Vec<(Timestamp, Role)>, String>(bench.given.iter().map(|item| (item.time(), item.role())).collect())
        };
        let (plain, woken) = (told(false)?, told(true)?);
        ensure(plain == woken, || format!("{woken:?}, and without being woken {plain:?}"))
    });
    must("the times of what is given do not go back", || {
        let mut bench = bench(2)?;
        all(&mut bench, false)?;
        let back = bench.given.windows(2).find(|pair| pair[1].time() < pair[0].time());
        back.map_or(Ok(()), |pair| Err(format!("{} after {}", pair[1].time(), pair[0].time())))
    });
    must("a stage with several inputs bears its end twice, and gives nothing at the second", || {
        let mut bench = bench(2)?;
        all(&mut bench, false)?;
        let before = bench.given.len();
        bench.finish()?;
        ensure(bench.given.len() == before, || format!("{} items", bench.given.len() - before))
    });
    must("a stage bears the end without an input, and inputs that end without an item", || {
        bench(0)?.finish()?;
        for inputs in 1..4 {
            let mut bench = bench(inputs)?;
            bench.wake()?;
            (0..inputs).try_for_each(|input| bench.end(input))?;
            bench.pass(PATIENCE)?;
            bench.finish()?;
        }
        Ok(())
    });
    must("an input that ended, with or without an item, does not stop the others", || {
        for before in [0, ITEMS / 4] {
            let mut bench = bench(2)?;
            for number in 0..ITEMS {
                if number == before {
                    bench.end(1)?;
                }
                bench.give(0, items(number))?;
                if number < before {
                    bench.give(1, items(number))?;
                }
            }
            bench.pass(PATIENCE)?;
            reaches(&bench.given, items(before).time(), items(ITEMS - 1).time())
                .map_err(|seen| format!("{seen}, where the other ended after {before} items"))?;
            bench.nothing_waits()?;
        }
        Ok(())
    });
    must("an input that joins when all others ended is heard", || {
        let mut bench = bench(1)?;
        (0..ITEMS / 2).try_for_each(|number| bench.give(0, items(number)))?;
        bench.end(0)?;
        bench.join(1)?;
        (ITEMS / 2..ITEMS).try_for_each(|number| bench.give(1, items(number)))?;
        bench.end(1)?;
        bench.finish()?;
        reaches(&bench.given, items(ITEMS / 2).time(), items(ITEMS - 1).time())
    });
    must("an input that gives nothing does not stop the others for ever", || {
        for before in [0, ITEMS / 4] {
            let mut bench = bench(2)?;
            for number in 0..ITEMS {
                bench.give(0, items(number))?;
                if number < before {
                    bench.give(1, items(number))?;
                }
            }
            bench.pass(PATIENCE)?;
            reaches(&bench.given, items(before).time(), items(ITEMS - 1).time())
                .map_err(|seen| format!("{seen}, where the other was silent after {before} items"))?;
            bench.nothing_waits()?;
        }
        Ok(())
    });
    must("an input that was held goes on at the latest when all others have ended", || {
        for before in [0, 1, ITEMS] {
            let mut bench = bench(3)?;
            // As from files: as fast as they are taken, whatever the clock says.
            for number in 0..AHEAD {
                bench.hand_over(0, items(number))?;
                if number < before {
                    bench.hand_over(1, items(number))?;
                    bench.hand_over(2, items(number))?;
                }
            }
            bench.end(1)?;
            bench.end(2)?;
            bench.pass(Duration::ZERO)?;
            bench.nothing_waits().map_err(|seen| format!("{seen}, where the others ended after {before} items"))?;
            bench.end(0)?;
            bench.finish()?;
            reaches(&bench.given, items(before).time(), items(AHEAD - 1).time())?;
        }
        Ok(())
    });
    must("a wish is answered, or asked of all inputs as one of its kind, at any time, and the stage goes on", || {
        let mut bench = bench(3)?;
        bench.end(1)?;
        for (number, wish) in wishes().into_iter().chain(wishes()).enumerate() {
            bench.asks_all(wish)?;
            for input in [0, 2] {
                bench.give(input, items(number as u64)).map_err(|seen| format!("{seen}, after {wish:?}"))?;
            }
        }
        bench.finish()?;
        ensure(!bench.given.is_empty(), || "nothing was given".to_owned())
    });
}

/// What is given goes on from `begin`, in a part that `end` closes, and to about the end of it.
fn reaches<O: Item>(given: &[O], begin: Timestamp, end: Timestamp) -> Seen {
    let middle = begin + end.since(begin) / 2;
    let last = given.iter().map(Item::time).max();
    ensure(last.is_some_and(|last| last >= middle), || {
        format!("{} items, the last at {}", given.len(), last.map_or("no time".to_owned(), |time| time.to_string()))
    })
}

/// One of several inputs: the way to it, and what waits for it to be let go of.
struct Way<T> {
    input: InputId,
    upstream: Upstream,
    waiting: VecDeque<FromInput<T>>,
}

/// A stage with several inputs, the time at which it is called, and what it gave.
struct Many<T, O> {
    stage: Box<dyn Stage<FromInput<T>, O>>,
    out: Out<O>,
    hand: Hand,
    ways: Vec<Way<T>>,
    given: Vec<O>,
}

impl<T: Item, O: Item> Many<T, O> {
    fn new(stage: impl Stage<FromInput<T>, O> + 'static) -> Many<T, O> {
        let Stand { cx, hand, .. } = Stand::at(Timestamp::ZERO);
        Many { stage: Box::new(stage), out: Out::new(cx), hand, ways: Vec::new(), given: Vec::new() }
    }

    fn join(&mut self, input: u32) -> Seen {
        let (input, upstream) = (InputId::new(input), Upstream::default());
        self.out.join_input(input, upstream.clone());
        self.ways.push(Way { input, upstream, waiting: VecDeque::new() });
        self.call(FromInput::joined(input))
    }

    /// Gives `item` at its own time, after the alarms until then.
    fn give(&mut self, input: u32, item: T) -> Seen {
        self.pass_until(item.time())?;
        self.hand_over(input, item)
    }

    /// Gives `item` now.
    fn hand_over(&mut self, input: u32, item: T) -> Seen {
        self.queue(FromInput::item(InputId::new(input), item))
    }

    fn end(&mut self, input: u32) -> Seen {
        self.queue(FromInput::ended(InputId::new(input)))
    }

    fn wake(&mut self) -> Seen {
        let woken = self.stage.wake(&mut self.out);
        self.note(woken, "in `wake`")?;
        self.deliver()
    }

    fn finish(&mut self) -> Seen {
        let finished = self.stage.finish(&mut self.out);
        self.note(finished, "in `finish`")
    }

    /// Lets `span` go by.
    fn pass(&mut self, span: Duration) -> Seen {
        self.pass_until(self.out.now() + span)
    }

    fn pass_until(&mut self, time: Timestamp) -> Seen {
        for _ in 0..MOST_WAKES {
            let Some(alarm) = self.out.alarm().filter(|alarm| *alarm <= time) else {
                self.hand.set(time);
                return Ok(());
            };
            self.hand.set(alarm);
            self.out.take_alarm(alarm);
            self.wake()?;
        }
        Err(format!("{MOST_WAKES} alarms until {time}"))
    }

    fn queue(&mut self, received: FromInput<T>) -> Seen {
        let way = self.ways.iter_mut().find(|way| way.input == received.input);
        way.expect("an input that joined and did not end").waiting.push_back(received);
        self.deliver()
    }

    /// Hands over what waits at inputs that are not held.
    fn deliver(&mut self) -> Seen {
        while let Some(index) = self.ways.iter().position(|way| !way.waiting.is_empty() && !self.out.is_held(way.input))
        {
            let Some(received) = self.ways[index].waiting.pop_front() else { break };
            if matches!(received.event, InputEvent::Ended) {
                self.out.leave_input(received.input);
                self.ways.remove(index);
            }
            self.call(received)?;
        }
        Ok(())
    }

    fn call(&mut self, received: FromInput<T>) -> Seen {
        let what = format!("at input {}", received.input.index());
        let processed = self.stage.process(received, &mut self.out);
        self.note(processed, &what)
    }

    fn note(&mut self, result: Result<(), Error>, place: &str) -> Seen {
        self.given.extend(self.out.items().drain(..));
        result.map_err(|error| format!("{} {place}", unexpected(&error)))
    }

    /// No input is held, and nothing waits for it to be let go of.
    fn nothing_waits(&self) -> Seen {
        let held = self.ways.iter().find(|way| self.out.is_held(way.input) || !way.waiting.is_empty());
        held.map_or(Ok(()), |way| Err(format!("input {} is held, {} items wait", way.input.index(), way.waiting.len())))
    }

    /// What becomes of `wish`, as a runner hands it on: every input that is there hears it, or none.
    fn asks_all(&mut self, wish: Control) -> Seen {
        if let Some(passed) = self.stage.control(wish, &mut self.out) {
            ensure(same_kind(passed, wish), || format!("{passed:?} for {wish:?}"))?;
            self.out.ask(passed);
        }
        self.out.pass_on_wishes();
        let heard: Vec<Vec<Control>> =
            self.ways.iter().map(|way| way.upstream.take().iter().flat_map(|wishes| wishes.iter()).collect()).collect();
        let hear = |wishes: &&Vec<Control>| wishes.iter().any(|heard| same_kind(*heard, wish));
        let count = heard.iter().filter(hear).count();
        ensure(count == 0 || count == heard.len(), || format!("{wish:?} heard by {count} of {} inputs", heard.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use crate::examples;
    use millstream_core::{AudioFrame, Cx, Result};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        GivesNothing,
        WaitsForEver,
        WaitsForTheEnded,
        HoldsForEver,
        NeedsAnItem,
        HearsNoSecond,
        GivesWhenWoken,
        GoesBack,
        GivesAtEachEnd,
        TwistsWishes,
        AsksTheFirst,
        StuckAlarm,
    }

    /// What is merged waits for a second at most.
    const WAIT: Duration = Duration::from_secs(1);
    /// Items that may wait at an input.
    const ROOM: usize = 50;

    /// Puts the items of all inputs in the order of their times.
    struct Fake {
        fault: Fault,
        queues: Vec<(InputId, VecDeque<AudioFrame>)>,
        joined: u32,
        last: Option<AudioFrame>,
    }

    fn fake(fault: Fault) -> impl Fn() -> Fake {
        move || Fake { fault, queues: Vec::new(), joined: 0, last: None }
    }

    impl Fake {
        /// Gives what comes next of what all gave, or nobody waits for any more.
        fn give_due(&mut self, end: bool, out: &mut Out<AudioFrame>) {
            loop {
                let fronts = self.queues.iter().enumerate();
                let fronts = fronts.filter_map(|(index, (_, queue))| Some((queue.front()?.time, index)));
                let Some((time, index)) = fronts.min() else { break };
                let complete = end || self.queues.iter().all(|(_, queue)| !queue.is_empty());
                if !complete && out.now() < time + WAIT {
                    if self.fault != Fault::WaitsForEver {
                        out.wake_at(time + WAIT);
                    }
                    break;
                }
                if !complete && self.fault == Fault::WaitsForEver {
                    break;
                }
                let Some(next) = self.queues[index].1.pop_front() else { break };
                let late = self.last.as_ref().is_some_and(|last| next.time < last.time);
                if !late && self.fault != Fault::GivesNothing {
                    out.push(next.clone());
                    self.last = Some(next);
                }
            }
            for (input, queue) in &self.queues {
                let full = queue.len() >= ROOM;
                if full || self.fault != Fault::HoldsForEver {
                    out.hold(*input, full);
                }
            }
            if self.fault == Fault::StuckAlarm {
                let now = out.now();
                out.wake_at(now);
            }
        }
    }

    impl Stage<FromInput<AudioFrame>, AudioFrame> for Fake {
        fn process(&mut self, received: FromInput<AudioFrame>, out: &mut Out<AudioFrame>) -> Result<()> {
            let place = self.queues.iter().position(|(input, _)| *input == received.input);
            match (received.event, place) {
                (InputEvent::Joined, _) => {
                    self.joined += 1;
                    if self.fault != Fault::HearsNoSecond || self.joined == 1 || !self.queues.is_empty() {
                        self.queues.push((received.input, VecDeque::new()));
                    }
                }
                (InputEvent::Item(block), Some(place)) => self.queues[place].1.push_back(block),
                (InputEvent::Ended, Some(place)) if self.fault != Fault::WaitsForTheEnded => {
                    if self.fault == Fault::NeedsAnItem && self.last.is_none() && self.queues[place].1.is_empty() {
                        return Err(Error::fatal("no item at all"));
                    }
                    // What it still had is given in its turn, as long as somebody else is there.
                    let (_, rest) = self.queues.remove(place);
                    match self.queues.first_mut() {
                        Some((_, queue)) => {
                            queue.extend(rest);
                            queue.make_contiguous().sort_by_key(|block| block.time);
                        }
                        None => out.items().extend(rest),
                    }
                }
                _ => {}
            }
            self.give_due(false, out);
            Ok(())
        }

        fn wake(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
            if self.fault == Fault::GivesWhenWoken {
                out.items().extend(self.last.clone());
            }
            self.give_due(false, out);
            Ok(())
        }

        fn finish(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
            self.give_due(true, out);
            let last = self.last.clone();
            match self.fault {
                Fault::GoesBack => out.items().extend(last.map(|block| block.with_time(Timestamp::ZERO))),
                Fault::GivesAtEachEnd => out.items().extend(last),
                _ => {}
            }
            Ok(())
        }

        fn control(&mut self, wish: Control, cx: &mut Cx) -> Option<Control> {
            match (self.fault, self.queues.first()) {
                (Fault::TwistsWishes, _) => return Some(Control::Pause(true)),
                (Fault::AsksTheFirst, Some((input, _))) => cx.ask_input(*input, wish),
                _ => return Some(wish),
            }
            None
        }
    }

    #[test]
    fn a_good_stage_passes_and_each_fault_is_found() {
        let check = |fault| several_inputs(fake(fault), |number| examples::block(48_000, 1, number));
        check(Fault::None);
        for (fault, words) in [
            (Fault::GivesNothing, "Seen: nothing of 40 items of each of three inputs"),
            (Fault::WaitsForEver, "Seen: 0 items, the last at no time, where the other was silent after 0 items"),
            (Fault::WaitsForTheEnded, "when all others have ended. Seen: input 0 is held"),
            (Fault::HoldsForEver, "when all others have ended. Seen: input 0 is held"),
            (
                Fault::NeedsAnItem,
                "inputs that end without an item. Seen: the error `no item at all` (Fatal) at input 0",
            ),
            (Fault::HearsNoSecond, "an input that joins when all others ended is heard. Seen: 20 items"),
            (Fault::GivesWhenWoken, "bears being woken early: it gives what it would have given. Seen: "),
            (Fault::GoesBack, "do not go back. Seen: 0.000 s after 0.390 s"),
            (Fault::GivesAtEachEnd, "gives nothing at the second. Seen: 1 items"),
            (Fault::TwistsWishes, "at any time, and the stage goes on. Seen: Pause(true) for KeyFrame"),
            (Fault::AsksTheFirst, "heard by 1 of 2 inputs"),
            (Fault::StuckAlarm, "alarms until"),
        ] {
            fails(words, || check(fault));
        }
    }
}
