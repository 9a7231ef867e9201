//! What an emulated link did to the items.

use std::sync::atomic::{AtomicU64, Ordering};

/// What an [`EmulatedLink`](super::EmulatedLink) did to the items so far: entered + duplicated = given + lost +
/// refused + those on their way.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) entered: AtomicU64,
    pub(super) given: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) reordered: AtomicU64,
    pub(super) duplicated: AtomicU64,
}

impl Counts {
    /// Items that came in.
    pub fn entered(&self) -> u64 {
        self.entered.load(Ordering::Acquire)
    }

    /// Items that came out, second copies included.
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Acquire)
    }

    /// Items that were lost by chance.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    /// Items that were dropped because the queue was full.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }

    /// Items that travelled without delay.
    pub fn reordered(&self) -> u64 {
        self.reordered.load(Ordering::Acquire)
    }

    /// Items that came out twice.
    pub fn duplicated(&self) -> u64 {
        self.duplicated.load(Ordering::Acquire)
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::AcqRel);
}
