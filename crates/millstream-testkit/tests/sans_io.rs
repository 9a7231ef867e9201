//! An engine without I/O of its own under the stepped runner: it connects to itself over an emulated network, and
//! media flows, the same each time.

use std::time::Duration;

use millstream_core::units::Percent;
use millstream_core::{Codec, Cx, Next, OPUS, Result, RtpPackets, Timestamp, Utc, VP8};
use millstream_pipeline::Pipeline;
use millstream_testkit::engine::{Arrived, SansIoEngine};
use millstream_testkit::{Conditions, EmulatedNetwork, examples};
use millstream_webrtc::{Description, Peer, PeerOptions, PeerState, TrackOptions};

/// What came of a run.
#[derive(Debug, PartialEq)]
struct Call {
    /// Packets at the other side.
    arrived: Vec<Arrived>,
    /// Of all datagrams, in both directions.
    fingerprint: u64,
    lost: u64,
    /// Packets of pictures and of sound that were sent.
    sent: (u64, u64),
    states: (PeerState, PeerState),
}

/// `count` groups of packets of `codec`, each at its time.
fn packets(codec: Codec, count: u64) -> impl FnMut(&mut Cx) -> Result<Next<RtpPackets>> {
    let mut number = 0;
    move |cx: &mut Cx| {
        if number == count {
            return Ok(Next::End);
        }
        let group = examples::packets(codec.clone(), number);
        if cx.now() < group.time {
            return Ok(Next::Until(group.time));
        }
        number += 1;
        Ok(Next::Item(group))
    }
}

fn exchange(caller: &Peer, callee: &Peer) {
    caller.set_local_description(None).wait().unwrap();
    let offer = caller.gathered().wait().unwrap().sdp;
    callee.set_remote_description(Description::offer(offer)).wait().unwrap();
    callee.set_local_description(None).wait().unwrap();
    let answer = callee.gathered().wait().unwrap().sdp;
    caller.set_remote_description(Description::answer(answer)).wait().unwrap();
}

fn track(codec: Codec) -> TrackOptions {
    let id = codec.media.to_string();
    TrackOptions { codec, stream: "call".into(), id }
}

/// Ten seconds of pictures and sound, over a network whose chances follow from `seed`.
fn call(seed: u64) -> Call {
    let mut pipeline = Pipeline::in_virtual_time("call", Utc::default());
    let clock = pipeline.clock().clone();
    let conditions = Conditions {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(10),
        loss: Percent::new(2.0).unwrap(),
        ..Conditions::default()
    };
    let network = EmulatedNetwork::new(clock.clone(), seed, conditions);
    let backend = SansIoEngine::new();
    let open = || backend.engine().peer(PeerOptions::new(clock.clone()).network(network.network())).unwrap();
    let (caller, callee) = (open(), open());
    let (video, pictures) = caller.add_track(track(VP8)).unwrap();
    let (audio, sound) = caller.add_track(track(OPUS)).unwrap();
    exchange(&caller, &callee);
    pipeline.driver("network", network.driver());
    pipeline.driver("caller", caller.take_driver().unwrap());
    pipeline.driver("callee", callee.take_driver().unwrap());
    let source = pipeline.source("pictures", packets(VP8, 300));
    pipeline.inline_sink("video", &source, video);
    let source = pipeline.source("sound", packets(OPUS, 500));
    pipeline.inline_sink("audio", &source, audio);
    let mut stepped = pipeline.step().unwrap();
    stepped.run_until(Timestamp::from_millis(11_000)).unwrap();
    let states = (caller.state().get(), callee.state().get());
    let sent = (pictures.statistics().packets, sound.statistics().packets);
    stepped.stop().unwrap();
    let (arrived, fingerprint, lost) = (backend.arrived(1), network.fingerprint(), network.counts().lost());
    Call { arrived, fingerprint, lost, sent, states }
}

#[test]
fn media_flows_in_virtual_time_and_the_same_seed_gives_the_same_bytes() {
    let first = call(1);
    assert_eq!(first.states, (PeerState::Connected, PeerState::Connected));
    let of = |payload_type| first.arrived.iter().filter(|packet| packet.payload_type == payload_type).count();
    assert_eq!((first.sent, of(96), of(98), first.lost), ((600, 496), 577, 487, 32));
    // A check and its answer take 60 to 80 ms over this network.
    let begin = first.arrived[0].at;
    assert!((Timestamp::from_millis(60)..Timestamp::from_millis(150)).contains(&begin), "{begin}");
    assert_eq!(call(1), first, "the same seed, the same bytes at the same times");
    assert_ne!(call(2).fingerprint, first.fingerprint);
}

#[test]
fn a_connection_over_a_dead_network_fails_and_a_restart_over_a_mended_one_connects() {
    let mut pipeline = Pipeline::in_virtual_time("call", Utc::default());
    let clock = pipeline.clock().clone();
    let good = Conditions { delay: Duration::from_millis(20), ..Conditions::default() };
    let dead = Conditions { loss: Percent::new(100.0).unwrap(), ..good };
    let network = EmulatedNetwork::new(clock.clone(), 1, good)
        .changing(Duration::from_secs(5), dead)
        .changing(Duration::from_secs(20), good);
    let engine = SansIoEngine::new().engine();
    let open = || engine.peer(PeerOptions::new(clock.clone()).network(network.network())).unwrap();
    let (caller, callee) = (open(), open());
    let (_sink, sender) = caller.add_track(track(OPUS)).unwrap();
    exchange(&caller, &callee);
    pipeline.driver("network", network.driver());
    pipeline.driver("caller", caller.take_driver().unwrap());
    pipeline.driver("callee", callee.take_driver().unwrap());
    let mut stepped = pipeline.step().unwrap();
    let mut states = Vec::new();
    for second in [4, 9, 14, 21] {
        stepped.run_until(Timestamp::from_millis(1000 * second)).unwrap();
        states.push(caller.state().get());
    }
    let expected = [PeerState::Connected, PeerState::Disconnected, PeerState::Failed, PeerState::Failed];
    assert_eq!(states, expected, "that the network is mended is not noticed by itself");
    assert!(!sender.is_ended());
    caller.restart_ice().wait().unwrap();
    exchange(&caller, &callee);
    stepped.run_until(Timestamp::from_millis(22_000)).unwrap();
    assert_eq!((caller.state().get(), callee.state().get()), (PeerState::Connected, PeerState::Connected));
    let closing = (caller.close(), callee.close());
    stepped.run_until(Timestamp::from_millis(23_000)).unwrap();
    closing.0.wait().unwrap();
    closing.1.wait().unwrap();
    assert_eq!((caller.state().get(), sender.is_ended()), (PeerState::Closed, true));
}
