//! What a runner hosts: a source, or a link's exit, with everything that runs inline below it.

use std::sync::Arc;

use millstream_core::{Clock, Cx, Item, Next, Source, Timestamp};

use crate::link::{Exit, Taken};
use crate::node::{Called, Seat};
use crate::outputs::{Consumer, Outputs};
use crate::signal::Signal;

/// What a runner hosts.
pub(crate) trait Task: Send {
    /// Hears wishes, wakers and alarms.
    fn attend(&mut self);
    /// The earliest alarm that is set.
    fn alarm(&self) -> Option<Timestamp>;
    /// Moves one item, if there is one to move.
    fn advance(&mut self) -> Step;
}

/// How far a task got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It moved something; there may be more.
    Moved,
    /// There is nothing to do before it is rung, before this time, or before its alarm.
    Wait(Option<Timestamp>),
    /// There is nothing to do any more.
    Done,
}

/// A task and its bell.
pub(crate) struct Hosted {
    pub(crate) name: Arc<str>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) task: Box<dyn Task>,
    /// Whether it blocks in a driver.
    pub(crate) blocking: bool,
}

impl Hosted {
    /// Attends if it was rung or its alarm is due; whether it did.
    pub(crate) fn attend(&mut self, clock: &Clock) -> bool {
        let called = self.signal.heard() || self.task.alarm().is_some_and(|alarm| alarm <= clock.now());
        if called {
            self.task.attend();
        }
        called
    }

    /// Moves one item, if there is one to move; a wait includes its alarm.
    pub(crate) fn advance(&mut self) -> Step {
        match self.task.advance() {
            Step::Wait(until) => Step::Wait([until, self.task.alarm()].into_iter().flatten().min()),
            step => step,
        }
    }
}

/// A source with everything that runs inline below it.
pub(crate) struct SourceTask<T> {
    source: Box<dyn Source<T>>,
    cx: Cx,
    outputs: Outputs<T>,
    seat: Seat,
    rest: Rest,
    given: std::collections::VecDeque<T>,
}

/// Why a source is not asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    Until(Timestamp),
    Idle,
    Ended,
}

impl<T: Item> SourceTask<T> {
    pub(crate) fn new(source: Box<dyn Source<T>>, cx: Cx, outputs: Outputs<T>, seat: Seat) -> Self {
        SourceTask { source, cx, outputs, seat, rest: Rest::None, given: Default::default() }
    }
}

impl<T: Item> Task for SourceTask<T> {
    fn attend(&mut self) {
        self.outputs.attend();
        let wishes = self.outputs.wishes();
        if self.rest == Rest::Ended {
            return;
        }
        if self.seat.woken.heard() && self.rest == Rest::Idle {
            self.rest = Rest::None;
        }
        for wish in wishes.iter().flat_map(|wishes| wishes.iter()) {
            self.rest = Rest::None;
            if let Called::Failed = self.seat.call(|| {
                self.source.control(wish, &mut self.cx);
                Ok(())
            }) {
                self.rest = Rest::Ended;
            }
        }
    }

    fn alarm(&self) -> Option<Timestamp> {
        self.outputs.alarm()
    }

    fn advance(&mut self) -> Step {
        if self.outputs.gone() {
            return Step::Done;
        }
        if self.rest == Rest::Ended || self.cx.stopping() {
            self.rest = Rest::Ended;
            return if self.outputs.finish() { Step::Done } else { Step::Wait(None) };
        }
        if !self.outputs.flush() {
            return Step::Wait(None);
        }
        match self.rest {
            Rest::Until(time) if time > self.cx.now() => return Step::Wait(Some(time)),
            Rest::Idle => return Step::Wait(None),
            _ => {}
        }
        let called = self.seat.call(|| self.source.next(&mut self.cx));
        self.rest = match called {
            Called::Well(Next::Item(item)) => {
                self.seat.count_out(&item);
                self.seat.note_age(&item);
                self.given.push_back(item);
                self.outputs.give(&mut self.given);
                Rest::None
            }
            Called::Well(Next::Until(time)) => Rest::Until(time),
            Called::Well(Next::Idle) => Rest::Idle,
            Called::Well(Next::End) | Called::Failed => Rest::Ended,
            Called::Skipped => Rest::None,
        };
        Step::Moved
    }
}

/// The exit of a link with the stage behind it and everything that runs inline below that.
pub(crate) struct LinkTask<T> {
    /// Gone once the stage takes nothing any more, so that the producer learns of it.
    exit: Option<Exit<T>>,
    consumer: Box<dyn Consumer<T>>,
}

impl<T: Item> LinkTask<T> {
    pub(crate) fn new(exit: Exit<T>, consumer: Box<dyn Consumer<T>>) -> Self {
        LinkTask { exit: Some(exit), consumer }
    }

    fn finish(&mut self) -> Step {
        self.exit = None;
        if self.consumer.finish() { Step::Done } else { Step::Wait(None) }
    }
}

impl<T: Item> Task for LinkTask<T> {
    fn attend(&mut self) {
        self.consumer.attend();
    }

    fn alarm(&self) -> Option<Timestamp> {
        self.consumer.alarm()
    }

    fn advance(&mut self) -> Step {
        if self.consumer.gone() {
            return self.finish();
        }
        let Some(exit) = &self.exit else { return self.finish() };
        if !self.consumer.ready() {
            return Step::Wait(None);
        }
        match exit.take() {
            Taken::Item(item) => {
                self.consumer.take(item);
                Step::Moved
            }
            Taken::Nothing => Step::Wait(None),
            Taken::Ended => self.finish(),
        }
    }
}
