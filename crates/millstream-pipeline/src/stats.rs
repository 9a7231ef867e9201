//! Statistics of every stage and link, kept by the runner: a plug-in does nothing for them.
//!
//! They are relaxed counters, written by the one thread that hosts a stage and read by anybody at
//! any time; a reading is never torn within a figure, though figures of one reading may be an item
//! apart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use millstream_core::Upstream;
use millstream_core::descriptor::Place;
use serde::Serialize;

use crate::policy::Link;

/// A counter that one thread writes.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
    pub(crate) fn raise_to(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted of a stage.
#[derive(Debug, Default)]
pub(crate) struct StageCounts {
    pub(crate) items_in: Count,
    pub(crate) bytes_in: Count,
    pub(crate) items_out: Count,
    pub(crate) bytes_out: Count,
    pub(crate) bad_items: Count,
    pub(crate) lost: Count,
    pub(crate) dropped_lost: Count,
    pub(crate) busy_nanos: Count,
    pub(crate) latency: Histogram,
    failure: OnceLock<String>,
}

impl StageCounts {
    /// Notes what the stage failed with; it does so once.
    pub(crate) fn fail(&self, words: String) {
        let _ = self.failure.set(words);
    }
}

/// What is counted of a link.
#[derive(Debug, Default)]
pub(crate) struct LinkCounts {
    pub(crate) entered: Count,
    pub(crate) left: Count,
    pub(crate) dropped_full: Count,
    pub(crate) dropped_late: Count,
    pub(crate) dropped_gap: Count,
    pub(crate) dropped_closed: Count,
    pub(crate) waiting: Count,
    pub(crate) most_waiting: Count,
    pub(crate) gaps: Count,
}

/// Steps per doubling: a figure read from the histogram is at most an eighth too high.
const STEPS: usize = 8;
/// Doublings from a microsecond: the last bucket holds everything above 2^30 µs, 18 minutes.
const DOUBLINGS: usize = 30;

/// How often a span of time was seen, in steps of an eighth of a doubling from 1 µs on.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; STEPS * DOUBLINGS],
    longest: Count,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: [const { AtomicU64::new(0) }; STEPS * DOUBLINGS], longest: Count::default() }
    }
}

impl Histogram {
    pub(crate) fn note(&self, span: Duration) {
        let micros = (span.as_micros() as u64).max(1);
        let doubling = micros.ilog2() as usize;
        // The bits behind the leading one say which eighth.
        let step = ((micros << 3 >> doubling) & 7) as usize;
        let index = (doubling * STEPS + step).min(STEPS * DOUBLINGS - 1);
        self.buckets[index].fetch_add(1, Ordering::Relaxed);
        self.longest.raise_to(micros);
    }

    fn read(&self) -> Latency {
        let counts = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        let total: u64 = counts.iter().sum();
        let longest = self.longest.value();
        let at = |share: f64| {
            let rank = (total as f64 * share).ceil() as u64;
            let mut seen = 0;
            let index = counts.iter().position(|count| {
                seen += count;
                seen >= rank.max(1)
            });
            index.map_or(0, |index| upper_edge(index).min(longest))
        };
        Latency { count: total, p50_us: at(0.5), p95_us: at(0.95), p99_us: at(0.99), max_us: longest }
    }
}

/// The largest span in microseconds that falls into bucket `index`.
fn upper_edge(index: usize) -> u64 {
    let (doubling, step) = (index / STEPS, (index % STEPS) as u64);
    let edge = ((8 + step + 1) << doubling) >> 3;
    edge.saturating_sub(1).max(1 << doubling)
}

/// A distribution of spans of time in microseconds; each figure is at most an eighth too high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many were seen.
    pub count: u64,
    /// Half are no longer than this.
    pub p50_us: u64,
    /// 95 % are no longer than this.
    pub p95_us: u64,
    /// 99 % are no longer than this.
    pub p99_us: u64,
    /// None was longer than this.
    pub max_us: u64,
}

/// Figures of one stage since the start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageStatistics {
    /// Its name.
    pub name: String,
    /// Where it stands: a source gives, a sink takes, a stage does both.
    pub place: Place,
    /// Items it took.
    pub items_in: u64,
    /// Their payload in bytes.
    pub bytes_in: u64,
    /// Items it gave, each counted once however many take it.
    pub items_out: u64,
    /// Their payload in bytes.
    pub bytes_out: u64,
    /// Items it refused and that were skipped.
    pub bad_items: u64,
    /// How often it lost what it depends on, such as a device, and was called again later.
    pub lost: u64,
    /// Items that it did not get because it had lost what it depends on, or because they cannot be decoded without
    /// those.
    pub dropped_lost: u64,
    /// What it failed with, if it did: it takes and gives nothing any more.
    pub failure: Option<String>,
    /// How long it worked, in microseconds.
    pub busy_us: u64,
    /// How old items were, since their capture, when it took them (a source: when it gave them). Items whose time of
    /// capture is only estimated are not counted.
    pub latency: Latency,
}

/// Figures of one link since the start: what entered has left, was dropped, or waits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkStatistics {
    /// The stage that gives.
    pub from: String,
    /// The stage that takes.
    pub to: String,
    /// How it is bounded.
    pub link: Link,
    /// Items that were offered, dropped ones too.
    pub entered: u64,
    /// Items that were taken.
    pub left: u64,
    /// Items dropped because the link was full.
    pub dropped_full: u64,
    /// Items dropped because they had waited too long.
    pub dropped_late: u64,
    /// Items dropped because what they refer to was dropped.
    pub dropped_gap: u64,
    /// Items dropped because the taker was gone.
    pub dropped_closed: u64,
    /// Items that wait now.
    pub waiting: u64,
    /// The most that ever waited.
    pub most_waiting: u64,
    /// How often decoding was interrupted until the next frame to start from.
    pub gaps: u64,
}

impl LinkStatistics {
    /// Items dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_full + self.dropped_late + self.dropped_gap + self.dropped_closed
    }
}

/// Figures of a whole pipeline, in the order of declaration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// One for each stage.
    pub stages: Vec<StageStatistics>,
    /// One for each link; stages that run inline have none before them.
    pub links: Vec<LinkStatistics>,
}

impl Statistics {
    /// The figures of the stage `name`.
    pub fn stage(&self, name: &str) -> Option<&StageStatistics> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The figures of the link from the stage `from` to the stage `to`.
    pub fn link(&self, from: &str, to: &str) -> Option<&LinkStatistics> {
        self.links.iter().find(|link| link.from == from && link.to == to)
    }
}

/// Where the figures of a pipeline are read.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    stages: Vec<StageFigures>,
    links: Vec<LinkFigures>,
    /// How many stages there ever were.
    places: usize,
    /// How many parts there ever were; the pipeline itself is the first.
    parts: u64,
}

#[derive(Debug)]
struct StageFigures {
    part: u64,
    stands: Place,
    name: Arc<str>,
    counts: Arc<StageCounts>,
    /// Where the program asks for what the stage gives, where it gives something.
    requests: Option<Upstream>,
}

#[derive(Debug)]
struct LinkFigures {
    part: u64,
    from: Arc<str>,
    to: Arc<str>,
    link: Link,
    counts: Arc<LinkCounts>,
}

impl Figures {
    /// Whether a stage is called `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.stages.iter().any(|stage| &*stage.name == name)
    }

    /// A part of the pipeline to which stages and links can be added, and that can be forgotten.
    pub(crate) fn add_part(&mut self) -> u64 {
        self.parts += 1;
        self.parts
    }

    /// Adds a stage of `part`; its place in the order of declaration.
    pub(crate) fn add_stage(&mut self, part: u64, name: &Arc<str>, stands: Place, counts: &Arc<StageCounts>) -> usize {
        let place = self.places;
        self.places += 1;
        let (name, counts) = (Arc::clone(name), Arc::clone(counts));
        self.stages.push(StageFigures { part, stands, name, counts, requests: None });
        place
    }

    /// Says where the program asks for what the stage `name` gives.
    pub(crate) fn set_requests(&mut self, name: &Arc<str>, requests: &Upstream) {
        let stage = self.stages.iter_mut().rfind(|stage| stage.name == *name);
        if let Some(stage) = stage {
            stage.requests = Some(requests.clone());
        }
    }

    /// Where the program asks for what the stage `name` gives; nothing inside if it gives nothing.
    pub(crate) fn requests(&self, name: &str) -> Option<Option<Upstream>> {
        let stage = self.stages.iter().find(|stage| &*stage.name == name)?;
        Some(stage.requests.clone())
    }

    /// The names of all stages.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| &*stage.name)
    }

    /// Adds a link that `part` joins, if only to a stage that was there before.
    pub(crate) fn add_link(&mut self, part: u64, from: &Arc<str>, to: &Arc<str>, link: Link, counts: &Arc<LinkCounts>) {
        self.links.push(LinkFigures {
            part,
            from: Arc::clone(from),
            to: Arc::clone(to),
            link,
            counts: Arc::clone(counts),
        });
    }

    /// Forgets the stages of `part` and the links that it joined.
    pub(crate) fn forget(&mut self, part: u64) {
        self.stages.retain(|stage| stage.part != part);
        self.links.retain(|link| link.part != part);
    }

    pub(crate) fn read(&self) -> Statistics {
        let stages = self.stages.iter().map(|StageFigures { stands, name, counts, .. }| StageStatistics {
            name: name.to_string(),
            place: *stands,
            items_in: counts.items_in.value(),
            bytes_in: counts.bytes_in.value(),
            items_out: counts.items_out.value(),
            bytes_out: counts.bytes_out.value(),
            bad_items: counts.bad_items.value(),
            lost: counts.lost.value(),
            dropped_lost: counts.dropped_lost.value(),
            failure: counts.failure.get().cloned(),
            busy_us: counts.busy_nanos.value() / 1000,
            latency: counts.latency.read(),
        });
        let links = self.links.iter().map(|LinkFigures { from, to, link, counts, .. }| LinkStatistics {
            from: from.to_string(),
            to: to.to_string(),
            link: *link,
            entered: counts.entered.value(),
            left: counts.left.value(),
            dropped_full: counts.dropped_full.value(),
            dropped_late: counts.dropped_late.value(),
            dropped_gap: counts.dropped_gap.value(),
            dropped_closed: counts.dropped_closed.value(),
            waiting: counts.waiting.value(),
            most_waiting: counts.most_waiting.value(),
            gaps: counts.gaps.value(),
        });
        Statistics { stages: stages.collect(), links: links.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_at_most_an_eighth_too_high() {
        let histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.note(Duration::from_micros(micros));
        }
        let read = histogram.read();
        assert_eq!((read.count, read.max_us), (1000, 1000));
        for (figure, exact) in [(read.p50_us, 500), (read.p95_us, 950), (read.p99_us, 990)] {
            assert!((exact..=exact * 9 / 8 + 1).contains(&figure), "{figure} for {exact}");
        }
    }

    #[test]
    fn spans_beyond_the_last_bucket_are_counted() {
        let histogram = Histogram::default();
        histogram.note(Duration::ZERO);
        histogram.note(Duration::from_secs(100_000));
        assert_eq!(histogram.read().count, 2);
        assert_eq!(histogram.read().p50_us, 1);
    }
}
