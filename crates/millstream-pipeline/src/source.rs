//! Where items begin: a source with everything that runs inline below it, and a driver that gives none.

use std::collections::VecDeque;
use std::convert::Infallible;

use millstream_core::{Cx, Item, Source, Timestamp};

use crate::node::{Called, Seat};
use crate::outputs::Outputs;
use crate::task::{Step, Task};
use crate::turn::Turn;

/// A source with everything that runs inline below it.
pub(crate) struct SourceTask<T> {
    source: Box<dyn Source<T>>,
    cx: Cx,
    outputs: Outputs<T>,
    seat: Seat,
    turn: Turn,
    given: VecDeque<T>,
}

impl<T: Item> SourceTask<T> {
    pub(crate) fn new(source: Box<dyn Source<T>>, cx: Cx, outputs: Outputs<T>, seat: Seat) -> Self {
        SourceTask { source, cx, outputs, seat, turn: Turn::default(), given: VecDeque::new() }
    }
}

impl<T: Item> Task for SourceTask<T> {
    fn attend(&mut self) {
        self.outputs.attend();
        let wishes = self.outputs.requests();
        if self.turn.is_over() {
            return;
        }
        if self.seat.woken.heard() {
            self.turn.now();
        }
        for wish in wishes.iter().flat_map(|wishes| wishes.iter()) {
            self.turn.now();
            let called = self.seat.call(|| {
                self.source.control(wish, &mut self.cx);
                Ok(())
            });
            if let Called::Failed(_) = called {
                self.turn.end();
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
        if self.turn.is_over() || self.cx.stopping() {
            self.turn.end();
            return if self.outputs.finish() { Step::Done } else { Step::Wait(None) };
        }
        if !self.outputs.flush() {
            return Step::Wait(None);
        }
        if let Some(wait) = self.turn.wait(self.cx.now()) {
            return wait;
        }
        let called = self.seat.call(|| self.source.next(&mut self.cx));
        let Some(item) = self.turn.after(called, &self.seat, self.cx.now()) else { return Step::Asked };
        self.seat.count_out(&item);
        self.seat.note_age((!item.time_is_estimated()).then(|| item.time()));
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
    seat: Seat,
    turn: Turn,
}

impl DriverTask {
    pub(crate) fn new(driver: Box<dyn Source<Infallible>>, cx: Cx, seat: Seat) -> Self {
        DriverTask { driver, cx, seat, turn: Turn::default() }
    }
}

impl Task for DriverTask {
    fn attend(&mut self) {
        if self.seat.woken.heard() {
            self.turn.now();
        }
    }

    fn alarm(&self) -> Option<Timestamp> {
        None
    }

    fn advance(&mut self) -> Step {
        if self.turn.is_over() || self.cx.stopping() {
            return Step::Done;
        }
        if let Some(wait) = self.turn.wait(self.cx.now()) {
            return wait;
        }
        let called = self.seat.call(|| self.driver.next(&mut self.cx));
        match self.turn.after(called, &self.seat, self.cx.now()) {
            None => Step::Asked,
            Some(never) => match never {},
        }
    }
}
