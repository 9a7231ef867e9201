//! Buffers that are used again: after warm-up, taking one allocates nothing.
//!
//! A [`Pool`] keeps a handle to each buffer it gave out, up to its limit. A buffer whose every other
//! handle is gone is idle, and the next [`fill`](Pool::fill) writes into it. There is no drop hook and nothing to return.
//! If a frame is never dropped, the pool allocates another buffer.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// Reference-counted samples that do not change any more. Cloning counts a reference.
pub struct Buffer<T>(Arc<Vec<T>>);

impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer(Arc::clone(&self.0))
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<Vec<T>> for Buffer<T> {
    fn from(items: Vec<T>) -> Self {
        Buffer(Arc::new(items))
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({})", self.0.len())
    }
}

/// A bounded pool of [`Buffer`]s. Each stage that makes items owns one.
#[derive(Debug)]
pub struct Pool<T> {
    shelf: Vec<Arc<Vec<T>>>,
    limit: usize,
}

impl<T: Copy + Default> Pool<T> {
    /// A pool that keeps at most `limit` buffers. When more are in flight, the rest are allocated
    /// and freed as they come.
    pub fn new(limit: usize) -> Pool<T> {
        // One more: a buffer stands there while it is written, even if it is not kept.
        Pool { shelf: Vec::with_capacity(limit + 1), limit }
    }

    /// A buffer of `len` elements. `write` fills all of it: what it held before is initialised, but arbitrary.
    pub fn fill(&mut self, len: usize, write: impl FnOnce(&mut [T])) -> Buffer<T> {
        self.write(|items| {
            items.resize(len, T::default());
            write(items);
        })
    }

    /// A buffer of what `items` yields.
    pub fn collect(&mut self, from: impl IntoIterator<Item = T>) -> Buffer<T> {
        self.write(|items| {
            items.clear();
            items.extend(from);
        })
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<T>)) -> Buffer<T> {
        // Looking is a load; only the one that is found is claimed by a write that other cores see. The
        // first is taken, so that as few as serve are in use and stay in the processor's cache.
        let idle = self.shelf.iter().position(|kept| Arc::strong_count(kept) == 1);
        let index = idle.unwrap_or_else(|| {
            self.shelf.push(Arc::default());
            self.shelf.len() - 1
        });
        write(Arc::get_mut(&mut self.shelf[index]).expect("an idle buffer has no other handle"));
        match index < self.limit {
            true => Buffer(Arc::clone(&self.shelf[index])),
            false => Buffer(self.shelf.swap_remove(index)),
        }
    }
}

/// A ring of byte chunks from which [`Bytes`] are cut without allocating per cut.
///
/// Encoders and packetizers write each frame into it. A chunk whose cuts are all gone is written
/// again; chunks that are still in use, for example by a retransmission history, are skipped, up to `limit`.
#[derive(Debug)]
pub struct ByteRing {
    chunks: Vec<BytesMut>,
    current: usize,
    chunk: usize,
    limit: usize,
}

impl ByteRing {
    /// A ring of at most `limit` chunks of `chunk` bytes each, made as they are needed.
    pub fn new(chunk: usize, limit: usize) -> ByteRing {
        ByteRing { chunks: Vec::with_capacity(limit), current: 0, chunk, limit: limit.max(1) }
    }

    /// What `write` appends, as [`Bytes`]. Up to `capacity` bytes cost nothing; beyond that the chunk grows.
    pub fn fill(&mut self, capacity: usize, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        let chunk = self.room_for(capacity);
        write(chunk);
        chunk.split().freeze()
    }

    /// A copy of `data`.
    pub fn copy(&mut self, data: &[u8]) -> Bytes {
        self.fill(data.len(), |out| out.extend_from_slice(data))
    }

    fn room_for(&mut self, capacity: usize) -> &mut BytesMut {
        let whole = self.chunk.max(capacity);
        // A chunk whose cuts are all gone is written from its start again, though there is room behind
        // them: what was written last is still in the processor's cache.
        let ready = |chunk: &mut BytesMut| chunk.try_reclaim(whole) || chunk.try_reclaim(capacity);
        if !self.chunks.get_mut(self.current).is_some_and(ready) {
            // From the first on, for the same reason: as few chunks as serve are in use.
            let found = self.chunks.iter_mut().position(ready);
            self.current = found.unwrap_or_else(|| self.fresh(whole));
        }
        &mut self.chunks[self.current]
    }

    /// Makes a chunk and returns its index.
    fn fresh(&mut self, size: usize) -> usize {
        let fresh = BytesMut::with_capacity(size);
        if self.chunks.len() < self.limit {
            self.chunks.push(fresh);
            return self.chunks.len() - 1;
        }
        // All are in use: let go of the next in turn; its cuts keep it alive as long as they need.
        let next = (self.current + 1) % self.chunks.len();
        self.chunks[next] = fresh;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_buffer_is_written_again_and_one_in_use_never() {
        let mut pool = Pool::<u8>::new(2);
        let first = pool.fill(4, |out| out.fill(1));
        let place = first.as_ptr();
        let second = pool.fill(4, |out| out.fill(2));
        assert_ne!(second.as_ptr(), place);
        assert_eq!(&first[..], [1; 4]);
        drop(first);
        let third = pool.fill(4, |out| out.fill(3));
        assert_eq!(third.as_ptr(), place);
    }

    #[test]
    fn a_pool_keeps_no_more_than_its_limit() {
        let mut pool = Pool::<u8>::new(3);
        let held: Vec<_> = (0..10).map(|n| pool.fill(1, |out| out[0] = n)).collect();
        assert_eq!(held.iter().map(|buffer| buffer[0]).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert_eq!(pool.shelf.len(), 3);
    }

    #[test]
    fn a_ring_reuses_its_chunks_once_their_cuts_are_gone() {
        let mut ring = ByteRing::new(100, 4);
        let mut held = std::collections::VecDeque::new();
        for round in 0..200u8 {
            held.push_back((round, ring.copy(&[round; 40])));
            if held.len() > 4 {
                held.pop_front();
            }
            assert!(held.iter().all(|(value, cut)| cut[..] == [*value; 40]));
        }
        assert!(ring.chunks.len() <= 4);
    }
}
