//! How one viewer fares: what was sent to it over the last seconds, and what its page reports.

use std::collections::VecDeque;
use std::time::Duration;

use millstream_core::{Codec, Timestamp};
use millstream_webrtc::{SenderStatistics, Subscription};
use serde::Serialize;

use super::report::Report;

/// How often what was sent is noted.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// How many notes are kept: rates are over the last five seconds.
const NOTES: usize = 5;

/// How one viewer fares.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// When, and how many bytes each track had sent.
    notes: VecDeque<(Timestamp, Vec<u64>)>,
    report: Option<(Timestamp, Report)>,
}

impl Measured {
    /// Notes what was sent so far.
    pub(super) fn note(&mut self, now: Timestamp, subscription: &Subscription) {
        if self.notes.len() == NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back((now, subscription.statistics().map(|(_, sent)| sent.bytes).collect()));
    }

    /// Keeps what the page reports.
    pub(super) fn report(&mut self, now: Timestamp, report: Report) {
        self.report = Some((now, report));
    }

    /// What was sent, by track.
    pub(super) fn tracks(&self, now: Timestamp, subscription: &Subscription) -> Vec<TrackStatus> {
        let oldest = self.notes.front();
        let track = |(index, (codec, sent)): (usize, (Codec, SenderStatistics))| {
            let bitrate =
                oldest.and_then(|(then, bytes)| rate(sent.bytes.saturating_sub(*bytes.get(index)?), now.since(*then)));
            TrackStatus::new(codec, &sent, bitrate.unwrap_or(0))
        };
        subscription.statistics().enumerate().map(track).collect()
    }

    /// What the page reported last.
    pub(super) fn page_report(&self, now: Timestamp) -> Option<PageReport> {
        let (then, report) = self.report.as_ref()?;
        Some(PageReport { age: millis(now.since(*then)), report: report.clone() })
    }
}

/// In bits per second; `None` over too short a time to say.
fn rate(bytes: u64, over: Duration) -> Option<u64> {
    (over >= Duration::from_millis(100)).then(|| (8.0 * bytes as f64 / over.as_secs_f64()).round() as u64)
}

/// In milliseconds, to the microsecond.
fn millis(span: Duration) -> f64 {
    span.as_micros() as f64 / 1000.0
}

/// What was sent on one track, and what came back about it; times in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct TrackStatus {
    codec: String,
    /// Payload bits per second, over the last five seconds.
    pub(super) bitrate: u64,
    frames: u64,
    packets: u64,
    bytes: u64,
    dropped: u64,
    key_frames_requested: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
    /// Bits per second that the viewer says it can take (REMB), all tracks together.
    #[serde(skip_serializing_if = "Option::is_none")]
    bitrate_estimate: Option<u64>,
}

impl TrackStatus {
    fn new(codec: Codec, sent: &SenderStatistics, bitrate: u64) -> TrackStatus {
        TrackStatus {
            codec: codec.mime(),
            bitrate,
            frames: sent.frames,
            packets: sent.packets,
            bytes: sent.bytes,
            dropped: sent.dropped,
            key_frames_requested: sent.key_frames_requested,
            loss: sent.reception.map(|reception| reception.loss),
            round_trip: sent.reception.and_then(|reception| reception.round_trip).map(millis),
            jitter: sent.reception.map(|reception| millis(reception.jitter)),
            bitrate_estimate: sent.bitrate_estimate.map(|rate| rate.bps()),
        }
    }
}

/// What the page reported last, and how many milliseconds ago.
#[derive(Debug, Serialize)]
pub(super) struct PageReport {
    age: f64,
    #[serde(flatten)]
    report: Report,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_over_a_time_that_is_long_enough() {
        assert_eq!(rate(1000, Duration::from_secs(4)), Some(2000));
        assert_eq!(rate(1000, Duration::from_millis(99)), None);
    }
}
