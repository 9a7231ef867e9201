//! What an engine reports about a track.

use std::sync::Arc;

use millstream_core::Media;
use millstream_core::units::Bitrate;

use crate::track::{Request, Track};
use crate::{PeerEvent, Reception};

/// Where an engine reports what the remote side says about a track. Cloning gives another handle.
#[derive(Clone, Debug)]
pub struct Feedback(pub(crate) Arc<Track>);

impl Feedback {
    /// The remote side asked for a frame to start from (PLI or FIR; RFC 4585, RFC 5104).
    pub fn key_frame_requested(&self) {
        self.0.request_key_frame();
    }

    /// A receiver report came.
    pub fn reception(&self, reception: Reception) {
        self.0.queue.count(|counts| counts.reception = Some(reception));
        // Lost pictures are sent again, or a key frame is requested.
        if self.0.codec.media == Media::Audio {
            self.0.notify(Request::Loss);
        }
        self.0.events.send(PeerEvent::Reception { track: self.0.id, reception });
    }

    /// The remote side said how much it can take.
    pub fn bitrate_estimate(&self, rate: Bitrate) {
        self.0.queue.count(|counts| counts.bitrate_estimate = Some(rate));
        self.0.notify(Request::Bitrate);
        self.0.events.send(PeerEvent::BitrateEstimate(rate));
    }

    /// The track cannot be sent, for `reason`: the remote side lacks its codec, for instance. The other tracks are
    /// not affected.
    pub fn failed(&self, reason: impl Into<String>) {
        self.0.fail(reason.into());
    }

    /// The track can be sent: a later description has settled what it [failed](Feedback::failed) for.
    pub fn accepted(&self) {
        self.0.accept();
    }
}
