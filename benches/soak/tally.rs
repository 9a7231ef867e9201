//! What all viewers have seen, those that are gone too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::native::{Book, Log, Viewer};

/// What happened so far. Cloning gives another hand.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Inner>);

#[derive(Default)]
struct Inner {
    counts: Mutex<Counts>,
    books: Mutex<Vec<(Kind, Book)>>,
    decoder_errors: AtomicU64,
}

/// How a viewer behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Stays from the start to the end: its gaps are measured.
    Steady,
    /// Comes and goes, or behaves badly.
    Other,
}

/// Counts of all viewers together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) joined: u64,
    pub(crate) left: u64,
    pub(crate) vanished: u64,
    /// Joins that were refused or got no picture in time.
    pub(crate) refused: u64,
    /// Steady viewers whose connection ended.
    pub(crate) interrupted: u64,
    /// PLIs sent in floods.
    pub(crate) plis: u64,
    /// Datagrams and requests that were garbage.
    pub(crate) garbage: u64,
    pub(crate) frames: u64,
    pub(crate) undecodable: u64,
    pub(crate) lost: u64,
    pub(crate) skipped: u64,
    /// Of the steady viewers alone.
    pub(crate) steady_frames: u64,
    pub(crate) steady_key_frames: u64,
    pub(crate) steady_lost: u64,
    /// Their longest gap since the last look.
    pub(crate) longest_gap: Duration,
}

impl Counts {
    fn add(&mut self, kind: Kind, log: &Log) {
        self.frames += log.frames;
        self.undecodable += log.undecodable;
        self.lost += log.lost;
        self.skipped += log.skipped;
        if kind == Kind::Steady {
            self.steady_frames += log.frames;
            self.steady_key_frames += log.key_frames;
            self.steady_lost += log.lost;
            self.longest_gap = self.longest_gap.max(log.longest_gap);
        }
    }
}

impl Tally {
    /// Counts what `viewer` sees from now on.
    pub(crate) fn joined(&self, kind: Kind, viewer: &Viewer) {
        self.note(|counts| counts.joined += 1);
        lock(&self.0.books).push((kind, viewer.book()));
    }

    /// Counts something else.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.0.counts));
    }

    /// All counts; the gap starts anew.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = *lock(&self.0.counts);
        let mut books = lock(&self.0.books);
        books.retain(|(kind, book)| {
            let log = book.read(|log| {
                let read = log.clone();
                log.longest_gap = Duration::ZERO;
                read
            });
            counts.add(*kind, &log);
            if book.is_closed() {
                lock(&self.0.counts).add(*kind, &log);
            }
            !book.is_closed()
        });
        lock(&self.0.counts).longest_gap = Duration::ZERO;
        counts
    }

    /// Whoever still watches has vanished.
    pub(crate) fn let_go(&self) {
        let watching = lock(&self.0.books).iter().filter(|(_, book)| !book.read(|log| log.ended.is_some())).count();
        self.note(|counts| counts.vanished += watching as u64);
    }

    pub(crate) fn decoder_failed(&self) {
        self.0.decoder_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn decoder_errors(&self) -> u64 {
        self.0.decoder_errors.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
