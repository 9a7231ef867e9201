//! What the stages of a part share: how the part ends as a whole, and who tells that it has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use millstream_core::Run;

use crate::events::{Event, PartId};
use crate::shared::{Shared, locked};
use crate::task_waker::TaskWaker;

/// What the stages of a part share.
#[derive(Debug)]
pub(crate) struct PartState {
    id: u64,
    pub(crate) run: Run,
    /// Whether it was attached to a running pipeline, and so ends as a whole.
    attached: bool,
    detached: AtomicBool,
    aborted: AtomicBool,
    /// How it is joined to the rest, and the tasks of the producers.
    joins: Mutex<Vec<(Arc<Leave>, Arc<TaskWaker>)>>,
    wakers: Mutex<Vec<Weak<TaskWaker>>>,
}

impl PartState {
    /// The pipeline that `run` is of, or a part that is attached to it while it runs.
    pub(crate) fn new(id: u64, run: Run, attached: bool) -> Arc<PartState> {
        Arc::new(PartState {
            id,
            run,
            attached,
            detached: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            joins: Mutex::default(),
            wakers: Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn add_waker(&self, waker: &Arc<TaskWaker>) {
        locked(&self.wakers).push(Arc::downgrade(waker));
    }

    pub(crate) fn add_join(&self, leave: Arc<Leave>, producer: Arc<TaskWaker>) {
        locked(&self.joins).push((leave, producer));
    }

    /// A stage of it failed: what was attached together ends together.
    pub(crate) fn fail(&self) {
        if self.attached {
            self.detach();
        }
    }

    /// Detaches what was added after it was detached, if it was: a stage that runs in the thread of another part
    /// may fail while the part is still being built.
    pub(crate) fn complete(&self) {
        if self.detached.load(Ordering::Acquire) {
            self.detach();
        }
    }

    pub(crate) fn detach(&self) {
        self.detached.store(true, Ordering::Release);
        self.run.stop();
        for (leave, producer) in &*locked(&self.joins) {
            leave.request();
            producer.notify();
        }
        self.notify();
    }

    /// Whether it was given up: what still waits in it is dropped.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.notify();
    }

    fn notify(&self) {
        for waker in locked(&self.wakers).iter().filter_map(Weak::upgrade) {
            waker.notify();
        }
    }
}

/// Held by every task of an attached part and by every join of it; the last one tells that the part has ended.
#[derive(Debug)]
pub(crate) struct Alive {
    id: u64,
    shared: Arc<Shared>,
    /// Whether the part was attached: one that is refused never was.
    started: AtomicBool,
}

impl Alive {
    /// Of an attached part; the pipeline itself needs none.
    pub(crate) fn new(state: &PartState, shared: &Arc<Shared>) -> Option<Arc<Alive>> {
        let alive = Alive { id: state.id, shared: Arc::clone(shared), started: AtomicBool::new(false) };
        state.attached.then(|| Arc::new(alive))
    }
}

impl Alive {
    /// Says that the part was attached, so that its end is an event.
    pub(crate) fn start(&self) {
        self.started.store(true, Ordering::Release);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if self.started.load(Ordering::Acquire) {
            self.shared.events.publish(Event::PartEnded { part: PartId::new(self.id) });
        }
        self.shared.notify_changed();
    }
}

/// How a taker is detached while running: a request, which the producer follows.
#[derive(Debug, Default)]
pub(crate) struct Leave(AtomicBool);

impl Leave {
    /// Requests it. The caller then wakes the producer's task.
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
