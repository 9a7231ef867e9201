//! What an engine holds of a track: where its frames come from, and whom it tells what is heard of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use millstream_core::units::Bitrate;
use millstream_core::{Media, RtpPackets};

use crate::sender::{Track, Wish};
use crate::{PeerEvent, Reception};

/// A frame on its way to the remote side.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The sequence number of its first packet; the others count on from it. It replaces what the
    /// headers say: so what this viewer did not get leaves no hole.
    pub sequence: u16,
    /// Its packets. Payload type, SSRC and header extensions are the engine's.
    pub packets: RtpPackets,
}

/// Where an engine takes a track's frames from.
#[derive(Debug)]
pub struct Feed(pub(crate) Arc<Track>);

impl Feed {
    /// Says that the connection is being made. A picture to start from is wished for, and kept with
    /// those after it until [`open`](Feed::open): so it is made while the two sides still shake hands.
    /// An [`Audience`](crate::Audience) that may not ask for one gives those since the last instead.
    /// If the two sides take longer than half a second of pictures all is given up. Sound is not kept:
    /// it would be late.
    pub fn prepare(&self) {
        if self.0.codec.media == Media::Video && self.0.queue.prepare() {
            self.0.want_start();
        }
    }

    /// Says that the connection stands. What was [prepared](Feed::prepare) is sent, the first picture at
    /// once and the others four times faster than they were captured; where nothing was, the first frame is
    /// the next one that a decoder can start from, and it is wished for.
    pub fn open(&self) {
        let unprepared = self.0.queue.open(self.0.is_heard().then(|| self.0.clock.now()));
        // Every packet of sound is a start: there is nothing to wish for.
        if self.0.codec.media != Media::Video {
            return;
        }
        if unprepared { self.0.want_start() } else { self.0.tell(Wish::Pace) }
    }

    /// Whether the sender is gone: the track has ended, but for what still waits.
    pub fn is_ended(&self) -> bool {
        self.0.queue.is_ended()
    }

    /// The next frame; `None` once the sender is gone and all was taken.
    pub async fn next(&mut self) -> Option<Frame> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next frame, if there is one that is due now.
    pub fn try_next(&mut self) -> Option<Frame> {
        self.0.queue.pop(&self.0.clock)
    }

    /// [`next`](Feed::next) by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.0.queue.poll_pop(cx, &self.0.clock)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.queue.end(true);
    }
}

/// Where an engine says what the remote side tells about a track. Cloning gives another hand.
#[derive(Clone, Debug)]
pub struct Feedback(pub(crate) Arc<Track>);

impl Feedback {
    /// The remote side asked for a frame to start from (PLI or FIR; RFC 4585, RFC 5104).
    pub fn key_frame_wanted(&self) {
        self.0.want_key_frame();
    }

    /// A receiver report came.
    pub fn reception(&self, reception: Reception) {
        self.0.queue.count(|counts| counts.reception = Some(reception));
        self.0.events.send(PeerEvent::Reception { track: self.0.id, reception });
    }

    /// The remote side said how much it can take.
    pub fn bitrate_estimate(&self, rate: Bitrate) {
        self.0.queue.count(|counts| counts.bitrate_estimate = Some(rate));
        self.0.tell(Wish::Bitrate);
        self.0.events.send(PeerEvent::BitrateEstimate(rate));
    }
}
