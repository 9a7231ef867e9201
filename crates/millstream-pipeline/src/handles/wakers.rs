//! The tasks that wait for one thing.

use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// The wakers of the tasks that wait for one thing, each once.
#[derive(Debug, Default)]
pub(super) struct Wakers(Mutex<Vec<Waker>>);

impl Wakers {
    /// Notes that the task of `waker` waits. Whoever calls holds the lock under which that thing
    /// changes, so that no change is missed.
    pub(super) fn add(&self, waker: &Waker) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    /// Wakes those that wait now: all, because one that was given up would swallow the call. Whoever
    /// calls holds no lock: a waker may be the last to hold a task, and the task may own a handle.
    pub(super) fn wake(&self) {
        let pop = || self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        // One at a time, so that the list keeps its memory; no more than there were, for a task may
        // wait again at once.
        for _ in 0..waiting {
            let Some(waker) = pop() else { return };
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_that_asked_twice_is_woken_once() {
        let (wakers, count) = (Wakers::default(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        wakers.add(&waker);
        wakers.add(&waker);
        wakers.wake();
        wakers.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
