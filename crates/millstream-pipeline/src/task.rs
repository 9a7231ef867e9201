//! What a runner hosts: a source, or a link's exit, with everything that runs inline below it.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::{Clock, Item, Timestamp};

use crate::link::{Exit, Taken};
use crate::outputs::Consumer;
use crate::part_state::{Alive, PartState};
use crate::task_waker::TaskWaker;

/// What a runner hosts.
pub(crate) trait Task: Send {
    /// Handles requests, wakers and alarms.
    fn attend(&mut self);
    /// The earliest alarm that is set.
    fn alarm(&self) -> Option<Timestamp>;
    /// Moves one item, if there is one to move.
    fn advance(&mut self) -> Step;
}

/// How far a task got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It moved an item; there may be more.
    Moved,
    /// It asked and got no item, but may know more now.
    Asked,
    /// There is nothing to do before a notification, this time, or its alarm.
    Wait(Option<Timestamp>),
    /// There is nothing to do any more.
    Done,
}

/// How long a stage is busy with an item, in virtual time: told how many it had before.
pub(crate) type Cost = Box<dyn FnMut(u64) -> Duration + Send>;

/// A task and its waker.
pub(crate) struct Hosted {
    pub(crate) name: Arc<str>,
    /// The part of the pipeline that it is of.
    pub(crate) part: Arc<PartState>,
    /// Keeps that part alive, where it was attached.
    pub(crate) _part_alive: Option<Arc<Alive>>,
    pub(crate) waker: Arc<TaskWaker>,
    pub(crate) task: Box<dyn Task>,
    /// Whether it blocks in a driver.
    pub(crate) blocking: bool,
    /// What its items cost in virtual time, each with how many it had.
    pub(crate) costs: Vec<(Cost, u64)>,
    pub(crate) busy_until: Option<Timestamp>,
    /// Lives as long as the task.
    pub(crate) alive: Arc<()>,
}

impl Hosted {
    /// Attends if it was notified or its alarm is due, and it is not busy; whether it did.
    pub(crate) fn attend(&mut self, clock: &Clock) -> bool {
        if self.is_busy(clock) {
            return false;
        }
        let called = self.waker.take() || self.task.alarm().is_some_and(|alarm| alarm <= clock.now());
        if called {
            self.task.attend();
        }
        called
    }

    /// Moves one item, if there is one to move; a wait includes its alarm.
    pub(crate) fn advance(&mut self, clock: &Clock) -> Step {
        if self.is_busy(clock) {
            return Step::Wait(self.busy_until);
        }
        let step = self.task.advance();
        match step {
            Step::Wait(until) => Step::Wait(earliest(until, self.task.alarm())),
            Step::Moved if !self.costs.is_empty() => {
                let cost: Duration =
                    self.costs.iter_mut().map(|(cost, before)| cost(std::mem::replace(before, *before + 1))).sum();
                self.busy_until = Some(clock.now() + cost);
                step
            }
            _ => step,
        }
    }

    pub(crate) fn is_busy(&self, clock: &Clock) -> bool {
        self.busy_until.is_some_and(|until| until > clock.now())
    }
}

/// The earlier of two times, where one may be missing.
pub(crate) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min()
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
        if self.consumer.closed() {
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
