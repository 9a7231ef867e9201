//! What the camera of a node was called when it last said so: one that cannot be opened now is still
//! known by it to whoever waits for it to come back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Its id and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) name: String,
}

static NODES: Mutex<BTreeMap<u32, Known>> = Mutex::new(BTreeMap::new());

fn nodes() -> MutexGuard<'static, BTreeMap<u32, Known>> {
    NODES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers what the camera of `node` is called.
pub(super) fn remember(node: u32, known: Known) {
    nodes().insert(node, known);
}

/// Forgets the camera of `node`: it is gone, and the next one there may be another.
pub(super) fn forget(node: u32) {
    nodes().remove(&node);
}

/// What the camera of `node` was called.
pub(super) fn recall(node: u32) -> Option<Known> {
    nodes().get(&node).cloned()
}
