//! Where a test sees what came out, and where it cuts what goes in.

use std::sync::{Arc, Mutex, PoisonError};

use millstream_core::{Control, Cx, MaybeSend, Next, Result, Sink, Source};

/// A sink that keeps everything. Cloning shares what was kept, so that a test keeps one and joins the other.
#[derive(Debug)]
pub struct Collected<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Collected(Arc::clone(&self.0))
    }
}

impl<T> Default for Collected<T> {
    fn default() -> Self {
        Collected(Arc::default())
    }
}

impl<T> Collected<T> {
    /// What was kept so far; it is kept no longer.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: MaybeSend> Sink<T> for Collected<T>
where
    Arc<Mutex<Vec<T>>>: MaybeSend,
{
    fn consume(&mut self, item: T, _: &mut Cx) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(item);
        Ok(())
    }
}

/// `source`, ended after `count` items.
pub fn limited<T>(source: impl Source<T>, count: usize) -> impl Source<T> {
    Limited { source, left: count }
}

struct Limited<S> {
    source: S,
    left: usize,
}

impl<T, S: Source<T>> Source<T> for Limited<S> {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<T>> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        let next = self.source.next(cx)?;
        if matches!(next, Next::Item(_)) {
            self.left -= 1;
        }
        Ok(next)
    }

    fn control(&mut self, wish: Control, cx: &mut Cx) {
        self.source.control(wish, cx);
    }
}
