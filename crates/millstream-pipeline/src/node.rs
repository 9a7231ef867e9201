//! One stage or sink in its place: called on its host's thread, timed, and guarded against its own failures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millstream_core::error::Kind;
use millstream_core::{Clock, Cx, Error, Incoming, Item, Out, Result, Sink, Stage, Timestamp};

use crate::faults::panicked;
use crate::outputs::{Consumer, Outputs};
use crate::running::Shared;
use crate::signal::Woken;
use crate::stats::StageCounts;

/// What every stage has where it stands: its name, its figures, its waker, and the pipeline it is in.
pub(crate) struct Seat {
    pub(crate) name: Arc<str>,
    /// The part that it is of.
    pub(crate) part: u64,
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
    /// Whether the whole pipeline stops when it fails.
    pub(crate) stops: Arc<AtomicBool>,
}

/// How a call went.
pub(crate) enum Called<R> {
    Well(R),
    /// The item was no good; the next may be.
    Skipped,
    /// A source lost what it stands on, which may come back.
    Lost,
    /// The stage is done for, with an error of this kind.
    Failed(Kind),
}

impl Seat {
    /// Calls into the stage. What goes wrong is counted or reported here.
    pub(crate) fn call<R>(&self, work: impl FnOnce() -> Result<R>) -> Called<R> {
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
            Err(error) if error.kind() == Kind::Lost && self.reopens => {
                self.counts.lost.add(1);
                tracing::warn!("{}: {error}", self.name);
                Called::Lost
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
        let stops = self.stops.load(Ordering::Relaxed);
        tracing::error!("{error}; {}", if stops { "the pipeline ends" } else { "its branch ends" });
        self.counts.fail(error.to_string());
        self.shared.faults.report(self.part, self.place, error);
        if stops {
            self.shared.stop();
        }
        // Whoever hosts it looks what else ends with it.
        self.woken.ring();
    }

    pub(crate) fn count_in(&self, incoming: &impl Incoming) {
        let Some((time, size)) = incoming.measure() else { return };
        self.counts.items_in.add(1);
        self.counts.bytes_in.add(size as u64);
        self.note_age(time);
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
}

impl<I: Incoming, O: Item> StageNode<I, O> {
    pub(crate) fn new(stage: Box<dyn Stage<I, O>>, cx: Cx, outputs: Outputs<O>, seat: Seat) -> Self {
        StageNode { stage, out: Out::new(cx), outputs, seat, life: Life::Running }
    }

    /// Calls the stage and hands on what it gave.
    fn call(&mut self, work: impl FnOnce(&mut dyn Stage<I, O>, &mut Out<O>) -> Result<()>) {
        let called = self.seat.call(|| work(&mut *self.stage, &mut self.out));
        for item in self.out.items().iter() {
            self.seat.count_out(item);
        }
        self.outputs.give(self.out.items());
        if matches!(called, Called::Failed(_)) {
            self.life = Life::Finishing;
        }
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
        self.outputs.flush()
    }

    fn take(&mut self, item: I) {
        if self.life == Life::Running {
            self.seat.count_in(&item);
            self.call(|stage, out| stage.process(item, out));
        }
    }

    fn finish(&mut self) -> bool {
        if self.life == Life::Running && self.outputs.flush() {
            self.life = Life::Finishing;
            self.call(|stage, out| stage.finish(out));
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
            if self.seat.woken.heard() || due {
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
        let own = if self.life == Life::Running && self.outputs.is_flushed() { self.out.alarm() } else { None };
        [own, self.outputs.alarm()].into_iter().flatten().min()
    }
}

/// A sink.
pub(crate) struct SinkNode<T> {
    sink: Box<dyn Sink<T>>,
    cx: Cx,
    seat: Seat,
    done: bool,
}

impl<T: Incoming> SinkNode<T> {
    pub(crate) fn new(sink: Box<dyn Sink<T>>, cx: Cx, seat: Seat) -> Self {
        SinkNode { sink, cx, seat, done: false }
    }

    fn call(&mut self, work: impl FnOnce(&mut dyn Sink<T>, &mut Cx) -> Result<()>) {
        let Called::Failed(kind) = self.seat.call(|| work(&mut *self.sink, &mut self.cx)) else { return };
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
        true
    }

    fn take(&mut self, item: T) {
        if !self.done {
            self.seat.count_in(&item);
            self.call(|sink, cx| sink.consume(item, cx));
        }
    }

    fn finish(&mut self) -> bool {
        if !self.done {
            self.done = true;
            self.call(|sink, cx| sink.finish(cx));
        }
        true
    }

    fn gone(&self) -> bool {
        self.done
    }

    fn attend(&mut self) {
        let due = self.cx.take_alarm(self.seat.clock.now());
        if (self.seat.woken.heard() || due) && !self.done {
            self.call(|sink, cx| sink.wake(cx));
        }
    }

    fn cx(&mut self) -> Option<&mut Cx> {
        Some(&mut self.cx)
    }

    fn alarm(&self) -> Option<Timestamp> {
        if self.done { None } else { self.cx.alarm() }
    }
}
