//! The live line under a running pipeline: what comes in, what goes out, how late, what was lost.

use std::time::Duration;

use crate::core::descriptor::Place;
use crate::core::units::Bitrate;
use crate::pipeline::{StageStatistics, Statistics};

/// Makes the line from two readings of the statistics.
#[derive(Default)]
pub(super) struct Status {
    before: Option<(Duration, Statistics)>,
}

impl Status {
    /// The line after `elapsed`: rates are of the time since the line before.
    pub(super) fn line(&mut self, elapsed: Duration, now: &Statistics) -> String {
        let seconds = elapsed.as_secs();
        let mut parts = vec![format!("{}:{:02}", seconds / 60, seconds % 60)];
        let (then, before) = match &self.before {
            Some((then, before)) => (*then, Some(before)),
            None => (Duration::ZERO, None),
        };
        let span = (elapsed - then).as_secs_f64().max(0.001);
        for stage in &now.stages {
            let before = before.and_then(|before| before.stage(&stage.name));
            let since = |count: fn(&StageStatistics) -> u64| (count(stage) - before.map_or(0, count)) as f64 / span;
            match stage.place {
                Place::Source => parts.push(format!("{} {:.0}/s", stage.name, since(|stage| stage.items_out))),
                Place::Sink => {
                    let rate = bits_per_second(since(|stage| stage.bytes_in) * 8.0);
                    let late = stage.latency.p50_us as f64 / 1000.0;
                    parts.push(format!("{} {rate}, {late:.1} ms after capture", stage.name));
                }
                _ => {}
            }
        }
        let lost = lost(now);
        if lost > 0 {
            parts.push(format!("{lost} dropped"));
        }
        self.before = Some((elapsed, now.clone()));
        parts.join("  ")
    }
}

/// A bit rate to two digits: more jump about.
fn bits_per_second(rate: f64) -> String {
    if rate < 1.0 {
        return "nothing".to_owned();
    }
    let step = 10_f64.powf(rate.log10().floor() - 1.0).max(1.0);
    Bitrate::from_bps(((rate / step).round() * step) as u64).to_string()
}

/// What is said when all is over.
pub(super) fn last_words(statistics: &Statistics) -> String {
    let sinks: Vec<String> = statistics
        .stages
        .iter()
        .filter(|stage| stage.place == Place::Sink)
        .map(|stage| format!("{} took {} items, {} bytes", stage.name, stage.items_in, stage.bytes_in))
        .collect();
    let mut words = format!("ended. {}; {} dropped on the way", sinks.join("; "), lost(statistics));
    for stage in statistics.stages.iter().filter(|stage| stage.bad_items > 0) {
        let items = if stage.bad_items == 1 { "item" } else { "items" };
        words += &format!("; {} skipped {} bad {items}", stage.name, stage.bad_items);
    }
    let failed = statistics.stages.iter().filter(|stage| stage.failure.is_some()).count();
    if failed > 0 {
        words += &format!("; {failed} failed");
    }
    words
}

fn lost(statistics: &Statistics) -> u64 {
    let by_stages: u64 = statistics.stages.iter().map(|stage| stage.dropped_lost).sum();
    by_stages + statistics.links.iter().map(|link| link.dropped()).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_digits_and_silence_has_none() {
        assert_eq!(bits_per_second(1_523_456.0), "1.5 Mbit/s");
        assert_eq!(bits_per_second(48_700.0), "49 kbit/s");
        assert_eq!(bits_per_second(0.0), "nothing");
    }
}
