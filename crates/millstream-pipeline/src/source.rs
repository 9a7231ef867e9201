//! Where items begin: a source with everything that runs inline below it, and a driver that gives none.

use std::collections::VecDeque;
use std::convert::Infallible;

use millstream_core::{Cx, Item, Source, Timestamp};

use crate::outputs::Outputs;
use crate::schedule::Schedule;
use crate::supervisor::{Called, Supervisor};
use crate::task::{Step, Task};

/// A source with everything that runs inline below it.
pub(crate) struct SourceTask<T> {
    source: Box<dyn Source<T>>,
    cx: Cx,
    outputs: Outputs<T>,
    supervisor: Supervisor,
    schedule: Schedule,
    given: VecDeque<T>,
}

impl<T: Item> SourceTask<T> {
    pub(crate) fn new(source: Box<dyn Source<T>>, cx: Cx, outputs: Outputs<T>, supervisor: Supervisor) -> Self {
        SourceTask { source, cx, outputs, supervisor, schedule: Schedule::default(), given: VecDeque::new() }
    }
}

impl<T: Item> Task for SourceTask<T> {
    fn attend(&mut self) {
        self.outputs.attend();
        let requests = self.outputs.requests();
        if self.schedule.is_over() {
            return;
        }
        if self.supervisor.waker.take() {
            self.schedule.now();
        }
        for request in requests.iter().flat_map(|requests| requests.iter()) {
            self.schedule.now();
            let called = self.supervisor.call(|| {
                self.source.control(request, &mut self.cx);
                Ok(())
            });
            if let Called::Failed(_) = called {
                self.schedule.end();
            }
        }
    }

    fn alarm(&self) -> Option<Timestamp> {
        self.outputs.alarm()
    }

    fn advance(&mut self) -> Step {
        if self.outputs.gone() {
            return Step::Done;
        }
        if self.schedule.is_over() || self.cx.stopping() {
            self.schedule.end();
            return if self.outputs.finish() { Step::Done } else { Step::Wait(None) };
        }
        if !self.outputs.flush() {
            return Step::Wait(None);
        }
        if let Some(wait) = self.schedule.wait(self.cx.now()) {
            return wait;
        }
        let called = self.supervisor.call(|| self.source.next(&mut self.cx));
        let Some(item) = self.schedule.after(called, &self.supervisor, self.cx.now()) else { return Step::Asked };
        self.supervisor.count_out(&item);
        self.supervisor.note_age((!item.time_is_estimated()).then(|| item.time()));
        self.given.push_back(item);
        self.outputs.give(&mut self.given);
        Step::Moved
    }
}

/// What must run without media, such as an engine without threads of its own: called when it is due or
/// woken, and never for an item.
pub(crate) struct DriverTask {
    driver: Box<dyn Source<Infallible>>,
    cx: Cx,
    supervisor: Supervisor,
    schedule: Schedule,
}

impl DriverTask {
    pub(crate) fn new(driver: Box<dyn Source<Infallible>>, cx: Cx, supervisor: Supervisor) -> Self {
        DriverTask { driver, cx, supervisor, schedule: Schedule::default() }
    }
}

impl Task for DriverTask {
    fn attend(&mut self) {
        if self.supervisor.waker.take() {
            self.schedule.now();
        }
    }

    fn alarm(&self) -> Option<Timestamp> {
        None
    }

    fn advance(&mut self) -> Step {
        if self.schedule.is_over() || self.cx.stopping() {
            return Step::Done;
        }
        if let Some(wait) = self.schedule.wait(self.cx.now()) {
            return wait;
        }
        let called = self.supervisor.call(|| self.driver.next(&mut self.cx));
        match self.schedule.after(called, &self.supervisor, self.cx.now()) {
            None => Step::Asked,
            Some(never) => match never {},
        }
    }
}
