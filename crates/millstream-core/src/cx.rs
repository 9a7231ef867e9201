//! What a call may know and ask: the time, an alarm, a waker, wishes, whether the end is near.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use crate::control::{Control, Upstream};
use crate::time::{Clock, Timestamp, Utc};

/// What a call may know and ask.
#[derive(Debug)]
pub struct Cx {
    clock: Clock,
    alarm: Option<Timestamp>,
    waker: Waker,
    upstream: Upstream,
    run: Run,
}

impl Cx {
    /// A `Cx` for a test: a manual clock that stands at `time`, nobody upstream, nobody to wake.
    pub fn at(time: Timestamp) -> Cx {
        let (clock, hand) = Clock::manual();
        hand.set(time);
        Cx::new(clock, Waker::noop().clone(), Upstream::default(), Run::default())
    }

    /// What a runner makes for each stage: `waker` leads back to it, `upstream` to whoever feeds it,
    /// and all stages of a pipeline share one `run`.
    pub fn new(clock: Clock, waker: Waker, upstream: Upstream, run: Run) -> Cx {
        Cx { clock, alarm: None, waker, upstream, run }
    }

    /// The time now, read from the pipeline's clock when called.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What `time` is in UTC.
    pub fn utc(&self, time: Timestamp) -> Utc {
        self.clock.utc(time)
    }

    /// When the pipeline started: the same for all its sources, so that what they count from it
    /// is in step.
    pub fn start(&self) -> Timestamp {
        self.run.started()
    }

    /// Asks to be woken at `time`. There is one alarm: the earliest time wins, and it is cleared
    /// before `wake` is called. A stage bears being woken early.
    pub fn wake_at(&mut self, time: Timestamp) {
        self.alarm = Some(self.alarm.map_or(time, |set| set.min(time)));
    }

    /// Wakes this stage, from any thread.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Asks for `wish` upstream.
    pub fn ask(&self, wish: Control) {
        self.upstream.ask(wish);
    }

    /// The way upstream, to be kept and used by any thread.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Whether the pipeline is ending: a source that blocks in a driver returns soon.
    pub fn stopping(&self) -> bool {
        self.run.is_stopping()
    }

    /// The alarm that is set, if any.
    pub fn alarm(&self) -> Option<Timestamp> {
        self.alarm
    }

    /// Takes the alarm if it is due at `now`. For runners.
    pub fn take_alarm(&mut self, now: Timestamp) -> bool {
        let due = self.alarm.is_some_and(|time| time <= now);
        if due {
            self.alarm = None;
        }
        due
    }
}

/// One run of a pipeline: when it started, and whether it is ending. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Run(Arc<RunState>);

#[derive(Debug, Default)]
struct RunState {
    started: AtomicU64,
    stopping: AtomicBool,
}

impl Run {
    /// Says that the run starts at `time`.
    pub fn start(&self, time: Timestamp) {
        self.0.started.store(time.as_nanos(), Ordering::Release);
    }

    /// When it started.
    pub fn started(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.started.load(Ordering::Acquire))
    }

    /// Says that the end has come; there is no way back.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// Whether the end has come.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }
}

/// A [`Cx`] with a way to give items: zero, one or many in a call.
#[derive(Debug)]
pub struct Out<O> {
    cx: Cx,
    items: VecDeque<O>,
}

impl<O> Out<O> {
    /// An `Out` for a test, at `time`.
    pub fn at(time: Timestamp) -> Out<O> {
        Out::new(Cx::at(time))
    }

    /// An `Out` around `cx`.
    pub fn new(cx: Cx) -> Out<O> {
        Out { cx, items: VecDeque::new() }
    }

    /// Gives `item` to whoever is joined.
    pub fn push(&mut self, item: O) {
        self.items.push_back(item);
    }

    /// What was given and not yet taken, first first. For runners and tests.
    pub fn items(&mut self) -> &mut VecDeque<O> {
        &mut self.items
    }
}

impl<O> Deref for Out<O> {
    type Target = Cx;
    fn deref(&self) -> &Cx {
        &self.cx
    }
}

impl<O> DerefMut for Out<O> {
    fn deref_mut(&mut self) -> &mut Cx {
        &mut self.cx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_alarm_wins_and_is_taken_once() {
        let mut cx = Cx::at(Timestamp::from_millis(5));
        cx.wake_at(Timestamp::from_millis(9));
        cx.wake_at(Timestamp::from_millis(7));
        cx.wake_at(Timestamp::from_millis(8));
        assert!(!cx.take_alarm(Timestamp::from_millis(6)));
        assert!(cx.take_alarm(Timestamp::from_millis(7)));
        assert!(!cx.take_alarm(Timestamp::from_millis(100)));
    }
}
