//! A peer and its commands.

use millstream_core::{Clock, Codec, Media, VP8};
use millstream_testkit::engine::FakeEngine;
use millstream_webrtc::sdp::Session;
use millstream_webrtc::{Description, IceServer, PeerEvent, PeerOptions, PeerState, SignalingState};

use crate::fixture::{peer, track};

#[test]
fn commands_are_sent_when_called_and_in_order_whether_or_not_replies_are_awaited() {
    let (fake, peer) = peer();
    drop(peer.set_remote_description(Description::offer("o")));
    let answer = peer.create_answer();
    drop(peer.set_local_description(None));
    assert_eq!(fake.take_commands(0), ["SetRemoteDescription", "CreateAnswer", "SetLocalDescription"]);
    assert!(answer.wait().unwrap_err().to_string().contains("no offer"));
}

#[test]
fn dropping_the_last_handle_closes_and_events_end() {
    let (fake, peer) = peer();
    let mut events = peer.take_events().expect("taken the first time");
    assert!(peer.take_events().is_none());
    let other = peer.clone();
    drop(peer);
    assert!(fake.take_commands(0).is_empty());
    drop(other);
    assert_eq!(fake.take_commands(0), ["Close"]);
    assert_eq!(events.recv(), Some(PeerEvent::State(PeerState::Closed)));
    assert_eq!(events.recv(), Some(PeerEvent::Closed));
    assert_eq!(events.recv(), None);
}

#[test]
fn what_the_engine_cannot_do_is_refused_by_name() {
    let engine = FakeEngine::new().without_ice_restarts();
    let options = PeerOptions::new(Clock::manual().0);
    let error = engine.peer(options.clone().ice_servers([IceServer::turn("turns:a", "n", "p")])).unwrap_err();
    assert!(error.to_string().contains("`fake` has no TURN over TLS"), "{error}");
    let error = engine.peer(options).unwrap().restart_ice().wait().unwrap_err();
    assert!(error.to_string().contains("`fake` cannot restart ICE"), "{error}");
}

#[test]
fn statistics_join_the_tracks_with_what_the_engine_knows() {
    let (_fake, peer) = peer();
    let (_sink, sender) = peer.add_track(track(VP8)).unwrap();
    let statistics = peer.statistics().wait().unwrap();
    assert_eq!(statistics.tracks.len(), 1);
    assert_eq!(statistics.tracks[0].track, sender.id());
    assert_eq!(statistics.transport.bytes_sent, 1);
}

#[test]
fn codecs_come_from_the_options() {
    let (_fake, peer) = peer();
    let other = Codec::from_rtpmap(Media::Video, "VP9/90000").unwrap();
    let error = peer.add_track(track(other.clone())).unwrap_err().to_string();
    assert_eq!(error, "this peer was opened for vp8 and opus; give PeerOptions::codecs vp9 as well");
    let fake = FakeEngine::new();
    let options = PeerOptions::new(Clock::manual().0).codecs([other.clone(), VP8]);
    let peer = fake.engine().peer(options).unwrap();
    let _tracks = [peer.add_track(track(VP8)).unwrap(), peer.add_track(track(other)).unwrap()];
    let offer = peer.create_offer().wait().unwrap().sdp;
    let session = Session::read(&offer).unwrap();
    let types: Vec<_> = session.sections.iter().map(|section| section.encodings().next().unwrap()).collect();
    assert_eq!(types, [(98, "VP8/90000"), (96, "VP9/90000")], "in the order of the options");
    // After the first description, a track needs no new connection either.
    peer.set_local_description(None).wait().unwrap();
    let _later = peer.add_track(track(VP8)).unwrap();
    let again = peer.create_offer().wait().unwrap().sdp;
    assert_eq!(Session::read(&again).unwrap().sections.len(), 3);
}

#[test]
fn signalling_states_are_watched_and_reported() {
    let (_fake, peer) = peer();
    let _track = peer.add_track(track(VP8)).unwrap();
    let (mut events, mut signaling) = (peer.take_events().unwrap(), peer.signaling_state());
    peer.set_local_description(None).wait().unwrap();
    assert_eq!(signaling.changed().wait(), Some(SignalingState::HaveLocalOffer));
    peer.set_local_description(Some(Description::rollback())).wait().unwrap();
    assert_eq!(signaling.changed().wait(), Some(SignalingState::Stable));
    peer.close().wait().unwrap();
    assert_eq!(signaling.changed().wait(), Some(SignalingState::Closed));
    assert_eq!(signaling.changed().wait(), None);
    let states: Vec<_> = std::iter::from_fn(|| events.recv())
        .filter_map(|event| if let PeerEvent::Signaling(state) = event { Some(state) } else { None })
        .collect();
    assert_eq!(states, [SignalingState::HaveLocalOffer, SignalingState::Stable]);
}
