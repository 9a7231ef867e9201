//! Where the capturing thread and the source meet: the newest picture, and what the source asks for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use millstream_core::{Clock, Error, Timestamp, VideoFrame};

/// What the capturing thread and the source share.
#[derive(Debug, Default)]
pub(super) struct Slot {
    state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// When pictures are counted from, once the source has been asked for one.
    pub(super) start: Option<Timestamp>,
    pub(super) waker: Option<Waker>,
    pub(super) paused: bool,
    pub(super) closed: bool,
    /// The newest picture, if nobody has taken it.
    pub(super) frame: Option<VideoFrame>,
    /// What went wrong, if nobody has been told.
    pub(super) lost: Option<Error>,
}

impl Slot {
    /// Waits for the first question; when the pipeline started, or `None` if nobody asks any more.
    pub(super) fn started(&self) -> Option<Timestamp> {
        let waiting = |state: &mut State| state.start.is_none() && !state.closed;
        let state = self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        state.start.filter(|_| !state.closed)
    }

    /// Waits until `time` has come and nobody wishes a pause; whether pictures are still wanted.
    pub(super) fn wait_until(&self, clock: &Clock, time: Timestamp) -> bool {
        let mut state = self.lock();
        loop {
            if state.closed {
                return false;
            }
            let left = time.since(clock.now());
            state = if state.paused {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else if left.is_zero() {
                return true;
            } else {
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Gives `frame`; one that was not taken before gives way.
    pub(super) fn give(&self, frame: VideoFrame) {
        let mut state = self.lock();
        state.frame = Some(frame);
        wake(state);
    }

    /// Tells the source what went wrong.
    pub(super) fn lose(&self, error: Error) {
        let mut state = self.lock();
        state.lost = Some(error);
        wake(state);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes whoever waits, after the lock is released.
fn wake(state: MutexGuard<'_, State>) {
    let waker = state.waker.clone();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
