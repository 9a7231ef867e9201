//! The stepped runner: one thread, virtual time. The same pipeline gives the same bytes every time.
//!
//! At equal time wishes and wake-ups come first, then items, each in the order of declaration. Time
//! stands still while anything moves and then leaps to the next moment something is due. It never
//! reads the real clock.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::{Clock, Error, Hand, Result, Timestamp};

use crate::branch::Branch;
use crate::pipeline::Pipeline;
use crate::running::Shared;
use crate::stats::Statistics;
use crate::task::{Hosted, Step, earliest};

/// A pipeline in virtual time: it moves when it is told to.
pub struct Stepped {
    tasks: Vec<Place>,
    shared: Arc<Shared>,
    clock: Clock,
    hand: Hand,
}

struct Place {
    hosted: Hosted,
    step: Step,
}

impl Stepped {
    pub(crate) fn new(tasks: Vec<Hosted>, shared: Arc<Shared>, clock: Clock, hand: Hand) -> Stepped {
        let mut stepped = Stepped { tasks: Vec::new(), shared, clock, hand };
        stepped.host_all(tasks);
        stepped
    }

    fn host_all(&mut self, tasks: Vec<Hosted>) {
        self.tasks.extend(tasks.into_iter().map(|hosted| {
            // Takers were announced without a ring.
            hosted.signal.ring();
            Place { hosted, step: Step::Moved }
        }));
    }

    /// Attaches what `build` adds; see [`Running::attach`](crate::Running::attach).
    ///
    /// # Errors
    /// If a name is taken, or a source blocks in a driver; then nothing of it stays.
    pub fn attach<R>(&mut self, build: impl FnOnce(&mut Pipeline) -> R) -> Result<(R, Branch)> {
        let mut part = Pipeline::part_of(&self.shared, &self.clock);
        let built = build(&mut part);
        let (tasks, branch) = part.into_part()?;
        if let Some(blocking) = tasks.iter().find(|task| task.blocking) {
            branch.detach();
            branch.forget();
            return Err(Error::config("it blocks in a driver and cannot run in virtual time").in_stage(&blocking.name));
        }
        self.host_all(tasks);
        Ok((built, branch))
    }

    /// Takes `branch` out and lets it drain until `deadline` on the clock, while everything else runs
    /// on; what is still in it then is dropped. Its figures leave the statistics.
    ///
    /// # Errors
    /// What a stage of it failed with, of several the one declared first.
    pub fn remove(&mut self, branch: &Branch, deadline: Timestamp) -> Result<()> {
        branch.detach();
        loop {
            self.settle();
            match self.next_due() {
                Some(due) if due <= deadline && !branch.is_gone() => self.hand.set(due),
                _ => break,
            }
        }
        self.tasks.retain(|place| !branch.hosts(&place.hosted));
        branch.forget();
        branch.failure().map_or(Ok(()), Err)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs up to and including `time`, and leaves the clock there. Ends early where everything has ended.
    ///
    /// # Errors
    /// The error of the stage that was declared first among those that failed.
    pub fn run_until(&mut self, time: Timestamp) -> Result<()> {
        loop {
            self.settle();
            match self.next_due() {
                Some(due) if due <= time => self.hand.set(due),
                _ => break,
            }
        }
        self.hand.set(time);
        self.shared.faults.take_first().map_or(Ok(()), Err)
    }

    /// Runs on for `span`; see [`run_until`](Stepped::run_until).
    pub fn run_for(&mut self, span: Duration) -> Result<()> {
        self.run_until(self.now() + span)
    }

    /// Runs until everything has ended, or until nothing is due any more and only a waker from
    /// outside could go on. With every link `block` this takes files to files as fast as they go.
    ///
    /// # Errors
    /// The error of the stage that was declared first among those that failed.
    pub fn run_to_end(&mut self) -> Result<()> {
        loop {
            self.settle();
            match self.next_due() {
                Some(due) => self.hand.set(due),
                None => return self.shared.faults.take_first().map_or(Ok(()), Err),
            }
        }
    }

    /// Ends all sources and lets the rest drain.
    ///
    /// # Errors
    /// The error of the stage that was declared first among those that failed.
    pub fn stop(&mut self) -> Result<()> {
        self.shared.stop();
        self.run_to_end()
    }

    /// Whether everything has ended.
    pub fn is_finished(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The figures of every stage and link.
    pub fn statistics(&self) -> Statistics {
        self.shared.figures().read()
    }

    /// Moves everything that can move at this time.
    fn settle(&mut self) {
        loop {
            self.attend();
            let mut moved = false;
            for index in 0..self.tasks.len() {
                let place = &mut self.tasks[index];
                if matches!(place.step, Step::Wait(until) if until.is_none_or(|until| until > self.clock.now())) {
                    continue;
                }
                place.step = place.hosted.advance(&self.clock);
                if matches!(place.step, Step::Moved | Step::Asked) {
                    moved = true;
                    self.attend();
                }
            }
            self.tasks.retain(|place| place.step != Step::Done);
            // The end of a task closes links, which rings those at their other ends.
            let clock = &self.clock;
            let rung = self.tasks.iter().any(|place| place.hosted.signal.is_rung() && !place.hosted.is_busy(clock));
            if !moved && !rung {
                return;
            }
        }
    }

    /// Wishes and wake-ups, until they are quiet: a wish may climb from task to task.
    fn attend(&mut self) {
        loop {
            let mut any = false;
            for place in &mut self.tasks {
                if place.hosted.attend(&self.clock) {
                    place.step = Step::Moved;
                    any = true;
                }
            }
            if !any {
                return;
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let busy = |place: &Place| place.hosted.busy_until.filter(|until| *until > self.clock.now());
        self.tasks.iter().fold(None, |due, place| match place.step {
            Step::Wait(until) => earliest(due, busy(place).or(until)),
            _ => due,
        })
    }
}
