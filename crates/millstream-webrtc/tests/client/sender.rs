//! A track's sink and its handle.

use std::task::Waker;

use millstream_core::{Clock, Control, Cx, Hand, Layers, OPUS, Role, Run, Sink, Timestamp, Upstream, VP8};
use millstream_testkit::engine::FakeEngine;
use millstream_webrtc::{Peer, PeerEvent, Sender, TrackSink};

use crate::fixture::{frame, peer, peer_on, sound, track};

/// A track of pictures whose sink is in a pipeline.
struct Playing {
    fake: FakeEngine,
    peer: Peer,
    sink: TrackSink,
    sender: Sender,
    cx: Cx,
    hand: Hand,
    clock: Clock,
}

fn playing() -> Playing {
    let (clock, hand) = Clock::manual();
    let (fake, peer) = peer_on(clock.clone());
    let (sink, sender) = peer.add_track(track(VP8)).unwrap();
    fake.connect(0);
    Playing { fake, peer, sink, sender, cx: cx(clock.clone()), hand, clock }
}

fn cx(clock: Clock) -> Cx {
    Cx::new(clock, Waker::noop().clone(), Upstream::default(), Run::default())
}

/// What `cx` asked upstream since the last call.
fn asked(cx: &Cx) -> Vec<Control> {
    cx.upstream().take().map(|requests| requests.iter().collect()).unwrap_or_default()
}

const KEY_FRAME: Control = Control::KeyFrame(Layers::ALL);

#[test]
fn a_request_from_before_the_first_frame_goes_upstream_with_it() {
    let Playing { fake, peer, mut sink, sender, mut cx, hand, .. } = playing();
    sink.consume(frame(0, Role::Reference, 1), &mut cx).unwrap();
    assert_eq!(asked(&cx), [KEY_FRAME]);
    sink.consume(frame(1, Role::Start, 3), &mut cx).unwrap();
    assert!(asked(&cx).is_empty());
    hand.set(Timestamp::from_millis(500));
    fake.feedback(0, 0).key_frame_requested();
    assert_eq!(asked(&cx), [KEY_FRAME]);
    let mut events = peer.take_events().unwrap();
    let requested = PeerEvent::KeyFrameRequested { track: sender.id() };
    assert!(std::iter::from_fn(|| events.try_recv()).any(|event| event == requested));
    assert_eq!(fake.sent(0, 0), [(1, 3)]);
}

#[test]
fn a_pipeline_gets_one_request_per_interval_and_fewer_later() {
    let Playing { fake, mut sink, sender, mut cx, hand, peer: _peer, .. } = playing();
    let mut passed_on = Vec::new();
    sink.consume(frame(0, Role::Reference, 1), &mut cx).unwrap();
    for millis in (0..10_000).step_by(20) {
        hand.set(Timestamp::from_millis(millis));
        // The remote side goes on requesting, and no frame comes.
        fake.feedback(0, 0).key_frame_requested();
        if cx.take_alarm(cx.now()) {
            sink.wake(&mut cx).unwrap();
        }
        if !asked(&cx).is_empty() {
            passed_on.push(millis);
        }
    }
    assert_eq!(passed_on, [0, 500, 1500, 3500, 7500]);
    assert_eq!(sender.statistics().key_frames_requested, 501, "each is counted");
}

#[test]
fn another_codec_and_a_closed_peer_are_errors() {
    let (_fake, peer) = peer();
    let (sink, sender) = peer.add_track(track(VP8)).unwrap();
    assert!(sink.send(&sound(0)).unwrap_err().to_string().contains("opus packets on a track of vp8"));
    peer.close().wait().unwrap();
    assert!(sink.send(&frame(0, Role::Start, 1)).unwrap_err().to_string().contains("closed"));
    assert!(sender.is_ended() && sender.replace().is_err());
    assert!(peer.add_track(track(VP8)).unwrap_err().to_string().contains("closed"));
}

#[test]
fn a_track_is_replaced_while_it_plays() {
    let Playing { fake, mut sink, sender, mut cx, hand, clock, peer: _peer } = playing();
    for (millis, role) in [(0, Role::Start), (40, Role::Reference)] {
        sink.consume(frame(millis, role, 2), &mut cx).unwrap();
    }
    assert_eq!(asked(&cx), [KEY_FRAME]);
    let mut next = sender.replace().unwrap();
    let refused = sink.consume(frame(80, Role::Start, 2), &mut cx).unwrap_err().to_string();
    assert_eq!(refused, "this sink of track 0 was replaced; send to the one that Sender::replace returned");
    hand.set(Timestamp::from_millis(1000));
    let mut next_cx = self::cx(clock);
    // The new source counts its RTP time from somewhere else.
    let shifted = |millis, role, packets| {
        let mut frame = frame(millis, role, packets);
        let headers = frame.headers.iter().map(|header| {
            let mut header = *header;
            header.timestamp = header.timestamp.wrapping_sub(80_000);
            header
        });
        frame.headers = headers.collect::<Vec<_>>().into();
        frame
    };
    next.consume(shifted(1000, Role::Reference, 1), &mut next_cx).unwrap();
    assert_eq!(asked(&next_cx), [KEY_FRAME], "a start is requested of the new source");
    next.consume(shifted(1040, Role::Start, 1), &mut next_cx).unwrap();
    next.consume(shifted(1080, Role::Reference, 3), &mut next_cx).unwrap();
    let sent: Vec<_> = fake
        .take_frames(0, 0)
        .iter()
        .flat_map(|frame| frame.iter().map(|(header, _)| (header.sequence, header.timestamp)).collect::<Vec<_>>())
        .collect();
    let ticks = |millis: u32| millis * 90;
    assert_eq!(
        sent,
        [
            (1, 0),
            (2, 0),
            (3, ticks(40)),
            (4, ticks(40)),
            (5, ticks(1040)),
            (6, ticks(1080)),
            (7, ticks(1080)),
            (8, ticks(1080))
        ]
    );
    // Requests go to the new source, and the old one's end changes nothing.
    drop(sink);
    hand.set(Timestamp::from_millis(3000));
    fake.feedback(0, 0).key_frame_requested();
    assert_eq!((asked(&cx), asked(&next_cx)), (vec![], vec![KEY_FRAME]));
    assert_eq!((sender.statistics().frames, sender.statistics().packets), (4, 8));
    assert_eq!(fake.take_commands(0), ["AddTrack"], "nothing was negotiated");
}

#[test]
fn a_track_is_muted_while_it_plays_and_its_source_pauses() {
    let Playing { fake, mut sink, sender, mut cx, hand, peer: _peer, .. } = playing();
    sink.consume(frame(0, Role::Start, 1), &mut cx).unwrap();
    assert_eq!((asked(&cx), fake.sent(0, 0)), (vec![KEY_FRAME], vec![(1, 1)]));
    sender.mute(true);
    assert_eq!((asked(&cx), sender.is_muted()), (vec![Control::Pause(true)], true));
    sink.consume(frame(40, Role::Reference, 1), &mut cx).unwrap();
    fake.feedback(0, 0).key_frame_requested();
    assert!(asked(&cx).is_empty(), "a muted track needs no key frame");
    hand.set(Timestamp::from_millis(2000));
    sender.mute(false);
    assert_eq!(asked(&cx), [KEY_FRAME, Control::Pause(false)]);
    sink.consume(frame(2000, Role::Reference, 1), &mut cx).unwrap();
    sink.consume(frame(2040, Role::Start, 1), &mut cx).unwrap();
    assert_eq!(fake.sent(0, 0), [(2, 1)], "from a start on, and no hole in the numbers");
    let statistics = sender.statistics();
    assert_eq!((statistics.frames, statistics.dropped), (2, 1), "what a mute holds back was not dropped");
}

#[test]
fn a_track_lasts_as_long_as_its_sink_or_a_handle() {
    let Playing { fake, peer, sink, sender, .. } = playing();
    drop(sink);
    assert_eq!(fake.ended(0), [false], "silent, and there");
    let again = sender.replace().unwrap();
    again.send(&frame(0, Role::Start, 1)).unwrap();
    drop(sender);
    again.send(&frame(40, Role::Reference, 1)).unwrap();
    assert_eq!((fake.ended(0), fake.sent(0, 0)), (vec![false], vec![(1, 1), (2, 1)]), "it plays without a handle");
    drop(again);
    assert_eq!(fake.ended(0), [true]);
    // A handle ends it at once.
    let (sink, sender) = peer.add_track(track(OPUS)).unwrap();
    let other = sender.clone();
    other.stop();
    assert!(sender.is_ended() && sink.send(&sound(0)).unwrap_err().to_string().contains("has ended"));
    assert_eq!(fake.ended(0), [true, true]);
}
