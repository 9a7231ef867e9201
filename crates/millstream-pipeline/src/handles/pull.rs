//! The route out: a bounded queue between a sink and the program's threads or tasks.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use millstream_core::{Clock, Control, Cx, Item, Requests, Result, Sink, Upstream};

use super::refused::TryRecv;
use super::wakers::Wakers;
use crate::link::{Entry, Exit, Taken, link};
use crate::outputs::Consumer;
use crate::policy::Link;
use crate::stats::LinkCounts;

/// How long a program may leave a full handle alone once the pipeline stops: half of the
/// 100 ms in which a stage returns.
const STOP: Duration = Duration::from_millis(50);

/// A sink that keeps every item until the program takes it, and the handle to take with.
///
/// While `capacity` items wait the sink waits for the program, and with it the thread it runs on:
/// join it with [`Pipeline::sink`](crate::Pipeline::sink), which gives it one of its own, never with
/// `inline_sink`. Meanwhile the link before it fills, and its policy says what becomes of the rest;
/// through a `block` link nothing is lost on the route. Where one thread both steps a pipeline in
/// virtual time and takes from it, it would wait for itself: there `capacity` holds all that a step
/// gives, or [`pull_latest`] serves.
///
/// When the pipeline is stopped and the program takes nothing for 50 ms, what has no room is
/// discarded and [counted](Pull::discarded).
pub fn pull<T: Item>(capacity: NonZeroUsize) -> (impl Sink<T> + 'static, Pull<T>) {
    joined(Link::block(capacity), true)
}

/// A sink that keeps the newest `capacity` items and never waits, and the handle to take with.
///
/// It drops as a `drop-oldest` link does: an encoded frame goes with all that cannot be decoded
/// without it, up to the next one to start from, and a key frame is asked for. What it drops is
/// [counted](Pull::discarded).
pub fn pull_latest<T: Item>(capacity: NonZeroUsize) -> (impl Sink<T> + 'static, Pull<T>) {
    joined(Link::drop_oldest(capacity), false)
}

fn joined<T: Item>(options: Link, waits: bool) -> (PullSink<T>, Pull<T>) {
    let (shared, counts, gaps) = (Arc::<Shared>::default(), Arc::default(), Upstream::default());
    // Nothing in it ages, and what both ends share wakes those who wait.
    let (clock, nobody) = (Clock::manual().0, Arc::default());
    let (entry, exit) = link(options, &nobody, &nobody, &clock, &gaps, &counts);
    let pull = Pull { exit, counts: Arc::clone(&counts), shared: WakeOnDrop(Arc::clone(&shared)) };
    (PullSink { entry, gaps, counts, waits, cut: false, shared: WakeOnDrop(shared) }, pull)
}

/// Takes items out of a pipeline, on any thread or in any task.
///
/// Dropping it does not end the pipeline: what comes afterwards is discarded. To end it, stop it.
pub struct Pull<T: Item> {
    // Dropped first: those who wait are woken when the link is closed.
    exit: Exit<T>,
    counts: Arc<LinkCounts>,
    shared: WakeOnDrop,
}

/// What the two ends share beside the link.
#[derive(Default)]
struct Shared {
    route: Mutex<Route>,
    items: Condvar,
    room: Condvar,
    takers: Wakers,
}

/// The way upstream.
#[derive(Default)]
struct Route {
    /// Known once an item has come.
    upstream: Option<Upstream>,
    /// What was asked before.
    early: Requests,
}

/// Wakes everybody when its end is dropped.
struct WakeOnDrop(Arc<Shared>);

impl Shared {
    fn route(&self) -> MutexGuard<'_, Route> {
        // Nothing under this lock panics half route.
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        // Whoever was about to wait does so by now.
        drop(self.0.route());
        self.0.items.notify_all();
        self.0.room.notify_all();
        self.0.takers.wake();
    }
}

impl<T: Item> Pull<T> {
    /// The next item; waits while there is none. `None` once the pipeline gives nothing any more.
    pub fn recv(&self) -> Option<T> {
        let shared = &*self.shared.0;
        let mut route = shared.route();
        loop {
            match self.take() {
                Err(TryRecv::Empty) => route = shared.items.wait(route).unwrap_or_else(PoisonError::into_inner),
                taken => return taken.ok(),
            }
        }
    }

    /// The next item; waits while there is none, but no longer than `patience` of real time.
    ///
    /// # Errors
    /// If none has come by then, or if the pipeline gives nothing any more.
    pub fn recv_timeout(&self, patience: Duration) -> Result<T, TryRecv> {
        let shared = &*self.shared.0;
        let mut taken = Err(TryRecv::Empty);
        let route = shared.items.wait_timeout_while(shared.route(), patience, |_| {
            taken = self.take();
            matches!(taken, Err(TryRecv::Empty))
        });
        drop(route.unwrap_or_else(PoisonError::into_inner));
        taken
    }

    /// The next item, if there is one now.
    ///
    /// # Errors
    /// If none has come yet, or if the pipeline gives nothing any more.
    pub fn try_recv(&self) -> Result<T, TryRecv> {
        let _route = self.shared.0.route();
        self.take()
    }

    /// The next item; waits, without holding up a thread, while there is none. `None` once the
    /// pipeline gives nothing any more.
    pub async fn recv_async(&self) -> Option<T> {
        poll_fn(|cx| self.poll_take(cx)).await
    }

    /// Asks whoever makes the items for `request`: a key frame, a bit rate. Asked before the first item
    /// has come, it is passed on with that.
    pub fn ask(&self, request: Control) {
        let mut route = self.shared.0.route();
        match &route.upstream {
            Some(upstream) => upstream.ask(request),
            None => route.early.note(request),
        }
    }

    /// How many items came and were not kept.
    pub fn discarded(&self) -> u64 {
        let LinkCounts { dropped_full, dropped_gap, dropped_closed, .. } = &*self.counts;
        [dropped_full, dropped_gap, dropped_closed].map(|count| count.value()).iter().sum()
    }

    fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let _route = self.shared.0.route();
        match self.take() {
            Err(TryRecv::Empty) => {
                self.shared.0.takers.add(cx.waker());
                Poll::Pending
            }
            taken => Poll::Ready(taken.ok()),
        }
    }

    /// The caller holds the lock of what is shared, so that it misses no notification of the sink.
    fn take(&self) -> Result<T, TryRecv> {
        match self.exit.take() {
            Taken::Item(item) => {
                self.shared.0.room.notify_one();
                Ok(item)
            }
            Taken::Nothing => Err(TryRecv::Empty),
            Taken::Ended => Err(TryRecv::Ended),
        }
    }
}

impl<T: Item> futures_core::Stream for Pull<T> {
    type Item = T;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_take(cx)
    }
}

struct PullSink<T: Item> {
    // Dropped first: those who wait are woken when the link has ended.
    entry: Entry<T>,
    /// Where the link asks for a key frame.
    gaps: Upstream,
    counts: Arc<LinkCounts>,
    waits: bool,
    /// The pipeline was stopped and the program took nothing: nothing more is kept.
    cut: bool,
    shared: WakeOnDrop,
}

impl<T: Item> PullSink<T> {
    /// Tells the handle the way upstream, and passes on what it asked before.
    fn set_route(&self, cx: &Cx) {
        let mut route = self.shared.0.route();
        if route.upstream.is_none() {
            route.upstream = Some(cx.upstream().clone());
            route.early.iter().for_each(|request| cx.ask(request));
        }
    }

    /// Waits for room; whether there is some, or nobody who would want it.
    fn wait_for_room(&mut self, cx: &Cx) -> bool {
        let shared = &*self.shared.0;
        let mut route = shared.route();
        loop {
            // Nothing notifies this thread of a stop, so it looks.
            let waited = shared.room.wait_timeout_while(route, STOP, |_| !self.entry.ready());
            let (back, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if !waited.timed_out() {
                return true;
            }
            if cx.stopping() {
                return false;
            }
            route = back;
        }
    }
}

impl<T: Item> Sink<T> for PullSink<T> {
    fn consume(&mut self, item: T, cx: &mut Cx) -> Result<()> {
        self.set_route(cx);
        self.cut = self.cut || self.waits && !self.entry.ready() && !self.wait_for_room(cx);
        if self.cut {
            self.counts.dropped_full.add(1);
            return Ok(());
        }
        self.entry.take(item);
        for request in self.gaps.take().iter().flat_map(Requests::iter) {
            cx.ask(request);
        }
        // Whoever found nothing waits by now.
        drop(self.shared.0.route());
        self.shared.0.items.notify_one();
        self.shared.0.takers.wake();
        Ok(())
    }

    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.entry.finish();
        drop(self.shared.0.route());
        self.shared.0.items.notify_all();
        self.shared.0.takers.wake();
        Ok(())
    }
}
