//! A part that was attached to a running pipeline, and can be detached again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use millstream_core::{Error, Result};

use crate::events::PartId;
use crate::part_state::{Alive, PartState};
use crate::shared::{GRACE, Shared};
use crate::task::Hosted;

/// What was attached to a running pipeline at once: branches, inputs, whole sub-graphs.
///
/// A part ends as a whole: when it is detached, when one of its stages fails, and with the pipeline. Dropping this
/// handle changes nothing.
#[must_use = "without it the part stays until it ends by itself, or with the pipeline"]
#[derive(Debug)]
pub struct Part {
    shared: Arc<Shared>,
    state: Arc<PartState>,
    alive: Weak<Alive>,
    tasks: Vec<(Arc<str>, Weak<()>)>,
}

impl Part {
    pub(crate) fn new(shared: &Arc<Shared>, state: &Arc<PartState>, alive: &Arc<Alive>, tasks: &[Hosted]) -> Part {
        let tasks = tasks.iter().map(|task| (Arc::clone(&task.name), Arc::downgrade(&task.alive))).collect();
        Part { shared: Arc::clone(shared), state: Arc::clone(state), alive: Arc::downgrade(alive), tasks }
    }

    /// What its events call it.
    pub fn id(&self) -> PartId {
        PartId::new(self.state.id())
    }

    /// It is attached now.
    pub(crate) fn start(&self, alive: &Alive) {
        alive.start();
        self.state.complete();
    }

    /// Takes the part out: its sources end, what it was joined to lets go of it, and what is inside drains.
    pub fn detach(&self) {
        self.state.detach();
    }

    /// Whether nothing of it is left.
    pub fn is_gone(&self) -> bool {
        self.alive.strong_count() == 0
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
            self.state.abort();
            if !self.shared.wait_until(GRACE, || self.is_gone()) {
                let alive = self.tasks.iter().filter(|(_, alive)| alive.strong_count() > 0);
                let names: Vec<&str> = alive.map(|(name, _)| &**name).collect();
                return Err(Error::fatal(format!("still busy, and left behind: {}", names.join(", "))));
            }
        }
        self.forget();
        self.failure().map_or(Ok(()), Err)
    }

    /// What a stage of it failed with, of several the one declared first; the pipeline does not say it any more.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.shared.faults.take_first_of(self.state.id())
    }

    /// Whether `task` is of this part.
    pub(crate) fn hosts(&self, task: &Hosted) -> bool {
        Arc::ptr_eq(&task.part, &self.state)
    }

    /// Takes its figures out of the statistics.
    pub(crate) fn forget(&self) {
        self.shared.forget(self.state.id());
    }
}
