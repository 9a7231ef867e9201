//! What a handle says when it does not take or give.

use std::error::Error;
use std::fmt;

/// The pipeline takes nothing any more; here is the item back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Closed<T>(pub T);

/// An item was not taken; here it is back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySend<T> {
    /// There is no room now.
    Full(T),
    /// The pipeline takes nothing any more.
    Closed(T),
}

impl<T> TrySend<T> {
    /// The item.
    pub fn into_inner(self) -> T {
        match self {
            TrySend::Full(item) | TrySend::Closed(item) => item,
        }
    }
}

/// Why there is no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecv {
    /// None has come yet.
    Empty,
    /// None will come any more.
    Ended,
}

const CLOSED: &str = "the pipeline takes nothing any more";

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl<T> fmt::Display for TrySend<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySend::Full(_) => "the pipeline has no room for an item now",
            TrySend::Closed(_) => CLOSED,
        })
    }
}

impl fmt::Display for TryRecv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecv::Empty => "the pipeline has given no item yet",
            TryRecv::Ended => "the pipeline gives nothing any more",
        })
    }
}

// Without asking the item for its own: a picture's samples help nobody.
impl<T> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed(..)")
    }
}

impl<T> fmt::Debug for TrySend<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySend::Full(_) => "Full(..)",
            TrySend::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> Error for Closed<T> {}
impl<T> Error for TrySend<T> {}
impl Error for TryRecv {}
