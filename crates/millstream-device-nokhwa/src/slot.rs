//! What lies between the camera's thread and the pipeline's: two pictures at most, and news.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use millstream_core::device::Choice;
use millstream_core::{Buffer, Color, Error, Timestamp};

use crate::mode::Mode;

/// Pictures that wait at most: the newest, and the one before it.
const WAITING: usize = 2;

/// A picture as the camera gave it.
pub(crate) struct Shot {
    pub(crate) data: Buffer<u8>,
    /// When it was captured.
    pub(crate) time: Timestamp,
}

/// What was opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) choice: Choice,
    pub(crate) mode: Mode,
    pub(crate) color: Color,
}

/// What is new.
#[derive(Default)]
pub(crate) struct News {
    pub(crate) shots: VecDeque<Shot>,
    /// Pictures that nobody took in time.
    pub(crate) dropped: u64,
    pub(crate) opened: Option<Opened>,
    /// Errors of the driver and damaged pictures, which may pass, and the last of them.
    pub(crate) troubles: (u64, String),
    /// Why the thread has ended.
    pub(crate) ended: Option<Error>,
}

#[derive(Default)]
pub(crate) struct Slot {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    news: News,
    waker: Option<Waker>,
    left: bool,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in, and wakes whoever takes it out.
    pub(crate) fn put(&self, put: impl FnOnce(&mut News)) {
        let mut inside = self.lock();
        put(&mut inside.news);
        let waker = inside.waker.clone();
        drop(inside);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Puts a picture in; where two wait already, the older one is dropped.
    pub(crate) fn put_shot(&self, shot: Shot) {
        self.put(|news| {
            if news.shots.len() == WAITING {
                news.shots.pop_front();
                news.dropped += 1;
            }
            news.shots.push_back(shot);
        });
    }

    /// Lets `take` take what is new; `waker` is woken when there is more.
    pub(crate) fn take<R>(&self, waker: &Waker, take: impl FnOnce(&mut News) -> R) -> R {
        let mut inside = self.lock();
        if !inside.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            inside.waker = Some(waker.clone());
        }
        take(&mut inside.news)
    }

    /// Waits until the camera is open, or its thread has ended; neither after `patience`.
    pub(crate) fn opened(&self, patience: Duration) -> Option<Result<Opened, Error>> {
        let waiting = |inside: &mut Inside| inside.news.opened.is_none() && inside.news.ended.is_none();
        let (mut inside, _) =
            self.changed.wait_timeout_while(self.lock(), patience, waiting).unwrap_or_else(PoisonError::into_inner);
        match inside.news.ended.take() {
            Some(error) => Some(Err(error)),
            None => inside.news.opened.take().map(Ok),
        }
    }

    /// Says that nobody will take anything out any more.
    pub(crate) fn leave(&self) {
        let mut inside = self.lock();
        inside.left = true;
        inside.waker = None;
        drop(inside);
        self.changed.notify_all();
    }

    /// Whether nobody will take anything out any more.
    pub(crate) fn is_left(&self) -> bool {
        self.lock().left
    }

    /// Waits for `pause`, or until it is left.
    pub(crate) fn rest(&self, pause: Duration) {
        let resting = |inside: &mut Inside| !inside.left;
        let _rested = self.changed.wait_timeout_while(self.lock(), pause, resting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn shot(millis: u64) -> Shot {
        Shot { data: Vec::new().into(), time: Timestamp::from_millis(millis) }
    }

    #[test]
    fn two_pictures_wait_and_the_oldest_gives_way() {
        let slot = Slot::default();
        (0..5).for_each(|millis| slot.put_shot(shot(millis)));
        let (times, dropped) = slot
            .take(Waker::noop(), |news| (news.shots.drain(..).map(|shot| shot.time).collect::<Vec<_>>(), news.dropped));
        assert_eq!((times, dropped), (vec![Timestamp::from_millis(3), Timestamp::from_millis(4)], 3));
    }

    #[test]
    fn an_end_is_heard_while_waiting_and_who_rests_wakes_when_left() {
        let slot = Arc::new(Slot::default());
        let other = Arc::clone(&slot);
        let thread = std::thread::spawn(move || {
            other.put(|news| news.ended = Some(Error::lost("gone")));
            // Far longer than a test may take, were it not left.
            other.rest(Duration::from_secs(3600));
            other.is_left()
        });
        let ended = slot.opened(Duration::from_secs(60)).expect("the thread says so").unwrap_err();
        assert_eq!(ended.to_string(), "gone");
        slot.leave();
        assert!(thread.join().expect("it does not panic"));
    }
}
