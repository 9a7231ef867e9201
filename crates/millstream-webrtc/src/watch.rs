//! A value that changes, and can be waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::block::block_on;

/// A value that changes: read it, or wait until it does. Cloning gives another reader.
///
/// What changes twice between two looks is seen once: the newest value counts.
#[derive(Clone, Debug)]
pub struct Watch<T> {
    cell: Arc<Mutex<Cell<T>>>,
    seen: u64,
}

/// Sets what a [`Watch`] reads.
#[derive(Debug)]
pub(crate) struct Setter<T>(Arc<Mutex<Cell<T>>>);

#[derive(Debug)]
struct Cell<T> {
    value: T,
    version: u64,
    last: bool,
    wakers: Vec<Waker>,
}

fn lock<T>(cell: &Mutex<Cell<T>>) -> MutexGuard<'_, Cell<T>> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Clone> Watch<T> {
    pub(crate) fn new(value: T) -> (Setter<T>, Watch<T>) {
        let cell = Arc::new(Mutex::new(Cell { value, version: 0, last: false, wakers: Vec::new() }));
        (Setter(Arc::clone(&cell)), Watch { cell, seen: 0 })
    }

    /// The value now.
    pub fn get(&self) -> T {
        lock(&self.cell).value.clone()
    }

    /// The next value that this reader has not seen; `None` once it will not change any more.
    /// What [`get`](Watch::get) gave does not count as seen.
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed(self)
    }

    /// The first value, from now on, for which `is` holds; the last one if none will.
    pub async fn until(&mut self, mut is: impl FnMut(&T) -> bool) -> T {
        loop {
            let value = self.get();
            if is(&value) || self.changed().await.is_none() {
                return self.get();
            }
        }
    }
}

/// What [`Watch::changed`] returns: a future, with a wait for threads.
#[derive(Debug)]
#[must_use = "it does nothing unless awaited, or waited for"]
pub struct Changed<'a, T>(&'a mut Watch<T>);

impl<T: Clone> Changed<'_, T> {
    /// Blocks this thread until the value changes.
    pub fn wait(self) -> Option<T> {
        block_on(self)
    }
}

impl<T: Clone> Future for Changed<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let watch = &mut *self.0;
        let mut cell = lock(&watch.cell);
        if cell.version != watch.seen {
            watch.seen = cell.version;
            return Poll::Ready(Some(cell.value.clone()));
        }
        if cell.last {
            return Poll::Ready(None);
        }
        if !cell.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            cell.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<T: Clone + PartialEq> Setter<T> {
    /// Sets the value; one that is the same changes nothing. After [`end`](Setter::end) it stays.
    pub(crate) fn set(&self, value: T) {
        let mut cell = lock(&self.0);
        if cell.last || cell.value == value {
            return;
        }
        cell.value = value;
        cell.version += 1;
        wake(cell);
    }
}

impl<T> Setter<T> {
    /// The value will not change any more.
    pub(crate) fn end(&self) {
        let mut cell = lock(&self.0);
        cell.last = true;
        wake(cell);
    }
}

impl<T> Drop for Setter<T> {
    fn drop(&mut self) {
        self.end();
    }
}

fn wake<T>(mut cell: MutexGuard<'_, Cell<T>>) {
    let wakers = std::mem::take(&mut cell.wakers);
    drop(cell);
    wakers.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_sees_the_newest_value_once_and_then_the_end() {
        let (setter, mut one) = Watch::new(0);
        let mut two = one.clone();
        setter.set(1);
        setter.set(2);
        setter.set(2);
        assert_eq!(one.changed().wait(), Some(2));
        drop(setter);
        assert_eq!(one.changed().wait(), None);
        assert_eq!(two.changed().wait(), Some(2));
        assert_eq!(two.changed().wait(), None);
        assert_eq!(two.get(), 2);
    }

    #[test]
    fn a_thread_waits_for_a_change() {
        let (setter, mut watch) = Watch::new("new");
        let thread = std::thread::spawn(move || block_on(watch.until(|value| *value == "connected")));
        setter.set("connecting");
        setter.set("connected");
        assert_eq!(thread.join().unwrap(), "connected");
    }
}
