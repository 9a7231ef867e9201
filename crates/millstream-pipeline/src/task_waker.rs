//! How a task that sleeps is woken: by an item, by room in a link, by a request, by a stage's own waker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::thread::Thread;

use millstream_core::{Clock, Timestamp};

/// Wakes one task. Two notifications before the task looks count once.
#[derive(Debug, Default)]
pub(crate) struct TaskWaker {
    notified: AtomicBool,
    thread: OnceLock<Thread>,
}

impl TaskWaker {
    /// The same as a waker of the standard library.
    pub(crate) fn to_waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Notifies the task, and wakes its thread if that sleeps.
    pub(crate) fn notify(&self) {
        if !self.notified.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Whether the task was notified since the last call: one load where it was not.
    pub(crate) fn take(&self) -> bool {
        self.notified.load(Ordering::Acquire) && self.notified.swap(false, Ordering::AcqRel)
    }

    /// Whether a notification waits to be taken.
    pub(crate) fn is_notified(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// Says that the calling thread is the one to wake.
    pub(crate) fn bind_to_this_thread(&self) {
        // A task is hosted once; were it hosted again, waking the first thread would be a bug of ours.
        self.thread.set(std::thread::current()).expect("a task is hosted by one thread");
    }

    /// Sleeps until the task is notified, or until `until`.
    pub(crate) fn wait(&self, until: Option<Timestamp>, clock: &Clock) {
        while !self.is_notified() {
            match until {
                None => std::thread::park(),
                Some(until) => {
                    let left = until.since(clock.now());
                    if left.is_zero() {
                        return;
                    }
                    std::thread::park_timeout(left);
                }
            }
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.notify();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

/// The waker of one stage: notes that it was used, and notifies the stage's task.
#[derive(Debug)]
pub(crate) struct StageWaker {
    woken: AtomicBool,
    task: Arc<TaskWaker>,
}

impl StageWaker {
    pub(crate) fn new(task: &Arc<TaskWaker>) -> Arc<StageWaker> {
        Arc::new(StageWaker { woken: AtomicBool::new(false), task: Arc::clone(task) })
    }

    /// Notifies the stage's task without waking the stage.
    pub(crate) fn notify(&self) {
        self.task.notify();
    }

    /// Whether it was used since the last call.
    pub(crate) fn take(&self) -> bool {
        self.woken.load(Ordering::Acquire) && self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for StageWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.task.notify();
    }
}
