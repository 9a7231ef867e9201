//! The frames of a track, as its engine takes them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use millstream_core::{Media, RtpHeader, RtpPackets};

use crate::track::{Request, Track};

/// A frame on its way to the remote side.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Frame {
    /// The sequence number of its first packet; the others count on from it. It replaces what the
    /// headers say: so what this remote side did not get leaves no hole.
    pub sequence: u16,
    /// What is added to the RTP timestamps of the headers, so that they go on when another sink takes over.
    pub timestamp_offset: u32,
    /// Its packets. Payload type, SSRC and header extensions are the engine's.
    pub packets: RtpPackets,
}

impl Frame {
    /// Header and payload of each packet, with the sequence number and the RTP timestamp to send.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (RtpHeader, Bytes)> + '_ {
        self.packets.iter().enumerate().map(|(index, (mut header, payload))| {
            header.sequence = self.sequence.wrapping_add(index as u16);
            header.timestamp = header.timestamp.wrapping_add(self.timestamp_offset);
            (header, payload)
        })
    }
}

/// Where an engine takes a track's frames from.
#[derive(Debug)]
pub struct FrameReceiver(pub(crate) Arc<Track>);

impl FrameReceiver {
    /// Says that the connection is being made. A picture to start from is requested, and kept with
    /// those after it until [`connected`](FrameReceiver::connected): so it is made while the two sides still shake
    /// hands. An [`Audience`](crate::Audience) that may not request one gives those since the last instead.
    /// If the two sides take longer than half a second of pictures all is discarded. Sound is not kept:
    /// it would be late.
    pub fn connecting(&self) {
        if self.0.codec.media == Media::Video && self.0.queue.prepare() {
            self.0.request_start();
        }
    }

    /// Says that the connection stands. What was kept since [`connecting`](FrameReceiver::connecting) is sent, the
    /// first picture at once and the others four times faster than they were captured. Where nothing was kept, the
    /// first frame is the next one that a decoder can start from, and it is requested.
    pub fn connected(&self) {
        let unprepared = self.0.queue.open(self.0.has_listener().then(|| self.0.clock.now()));
        // Every packet of sound is a start: there is nothing to request.
        if self.0.codec.media != Media::Video {
            return;
        }
        if unprepared { self.0.request_start() } else { self.0.notify(Request::Pace) }
    }

    /// Whether the track has ended, but for what still waits.
    pub fn is_ended(&self) -> bool {
        self.0.queue.is_ended()
    }

    /// The next frame; `None` once the track has ended and all was taken.
    pub async fn next(&mut self) -> Option<Frame> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next frame, if there is one that is due now.
    pub fn try_next(&mut self) -> Option<Frame> {
        self.0.queue.pop(&self.0.clock)
    }

    /// [`next`](FrameReceiver::next) by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.0.queue.poll_pop(cx, &self.0.clock)
    }
}

impl Drop for FrameReceiver {
    fn drop(&mut self) {
        self.0.queue.end(true);
    }
}
