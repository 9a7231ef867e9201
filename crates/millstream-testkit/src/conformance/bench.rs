//! A stage on a bench: called by hand, its alarms rung at their time.

use std::task::Waker;

use millstream_core::{Clock, Control, Cx, Error, Hand, Item, Out, Run, Stage, Timestamp, Upstream};

use super::rule::unexpected;

/// A `Cx` in virtual time, with what moves it.
pub(super) struct Stand {
    pub(super) cx: Cx,
    pub(super) hand: Hand,
    pub(super) run: Run,
}

impl Stand {
    /// One whose pipeline starts at `start`, which is now.
    pub(super) fn at(start: Timestamp) -> Stand {
        let (clock, hand) = Clock::manual();
        hand.set(start);
        let run = Run::default();
        run.start(start);
        Stand { cx: Cx::new(clock, Waker::noop().clone(), Upstream::default(), run.clone()), hand, run }
    }
}

/// How often a stage may be woken between two items before its alarm counts as stuck.
const MOST_WAKES: usize = 10_000;

/// A stage, and the time at which it is called.
pub(super) struct Bench<I, O> {
    stage: Box<dyn Stage<I, O>>,
    out: Out<O>,
    hand: Hand,
}

impl<I: Item, O: Item> Bench<I, O> {
    pub(super) fn new(stage: impl Stage<I, O> + 'static) -> Bench<I, O> {
        let Stand { cx, hand, .. } = Stand::at(Timestamp::ZERO);
        Bench { stage: Box::new(stage), out: Out::new(cx), hand }
    }

    /// Gives `item` at its own time, after the alarms until then; what comes out.
    pub(super) fn give(&mut self, item: I) -> Result<Vec<O>, Error> {
        for _ in 0..MOST_WAKES {
            let Some(alarm) = self.out.alarm().filter(|alarm| *alarm <= item.time()) else { break };
            self.hand.set(alarm);
            self.out.take_alarm(alarm);
            self.stage.wake(&mut self.out)?;
        }
        self.hand.set(item.time());
        let processed = self.stage.process(item, &mut self.out);
        processed.map(|()| self.taken())
    }

    /// Wakes it though nothing is due.
    pub(super) fn wake(&mut self) -> Result<Vec<O>, Error> {
        self.stage.wake(&mut self.out).map(|()| self.taken())
    }

    pub(super) fn finish(&mut self) -> Result<Vec<O>, Error> {
        self.stage.finish(&mut self.out).map(|()| self.taken())
    }

    /// What it passes on of `wish`.
    pub(super) fn ask(&mut self, wish: Control) -> Option<Control> {
        self.stage.control(wish, &mut self.out)
    }

    /// Gives all `items`, which are good; what comes out.
    pub(super) fn give_all(&mut self, items: impl IntoIterator<Item = I>) -> Result<Vec<O>, String> {
        let mut all = Vec::new();
        for (number, item) in items.into_iter().enumerate() {
            all.extend(self.give(item).map_err(|error| format!("{} at good item {number}", unexpected(&error)))?);
        }
        Ok(all)
    }

    /// Gives all `items`, which are good, and finishes; what comes out.
    pub(super) fn run(&mut self, items: impl IntoIterator<Item = I>) -> Result<Vec<O>, String> {
        let mut all = self.give_all(items)?;
        all.extend(self.finish().map_err(|error| format!("{} in `finish`", unexpected(&error)))?);
        Ok(all)
    }

    fn taken(&mut self) -> Vec<O> {
        self.out.items().drain(..).collect()
    }
}
