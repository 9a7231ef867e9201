//! How a sleeping task is called: by an item, by room in a link, by a wish, by a stage's own waker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::thread::Thread;

use millstream_core::{Clock, Timestamp};

/// One task's bell. Ringing it twice before the task looks is ringing it once.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    rung: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Signal {
    /// A waker that rings.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Rings.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Whether it was rung since the last time: one load where it was not.
    pub(crate) fn heard(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Whether it was rung and not yet heard.
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Says that the calling thread is the one to wake.
    pub(crate) fn host_here(&self) {
        // A task is hosted once; were it hosted again, ringing the first thread would be a bug of ours.
        self.thread.set(std::thread::current()).expect("a task is hosted by one thread");
    }

    /// Waits until it is rung, or until `until`.
    pub(crate) fn wait(&self, until: Option<Timestamp>, clock: &Clock) {
        while !self.is_rung() {
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

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The waker of one stage: notes whom it is for, and rings its task.
#[derive(Debug)]
pub(crate) struct Woken {
    woken: AtomicBool,
    task: Arc<Signal>,
}

impl Woken {
    pub(crate) fn new(task: &Arc<Signal>) -> Arc<Woken> {
        Arc::new(Woken { woken: AtomicBool::new(false), task: Arc::clone(task) })
    }

    /// Has the stage's task look, and not the stage.
    pub(crate) fn ring(&self) {
        self.task.ring();
    }

    /// Whether it was used since the last time.
    pub(crate) fn heard(&self) -> bool {
        self.woken.load(Ordering::Acquire) && self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.task.ring();
    }
}
