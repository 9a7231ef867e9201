//! How the page and each of its viewers fare, as JSON. Names of sessions are not in it: a client
//! that knows one can end that session.

use serde::Serialize;

use super::measured::{PageReport, TrackStatus};

/// How the page and each of its viewers fare.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Status {
    /// How many there are.
    pub(super) viewers: usize,
    /// How many there may be.
    pub(super) max_viewers: u16,
    /// When the page was opened, in seconds since the Unix epoch.
    pub(super) since: u64,
    /// Each of them, in the order in which they came.
    pub(super) sessions: Vec<SessionStatus>,
}

/// How one viewer fares.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SessionStatus {
    /// Its number: the first one has 1.
    pub(super) viewer: u64,
    /// When it came, in seconds since the Unix epoch.
    pub(super) since: u64,
    /// How far its connection is.
    pub(super) state: &'static str,
    /// Payload bits per second in all, over the last five seconds.
    pub(super) bitrate: u64,
    /// What was sent, by track.
    pub(super) tracks: Vec<TrackStatus>,
    /// What its page measures, if it reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<PageReport>,
}
