//! The stepped runner: one thread, virtual time. The same pipeline gives the same bytes every time.
//!
//! At equal time wishes and wake-ups come first, then items, each in the order of declaration. Time
//! stands still while anything moves and then leaps to the next moment something is due. It never
//! reads the real clock.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::{Clock, Hand, Result, Timestamp};

use crate::running::{Shared, earliest};
use crate::stats::{Figures, Statistics};
use crate::task::{Hosted, Step};

/// A pipeline in virtual time: it moves when it is told to.
pub struct Stepped {
    tasks: Vec<Place>,
    shared: Arc<Shared>,
    clock: Clock,
    hand: Hand,
    figures: Figures,
}

struct Place {
    hosted: Hosted,
    step: Step,
}

impl Stepped {
    pub(crate) fn new(tasks: Vec<Hosted>, shared: Arc<Shared>, clock: Clock, hand: Hand, figures: Figures) -> Stepped {
        let place = |hosted: Hosted| {
            // Takers were announced without a ring.
            hosted.signal.ring();
            Place { hosted, step: Step::Moved }
        };
        Stepped { tasks: tasks.into_iter().map(place).collect(), shared, clock, hand, figures }
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
        self.figures.read()
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
                place.step = place.hosted.advance();
                if place.step == Step::Moved {
                    moved = true;
                    self.attend();
                }
            }
            self.tasks.retain(|place| place.step != Step::Done);
            // The end of a task closes links, which rings those at their other ends.
            let rung = self.tasks.iter().any(|place| place.hosted.signal.is_rung());
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
        self.tasks.iter().fold(None, |due, place| match place.step {
            Step::Wait(until) => earliest(due, until),
            _ => due,
        })
    }
}
