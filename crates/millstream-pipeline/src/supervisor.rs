//! Calls a stage on its host's thread, timed, and guarded against the stage's own failures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use millstream_core::error::Kind;
use millstream_core::{Clock, Error, Incoming, Item, Result, Timestamp};

use crate::events::Event;
use crate::faults::{FailurePolicy, OnFailure, panicked};
use crate::part_state::PartState;
use crate::shared::Shared;
use crate::stats::StageCounts;
use crate::task_waker::StageWaker;

/// Supervises one stage: it has the stage's name, figures, waker and failure policy.
pub(crate) struct Supervisor {
    pub(crate) name: Arc<str>,
    /// The part that it is of.
    pub(crate) part: Arc<PartState>,
    /// Where it stands in the declaration.
    pub(crate) place: usize,
    pub(crate) counts: Arc<StageCounts>,
    pub(crate) waker: Arc<StageWaker>,
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

impl Supervisor {
    /// Calls into the stage. What goes wrong is counted or reported here.
    pub(crate) fn call<R>(&self, work: impl FnOnce() -> Result<R>) -> Called<R> {
        let retries = self.reopens || self.on_failure.get() == OnFailure::Retry;
        self.guard(retries, work)
    }

    /// The same for the last call of a stage, after which there is no retry.
    pub(crate) fn call_last<R>(&self, work: impl FnOnce() -> Result<R>) -> Called<R> {
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
        self.waker.notify();
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
