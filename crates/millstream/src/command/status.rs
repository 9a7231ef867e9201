//! The live line under a running pipeline: what comes in, what goes out, how late, what was lost.

use std::time::Duration;

use millstream::core::units::Bitrate;
use millstream::pipeline::{StageStatistics, Statistics};

/// Makes the line from two readings of the statistics.
pub(super) struct Status {
    every: Duration,
    before: Option<Statistics>,
}

impl Status {
    pub(super) fn new(every: Duration) -> Status {
        Status { every, before: None }
    }

    /// The line after `elapsed`: rates are of the time since the line before.
    pub(super) fn line(&mut self, elapsed: Duration, now: &Statistics) -> String {
        let seconds = elapsed.as_secs();
        let mut parts = vec![format!("{}:{:02}", seconds / 60, seconds % 60)];
        for stage in &now.stages {
            let before = self.before.as_ref().and_then(|before| before.stage(&stage.name));
            let since = |count: fn(&StageStatistics) -> u64| {
                let gone = count(stage) - before.map_or(0, count);
                gone as f64 / self.every.as_secs_f64()
            };
            if stage.items_in == 0 && stage.items_out > 0 {
                parts.push(format!("{} {:.0}/s", stage.name, since(|stage| stage.items_out)));
            } else if stage.items_out == 0 && stage.items_in > 0 {
                let rate = Bitrate::from_bps((since(|stage| stage.bytes_in) * 8.0 / 1e4).round() as u64 * 10_000);
                let late = stage.latency.p50_us as f64 / 1000.0;
                parts.push(format!("{} {rate}, {late:.1} ms after capture", stage.name));
            }
        }
        let lost = lost(now);
        if lost > 0 {
            parts.push(format!("{lost} dropped"));
        }
        self.before = Some(now.clone());
        parts.join("  ")
    }

    /// What is said when all is over.
    pub(super) fn last_words(&self, statistics: &Statistics) -> String {
        let out: Vec<String> = statistics
            .stages
            .iter()
            .filter(|stage| stage.items_out == 0 && stage.items_in > 0)
            .map(|stage| format!("{}: {} items, {} bytes", stage.name, stage.items_in, stage.bytes_in))
            .collect();
        let out = if out.is_empty() { "nothing reached a sink".to_owned() } else { out.join("; ") };
        format!("ended. {out}; {} dropped on the way", lost(statistics))
    }
}

fn lost(statistics: &Statistics) -> u64 {
    statistics.links.iter().map(|link| link.dropped()).sum::<u64>()
}
