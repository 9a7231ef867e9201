//! The two ways between the source and its capturing thread.

use std::sync::mpsc::{Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use millstream_core::{Error, Timestamp, VideoFrame};

/// What the source asks of its thread. The thread ends when the sender is dropped.
pub(crate) enum Command {
    /// Count from here.
    Start(Timestamp),
    Pause(bool),
}

/// The thread's way to the source.
pub(crate) struct ToSource {
    pub(crate) frames: SyncSender<VideoFrame>,
    pub(crate) losses: Sender<Error>,
    pub(crate) waker: Arc<Mutex<Option<Waker>>>,
}

impl ToSource {
    /// Gives `frame`, unless the one before was not taken yet.
    pub(crate) fn frame(&self, frame: VideoFrame) {
        match self.frames.try_send(frame) {
            Ok(()) => self.wake(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Tells what went wrong.
    pub(crate) fn loss(&self, error: Error) {
        let _ = self.losses.send(error);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
