//! A part that was attached to a running pipeline, and can be detached again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use millstream_core::{Error, Result, Run};

use crate::outputs::Leave;
use crate::running::Shared;
use crate::signal::Signal;
use crate::task::Hosted;

/// A part that was attached to a running pipeline: branches, inputs, whole sub-graphs.
///
/// Dropping it changes nothing: the part stays until the pipeline ends.
#[must_use = "without it the part stays until the pipeline ends"]
#[derive(Debug)]
pub struct Branch {
    pub(crate) shared: Arc<Shared>,
    pub(crate) run: Run,
    pub(crate) joins: Vec<(Arc<Leave>, Arc<Signal>)>,
    tasks: Vec<(Arc<str>, Weak<()>, Arc<Signal>)>,
    aborted: Arc<AtomicBool>,
    part: u64,
}

impl Branch {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        run: Run,
        joins: Vec<(Arc<Leave>, Arc<Signal>)>,
        tasks: &[Hosted],
        aborted: Arc<AtomicBool>,
        part: u64,
    ) -> Branch {
        let tasks = tasks
            .iter()
            .map(|task| (Arc::clone(&task.name), Arc::downgrade(&task.alive), Arc::clone(&task.signal)))
            .collect();
        Branch { shared: Arc::clone(shared), run, joins, tasks, aborted, part }
    }

    /// Takes the part out: its sources end, what it was joined to lets go of it, and what is inside drains.
    pub fn detach(&self) {
        self.run.stop();
        for (leave, producer) in &self.joins {
            leave.wish();
            producer.ring();
        }
        self.ring();
    }

    /// Whether nothing of it is left.
    pub fn is_gone(&self) -> bool {
        self.joins.iter().all(|(leave, _)| leave.is_done())
            && self.tasks.iter().all(|(_, alive, _)| alive.strong_count() == 0)
    }

    /// Takes the part out and waits until nothing of it is left, but no longer than `patience`; then
    /// it is given up: what still waited in it is dropped. Its figures leave the statistics.
    ///
    /// For the threads runner; the stepped one has [`Stepped::remove`](crate::Stepped::remove).
    ///
    /// # Errors
    /// If a stage of it does not even return then; it is left behind and named. Otherwise what a stage of
    /// it failed with while it ran, of several the one declared first.
    pub fn remove(self, patience: Duration) -> Result<()> {
        self.detach();
        if !self.shared.wait_until(patience, || self.is_gone()) {
            self.aborted.store(true, Ordering::Release);
            self.ring();
            let gone = self.shared.wait_until(crate::running::GRACE, || self.is_gone());
            if !gone {
                let alive = self.tasks.iter().filter(|(_, alive, _)| alive.strong_count() > 0);
                let names: Vec<&str> = alive.map(|(name, ..)| &**name).collect();
                return Err(Error::fatal(format!("still busy, and left behind: {}", names.join(", "))));
            }
        }
        self.forget();
        self.failure().map_or(Ok(()), Err)
    }

    /// What a stage of it failed with, of several the one declared first; the pipeline does not say it any more.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.shared.faults.take_first_of(self.part)
    }

    /// Whether `task` is of this part.
    pub(crate) fn hosts(&self, task: &Hosted) -> bool {
        self.tasks.iter().any(|(_, alive, _)| std::ptr::eq(alive.as_ptr(), Arc::as_ptr(&task.alive)))
    }

    /// Takes its figures out of the statistics.
    pub(crate) fn forget(&self) {
        self.shared.forget(self.part);
    }

    fn ring(&self) {
        for (_, _, signal) in &self.tasks {
            signal.ring();
        }
    }
}
