//! The bounded queue between a track's sink and its engine, in whole frames.
//!
//! The sink never waits. What does not fit is dropped (`waiting.rs`).

mod pace;
mod waiting;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_core::{Clock, Media, RtpPackets, Timestamp};

use crate::SenderStatistics;
use crate::frames::Frame;
use waiting::{Phase, Waiting};

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits, is not needed, or the connection does not stand yet.
    Accepted,
    /// It was dropped and others refer to it: a key frame is needed.
    Gap,
    /// It came from a sink that was replaced.
    Replaced,
    /// The track has ended.
    Ended,
}

/// The queue. Each call wakes the engine if there is something new for it.
#[derive(Debug)]
pub(crate) struct Queue(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    waiting: Waiting,
    /// Wakes the engine.
    waker: Option<Waker>,
}

impl Queue {
    pub(crate) fn new(media: Media) -> Queue {
        Queue(Mutex::new(Inner { waiting: Waiting::new(media), waker: None }))
    }

    /// Keeps what comes until the queue is [opened](Queue::open); `false` if it was prepared or opened before.
    pub(crate) fn prepare(&self) -> bool {
        self.change(Waiting::prepare)
    }

    /// Lets what comes through; `true` if nothing was prepared for that. What was prepared is sent from now on,
    /// paced from `paced_from` if there is a sink that [releases](Queue::release) it.
    pub(crate) fn open(&self, paced_from: Option<Timestamp>) -> bool {
        self.change(|waiting| waiting.open(paced_from))
    }

    /// Takes `frames`, the last ones, for a remote side that got nothing yet; whether it did. `sink` is the number
    /// of the sink that they come from.
    pub(crate) fn catch_up(&self, sink: u32, frames: &[RtpPackets], now: Timestamp) -> bool {
        let mut queue = self.lock();
        let caught_up = queue.waiting.catch_up(sink, frames, now);
        if caught_up {
            wake(queue);
        }
        caught_up
    }

    /// Whether what was kept is still being sent.
    pub(crate) fn is_paced(&self) -> bool {
        self.lock().waiting.is_paced()
    }

    /// Has the engine take what is due of what was kept; when more will be.
    pub(crate) fn release(&self, now: Timestamp) -> Option<Timestamp> {
        let queue = self.lock();
        let (due, next) = queue.waiting.due(now)?;
        if due {
            wake(queue);
        }
        next
    }

    /// Takes a frame of the sink with the number `sink`.
    pub(crate) fn push(&self, sink: u32, packets: &RtpPackets) -> Pushed {
        let mut queue = self.lock();
        let pushed = queue.waiting.push(sink, packets);
        if !queue.waiting.is_empty() {
            wake(queue);
        }
        pushed
    }

    pub(crate) fn pop(&self, clock: &Clock) -> Option<Frame> {
        self.lock().waiting.pop(clock)
    }

    /// The next frame; `None` once the track has ended and all was taken.
    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>, clock: &Clock) -> Poll<Option<Frame>> {
        let mut queue = self.lock();
        if let Some(frame) = queue.waiting.pop(clock) {
            return Poll::Ready(Some(frame));
        }
        if queue.waiting.phase() == Phase::Ended {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The number of a new sink, whose frames are taken from now on, and no others; `None` if the track has ended.
    pub(crate) fn replace(&self) -> Option<u32> {
        self.change(Waiting::replace)
    }

    /// Whether the sink with the number `sink` is the one whose frames are taken.
    pub(crate) fn is_from(&self, sink: u32) -> bool {
        self.lock().waiting.is_from(sink)
    }

    /// Drops what waits and what comes, or takes frames again, from the next start on.
    pub(crate) fn mute(&self, mute: bool) -> bool {
        self.change(|waiting| waiting.mute(mute))
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.lock().waiting.is_muted()
    }

    /// Whether the remote side waits for frames: it is connected, or is being connected.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.lock().waiting.phase(), Phase::Preparing | Phase::Open)
    }

    /// What was sent, and what was received about it.
    pub(crate) fn counts(&self) -> SenderStatistics {
        self.lock().waiting.counts
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut SenderStatistics)) {
        change(&mut self.lock().waiting.counts);
    }

    pub(crate) fn queued(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().waiting.phase() == Phase::Ended
    }

    /// Nothing comes any more; what waits goes too if `discard`.
    pub(crate) fn end(&self, discard: bool) {
        let mut queue = self.lock();
        queue.waiting.end(discard);
        wake(queue);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.lock().waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the engine, after the lock is released.
fn wake(mut queue: MutexGuard<'_, Inner>) {
    let waker = queue.waker.take();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}
