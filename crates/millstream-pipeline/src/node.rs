//! A stage or a sink as a consumer of items: what it takes, what it gives, when it is done.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millstream_core::error::Kind;
use millstream_core::{Clock, Control, Cx, Error, Incoming, Item, Layers, Out, Result, Sink, Stage, Timestamp};

use crate::faults::panicked;
use crate::outputs::{Consumer, Outputs};
use crate::retry::Outage;
use crate::supervisor::{Called, Supervisor};
use crate::task::earliest;

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
    supervisor: Supervisor,
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
        supervisor: Supervisor,
        has_link: bool,
    ) -> StageNode<I, O> {
        let (out, life, outage) = (Out::new(cx), Life::Running, Outage::default());
        StageNode { stage, out, outputs, supervisor, life, outage, has_link }
    }

    /// Calls the stage and hands on what it gave; whether all is well.
    fn call(&mut self, work: impl FnOnce(&mut dyn Stage<I, O>, &mut Out<O>) -> Result<()>) -> bool {
        let called = self.supervisor.call(|| work(&mut *self.stage, &mut self.out));
        self.hand_on();
        match called {
            Called::Lost(error) => lose(&mut self.outage, &self.supervisor, &error),
            Called::Failed(_) => self.life = Life::Finishing,
            Called::Well(()) => return true,
            Called::Skipped => {}
        }
        false
    }

    fn hand_on(&mut self) {
        for item in self.out.items().iter() {
            self.supervisor.count_out(item);
        }
        self.outputs.give(self.out.items());
    }

    fn handle_requests(&mut self) {
        let Some(requests) = self.outputs.requests() else { return };
        for request in requests.iter() {
            let called = self.supervisor.call(|| Ok(self.stage.control(request, &mut self.out)));
            match called {
                Called::Well(Some(request)) => self.out.ask(request),
                Called::Failed(_) => self.life = Life::Finishing,
                _ => {}
            }
        }
    }
}

impl<I: Incoming, O: Item> Consumer<I> for StageNode<I, O> {
    fn ready(&mut self) -> bool {
        self.outputs.flush() && may_take(&self.outage, self.has_link, &self.out, &self.supervisor.clock)
    }

    fn take(&mut self, received: I) {
        if self.life != Life::Running || !admits(&mut self.outage, &received, &self.out, &self.supervisor) {
            return;
        }
        self.supervisor.count_in(&received);
        let is_item = received.item().is_some();
        if self.call(|stage, out| stage.process(received, out)) && is_item && self.outage.took_item() {
            self.supervisor.recovered();
        }
    }

    fn finish(&mut self) -> bool {
        if self.life == Life::Running && self.outputs.flush() {
            self.life = Life::Finishing;
            self.supervisor.call_last(|| self.stage.finish(&mut self.out));
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
        self.handle_requests();
        // Not called again before what it gave is gone; the room that is then made notifies the task again.
        if self.outputs.flush() && self.life == Life::Running {
            let due = self.out.take_alarm(self.supervisor.clock.now());
            let waker = self.supervisor.waker.take();
            resume(&mut self.outage, waker, &self.out, &self.supervisor);
            if waker || due {
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
fn admits<R: Incoming>(outage: &mut Outage, received: &R, cx: &Cx, supervisor: &Supervisor) -> bool {
    let admitted = outage.admits(received, &supervisor.clock);
    if !admitted {
        supervisor.counts.dropped_lost.add(1);
        ask_for_key_frame(outage, cx, supervisor);
    }
    admitted
}

/// A stage lost what it depends on.
fn lose(outage: &mut Outage, supervisor: &Supervisor, error: &Error) {
    let (wait, worked) = outage.begin(supervisor.clock.now());
    tracing::warn!("{}: trying again in {wait:?}", supervisor.name);
    if worked {
        supervisor.lost(error);
    }
}

/// Ends the backoff of a stage if it is over.
fn resume(outage: &mut Outage, waker: bool, cx: &Cx, supervisor: &Supervisor) {
    if outage.expire(waker, &supervisor.clock) {
        ask_for_key_frame(outage, cx, supervisor);
    }
}

fn ask_for_key_frame(outage: &mut Outage, cx: &Cx, supervisor: &Supervisor) {
    if outage.asks_for_key_frame(&supervisor.clock) {
        cx.ask(Control::KeyFrame(Layers::ALL));
    }
}

/// A sink.
pub(crate) struct SinkNode<T> {
    sink: Box<dyn Sink<T>>,
    cx: Cx,
    supervisor: Supervisor,
    done: bool,
    outage: Outage,
    /// Whether a link before it keeps what it cannot take now.
    has_link: bool,
}

impl<T: Incoming> SinkNode<T> {
    pub(crate) fn new(sink: Box<dyn Sink<T>>, cx: Cx, supervisor: Supervisor, has_link: bool) -> Self {
        SinkNode { sink, cx, supervisor, done: false, outage: Outage::default(), has_link }
    }

    /// Calls the sink; whether all is well.
    fn call(&mut self, work: impl FnOnce(&mut dyn Sink<T>, &mut Cx) -> Result<()>) -> bool {
        match self.supervisor.call(|| work(&mut *self.sink, &mut self.cx)) {
            Called::Well(()) => return true,
            Called::Skipped => {}
            Called::Lost(error) => lose(&mut self.outage, &self.supervisor, &error),
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
                tracing::warn!("{}: {error}", self.supervisor.name);
            }
        }
    }
}

impl<T: Incoming> Consumer<T> for SinkNode<T> {
    fn ready(&mut self) -> bool {
        may_take(&self.outage, self.has_link, &self.cx, &self.supervisor.clock)
    }

    fn take(&mut self, received: T) {
        if self.done || !admits(&mut self.outage, &received, &self.cx, &self.supervisor) {
            return;
        }
        self.supervisor.count_in(&received);
        let is_item = received.item().is_some();
        if self.call(|sink, cx| sink.consume(received, cx)) && is_item && self.outage.took_item() {
            self.supervisor.recovered();
        }
    }

    fn finish(&mut self) -> bool {
        if !self.done {
            self.done = true;
            self.supervisor.call_last(|| self.sink.finish(&mut self.cx));
        }
        true
    }

    fn gone(&self) -> bool {
        self.done
    }

    fn attend(&mut self) {
        let due = self.cx.take_alarm(self.supervisor.clock.now());
        let waker = self.supervisor.waker.take();
        if self.done {
            return;
        }
        resume(&mut self.outage, waker, &self.cx, &self.supervisor);
        if waker || due {
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
