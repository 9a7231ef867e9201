//! The stage: items go in, travel, and come out at their time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use millstream_core::{Cx, Item, Out, Result, Stage, Timestamp};

use super::counts::count;
use super::{Conditions, Counts};
use crate::chance::Chance;

/// An emulated network between two stages, for any kind of item.
///
/// An item waits until those before it are sent at the rate, travels, and comes out. Items are of their
/// [`size`](Item::size), without headers of any network. A change of the rate holds for items that come after it.
/// Wishes pass on upstream, at once. When the input ends, what is on its way comes out at once: nothing wakes
/// a stage after its end.
///
/// Every item takes as many chances whatever the conditions, so that a change of the loss does not change which
/// items are late.
#[derive(Debug)]
pub struct EmulatedLink<T> {
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

impl<T: Item> EmulatedLink<T> {
    /// A link whose chances follow from `seed`.
    pub fn new(seed: u64, conditions: Conditions) -> EmulatedLink<T> {
        EmulatedLink {
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

    /// The same link with `conditions` from the time `after` the pipeline's start on. Changes at the same time
    /// happen in the order in which they were added.
    #[must_use]
    pub fn changing(mut self, after: Duration, conditions: Conditions) -> EmulatedLink<T> {
        let place = self.changes.partition_point(|(time, _)| *time <= after);
        self.changes.insert(place, (after, conditions));
        self
    }

    /// What it does to the items, to be read while it runs.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    fn follow_changes(&mut self, cx: &Cx) {
        while let Some((after, conditions)) = self.changes.front().copied()
            && cx.start() + after <= cx.now()
        {
            self.conditions = conditions;
            self.changes.pop_front();
        }
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

    /// Gives what has arrived, and asks to be woken for what comes next.
    fn deliver(&mut self, out: &mut Out<T>) {
        let now = out.now();
        while let Some(first) = self.travelling.first_entry() {
            let (arrival, _) = *first.key();
            if arrival > now {
                out.wake_at(arrival);
                return;
            }
            count(&self.counts.given);
            out.push(first.remove());
        }
    }
}

impl<T: Item> Stage<T, T> for EmulatedLink<T> {
    fn process(&mut self, item: T, out: &mut Out<T>) -> Result<()> {
        self.follow_changes(out);
        count(&self.counts.entered);
        let Conditions { delay, jitter, loss, reorder, duplicate, .. } = self.conditions;
        let [lost, reordered, duplicated, late] = [(); 4].map(|()| self.chance.share());
        let Some(sent) = self.send(item.size(), out.now()) else {
            count(&self.counts.refused);
            return Ok(());
        };
        if lost < loss.share() {
            count(&self.counts.lost);
            return Ok(());
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
        self.deliver(out);
        Ok(())
    }

    fn wake(&mut self, out: &mut Out<T>) -> Result<()> {
        self.deliver(out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Out<T>) -> Result<()> {
        for item in std::mem::take(&mut self.travelling).into_values() {
            count(&self.counts.given);
            out.push(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{conformance, examples};
    use millstream_core::units::{Bitrate, Percent};
    use millstream_core::{AudioFrame, Next, Utc};
    use millstream_pipeline::Pipeline;
    use std::num::NonZeroUsize;
    use std::sync::Mutex;

    /// Bits in a block: 10 ms at 48 kHz, one channel, 4 bytes each sample.
    const BLOCK_BITS: u64 = 480 * 4 * 8;

    /// What came out: when, and the capture time, in microseconds. `count` blocks go in, one each 10 ms; the
    /// source stays for a minute.
    fn through(link: EmulatedLink<AudioFrame>, count: u64) -> Vec<(u64, u64)> {
        let mut pipeline = Pipeline::in_virtual_time("network", Utc::default());
        let mut given = 0;
        let source = pipeline.source("source", move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
            let time = if given < count { Duration::from_millis(10 * given) } else { Duration::from_secs(60) };
            if cx.now() < cx.start() + time {
                return Ok(Next::Until(cx.start() + time));
            }
            if given == count {
                return Ok(Next::End);
            }
            given += 1;
            Ok(Next::Item(examples::block(48_000, 1, given - 1)))
        });
        let linked = pipeline.inline("link", &source, link);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        pipeline.inline_sink("sink", &linked, move |block: AudioFrame, cx: &mut Cx| {
            hearing.lock().unwrap().push((cx.now().as_nanos() / 1000, block.time.as_nanos() / 1000));
            Ok(())
        });
        pipeline.step().unwrap().run_to_end().unwrap();
        Arc::into_inner(heard).map_or_else(Vec::new, |heard| heard.into_inner().unwrap())
    }

    fn percent(value: f64) -> Percent {
        Percent::new(value).unwrap()
    }

    #[test]
    fn a_perfect_link_changes_nothing() {
        let heard = through(EmulatedLink::new(1, Conditions::default()), 100);
        assert!(heard.iter().copied().eq((0..100).map(|n| (n * 10_000, n * 10_000))));
    }

    #[test]
    fn a_tenth_of_a_thousand_is_lost_and_the_same_seed_loses_the_same() {
        let lost = |seed| {
            let link = EmulatedLink::new(seed, Conditions { loss: percent(10.0), ..Conditions::default() });
            let counts = link.counts();
            let heard = through(link, 1000);
            assert_eq!((counts.entered(), counts.given()), (1000, heard.len() as u64));
            assert_eq!(counts.lost(), 1000 - heard.len() as u64);
            (counts.lost(), heard)
        };
        assert_eq!(lost(1), lost(1));
        assert_ne!(lost(1).1, lost(2).1);
        assert_eq!([1, 2, 3].map(|seed| lost(seed).0), [94, 86, 122]);
    }

    #[test]
    fn a_delay_is_exact_and_jitter_stays_within_it_and_in_order() {
        let delay = Duration::from_millis(73);
        let still = through(EmulatedLink::new(1, Conditions { delay, ..Conditions::default() }), 500);
        assert!(still.iter().copied().eq((0..500).map(|n| (n * 10_000 + 73_000, n * 10_000))));
        let jitter = Duration::from_millis(25);
        let wild = through(EmulatedLink::new(1, Conditions { delay, jitter, ..Conditions::default() }), 500);
        assert_eq!(wild.len(), 500);
        assert!(wild.iter().all(|(now, time)| (73_000..98_000).contains(&(now - time))));
        assert!(wild.is_sorted());
        let late = wild.iter().filter(|(now, time)| now - time > 85_500).count();
        assert!((200..400).contains(&late), "{late} of 500 in the upper half");
    }

    #[test]
    fn a_rate_makes_a_queue_that_refuses_when_it_is_full() {
        // A block takes 20 ms, twice as long as it lasts.
        let rate = Some(Bitrate::from_bps(BLOCK_BITS * 50));
        let heard = through(EmulatedLink::new(1, Conditions { rate, ..Conditions::default() }), 100);
        assert!(heard.iter().copied().eq((0..100).map(|n| ((n + 1) * 20_000, n * 10_000))));

        let queue = NonZeroUsize::new(4);
        let link = EmulatedLink::new(1, Conditions { rate, queue, ..Conditions::default() });
        let counts = link.counts();
        let heard = through(link, 1000);
        // One each 20 ms in 10 s, and the four that wait at the end.
        assert_eq!((heard.len(), counts.refused()), (503, 497));
        assert!(heard.iter().all(|(now, time)| now - time <= 80_000));
    }

    #[test]
    fn what_is_reordered_overtakes_and_what_is_duplicated_comes_twice() {
        let delay = Duration::from_millis(15);
        let link = EmulatedLink::new(1, Conditions { delay, reorder: percent(5.0), ..Conditions::default() });
        let counts = link.counts();
        let heard = through(link, 1000);
        let overtaken = heard.windows(2).filter(|pair| pair[1].1 < pair[0].1).count() as u64;
        assert_eq!((heard.len(), counts.reordered(), overtaken), (1000, 50, 47));

        let link = EmulatedLink::new(1, Conditions { duplicate: percent(1.0), ..Conditions::default() });
        let counts = link.counts();
        let heard = through(link, 1000);
        let twice = heard.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        assert_eq!((heard.len() as u64, counts.duplicated(), twice), (1010, 10, 10));
    }

    #[test]
    fn conditions_change_at_their_time() {
        let delay = |millis| Conditions { delay: Duration::from_millis(millis), ..Conditions::default() };
        let all_lost = Conditions { loss: percent(100.0), ..Conditions::default() };
        let link = EmulatedLink::new(1, delay(10))
            .changing(Duration::from_secs(7), delay(20))
            .changing(Duration::from_secs(5), all_lost);
        let heard = through(link, 1000);
        assert_eq!(heard.len(), 800);
        for (now, time) in heard {
            assert!(!(5_000_000..7_000_000).contains(&time));
            assert_eq!(now - time, if time < 5_000_000 { 10_000 } else { 20_000 });
        }
    }

    #[test]
    fn it_conforms() {
        let conditions = Conditions {
            rate: Some(Bitrate::from_kbps(1000)),
            delay: Duration::from_millis(35),
            jitter: Duration::from_millis(20),
            loss: percent(10.0),
            duplicate: percent(10.0),
            ..Conditions::default()
        };
        conformance::transform(
            || EmulatedLink::<AudioFrame>::new(3, conditions),
            |number| examples::block(48_000, 2, number),
        );
    }
}
