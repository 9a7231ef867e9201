//! One direction of an emulated network: what is on its way, and when it arrives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use millstream_core::Timestamp;

use super::counts::count;
use super::{Conditions, Counts};
use crate::chance::Chance;

/// What travels in one direction.
#[derive(Debug)]
pub(super) struct Path<T> {
    conditions: Conditions,
    /// Changes to come, first first, each at a time since the start.
    changes: VecDeque<(Duration, Conditions)>,
    chance: Chance,
    /// When those before are sent.
    sent: VecDeque<Timestamp>,
    free: Timestamp,
    /// When the last one that was not reordered arrives.
    last: Timestamp,
    travelling: BTreeMap<(Timestamp, u64), T>,
    numbered: u64,
    counts: Arc<Counts>,
}

impl<T: Clone> Path<T> {
    pub(super) fn new(seed: u64, conditions: Conditions) -> Path<T> {
        Path {
            conditions,
            changes: VecDeque::new(),
            chance: Chance::new(seed),
            sent: VecDeque::new(),
            free: Timestamp::ZERO,
            last: Timestamp::ZERO,
            travelling: BTreeMap::new(),
            numbered: 0,
            counts: Arc::default(),
        }
    }

    pub(super) fn change(&mut self, after: Duration, conditions: Conditions) {
        let place = self.changes.partition_point(|(time, _)| *time <= after);
        self.changes.insert(place, (after, conditions));
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Takes `item` of `size` bytes at `now`; changes count from `start`.
    pub(super) fn enter(&mut self, item: T, size: usize, now: Timestamp, start: Timestamp) {
        while let Some((after, conditions)) = self.changes.front().copied()
            && start + after <= now
        {
            self.conditions = conditions;
            self.changes.pop_front();
        }
        count(&self.counts.entered);
        let Conditions { delay, jitter, loss, reorder, duplicate, .. } = self.conditions;
        let [lost, reordered, duplicated, late] = [(); 4].map(|()| self.chance.share());
        let Some(sent) = self.send(size, now) else {
            count(&self.counts.refused);
            return;
        };
        if lost < loss.share() {
            count(&self.counts.lost);
            return;
        }
        let arrival = if reordered < reorder.share() {
            count(&self.counts.reordered);
            sent
        } else {
            self.last = self.last.max(sent + delay + jitter.mul_f64(late));
            self.last
        };
        if duplicated < duplicate.share() {
            count(&self.counts.duplicated);
            self.travel(item.clone(), arrival);
        }
        self.travel(item, arrival);
    }

    /// When an item of `size` bytes is sent that comes in now, or nothing if the queue is full.
    fn send(&mut self, size: usize, now: Timestamp) -> Option<Timestamp> {
        while self.sent.front().is_some_and(|time| *time <= now) {
            self.sent.pop_front();
        }
        let Some(rate) = self.conditions.rate else { return Some(now.max(self.free)) };
        if self.conditions.queue.is_some_and(|limit| self.sent.len() >= limit.get()) {
            return None;
        }
        let nanos = size as u128 * 8 * 1_000_000_000 / u128::from(rate.bps());
        self.free = now.max(self.free) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.sent.push_back(self.free);
        Some(self.free)
    }

    fn travel(&mut self, item: T, arrival: Timestamp) {
        self.travelling.insert((arrival, self.numbered), item);
        self.numbered += 1;
    }

    /// The next item that has arrived at `now`.
    pub(super) fn arrived(&mut self, now: Timestamp) -> Option<T> {
        let first = self.travelling.first_entry().filter(|first| first.key().0 <= now)?;
        count(&self.counts.given);
        Some(first.remove())
    }

    /// When the next item arrives.
    pub(super) fn next_arrival(&self) -> Option<Timestamp> {
        self.travelling.first_key_value().map(|((arrival, _), _)| *arrival)
    }

    /// All that is on its way.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        let travelling = std::mem::take(&mut self.travelling);
        travelling.iter().for_each(|_| count(&self.counts.given));
        travelling.into_values()
    }
}
