//! What a viewer's page measures, and reports about every five seconds.

use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::http::problem::Problem;

/// More than a report with all its numbers has.
pub(super) const LIMIT: usize = 4 * 1024;

/// What a viewer's page measures. What its browser does not know is left out; times are in
/// milliseconds. Names are those of W3C's webrtc-stats where it has them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Report {
    /// From capture to the screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<Measure>,
    /// How wrong that may be, because two clocks are compared over a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_error: Option<Measure>,
    /// The picture's size in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u16>,
    /// Pictures per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_per_second: Option<Measure>,
    /// In bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    bitrate: Option<Measure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip: Option<Measure>,
    /// The share of packets lost over the last seconds, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<Share>,
    /// How long packets wait to be played in order and evenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter_buffer: Option<Measure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_decoded: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_dropped: Option<u64>,
    /// How often the picture stood still when it should not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    freeze_count: Option<u64>,
    /// For how long in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    freezes_duration: Option<Measure>,
}

impl Report {
    /// Reads `body`, or says what is wrong with it.
    pub(super) fn parse(body: &[u8]) -> Result<Report, Problem> {
        serde_json::from_slice(body).map_err(|error| {
            let detail = format!("the report cannot be read: {error}; send a JSON object of numbers");
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
    }
}

/// A finite number from 0 to 10^12: more than any of these is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Measure(f64);

impl<'de> Deserialize<'de> for Measure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Measure, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if (0.0..=1e12).contains(&value) {
            return Ok(Measure(value));
        }
        Err(de::Error::custom(format!("expected a number from 0 to 10^12, found {value}")))
    }
}

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Share(f64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if (0.0..=1.0).contains(&value) {
            return Ok(Share(value));
        }
        Err(de::Error::custom(format!("expected a share from 0 to 1, found {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{REPORT, mutations};

    #[test]
    fn what_is_told_is_told_again_and_what_is_not_is_left_out() {
        let report = Report::parse(REPORT.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&report).unwrap(), REPORT);
        assert_eq!(serde_json::to_string(&Report::parse(b"{\"unknown\":[1]}").unwrap()).unwrap(), "{}");
    }

    #[test]
    fn what_is_no_report_is_refused_in_words() {
        for (body, words) in [
            ("", "EOF"),
            ("[1, 2", "JSON object"),
            ("{\"latency\":-1}", "from 0 to 10^12"),
            ("{\"loss\":1.01}", "from 0 to 1"),
            ("{\"latency\":1e999}", "out of range"),
            ("{\"latency\":NaN}", "cannot be read"),
            ("{\"latency\":\"1\"}", "expected f64"),
            ("{\"width\":70000}", "u16"),
            ("{\"frames-decoded\":1.5}", "u64"),
        ] {
            let problem = format!("{:?}", Report::parse(body.as_bytes()).unwrap_err());
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn no_mutation_panics() {
        for body in mutations(REPORT.as_bytes(), 3000) {
            let _ = Report::parse(&body);
        }
    }
}
