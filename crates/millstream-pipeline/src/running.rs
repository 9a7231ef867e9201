//! The threads runner: one named thread for each task, in real time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_core::{Clock, Error, Result, Run};

use crate::branch::Branch;
use crate::faults::{Faults, panicked};
use crate::pipeline::Pipeline;
use crate::signal::Signal;
use crate::stats::{Figures, Statistics};
use crate::task::{Hosted, Step};

/// How long a pipeline that was told to stop may go on giving what is inside.
const DRAIN: Duration = Duration::from_secs(2);
/// How long a stage may take to return once the drain is over, before its thread is left behind.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// What all tasks of a pipeline share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) run: Run,
    pub(crate) faults: Faults,
    figures: Mutex<Figures>,
    signals: Mutex<Vec<Weak<Signal>>>,
    aborted: AtomicBool,
    /// The tasks that still run.
    running: Mutex<Vec<Arc<str>>>,
    changed: Condvar,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn figures(&self) -> MutexGuard<'_, Figures> {
        locked(&self.figures)
    }

    pub(crate) fn add(&self, signal: &Arc<Signal>) {
        let mut signals = locked(&self.signals);
        // Those of parts that were detached are gone; looking at each doubling costs next to nothing.
        if signals.len() == signals.capacity() {
            signals.retain(|signal| signal.strong_count() > 0);
        }
        signals.push(Arc::downgrade(signal));
    }

    /// Ends all sources; the rest drains.
    pub(crate) fn stop(&self) {
        self.run.stop();
        self.ring_all();
    }

    fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.ring_all();
    }

    fn ring_all(&self) {
        for signal in locked(&self.signals).iter().filter_map(Weak::upgrade) {
            signal.ring();
        }
        self.tell();
    }

    /// Has those who wait look again.
    fn tell(&self) {
        let _running = locked(&self.running);
        self.changed.notify_all();
    }

    fn leave(&self, name: &Arc<str>) {
        locked(&self.running).retain(|running| !Arc::ptr_eq(running, name));
        self.changed.notify_all();
    }

    /// Waits until `done`, but no longer than `patience`; whether it is.
    pub(crate) fn wait_until(&self, patience: Duration, done: impl Fn() -> bool) -> bool {
        let running = locked(&self.running);
        let waited = self.changed.wait_timeout_while(running, patience, |_| !done());
        let (_running, _) = waited.unwrap_or_else(PoisonError::into_inner);
        done()
    }

    /// Forgets the figures of a part that was detached.
    pub(crate) fn forget(&self, part: u64) {
        self.figures().forget(part);
    }
}

/// Has those who wait look again: how a producer says that it has let go of a taker.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.tell();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.tell();
    }
}

/// A pipeline that runs on threads. Dropping it stops it and waits for its threads.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    clock: Clock,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Running {
    pub(crate) fn spawn(tasks: Vec<Hosted>, shared: Arc<Shared>, clock: Clock) -> Result<Running> {
        let running = Running { shared, clock, threads: Mutex::default() };
        running.host_all(tasks)?;
        Ok(running)
    }

    fn host_all(&self, tasks: Vec<Hosted>) -> Result<()> {
        let mut threads = locked(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        for task in tasks {
            let (shared, clock, name) = (Arc::clone(&self.shared), self.clock.clone(), Arc::clone(&task.name));
            locked(&self.shared.running).push(Arc::clone(&name));
            let thread = std::thread::Builder::new().name(name.to_string()).spawn(move || host(task, &shared, &clock));
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    self.shared.leave(&name);
                    return Err(Error::fatal("no thread could be had").in_stage(&name).caused_by(error));
                }
            }
        }
        Ok(())
    }

    /// Attaches what `build` adds, while everything else runs on: a branch (a stage or a sink joined
    /// to an [`Output`](crate::Output) that was kept), an input ([`Pipeline::join`]), a whole sub-graph.
    ///
    /// # Errors
    /// If a name is taken, or no thread can be had; then nothing of it stays.
    pub fn attach<R>(&self, build: impl FnOnce(&mut Pipeline) -> R) -> Result<(R, Branch)> {
        let mut part = Pipeline::part_of(&self.shared, &self.clock);
        let built = build(&mut part);
        let (tasks, branch) = part.into_part()?;
        if let Err(error) = self.host_all(tasks) {
            branch.detach();
            branch.forget();
            return Err(error);
        }
        Ok((built, branch))
    }

    /// Ends all sources. What is inside drains; [`wait`](Running::wait) sees to it that this ends.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// A handle that stops the pipeline from anywhere: a signal handler, another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Whether it was told to stop, or stops because a stage failed that [takes all with it](crate::OnFailure::Stop).
    pub fn is_stopping(&self) -> bool {
        self.shared.run.is_stopping()
    }

    /// The figures of every stage and link, read while it runs.
    pub fn statistics(&self) -> Statistics {
        self.shared.figures().read()
    }

    /// The pipeline's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits until everything has ended, but no longer than `patience`; whether it has.
    pub fn wait_for(&self, patience: Duration) -> bool {
        let running = locked(&self.shared.running);
        let (running, _) = self
            .shared
            .changed
            .wait_timeout_while(running, patience, |running| !running.is_empty() && !self.shared.run.is_stopping())
            .unwrap_or_else(PoisonError::into_inner);
        running.is_empty()
    }

    /// Waits until everything has ended, and joins all threads.
    ///
    /// # Errors
    /// The error of the stage that was declared first among those that failed; the others were logged
    /// when they happened, and stand in the [statistics](crate::StageStatistics::failure). Only those of a
    /// part that was removed do not count any more. After a stop, stages
    /// that are not done within 2 s are cut off and named, because what waited there is lost; those that
    /// do not even return half a second later are left behind.
    pub fn wait(mut self) -> Result<()> {
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        let mut running = locked(&self.shared.running);
        while !running.is_empty() && !self.shared.run.is_stopping() {
            running = self.shared.changed.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        drop(running);
        let late = self.until_empty(DRAIN);
        let mut left = Vec::new();
        if !late.is_empty() {
            self.shared.abort();
            left = self.until_empty(GRACE);
        }
        for thread in std::mem::take(&mut *locked(&self.threads)) {
            // A thread that hangs in foreign code is left behind; one that is done is joined.
            if left.is_empty() || thread.is_finished() {
                // A panic is caught and reported as an error; the thread itself does not panic.
                let _ = thread.join();
            }
        }
        if let Some(error) = self.shared.faults.take_first() {
            return Err(error);
        }
        let after = (DRAIN + GRACE).as_secs_f64();
        if !left.is_empty() {
            let message = format!("still busy {after} s after the stop, and left behind: {}", left.join(", "));
            return Err(Error::fatal(message));
        }
        if !late.is_empty() {
            let message = format!(
                "not done {} s after the stop, and cut off with what waited there: {}",
                DRAIN.as_secs(),
                late.join(", ")
            );
            return Err(Error::fatal(message));
        }
        Ok(())
    }

    /// Waits until no task runs, but no longer than `patience`; the names of those that still do.
    fn until_empty(&self, patience: Duration) -> Vec<String> {
        let running = locked(&self.shared.running);
        let (running, _) = self
            .shared
            .changed
            .wait_timeout_while(running, patience, |running| !running.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        running.iter().map(|name| name.to_string()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !locked(&self.threads).is_empty() {
            self.stop();
            // Whoever drops without waiting does not want to know; the fault was logged when it happened.
            let _ = self.join();
        }
    }
}

/// Stops a pipeline from anywhere. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Ends all sources; what is inside drains.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// Hosts a task on the calling thread until it is done.
fn host(task: Hosted, shared: &Shared, clock: &Clock) {
    let (name, part) = (Arc::clone(&task.name), task.part);
    // Calls into a stage are guarded where they happen; this is for what a stage does when it is dropped.
    let hosted = catch_unwind(AssertUnwindSafe(|| drop(run(task, shared, clock))));
    if let Err(payload) = hosted {
        let error = panicked(payload).in_stage(&name);
        tracing::error!("{error}; it had ended");
        shared.faults.report(part, usize::MAX, error);
    }
    shared.leave(&name);
}

/// Runs a task until it is done or given up; its links close when it is dropped.
fn run(mut task: Hosted, shared: &Shared, clock: &Clock) -> Hosted {
    task.signal.host_here();
    // Takers were announced before there was a thread to ring.
    task.signal.ring();
    while !shared.aborted.load(Ordering::Acquire) && !task.aborted.load(Ordering::Acquire) {
        task.attend(clock);
        match task.advance(clock) {
            Step::Moved | Step::Asked => {}
            Step::Wait(until) => task.signal.wait(until, clock),
            Step::Done => break,
        }
    }
    task
}
