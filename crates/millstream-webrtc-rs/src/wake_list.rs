//! Wakes many tasks of one thread at the price of one.
//!
//! A frame goes to all viewers at once, and waking a task of another thread's runtime is a system call,
//! for each of them. So the wakers of a thread's tasks put the task on a list, and only the first on the list wakes
//! the thread, which wakes the others itself.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Wake, Waker};

/// One thread's list of tasks to wake. Cloning gives another handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct WakeList(Arc<Mutex<Listed>>);

#[derive(Debug, Default)]
struct Listed {
    wakers: Vec<Arc<ListedWaker>>,
    /// Wakes the task that runs [`serve`](WakeList::serve).
    thread: Option<Waker>,
}

impl WakeList {
    /// A waker for `task`, which is one of the thread that [`serve`](WakeList::serve)s this list.
    pub(crate) fn waker(&self, task: &Waker) -> Waker {
        Arc::new(ListedWaker { list: Arc::downgrade(&self.0), task: task.clone(), listed: AtomicBool::new(false) })
            .into()
    }

    /// Wakes the tasks on the list, for ever. Runs on the thread that hosts them.
    pub(crate) async fn serve(&self) {
        let mut wakers = Vec::new();
        poll_fn(|cx| {
            let mut list = lock(&self.0);
            // Two lists take turns, so that neither is allocated anew.
            std::mem::swap(&mut list.wakers, &mut wakers);
            if !list.thread.as_ref().is_some_and(|thread| thread.will_wake(cx.waker())) {
                list.thread = Some(cx.waker().clone());
            }
            drop(list);
            for waker in wakers.drain(..) {
                waker.listed.store(false, Ordering::Release);
                waker.task.wake_by_ref();
            }
            Poll::<()>::Pending
        })
        .await;
    }
}

#[derive(Debug)]
struct ListedWaker {
    /// A list that no thread serves any more is not kept alive, and keeps no task alive.
    list: Weak<Mutex<Listed>>,
    task: Waker,
    /// It is on the list.
    listed: AtomicBool,
}

impl Wake for ListedWaker {
    fn wake(self: Arc<ListedWaker>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<ListedWaker>) {
        if self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        // Without its thread the task does not run any more.
        let Some(shared) = self.list.upgrade() else { return };
        let mut list = lock(&shared);
        list.wakers.push(Arc::clone(self));
        // The first one on the list has woken the thread.
        let thread = if list.wakers.len() == 1 { list.thread.clone() } else { None };
        drop(list);
        if let Some(thread) = thread {
            thread.wake();
        }
    }
}

fn lock(list: &Mutex<Listed>) -> MutexGuard<'_, Listed> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
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
        let list = WakeList::default();
        let mut serving = pin!(list.serve());
        let waker = thread.clone().into();
        let mut cx = Context::from_waker(&waker);
        assert!(serving.as_mut().poll(&mut cx).is_pending());
        let wakers: Vec<Waker> = tasks.iter().map(|task| list.waker(&task.clone().into())).collect();
        for _ in 0..3 {
            wakers.iter().for_each(Waker::wake_by_ref);
            wakers[0].wake_by_ref();
            assert_eq!(thread.take(), 1, "the first wakes the thread");
            assert!(serving.as_mut().poll(&mut cx).is_pending());
            assert_eq!(tasks.each_ref().map(|task| task.take()), [1, 1, 1]);
        }
    }

    #[test]
    fn a_waker_that_is_left_on_the_list_does_not_keep_it_alive() {
        let (task, list) = (Arc::<Count>::default(), WakeList::default());
        let waker = list.waker(&task.clone().into());
        waker.wake_by_ref();
        drop(list);
        waker.wake();
        assert_eq!(Arc::strong_count(&task), 1, "the list does not keep it");
    }

    #[test]
    fn a_task_that_is_woken_before_the_list_is_served_is_not_forgotten() {
        let (task, list) = (Arc::<Count>::default(), WakeList::default());
        list.waker(&task.clone().into()).wake();
        let mut serving = pin!(list.serve());
        assert!(serving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(task.take(), 1);
    }
}
