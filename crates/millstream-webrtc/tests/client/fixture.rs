//! Peers of an engine without a network, and frames.

use millstream_core::{Clock, Codec, Media, OPUS, Role, RtpPackets, Timestamp, VP8};
use millstream_testkit::engine::FakeEngine;
use millstream_testkit::examples;
use millstream_webrtc::{Peer, PeerOptions, TrackOptions};

/// A peer on `clock`, and its engine.
pub(crate) fn peer_on(clock: Clock) -> (FakeEngine, Peer) {
    let fake = FakeEngine::new();
    let peer = fake.engine().peer(PeerOptions::new(clock)).unwrap();
    (fake, peer)
}

/// A peer on a clock that stands still.
pub(crate) fn peer() -> (FakeEngine, Peer) {
    peer_on(Clock::manual().0)
}

pub(crate) fn track(codec: Codec) -> TrackOptions {
    let id = codec.media.to_string();
    TrackOptions { codec, stream: "stream".into(), id }
}

/// A frame of VP8 captured at `millis`, in `packets` packets of one byte.
pub(crate) fn frame(millis: u64, role: Role, packets: u32) -> RtpPackets {
    of(VP8, millis, role, packets)
}

/// A packet of Opus captured at `millis`.
pub(crate) fn sound(millis: u64) -> RtpPackets {
    of(OPUS, millis, Role::Start, 1)
}

fn of(codec: Codec, millis: u64, role: Role, packets: u32) -> RtpPackets {
    let media = codec.media;
    let mut group = examples::packets(codec, 0);
    let first = group.headers[0];
    let headers: Vec<_> = (0..packets)
        .map(|index| {
            let mut header = first;
            let rate = if media == Media::Video { 90 } else { 48 };
            (header.timestamp, header.start, header.end) = ((millis * rate) as u32, index, index + 1);
            header
        })
        .collect();
    (group.time, group.role, group.headers) = (Timestamp::from_millis(millis), role, headers.into());
    group
}
