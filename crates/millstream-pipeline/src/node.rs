//! One stage or sink in its place: called on its host's thread, timed, and guarded against its own failures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use millstream_core::error::Kind;
use millstream_core::{Clock, Control, Cx, Error, Incoming, Item, Layers, Out, Result, Sink, Stage, Timestamp};

use crate::events::Event;
use crate::faults::{FailurePolicy, OnFailure, panicked};
use crate::outputs::{Consumer, Outputs};
use crate::part_state::PartState;
use crate::retry::Outage;
use crate::shared::Shared;
use crate::signal::Woken;
use crate::stats::StageCounts;
use crate::task::earliest;

/// What every stage has where it stands: its name, its figures, its waker, and the pipeline it is in.
pub(crate) struct Seat {
    pub(crate) name: Arc<str>,
    /// The part that it is of.
    pub(crate) part: Arc<PartState>,
    /// Where it stands in the declaration.
    pub(crate) place: usize,
    pub(crate) counts: Arc<StageCounts>,
    pub(crate) woken: Arc<Woken>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    /// Whether calls are timed.
    pub(crate) timed: bool,
    /// Whether what was lost may be asked for again: of sources.
    pub(crate) reopens: bool,
    pub(crate) on_failure: Arc<FailurePolicy>,
}

/// How a call went.
pub(crate) enum Called<R> {
    Well(R),
    /// The item was no good; the next may be.
    Skipped,
    /// It lost what it depends on, which may come back.
    Lost(Error),
    /// The stage is done for, with an error of this kind.
    Failed(Kind),
}

impl Seat {
    /// Calls into the stage. What goes wrong is counted or reported here.
    pub(crate) fn call<R>(&self, work: impl FnOnce() -> Result<R>) -> Called<R> {
        let retries = self.reopens || self.on_failure.get() == OnFailure::Retry;
        self.guard(retries, work)
    }

    /// The same for the last call: there is no other that could be better.
    fn call_last<R>(&self, work: impl FnOnce() -> Result<R>) -> Called<R> {
        self.guard(false, work)
    }

    fn guard<R>(&self, retries: bool, work: impl FnOnce() -> Result<R>) -> Called<R> {
        let from = self.timed.then(|| self.clock.now());
        // A stage that panicked is never called again, so nobody sees what it left half done.
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(panicked(payload)));
        if let Some(from) = from {
            self.counts.busy_nanos.add(self.clock.now().since(from).as_nanos() as u64);
        }
        match result {
            Ok(value) => Called::Well(value),
            Err(error) if error.kind() == Kind::BadItem => {
                self.counts.bad_items.add(1);
                tracing::warn!("{}: {error}; skipped", self.name);
                Called::Skipped
            }
            Err(error) if error.kind() == Kind::Lost && retries => {
                self.counts.lost.add(1);
                tracing::warn!("{}: {error}", self.name);
                Called::Lost(error)
            }
            Err(error) => {
                let kind = error.kind();
                self.fail(error);
                Called::Failed(kind)
            }
        }
    }

    fn fail(&self, error: Error) {
        let error = error.in_stage(&self.name);
        let stops = self.on_failure.get() == OnFailure::Stop;
        tracing::error!("{error}; {}", if stops { "the pipeline stops" } else { "its part ends" });
        let (stage, kind, message) = (Arc::clone(&self.name), error.kind(), error.to_string());
        self.counts.fail(message.clone());
        self.shared.faults.report(self.part.id(), self.place, error);
        self.shared.events.publish(Event::Failed { stage, kind, message });
        if stops {
            self.shared.stop()
        } else {
            self.part.fail()
        }
        // Its task looks what else ends with it.
        self.woken.ring();
    }

    /// Tells that it lost what it depends on.
    pub(crate) fn lost(&self, error: &Error) {
        let (stage, message) = (Arc::clone(&self.name), error.to_string());
        self.shared.events.publish(Event::Lost { stage, message });
    }

    /// Tells that it works again.
    pub(crate) fn recovered(&self) {
        tracing::warn!("{}: works again", self.name);
        self.shared.events.publish(Event::Recovered { stage: Arc::clone(&self.name) });
    }

    pub(crate) fn count_in(&self, received: &impl Incoming) {
        let Some((_, item)) = received.item() else { return };
        self.counts.items_in.add(1);
        self.counts.bytes_in.add(item.size() as u64);
        self.note_age((!item.time_is_estimated()).then(|| item.time()));
    }

    pub(crate) fn count_out<T: Item>(&self, item: &T) {
        self.counts.items_out.add(1);
        self.counts.bytes_out.add(item.size() as u64);
    }

    /// Notes how old an item is that was captured at `time`; an age that is only estimated is not counted.
    pub(crate) fn note_age(&self, time: Option<Timestamp>) {
        if let Some(time) = time.filter(|_| self.timed) {
            self.counts.latency.note(self.clock.now().since(time));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// Its input has ended and it gave all it had; those below are not done yet.
    Finishing,
    Done,
}

/// A stage with everything below it.
pub(crate) struct StageNode<I, O> {
    stage: Box<dyn Stage<I, O>>,
    out: Out<O>,
    outputs: Outputs<O>,
    seat: Seat,
    life: Life,
    outage: Outage,
    /// Whether a link before it keeps what it cannot take now.
    has_link: bool,
}

impl<I: Incoming, O: Item> StageNode<I, O> {
    pub(crate) fn new(
        stage: Box<dyn Stage<I, O>>,
        cx: Cx,
        outputs: Outputs<O>,
        seat: Seat,
        has_link: bool,
    ) -> StageNode<I, O> {
        let (out, life, outage) = (Out::new(cx), Life::Running, Outage::default());
        StageNode { stage, out, outputs, seat, life, outage, has_link }
    }

    /// Calls the stage and hands on what it gave; whether all is well.
    fn call(&mut self, work: impl FnOnce(&mut dyn Stage<I, O>, &mut Out<O>) -> Result<()>) -> bool {
        let called = self.seat.call(|| work(&mut *self.stage, &mut self.out));
        self.hand_on();
        match called {
            Called::Lost(error) => lose(&mut self.outage, &self.seat, &error),
            Called::Failed(_) => self.life = Life::Finishing,
            Called::Well(()) => return true,
            Called::Skipped => {}
        }
        false
    }

    fn hand_on(&mut self) {
        for item in self.out.items().iter() {
            self.seat.count_out(item);
        }
        self.outputs.give(self.out.items());
    }

    fn hear_wishes(&mut self) {
        let Some(wishes) = self.outputs.requests() else { return };
        for wish in wishes.iter() {
            let called = self.seat.call(|| Ok(self.stage.control(wish, &mut self.out)));
            match called {
                Called::Well(Some(wish)) => self.out.ask(wish),
                Called::Failed(_) => self.life = Life::Finishing,
                _ => {}
            }
        }
    }
}

impl<I: Incoming, O: Item> Consumer<I> for StageNode<I, O> {
    fn ready(&mut self) -> bool {
        self.outputs.flush() && may_take(&self.outage, self.has_link, &self.out, &self.seat.clock)
    }

    fn take(&mut self, received: I) {
        if self.life != Life::Running || !admits(&mut self.outage, &received, &self.out, &self.seat) {
            return;
        }
        self.seat.count_in(&received);
        let is_item = received.item().is_some();
        if self.call(|stage, out| stage.process(received, out)) && is_item && self.outage.took_item() {
            self.seat.recovered();
        }
    }

    fn finish(&mut self) -> bool {
        if self.life == Life::Running && self.outputs.flush() {
            self.life = Life::Finishing;
            self.seat.call_last(|| self.stage.finish(&mut self.out));
            self.hand_on();
        }
        if self.life == Life::Finishing && self.outputs.finish() {
            self.life = Life::Done;
        }
        self.life == Life::Done
    }

    fn closed(&self) -> bool {
        self.life != Life::Running
    }

    fn gone(&self) -> bool {
        self.life == Life::Done
    }

    fn attend(&mut self) {
        self.outputs.attend();
        if self.life == Life::Finishing {
            self.finish();
        }
        if self.life != Life::Running {
            return;
        }
        self.hear_wishes();
        // Not called again before what it gave is gone; the room that is then made rings again.
        if self.outputs.flush() && self.life == Life::Running {
            let due = self.out.take_alarm(self.seat.clock.now());
            let woken = self.seat.woken.heard();
            resume(&mut self.outage, woken, &self.out, &self.seat);
            if woken || due {
                self.call(|stage, out| stage.wake(out));
            }
        }
        if self.outputs.gone() {
            self.life = Life::Done;
        }
    }

    fn cx(&mut self) -> Option<&mut Cx> {
        Some(&mut self.out)
    }

    fn alarm(&self) -> Option<Timestamp> {
        let is_called = self.life == Life::Running && self.outputs.is_flushed();
        let own = if is_called { earliest(self.out.alarm(), self.outage.alarm()) } else { None };
        earliest(own, self.outputs.alarm())
    }
}

/// Whether a stage takes an item now, as far as its outage goes. What it does not take waits in its link; where it
/// has none it takes everything, and what comes during the backoff is dropped. When the pipeline stops nothing waits.
fn may_take(outage: &Outage, has_link: bool, cx: &Cx, clock: &Clock) -> bool {
    !has_link || !outage.is_backing_off(clock) || cx.stopping()
}

/// Whether a stage may have `received`; otherwise it is counted, and a key frame is asked for if one is missing.
fn admits<R: Incoming>(outage: &mut Outage, received: &R, cx: &Cx, seat: &Seat) -> bool {
    let admitted = outage.admits(received, &seat.clock);
    if !admitted {
        seat.counts.dropped_lost.add(1);
        ask_for_key_frame(outage, cx, seat);
    }
    admitted
}

/// A stage lost what it depends on.
fn lose(outage: &mut Outage, seat: &Seat, error: &Error) {
    let (wait, worked) = outage.begin(seat.clock.now());
    tracing::warn!("{}: trying again in {wait:?}", seat.name);
    if worked {
        seat.lost(error);
    }
}

/// Ends the backoff of a stage if it is over.
fn resume(outage: &mut Outage, woken: bool, cx: &Cx, seat: &Seat) {
    if outage.expire(woken, &seat.clock) {
        ask_for_key_frame(outage, cx, seat);
    }
}

fn ask_for_key_frame(outage: &mut Outage, cx: &Cx, seat: &Seat) {
    if outage.asks_for_key_frame(&seat.clock) {
        cx.ask(Control::KeyFrame(Layers::ALL));
    }
}

/// A sink.
pub(crate) struct SinkNode<T> {
    sink: Box<dyn Sink<T>>,
    cx: Cx,
    seat: Seat,
    done: bool,
    outage: Outage,
    /// Whether a link before it keeps what it cannot take now.
    has_link: bool,
}

impl<T: Incoming> SinkNode<T> {
    pub(crate) fn new(sink: Box<dyn Sink<T>>, cx: Cx, seat: Seat, has_link: bool) -> Self {
        SinkNode { sink, cx, seat, done: false, outage: Outage::default(), has_link }
    }

    /// Calls the sink; whether all is well.
    fn call(&mut self, work: impl FnOnce(&mut dyn Sink<T>, &mut Cx) -> Result<()>) -> bool {
        match self.seat.call(|| work(&mut *self.sink, &mut self.cx)) {
            Called::Well(()) => return true,
            Called::Skipped => {}
            Called::Lost(error) => lose(&mut self.outage, &self.seat, &error),
            Called::Failed(kind) => self.fail(kind),
        }
        false
    }

    /// It is not called again, but for its end.
    fn fail(&mut self, kind: Kind) {
        // What it took so far is not lost with it: a file that cannot be written on gets its end.
        let finishes = !self.done && kind != Kind::Panic;
        self.done = true;
        if finishes {
            let finished = catch_unwind(AssertUnwindSafe(|| self.sink.finish(&mut self.cx)));
            if let Err(error) = finished.unwrap_or_else(|payload| Err(panicked(payload))) {
                tracing::warn!("{}: {error}", self.seat.name);
            }
        }
    }
}

impl<T: Incoming> Consumer<T> for SinkNode<T> {
    fn ready(&mut self) -> bool {
        may_take(&self.outage, self.has_link, &self.cx, &self.seat.clock)
    }

    fn take(&mut self, received: T) {
        if self.done || !admits(&mut self.outage, &received, &self.cx, &self.seat) {
            return;
        }
        self.seat.count_in(&received);
        let is_item = received.item().is_some();
        if self.call(|sink, cx| sink.consume(received, cx)) && is_item && self.outage.took_item() {
            self.seat.recovered();
        }
    }

    fn finish(&mut self) -> bool {
        if !self.done {
            self.done = true;
            self.seat.call_last(|| self.sink.finish(&mut self.cx));
        }
        true
    }

    fn gone(&self) -> bool {
        self.done
    }

    fn attend(&mut self) {
        let due = self.cx.take_alarm(self.seat.clock.now());
        let woken = self.seat.woken.heard();
        if self.done {
            return;
        }
        resume(&mut self.outage, woken, &self.cx, &self.seat);
        if woken || due {
            self.call(|sink, cx| sink.wake(cx));
        }
    }

    fn cx(&mut self) -> Option<&mut Cx> {
        Some(&mut self.cx)
    }

    fn alarm(&self) -> Option<Timestamp> {
        if self.done { None } else { earliest(self.cx.alarm(), self.outage.alarm()) }
    }
}
