//! The threads runner: one named thread for each task, in real time.

use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_core::options::Table;
use millstream_core::{Clock, Control, Error, Result};

use crate::declare::Outline;
use crate::ended::{Ended, Watcher};
use crate::events::{Event, Events};
use crate::faults::panicked;
use crate::part::Part;
use crate::pipeline::{Pipeline, Prepared};
use crate::shared::{DRAIN, GRACE, Shared, locked};
use crate::stats::Statistics;
use crate::task::{Hosted, Step};

impl Pipeline {
    /// Starts it on threads.
    ///
    /// # Errors
    /// If two stages have one name, if one takes another codec than it is given, if a sink end is not joined, if it
    /// was made for virtual time, or if no thread can be had.
    pub fn spawn(self) -> Result<Running> {
        let prepared = self.into_run()?;
        if prepared.hand.is_some() {
            return Err(Error::config(
                "this pipeline was made for virtual time; step it, or make it with Pipeline::new",
            ));
        }
        prepared.start();
        let Prepared { tasks, shared, clock, outline, .. } = prepared;
        let running = Running { shared, clock, outline, threads: Mutex::default(), watcher: Watcher::default() };
        running.shared.events.publish(Event::Started);
        running.host_all(tasks)?;
        Ok(running)
    }
}

/// A pipeline that runs on threads. Dropping it stops it and waits for its threads.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    clock: Clock,
    outline: Outline,
    threads: Mutex<Vec<JoinHandle<()>>>,
    watcher: Watcher,
}

impl Running {
    fn host_all(&self, tasks: Vec<Hosted>) -> Result<()> {
        let mut threads = locked(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        // All of them first: one that ends at once is not the last.
        let names: Vec<_> = tasks.iter().map(|task| Arc::clone(&task.name)).collect();
        self.shared.enter(names.iter().cloned());
        for (index, task) in tasks.into_iter().enumerate() {
            let (shared, clock, name) = (Arc::clone(&self.shared), self.clock.clone(), Arc::clone(&task.name));
            let thread = std::thread::Builder::new().name(name.to_string()).spawn(move || host(task, &shared, &clock));
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    names[index..].iter().for_each(|name| self.shared.leave(name));
                    return Err(Error::fatal("no thread could be had").in_stage(&name).caused_by(error));
                }
            }
        }
        Ok(())
    }

    /// Attaches what `build` adds, while everything else runs on: a branch (a stage or a sink joined
    /// to an [`Output`](crate::Output) that was kept), an input ([`Pipeline::join`]), a whole sub-graph.
    ///
    /// What is attached at once is one part: when a stage of it fails, all of it ends, and the rest goes on. Its end is
    /// an [event](Event::PartEnded).
    ///
    /// # Errors
    /// If a name is taken, or no thread can be had; then nothing of it stays.
    pub fn attach<R>(&self, build: impl FnOnce(&mut Pipeline) -> R) -> Result<(R, Part)> {
        let mut pipeline = Pipeline::part_of(&self.shared, &self.clock);
        let built = build(&mut pipeline);
        let (tasks, part) = pipeline.into_part()?;
        if let Err(error) = self.host_all(tasks) {
            part.detach();
            part.forget();
            return Err(error);
        }
        Ok((built, part))
    }

    /// What happens from now on. The first call of this or of [`Pipeline::events`] gets everything since the start.
    pub fn events(&self) -> Events {
        self.shared.events.subscribe()
    }

    /// Completes when everything has ended, or when what has not drained in time after a stop was cut off. It works
    /// with any runtime and blocks no thread of it; await the pipeline itself to learn how it ended.
    pub fn ended(&self) -> Ended {
        self.watcher.ended(&self.shared)
    }

    /// Asks the stage `stage` (`"call.audio"` for one output of several) for `control`, as one more consumer of its
    /// output would: a key frame at once; of bit rates the lowest holds, of all consumers and the program.
    ///
    /// # Errors
    /// If no stage is called that, or if it has no output.
    pub fn ask(&self, stage: &str, control: Control) -> Result<()> {
        self.shared.ask(stage, control)
    }

    /// The options with which the declared stage `stage` was built, as they were written; `None` for a stage that
    /// was not declared.
    pub fn options(&self, stage: &str) -> Option<&Table> {
        self.outline.options(stage)
    }

    /// What was declared, to be [compared](Outline::changes) with another plan.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Ends all sources. What is inside drains; [`wait`](Running::wait) sees to it that this ends.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// A handle that stops the pipeline from anywhere: a signal handler, another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Whether it stops: somebody stopped it, or a stage failed that [takes all with it](crate::OnFailure::Stop).
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

    /// Waits until everything has ended or somebody stops the pipeline, but no longer than `patience`; whether
    /// everything has ended.
    pub fn wait_for(&self, patience: Duration) -> bool {
        self.shared.wait_for_end(patience)
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
        let left = self.shared.drain();
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
        let late = self.shared.late();
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
}

/// Awaits the end without blocking, and gives what [`wait`](Running::wait) gives. Dropping the future drops the
/// pipeline, which stops it.
impl IntoFuture for Running {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            self.ended().await;
            // Its threads are done by now, or left behind.
            self.join()
        })
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
    let (name, part) = (Arc::clone(&task.name), task.part.id());
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
    task.waker.bind_to_this_thread();
    // Consumers were announced before there was a thread to wake.
    task.waker.notify();
    while !shared.is_aborted() && !task.part.is_aborted() {
        task.attend(clock);
        match task.advance(clock) {
            Step::Moved | Step::Asked => {}
            Step::Wait(until) => task.waker.wait(until, clock),
            Step::Done => break,
        }
    }
    task
}
