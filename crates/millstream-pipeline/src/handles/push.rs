//! The way in: a bounded queue between the program's threads or tasks and a source.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_core::{Control, Cx, Item, Next, Requests, Result, Source};

use super::refused::{Closed, TrySend};
use super::wakers::Wakers;

/// A source that gives what is pushed, and the handle to push with. At most `capacity` items wait
/// between the two.
///
/// The source sleeps while nothing waits and ends once the last handle is dropped and everything is
/// given. A pipeline that is stopped takes no more: what still waits is discarded and
/// [counted](Push::discarded).
pub fn push<T: Item>(capacity: NonZeroUsize) -> (impl Source<T> + 'static, Push<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            waiting: VecDeque::with_capacity(capacity.get()),
            capacity: capacity.get(),
            reserved: 0,
            producers: 1,
            closed: false,
            discarded: 0,
            idle: None,
            requests: None,
        }),
        room: Condvar::new(),
        senders: Wakers::default(),
        listeners: Wakers::default(),
    });
    let push = Push { shared: Arc::clone(&shared), reserved: AtomicBool::new(false), left: false };
    (PushSource(shared), push)
}

/// Pushes items into a pipeline, from any thread or task. Cloning makes another producer; the source
/// ends when the last one is dropped.
///
/// As a `futures_sink::Sink` it is closed by `close` like by a drop; an item it has no room for is
/// waited with. `futures_util::SinkExt::send` and [`Push::send`] have one name: in a task use
/// [`send_async`](Push::send_async).
pub struct Push<T> {
    shared: Arc<Shared<T>>,
    /// A `Sink` that was found ready has a place that no other producer takes.
    reserved: AtomicBool,
    /// It was closed as a `Sink`, and does not count as a producer any more.
    left: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    room: Condvar,
    senders: Wakers,
    listeners: Wakers,
}

struct State<T> {
    waiting: VecDeque<T>,
    capacity: usize,
    /// Places that are promised to producers.
    reserved: usize,
    producers: usize,
    /// The source is gone.
    closed: bool,
    discarded: u64,
    /// Set while the source sleeps.
    idle: Option<Waker>,
    requests: Option<Requests>,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Nothing under this lock panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the source go on, if it sleeps.
    fn wake_source(mut state: MutexGuard<'_, State<T>>) {
        let idle = state.idle.take();
        drop(state);
        if let Some(source) = idle {
            source.wake();
        }
    }

    /// Lets a waiting thread and all waiting tasks look again.
    fn offer_room(&self) {
        self.room.notify_one();
        self.senders.wake();
    }
}

impl<T> State<T> {
    fn has_room(&self) -> bool {
        self.waiting.len() + self.reserved < self.capacity
    }
}

impl<T> Push<T> {
    /// Pushes `item`; waits while there is no room.
    ///
    /// # Errors
    /// If the pipeline takes nothing any more. A stop releases whoever waits.
    pub fn send(&self, item: T) -> Result<(), Closed<T>> {
        let mut state = self.shared.state();
        let mut item = item;
        loop {
            (state, item) = match self.put(state, item) {
                Ok(()) => return Ok(()),
                Err((_, TrySend::Closed(item))) => return Err(Closed(item)),
                Err((state, TrySend::Full(item))) => {
                    (self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner), item)
                }
            }
        }
    }

    /// Pushes `item` if there is room now.
    ///
    /// # Errors
    /// If there is none, or if the pipeline takes nothing any more.
    pub fn try_send(&self, item: T) -> Result<(), TrySend<T>> {
        self.put(self.shared.state(), item).map_err(|(_, refused)| refused)
    }

    /// Pushes `item`; waits, without holding up a thread, while there is no room. Giving up the wait
    /// drops the item.
    ///
    /// # Errors
    /// If the pipeline takes nothing any more. A stop releases whoever waits.
    pub async fn send_async(&self, item: T) -> Result<(), Closed<T>> {
        let mut item = Some(item);
        poll_fn(|cx| {
            let Some(given) = item.take() else { return Poll::Ready(Ok(())) };
            match self.put(self.shared.state(), given) {
                Ok(()) => Poll::Ready(Ok(())),
                Err((_, TrySend::Closed(given))) => Poll::Ready(Err(Closed(given))),
                Err((_state, TrySend::Full(given))) => {
                    self.shared.senders.add(cx.waker());
                    item = Some(given);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Whether the pipeline takes nothing any more.
    pub fn is_closed(&self) -> bool {
        self.left || self.shared.state().closed
    }

    /// How many items were pushed and not yet taken when the pipeline ended.
    pub fn discarded(&self) -> u64 {
        self.shared.state().discarded
    }

    /// What was requested since the last call, newest of each kind, if anything: an encoder of the program's own looks
    /// before each frame whether this one must be a key frame. Of several producers the first that asks gets it.
    pub fn requests(&self) -> Option<Requests> {
        self.shared.state().requests.take()
    }

    /// Waits for [`requests`](Push::requests); `None` once the pipeline takes nothing any more.
    pub async fn requested(&self) -> Option<Requests> {
        poll_fn(|cx| {
            let mut state = self.shared.state();
            let requests = state.requests.take();
            if requests.is_some() || state.closed {
                return Poll::Ready(requests);
            }
            self.shared.listeners.add(cx.waker());
            Poll::Pending
        })
        .await
    }

    /// Puts `item` where the source finds it, or gives it back, still under the lock.
    fn put<'a>(
        &self,
        mut state: MutexGuard<'a, State<T>>,
        item: T,
    ) -> Result<(), (MutexGuard<'a, State<T>>, TrySend<T>)> {
        if self.left || state.closed {
            return Err((state, TrySend::Closed(item)));
        }
        if self.reserved.swap(false, Ordering::Relaxed) {
            state.reserved -= 1;
        } else if !state.has_room() {
            return Err((state, TrySend::Full(item)));
        }
        state.waiting.push_back(item);
        Shared::wake_source(state);
        Ok(())
    }

    /// Is a producer no more.
    fn leave(&mut self) {
        if std::mem::replace(&mut self.left, true) {
            return;
        }
        let mut state = self.shared.state();
        state.producers -= 1;
        state.reserved -= usize::from(self.reserved.swap(false, Ordering::Relaxed));
        if state.producers == 0 {
            Shared::wake_source(state);
        } else {
            drop(state);
            self.shared.offer_room();
        }
    }
}

impl<T> Clone for Push<T> {
    fn clone(&self) -> Self {
        self.shared.state().producers += usize::from(!self.left);
        Push { shared: Arc::clone(&self.shared), reserved: AtomicBool::new(false), left: self.left }
    }
}

impl<T> Drop for Push<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> futures_sink::Sink<T> for Push<T> {
    type Error = Closed<()>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Closed<()>>> {
        let mut state = self.shared.state();
        if self.left || state.closed {
            return Poll::Ready(Err(Closed(())));
        }
        if self.reserved.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        if !state.has_room() {
            self.shared.senders.add(cx.waker());
            return Poll::Pending;
        }
        state.reserved += 1;
        self.reserved.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    /// # Panics
    /// If it was not ready: the trait forbids it.
    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Closed<()>> {
        match self.try_send(item) {
            Ok(()) => Ok(()),
            Err(TrySend::Closed(_)) => Err(Closed(())),
            Err(TrySend::Full(_)) => panic!("start_send without poll_ready"),
        }
    }

    /// What was sent is where the source finds it: there is nothing to wait for.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed<()>>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Closed<()>>> {
        self.get_mut().leave();
        Poll::Ready(Ok(()))
    }
}

struct PushSource<T>(Arc<Shared<T>>);

impl<T: Item> Source<T> for PushSource<T> {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<T>> {
        let mut state = self.0.state();
        if let Some(item) = state.waiting.pop_front() {
            drop(state);
            self.0.offer_room();
            return Ok(Next::Item(item));
        }
        if state.producers == 0 {
            return Ok(Next::End);
        }
        state.idle = Some(cx.waker().clone());
        Ok(Next::Idle)
    }

    fn control(&mut self, request: Control, _: &mut Cx) {
        self.0.state().requests.get_or_insert_default().note(request);
        self.0.listeners.wake();
    }
}

impl<T> Drop for PushSource<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.closed = true;
        state.discarded = state.waiting.len() as u64;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        drop(left);
        self.0.room.notify_all();
        self.0.senders.wake();
        self.0.listeners.wake();
    }
}
