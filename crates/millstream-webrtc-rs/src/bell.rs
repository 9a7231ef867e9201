//! Wakes many tasks of one thread at the price of one.
//!
//! A frame goes to all viewers at once, and waking a task of another thread's runtime is a system call,
//! for each of them. So a viewer's task is put on a list, and only the first on it rings the thread,
//! which wakes the others itself.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Wake, Waker};

/// One thread's list of tasks to be woken. Cloning gives another handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<Mutex<Rung>>);

#[derive(Debug, Default)]
struct Rung {
    cords: Vec<Arc<Cord>>,
    /// Wakes whoever [`serve`](Bell::serve)s.
    thread: Option<Waker>,
}

impl Bell {
    /// A waker for `task`, which is one of the thread that [`serve`](Bell::serve)s this bell.
    pub(crate) fn cord(&self, task: &Waker) -> Waker {
        Arc::new(Cord { rung: Arc::downgrade(&self.0), task: task.clone(), pulled: AtomicBool::new(false) }).into()
    }

    /// Wakes whose cords are pulled, for ever. Runs on the thread that hosts them.
    pub(crate) async fn serve(&self) {
        let mut cords = Vec::new();
        poll_fn(|cx| {
            let mut rung = lock(&self.0);
            // Two lists take turns, so that neither is allocated anew.
            std::mem::swap(&mut rung.cords, &mut cords);
            if !rung.thread.as_ref().is_some_and(|thread| thread.will_wake(cx.waker())) {
                rung.thread = Some(cx.waker().clone());
            }
            drop(rung);
            for cord in cords.drain(..) {
                cord.pulled.store(false, Ordering::Release);
                cord.task.wake_by_ref();
            }
            Poll::<()>::Pending
        })
        .await;
    }
}

#[derive(Debug)]
struct Cord {
    /// A list that nobody serves any more keeps nothing alive, nor is kept by what is left on it.
    rung: Weak<Mutex<Rung>>,
    task: Waker,
    /// It is on the list.
    pulled: AtomicBool,
}

impl Wake for Cord {
    fn wake(self: Arc<Cord>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Cord>) {
        if self.pulled.swap(true, Ordering::AcqRel) {
            return;
        }
        // Without its thread there is nobody to wake.
        let Some(list) = self.rung.upgrade() else { return };
        let mut rung = lock(&list);
        rung.cords.push(Arc::clone(self));
        // Whoever is on the list already has rung.
        let thread = if rung.cords.len() == 1 { rung.thread.clone() } else { None };
        drop(rung);
        if let Some(thread) = thread {
            thread.wake();
        }
    }
}

fn lock(rung: &Mutex<Rung>) -> MutexGuard<'_, Rung> {
    rung.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::Context;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Count>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn take(&self) -> usize {
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    #[test]
    fn many_are_woken_by_one_ring_and_each_once() {
        let (thread, tasks) = (Arc::<Count>::default(), [Arc::<Count>::default(), Arc::default(), Arc::default()]);
        let bell = Bell::default();
        let mut serving = pin!(bell.serve());
        let waker = thread.clone().into();
        let mut cx = Context::from_waker(&waker);
        assert!(serving.as_mut().poll(&mut cx).is_pending());
        let cords: Vec<Waker> = tasks.iter().map(|task| bell.cord(&task.clone().into())).collect();
        for _ in 0..3 {
            cords.iter().for_each(Waker::wake_by_ref);
            cords[0].wake_by_ref();
            assert_eq!(thread.take(), 1, "the first rings");
            assert!(serving.as_mut().poll(&mut cx).is_pending());
            assert_eq!(tasks.each_ref().map(|task| task.take()), [1, 1, 1]);
        }
    }

    #[test]
    fn what_is_left_on_the_list_keeps_no_bell() {
        let (task, bell) = (Arc::<Count>::default(), Bell::default());
        let cord = bell.cord(&task.clone().into());
        cord.wake_by_ref();
        drop(bell);
        cord.wake();
        assert_eq!(Arc::strong_count(&task), 1, "nobody holds it any more");
    }

    #[test]
    fn who_is_woken_before_anybody_serves_is_not_forgotten() {
        let (task, bell) = (Arc::<Count>::default(), Bell::default());
        bell.cord(&task.clone().into()).wake();
        let mut serving = pin!(bell.serve());
        assert!(serving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(task.take(), 1);
    }
}
