//! What all tasks of a pipeline share: its run, its faults, its figures, its events, and who still runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use millstream_core::options::nearest;
use millstream_core::{Control, Error, Result, Run};

use crate::events::{Event, Publisher};
use crate::faults::Faults;
use crate::stats::Figures;
use crate::task_waker::TaskWaker;

/// How long a pipeline may go on giving what is inside after a stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(2);
/// How long a stage may take to return once the drain is over, before its thread is left behind.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// What all tasks of a pipeline share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) run: Run,
    pub(crate) faults: Faults,
    pub(crate) events: Publisher,
    figures: Mutex<Figures>,
    wakers: Mutex<Vec<Weak<TaskWaker>>>,
    stopped: AtomicBool,
    aborted: AtomicBool,
    /// The tasks that still run on threads.
    running: Mutex<Vec<Arc<str>>>,
    /// The tasks that had not drained in time.
    late: Mutex<Vec<String>>,
    changed: Condvar,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn figures(&self) -> MutexGuard<'_, Figures> {
        locked(&self.figures)
    }

    pub(crate) fn add(&self, waker: &Arc<TaskWaker>) {
        let mut wakers = locked(&self.wakers);
        // Those of parts that were detached are gone; looking at each doubling costs next to nothing.
        if wakers.len() == wakers.capacity() {
            wakers.retain(|waker| waker.strong_count() > 0);
        }
        wakers.push(Arc::downgrade(waker));
    }

    /// Asks the stage `name` for `control`, as one more consumer of what it gives.
    pub(crate) fn ask(&self, name: &str, control: Control) -> Result<()> {
        let found = self.figures().requests(name);
        match found {
            Some(Some(requests)) => requests.ask(control),
            Some(None) => {
                let message =
                    format!("`{name}` has no output, so nothing can be asked of it; ask a stage that feeds it");
                return Err(Error::config(message));
            }
            None => {
                let figures = self.figures();
                let near = nearest(name, figures.names());
                let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(Error::config(format!("no stage is called `{name}`{hint}")));
            }
        }
        Ok(())
    }

    /// Ends all sources; the rest drains.
    pub(crate) fn stop(&self) {
        self.run.stop();
        if !self.stopped.swap(true, Ordering::AcqRel) {
            self.events.publish(Event::Stopping);
        }
        self.notify_all();
    }

    fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.notify_all();
    }

    /// Whether the drain is over, so that every task ends as soon as it can.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    fn notify_all(&self) {
        for waker in locked(&self.wakers).iter().filter_map(Weak::upgrade) {
            waker.notify();
        }
        self.notify_changed();
    }

    /// Has those who wait look again.
    pub(crate) fn notify_changed(&self) {
        let _running = locked(&self.running);
        self.changed.notify_all();
    }

    /// Notes tasks that run from now on.
    pub(crate) fn enter(&self, names: impl Iterator<Item = Arc<str>>) {
        locked(&self.running).extend(names);
    }

    /// Notes that a task runs no more.
    pub(crate) fn leave(&self, name: &Arc<str>) {
        let mut running = locked(&self.running);
        running.retain(|running| !Arc::ptr_eq(running, name));
        let empty = running.is_empty();
        self.changed.notify_all();
        drop(running);
        if empty {
            self.events.publish(Event::Ended);
        }
    }

    /// Waits until `done`, but no longer than `patience`; whether it is.
    pub(crate) fn wait_until(&self, patience: Duration, done: impl Fn() -> bool) -> bool {
        let running = locked(&self.running);
        let waited = self.changed.wait_timeout_while(running, patience, |_| !done());
        let (_running, _) = waited.unwrap_or_else(PoisonError::into_inner);
        done()
    }

    /// Waits until no task runs or the pipeline is stopped, but no longer than `patience`; whether no task runs.
    pub(crate) fn wait_for_end(&self, patience: Duration) -> bool {
        let goes_on = |running: &mut Vec<_>| !running.is_empty() && !self.run.is_stopping();
        let waited = self.changed.wait_timeout_while(locked(&self.running), patience, goes_on);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }

    /// Waits until everything has ended. Cuts off what has not drained in time after a stop. The tasks that do not
    /// even return then.
    pub(crate) fn drain(&self) -> Vec<String> {
        let goes_on = |running: &mut Vec<_>| !running.is_empty() && !self.run.is_stopping();
        drop(self.changed.wait_while(locked(&self.running), goes_on).unwrap_or_else(PoisonError::into_inner));
        let late = self.until_empty(DRAIN);
        if late.is_empty() {
            return late;
        }
        let mut noted = locked(&self.late);
        // Two may wait: the first to notice says who is late.
        if noted.is_empty() {
            *noted = late;
        }
        drop(noted);
        self.abort();
        self.until_empty(GRACE)
    }

    /// The tasks that had not drained in time.
    pub(crate) fn late(&self) -> Vec<String> {
        locked(&self.late).clone()
    }

    /// Waits until no task runs, but no longer than `patience`; the names of those that still do.
    fn until_empty(&self, patience: Duration) -> Vec<String> {
        let waited = self.changed.wait_timeout_while(locked(&self.running), patience, |running| !running.is_empty());
        let (running, _) = waited.unwrap_or_else(PoisonError::into_inner);
        running.iter().map(|name| name.to_string()).collect()
    }

    /// Forgets the figures of a part that was detached.
    pub(crate) fn forget(&self, part: u64) {
        self.figures().forget(part);
    }
}
