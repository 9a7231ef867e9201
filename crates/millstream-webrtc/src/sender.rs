//! The handle of a track that a peer sends.

use std::fmt;
use std::sync::Arc;

use millstream_core::{Clock, Codec, Error, Media, Result};

use crate::sink::TrackSink;
use crate::track::{Request, Track};
use crate::{EventSender, Feedback, FrameReceiver, LocalTrack, SenderStatistics};

/// Names a track within its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub(crate) u32);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "track {}", self.0)
    }
}

/// What a track is added with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackOptions {
    /// What it carries: one of [`PeerOptions::codecs`](crate::PeerOptions::codecs).
    pub codec: Codec,
    /// The media stream it belongs to: a browser plays the tracks of one stream in sync.
    pub stream: String,
    /// Its own name within the stream.
    pub id: String,
}

/// The handle of a track that a peer sends (W3C `RTCRtpSender`), beside the [`TrackSink`] that its frames go into.
/// Cloning gives another handle.
///
/// The track lasts as long as its sink or one of its handles: a program that wants nothing more of it drops the
/// handle and lets the pipeline play, and one that dropped the sink can [replace](Sender::replace) it. Once both are
/// gone nothing can be sent any more, and the track ends; the next descriptions do without it.
#[derive(Clone, Debug)]
pub struct Sender(Arc<Owned>);

impl Sender {
    pub(crate) fn new(
        id: TrackId,
        options: TrackOptions,
        clock: Clock,
        events: EventSender,
    ) -> (TrackSink, Sender, LocalTrack) {
        let TrackOptions { codec, stream, id: name } = options;
        let track = Arc::new(Track::new(id, codec.clone(), clock, events));
        let (frames, feedback) = (FrameReceiver(Arc::clone(&track)), Feedback(Arc::clone(&track)));
        let owned = Arc::new(Owned(track));
        let sink = TrackSink::new(Arc::clone(&owned), 0);
        (sink, Sender(owned), LocalTrack { track: id, codec, stream, id: name, frames, feedback })
    }

    /// How events and statistics name it.
    pub fn id(&self) -> TrackId {
        self.track().id
    }

    /// What it carries.
    pub fn codec(&self) -> Codec {
        self.track().codec.clone()
    }

    /// Sends nothing (`true`) until it may again (`false`); nothing is negotiated for that. A pipeline whose
    /// consumers all pause is asked to pause. The first picture afterwards is one that a decoder can start from, and
    /// is requested.
    pub fn mute(&self, mute: bool) {
        let track = self.track();
        if !track.queue.mute(mute) {
            return;
        }
        track.notify(Request::Mute);
        if !mute && track.codec.media == Media::Video && track.queue.is_awaited() {
            track.request_start();
        }
    }

    /// Whether it is muted.
    pub fn is_muted(&self) -> bool {
        self.track().queue.is_muted()
    }

    /// What it sent.
    pub fn statistics(&self) -> SenderStatistics {
        self.track().queue.counts()
    }

    /// How many frames wait for the engine now; packets, for sound. The queue is bounded.
    pub fn queued(&self) -> usize {
        self.track().queue.queued()
    }

    /// Another sink for the same track: another camera, another file. Nothing is negotiated, and the remote side
    /// sees one stream: sequence numbers and RTP timestamps go on, and the first picture of the new sink is one
    /// that a decoder can start from. The sink before refuses what it gets from now on.
    ///
    /// # Errors
    /// If the track has ended.
    pub fn replace(&self) -> Result<TrackSink> {
        let track = self.track();
        let Some(number) = track.queue.replace() else { return Err(ended(track)) };
        track.stop_listening();
        Ok(TrackSink::new(Arc::clone(&self.0), number))
    }

    /// Ends the track: what waits is sent, and nothing after it. The next descriptions do without it.
    pub fn stop(&self) {
        self.track().queue.end(false);
    }

    /// Whether the track has ended, or its peer is closed.
    pub fn is_ended(&self) -> bool {
        self.track().queue.is_ended()
    }

    /// Why the track cannot be sent at present, if the remote side cannot take it: as
    /// [`PeerEvent::TrackFailed`](crate::PeerEvent::TrackFailed) says.
    pub fn failure(&self) -> Option<String> {
        self.track().failure()
    }

    pub(crate) fn track(&self) -> &Arc<Track> {
        &self.0.0
    }
}

/// What ends a track when the last of its sink and its handles goes.
#[derive(Debug)]
pub(crate) struct Owned(pub(crate) Arc<Track>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.queue.end(false);
    }
}

pub(crate) fn ended(track: &Track) -> Error {
    Error::lost(format!("{} has ended, or its peer is closed; add another to an open peer", track.id))
}
