//! The stepped runner: one thread, virtual time. The same pipeline gives the same bytes every time.
//!
//! At equal time requests and wake-ups come first, then items, each in the order of declaration. Time
//! stands still while anything moves and then leaps to the next moment something is due. It never
//! reads the real clock.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::options::Table;
use millstream_core::{Clock, Control, Error, Hand, Result, Timestamp};

use crate::declare::Outline;
use crate::events::{Event, Events};
use crate::part::Part;
use crate::pipeline::{Pipeline, Prepared};
use crate::shared::Shared;
use crate::stats::Statistics;
use crate::task::{Hosted, Step, earliest};

impl Pipeline {
    /// Makes it ready to be stepped in virtual time.
    ///
    /// # Errors
    /// If two stages have one name, if one takes another codec than it is given, if a sink end is not joined, if it
    /// was made for real time, or if a source blocks in a driver.
    pub fn step(self) -> Result<Stepped> {
        let mut prepared = self.into_run()?;
        if let Some(blocking) = prepared.tasks.iter().find(|task| task.blocking) {
            return Err(Error::config("it blocks in a driver and cannot run in virtual time").in_stage(&blocking.name));
        }
        let hand = prepared.hand.take().ok_or_else(|| {
            Error::config("this pipeline was made for real time; spawn it, or make it with Pipeline::in_virtual_time")
        })?;
        prepared.start();
        let Prepared { tasks, shared, clock, outline, .. } = prepared;
        shared.events.publish(Event::Started);
        let mut stepped = Stepped { tasks: Vec::new(), shared, clock, hand, outline };
        stepped.host_all(tasks);
        Ok(stepped)
    }
}

/// A pipeline in virtual time, which the program moves.
pub struct Stepped {
    tasks: Vec<Slot>,
    shared: Arc<Shared>,
    clock: Clock,
    hand: Hand,
    outline: Outline,
}

struct Slot {
    hosted: Hosted,
    step: Step,
}

impl Stepped {
    fn host_all(&mut self, tasks: Vec<Hosted>) {
        self.tasks.extend(tasks.into_iter().map(|hosted| {
            // Consumers may have been announced before.
            hosted.waker.notify();
            Slot { hosted, step: Step::Moved }
        }));
    }

    /// Attaches what `build` adds; see [`Running::attach`](crate::Running::attach).
    ///
    /// # Errors
    /// If a name is taken, or a source blocks in a driver; then nothing of it stays.
    pub fn attach<R>(&mut self, build: impl FnOnce(&mut Pipeline) -> R) -> Result<(R, Part)> {
        let mut pipeline = Pipeline::part_of(&self.shared, &self.clock);
        let built = build(&mut pipeline);
        let (tasks, part) = pipeline.into_part()?;
        if let Some(blocking) = tasks.iter().find(|task| task.blocking) {
            part.detach();
            part.forget();
            return Err(Error::config("it blocks in a driver and cannot run in virtual time").in_stage(&blocking.name));
        }
        self.host_all(tasks);
        Ok((built, part))
    }

    /// Takes `part` out and lets it drain until `deadline` on the clock, while everything else runs
    /// on; what is still in it then is dropped. Its figures leave the statistics.
    ///
    /// # Errors
    /// What a stage of it failed with, of several the one declared first.
    pub fn remove(&mut self, part: &Part, deadline: Timestamp) -> Result<()> {
        part.detach();
        loop {
            self.settle();
            match self.next_due() {
                Some(due) if due <= deadline && !part.is_gone() => self.hand.set(due),
                _ => break,
            }
        }
        self.tasks.retain(|slot| !part.hosts(&slot.hosted));
        part.forget();
        part.failure().map_or(Ok(()), Err)
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
    /// outside could go on: so it may return before [everything has ended](Stepped::is_finished), with a bundle whose
    /// far side is silent, for one. A loop in which items go round for ever does not end by itself; run it
    /// [until](Stepped::run_until) a time and [stop](Stepped::stop) it. With every link `block` this takes files to files as fast as they go.
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

    /// What happens from now on; see [`Running::events`](crate::Running::events).
    pub fn events(&self) -> Events {
        self.shared.events.subscribe()
    }

    /// Asks the stage `stage` for `control`; see [`Running::ask`](crate::Running::ask). It is answered in the next step.
    ///
    /// # Errors
    /// If no stage is called that, or if it has no output.
    pub fn ask(&self, stage: &str, control: Control) -> Result<()> {
        self.shared.ask(stage, control)
    }

    /// The options of the declared stage `stage`; see [`Running::options`](crate::Running::options).
    pub fn options(&self, stage: &str) -> Option<&Table> {
        self.outline.options(stage)
    }

    /// What was declared; see [`Running::outline`](crate::Running::outline).
    pub fn outline(&self) -> &Outline {
        &self.outline
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
                let slot = &mut self.tasks[index];
                if matches!(slot.step, Step::Wait(until) if until.is_none_or(|until| until > self.clock.now())) {
                    continue;
                }
                slot.step = slot.hosted.advance(&self.clock);
                if matches!(slot.step, Step::Moved | Step::Asked) {
                    moved = true;
                    self.attend();
                }
            }
            self.tasks.retain(|slot| slot.step != Step::Done);
            // The end of a task closes links, which notifies the tasks at their other ends.
            let clock = &self.clock;
            let notified = self.tasks.iter().any(|slot| slot.hosted.waker.is_notified() && !slot.hosted.is_busy(clock));
            if !moved && !notified {
                break;
            }
        }
        if self.tasks.is_empty() {
            self.shared.events.publish(Event::Ended);
        }
    }

    /// Handles requests and wake-ups until there are none left: a request may pass from task to task.
    fn attend(&mut self) {
        loop {
            let mut any = false;
            for slot in &mut self.tasks {
                if slot.hosted.attend(&self.clock) {
                    slot.step = Step::Moved;
                    any = true;
                }
            }
            if !any {
                return;
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let busy = |slot: &Slot| slot.hosted.busy_until.filter(|until| *until > self.clock.now());
        self.tasks.iter().fold(None, |due, slot| match slot.step {
            Step::Wait(until) => earliest(due, busy(slot).or(until)),
            _ => due,
        })
    }
}
