//! What a call may know and ask: the time, an alarm, a waker, wishes, whether the end is near.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use crate::control::{Control, Requests, Upstream};
use crate::input::InputId;
use crate::time::{Clock, Timestamp, Utc};

/// What a call may know and ask.
#[derive(Debug)]
pub struct Cx {
    clock: Clock,
    alarm: Option<Timestamp>,
    waker: Waker,
    upstream: Upstream,
    run: Run,
    inputs: Vec<InputWay>,
    /// What was asked of all inputs and holds for those that join later.
    standing: Requests,
}

/// The way to one of several inputs.
#[derive(Debug)]
struct InputWay {
    input: InputId,
    upstream: Upstream,
    held: bool,
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
        Cx { clock, alarm: None, waker, upstream, run, inputs: Vec::new(), standing: Requests::default() }
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

    /// Asks for `wish` upstream; where there are several inputs, of all of them. What is no key frame is
    /// asked of those that join later too.
    pub fn ask(&self, wish: Control) {
        self.upstream.ask(wish);
    }

    /// Asks one of several inputs for `wish`. One that has left does not hear it.
    pub fn ask_input(&self, input: InputId, wish: Control) {
        if let Some(way) = self.inputs.iter().find(|way| way.input == input) {
            way.upstream.ask(wish);
        }
    }

    /// Stops delivery from one of several inputs, or lets it go on. What is held waits in its link,
    /// whose policy then applies: so a muxer keeps inputs of different pace together.
    pub fn hold(&mut self, input: InputId, hold: bool) {
        if let Some(way) = self.inputs.iter_mut().find(|way| way.input == input) {
            way.held = hold;
        }
    }

    /// The way upstream, to be kept and used by any thread.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Whether the pipeline is ending: a source that blocks in a driver returns soon.
    pub fn stopping(&self) -> bool {
        self.run.is_stopping()
    }

    /// The run that it belongs to: for what waits in the operating system, to look whether the end has come.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The alarm that is set, if any.
    pub fn alarm(&self) -> Option<Timestamp> {
        self.alarm
    }

    /// Whether delivery from `input` is stopped. For runners and tests.
    pub fn is_held(&self, input: InputId) -> bool {
        self.inputs.iter().any(|way| way.input == input && way.held)
    }

    /// Notes that one of several inputs is there; `upstream` leads to it, and what all inputs were asked
    /// for is asked of it. For runners and tests.
    pub fn join_input(&mut self, input: InputId, upstream: Upstream) {
        self.standing.iter().for_each(|wish| upstream.ask(wish));
        self.inputs.push(InputWay { input, upstream, held: false });
    }

    /// Notes that one of several inputs has left. For runners.
    pub fn leave_input(&mut self, input: InputId) {
        self.inputs.retain(|way| way.input != input);
    }

    /// Hands what was asked of all inputs on to each. For runners of stages with several.
    pub fn pass_on_wishes(&mut self) {
        let Some(wishes) = self.upstream.take() else { return };
        for wish in wishes.iter() {
            if !matches!(wish, Control::KeyFrame(_)) {
                self.standing.note(wish);
            }
            for way in &self.inputs {
                way.upstream.ask(wish);
            }
        }
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

/// One run of a pipeline, or of a part that was attached to it: when it started, and whether it is
/// ending. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Run(Arc<RunState>);

#[derive(Debug, Default)]
struct RunState {
    started: AtomicU64,
    stopping: AtomicBool,
    whole: Option<Run>,
}

impl Run {
    /// The run of a part of this one: it ends by itself, or with the whole.
    #[must_use]
    pub fn part(&self) -> Run {
        let started = AtomicU64::new(self.started().as_nanos());
        Run(Arc::new(RunState { started, stopping: AtomicBool::new(false), whole: Some(self.clone()) }))
    }

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
        self.0.stopping.load(Ordering::Acquire) || self.0.whole.as_ref().is_some_and(Run::is_stopping)
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
