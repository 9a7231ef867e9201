//! What everybody in a pipeline writes down, and what is wrong with it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex};

use millstream_core::{Item, Timestamp};
use millstream_pipeline::Link;

/// A stage, by the order in which it was made.
pub(crate) type StageId = usize;

/// An item, by its capture time: each source's times end in digits of its own.
pub(crate) type Key = u64;

pub(crate) fn key<T: Item>(item: &T) -> Key {
    item.time().as_nanos()
}

#[derive(Default)]
pub(crate) struct Pages {
    /// When each stage gave each item.
    given: HashMap<(StageId, Key), Timestamp>,
    /// What each item refers to.
    pub(crate) refers: HashMap<Key, Vec<Key>>,
    /// Everything that every sink got, with its time and its bytes.
    pub(crate) bytes: DefaultHasher,
    pub(crate) delivered: u64,
    pub(crate) wrong: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Pages>>);

impl Journal {
    pub(crate) fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.0.lock().unwrap()
    }

    pub(crate) fn given<T: Item>(&self, stage: StageId, item: &T, now: Timestamp) {
        self.pages().given.insert((stage, key(item)), now);
    }

    /// Notes that `item` was taken from `link`, into which `from` gave it.
    pub(crate) fn taken<T: Item>(&self, from: StageId, link: Option<Link>, item: &T, now: Timestamp) {
        let mut pages = self.pages();
        let Some(entered) = pages.given.get(&(from, key(item))).copied() else {
            pages.wrong.push(format!("{} ns was taken from {from}, which never gave it", key(item)));
            return;
        };
        let waited = now.since(entered);
        if link.and_then(|link| link.max_age).is_some_and(|max_age| waited > max_age) {
            pages.wrong.push(format!("{} ns waited {waited:?} in {link:?}", key(item)));
        }
    }

    pub(crate) fn delivered(&self, sink: StageId, bytes: &[u8], key: Key, now: Timestamp) {
        let mut pages = self.pages();
        pages.delivered += 1;
        for number in [sink as u64, key, now.as_nanos()] {
            pages.bytes.write_u64(number);
        }
        pages.bytes.write(bytes);
    }

    pub(crate) fn wrong(&self, what: String) {
        self.pages().wrong.push(what);
    }
}
