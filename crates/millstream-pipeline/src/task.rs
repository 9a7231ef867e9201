//! What a runner hosts: a source, or a link's exit, with everything that runs inline below it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use millstream_core::{Clock, Cx, Error, Item, Next, Source, Timestamp};

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
    /// It moved an item; there may be more.
    Moved,
    /// It asked and got no item, but may know more now.
    Asked,
    /// There is nothing to do before it is rung, before this time, or before its alarm.
    Wait(Option<Timestamp>),
    /// There is nothing to do any more.
    Done,
}

/// How long a stage is busy with an item, in virtual time: told how many it had before.
pub(crate) type Cost = Box<dyn FnMut(u64) -> Duration + Send>;

/// A task and its bell.
pub(crate) struct Hosted {
    pub(crate) name: Arc<str>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) task: Box<dyn Task>,
    /// Whether it blocks in a driver.
    pub(crate) blocking: bool,
    /// What its items cost in virtual time, each with how many it had.
    pub(crate) costs: Vec<(Cost, u64)>,
    pub(crate) busy_until: Option<Timestamp>,
    /// Whether the part of the pipeline it belongs to was given up.
    pub(crate) aborted: Arc<AtomicBool>,
    /// Lives as long as the task.
    pub(crate) alive: Arc<()>,
}

impl Hosted {
    /// Attends if it was rung or its alarm is due, and it is not busy; whether it did.
    pub(crate) fn attend(&mut self, clock: &Clock) -> bool {
        if self.is_busy(clock) {
            return false;
        }
        let called = self.signal.heard() || self.task.alarm().is_some_and(|alarm| alarm <= clock.now());
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

/// A source with everything that runs inline below it.
pub(crate) struct SourceTask<T> {
    source: Box<dyn Source<T>>,
    cx: Cx,
    outputs: Outputs<T>,
    seat: Seat,
    rest: Rest,
    given: VecDeque<T>,
    setbacks: Setbacks,
}

/// How long a source that lost what it stands on is left alone: twice as long each time, until it
/// gives an item again.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// Bad items in a row after which a source is left alone too: nothing good is coming just now.
const BAD_IN_A_ROW: u32 = 100;

/// How often a source may be asked for nothing at one moment before that is a mistake of its own.
const ASKED_IN_VAIN: u32 = 10_000;

/// What went wrong since the last good item.
#[derive(Default)]
struct Setbacks {
    bad: u32,
    lost: u32,
    in_vain: u32,
}

impl Setbacks {
    /// How long to leave the source alone.
    fn back_off(&mut self) -> Duration {
        let wait = BACK_OFF[0].saturating_mul(1 << self.lost.min(16)).min(BACK_OFF[1]);
        self.lost += 1;
        self.bad = 0;
        wait
    }
}

/// Why a source is not asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    Until(Timestamp),
    Idle,
    /// It lost what it stands on: not before this time, whatever is wished.
    BackOff(Timestamp),
    Ended,
}

impl<T: Item> SourceTask<T> {
    pub(crate) fn new(source: Box<dyn Source<T>>, cx: Cx, outputs: Outputs<T>, seat: Seat) -> Self {
        SourceTask {
            source,
            cx,
            outputs,
            seat,
            rest: Rest::None,
            given: VecDeque::new(),
            setbacks: Setbacks::default(),
        }
    }
}

impl<T: Item> SourceTask<T> {
    /// It said to come at a time that has come, and does so again and again: nobody gets anything else done.
    fn in_vain(&mut self) -> Rest {
        self.setbacks.in_vain += 1;
        if self.setbacks.in_vain < ASKED_IN_VAIN {
            return Rest::None;
        }
        let words = format!(
            "it was asked {ASKED_IN_VAIN} times, and each time for a moment that had come; it must give an item or a later time"
        );
        let _: Called<()> = self.seat.call(|| Err(Error::fatal(words)));
        Rest::Ended
    }

    fn back_off(&mut self) -> Rest {
        let wait = self.setbacks.back_off();
        tracing::warn!("{}: trying again in {wait:?}", self.seat.name);
        Rest::BackOff(self.cx.now() + wait)
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
            if !matches!(self.rest, Rest::BackOff(_)) {
                self.rest = Rest::None;
            }
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
            Rest::Until(time) | Rest::BackOff(time) if time > self.cx.now() => return Step::Wait(Some(time)),
            Rest::Idle => return Step::Wait(None),
            _ => {}
        }
        let called = self.seat.call(|| self.source.next(&mut self.cx));
        self.rest = match called {
            Called::Well(Next::Item(item)) => {
                self.setbacks = Setbacks::default();
                self.seat.count_out(&item);
                self.seat.note_age(item.time());
                self.given.push_back(item);
                self.outputs.give(&mut self.given);
                self.rest = Rest::None;
                return Step::Moved;
            }
            Called::Well(Next::Until(time)) if time <= self.cx.now() => self.in_vain(),
            Called::Well(Next::Until(time)) => Rest::Until(time),
            Called::Well(Next::Idle) => Rest::Idle,
            Called::Well(Next::End) | Called::Failed => Rest::Ended,
            Called::Skipped => {
                self.setbacks.bad += 1;
                if self.setbacks.bad < BAD_IN_A_ROW { Rest::None } else { self.back_off() }
            }
            Called::Lost => self.back_off(),
        };
        Step::Asked
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
