//! The stage: items go in, travel, and come out at their time.

use std::sync::Arc;
use std::time::Duration;

use millstream_core::{Item, Out, Result, Stage};

use super::path::Path;
use super::{Conditions, Counts};

/// An emulated network between two stages, for any kind of item.
///
/// An item waits until those before it are sent at the rate, travels, and comes out. Items are of their
/// [`size`](Item::size), without headers of any network. A change of the rate holds for items that come after it.
/// Requests pass on upstream, at once. When the input ends, what is on its way comes out at once: nothing wakes
/// a stage after its end.
///
/// Every item takes as many chances whatever the conditions, so that a change of the loss does not change which
/// items are late.
#[derive(Debug)]
pub struct EmulatedLink<T>(Path<T>);

impl<T: Item> EmulatedLink<T> {
    /// A link whose chances follow from `seed`.
    pub fn new(seed: u64, conditions: Conditions) -> EmulatedLink<T> {
        EmulatedLink(Path::new(seed, conditions))
    }

    /// The same link with `conditions` from the time `after` the pipeline's start on. Changes at the same time
    /// happen in the order in which they were added.
    #[must_use]
    pub fn changing(mut self, after: Duration, conditions: Conditions) -> EmulatedLink<T> {
        self.0.change(after, conditions);
        self
    }

    /// What it does to the items, to be read while it runs.
    pub fn counts(&self) -> Arc<Counts> {
        self.0.counts()
    }

    /// Gives what has arrived, and asks to be woken for what comes next.
    fn deliver(&mut self, out: &mut Out<T>) {
        while let Some(item) = self.0.arrived(out.now()) {
            out.push(item);
        }
        if let Some(next) = self.0.next_arrival() {
            out.wake_at(next);
        }
    }
}

impl<T: Item> Stage<T, T> for EmulatedLink<T> {
    fn process(&mut self, item: T, out: &mut Out<T>) -> Result<()> {
        let (size, start, now) = (item.size(), out.start(), out.now());
        self.0.enter(item, size, now, start);
        self.deliver(out);
        Ok(())
    }

    fn wake(&mut self, out: &mut Out<T>) -> Result<()> {
        self.deliver(out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Out<T>) -> Result<()> {
        self.0.drain().for_each(|item| out.push(item));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{conformance, examples};
    use millstream_core::units::{Bitrate, Percent};
    use millstream_core::{AudioFrame, Cx, Next, Utc};
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
