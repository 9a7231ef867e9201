//! Our engine against a receiver built on the bare `webrtc` crate, over 127.0.0.1.

mod offers;
mod viewer;

use std::time::Duration;

use millstream_core::{Clock, Codec, Media, OPUS, Role, RtpHeader, RtpPackets, Timestamp, VP8};
use millstream_webrtc::{
    Audience, Description, Engine, Events, Peer, PeerEvent, PeerOptions, PeerState, Sender, TrackOptions,
};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::time::timeout;

use crate::WebRtcRs;
use viewer::{Heard, Viewer};

/// How long anything here may take on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(20);
/// What an encoder would cost: a report by send time would be wrong by it.
const ENCODING: Duration = Duration::from_millis(80);

struct Show {
    backend: WebRtcRs,
    clock: Clock,
    peer: Peer,
    events: Events,
    state: millstream_webrtc::Watch<PeerState>,
}

fn open() -> Show {
    let (backend, clock) = (WebRtcRs::new(), Clock::system());
    let peer = Engine::new(backend.clone()).peer(PeerOptions::new(clock.clone())).unwrap();
    let (events, state) = (peer.take_events().unwrap(), peer.state());
    Show { backend, clock, peer, events, state }
}

impl Show {
    fn track(&self, codec: Codec) -> Sender {
        let options = TrackOptions { stream: "show".into(), id: codec.media.to_string(), codec };
        self.peer.add_track(options).unwrap()
    }

    async fn event(&mut self, is: impl Fn(&PeerEvent) -> bool) -> PeerEvent {
        let found = async {
            loop {
                let event = self.events.next().await.expect("events go on");
                if is(&event) {
                    return event;
                }
            }
        };
        timeout(DEADLINE, found).await.expect("told in time")
    }

    async fn freed(&self) {
        // The crate's tasks end when they are polled next.
        let freed = async {
            while self.backend.tasks() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, freed).await.unwrap_or_else(|_| panic!("{} tasks are left", self.backend.tasks()));
    }
}

/// What was captured at `time`, in three packets for a picture.
fn frame(codec: Codec, time: Timestamp, role: Role) -> RtpPackets {
    let count = if codec.media == Media::Video { 3 } else { 1 };
    let timestamp = time.ticks(codec.clock_rate) as u32;
    let header = |n: u32| RtpHeader::new(0, timestamp, n * 100..(n + 1) * 100).with_marker(n + 1 == count);
    let headers: Vec<_> = (0..count).map(header).collect();
    RtpPackets::new(codec, time, headers, vec![0x10; count as usize * 100]).with_role(role)
}

/// Sends picture and sound every 20 ms until it is dropped.
fn play(clock: Clock, senders: Vec<Sender>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            let captured = clock.now() - ENCODING;
            for sender in &senders {
                if sender.send(&frame(sender.codec(), captured, Role::Start)).is_err() {
                    return;
                }
            }
        }
    })
}

fn ntp_seconds(ntp: u64) -> f64 {
    ntp as f64 / 2f64.powi(32)
}

#[tokio::test]
async fn a_viewer_gets_packets_stamps_and_reports_in_capture_time_and_is_heard() {
    let mut show = open();
    let senders = vec![show.track(VP8), show.track(OPUS)];
    let video = senders[0].id();
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    // The picture to start from is made while the two sides still shake hands.
    show.event(|event| *event == PeerEvent::KeyFrameWanted { track: video }).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let playing = play(show.clock.clone(), senders);

    let (mut packets, mut reports, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut track = None;
    let from = show.clock.now();
    viewer
        .until(|heard| {
            match heard {
                Heard::Rtp(packet) => packets.push(packet),
                Heard::Report(report) => reports.push(report),
                Heard::Cname(name) => names.push(name),
                Heard::Track(remote) => track = Some(remote),
                Heard::Gathered | Heard::Connected | Heard::Came(..) | Heard::Goodbye(_) => {}
            }
            (packets.len() >= 200 && reports.len() >= 4).then_some(())
        })
        .await;
    assert!(show.clock.now().since(from) < DEADLINE);
    let cname = std::str::from_utf8(&names[0]).unwrap();
    assert!(cname.len() == 24 && cname.bytes().all(|byte| byte.is_ascii_hexdigit()), "96 bits: {cname}");
    assert!(names.iter().all(|name| *name == names[0]), "one CNAME for all: {names:?}");
    let answer = show.peer.local_description().await.unwrap().expect("described").sdp;
    let described: Vec<_> = answer.lines().filter_map(|line| line.split_once(" cname:")).collect();
    assert!(!described.is_empty() && described.iter().all(|(_, name)| *name == cname), "{answer}");

    for (rate, ssrc) in [(90_000.0, ssrc(&packets, 3)), (48_000.0, ssrc(&packets, 1))] {
        let of: Vec<_> = packets.iter().filter(|packet| packet.header.ssrc == ssrc).collect();
        let mut sequences: Vec<_> = of.iter().map(|packet| packet.header.sequence_number).collect();
        sequences.sort_unstable();
        assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "no holes");
        let stamped: Vec<_> =
            of.iter().filter_map(|packet| Some((packet.header.timestamp, capture(packet)?))).collect();
        assert!(!stamped.is_empty(), "capture times at {rate}");
        let reports: Vec<_> = reports.iter().filter(|report| report.ssrc == ssrc).collect();
        assert!(!reports.is_empty(), "reports at {rate}");
        for report in reports {
            for (ticks, ntp) in &stamped {
                let by_report = f64::from(report.rtp_time.wrapping_sub(*ticks) as i32) / rate;
                let by_stamp = ntp_seconds(report.ntp_time) - ntp_seconds(*ntp);
                let apart = (by_report - by_stamp).abs();
                assert!(apart < 0.001, "report and capture are {apart} s apart at {rate}");
            }
        }
    }
    let pictures: Vec<_> = packets.iter().filter(|packet| packet.header.ssrc == ssrc(&packets, 3)).collect();
    assert!(pictures.iter().all(|packet| packet.header.extensions.iter().any(|e| e.payload[..] == [0; 3])));

    let track = track.expect("a track came before its packets");
    let loss = PictureLossIndication { sender_ssrc: 1, media_ssrc: ssrc(&packets, 3) };
    track.write_rtcp(vec![Box::new(loss)]).await.unwrap();
    show.event(|event| *event == PeerEvent::KeyFrameWanted { track: video }).await;
    show.event(|event| matches!(event, PeerEvent::Reception { track, reception } if *track == video && reception.round_trip.is_some())).await;

    let statistics = show.peer.statistics().await.unwrap();
    assert_eq!(statistics.tracks.len(), 2);
    assert!(
        statistics.tracks.iter().all(|track| track.sender.frames > 10 && track.sender.dropped == 0),
        "{statistics:?}"
    );
    assert!(statistics.transport.bytes_sent > 10_000 && statistics.transport.srtp_cipher.is_some(), "{statistics:?}");

    show.peer.close().await.unwrap();
    show.freed().await;
    timeout(DEADLINE, playing).await.expect("senders find the peer closed").unwrap();
    assert_eq!(show.state.get(), PeerState::Closed);
    assert!(show.peer.create_offer().await.unwrap_err().to_string().contains("closed"));
    viewer.connection.close().await.unwrap();
}

/// The SSRC of the stream whose frames have `count` packets: sound marks every packet, pictures the last.
fn ssrc(packets: &[rtc::rtp::Packet], count: usize) -> u32 {
    let found = packets.iter().map(|packet| packet.header.ssrc).find(|ssrc| {
        let all: Vec<_> = packets.iter().filter(|packet| packet.header.ssrc == *ssrc).collect();
        all.iter().all(|packet| packet.header.marker) == (count == 1)
    });
    found.expect("both streams came")
}

fn capture(packet: &rtc::rtp::Packet) -> Option<u64> {
    let extension = packet.header.extensions.iter().find(|extension| extension.payload.len() == 8)?;
    Some(u64::from_be_bytes(extension.payload[..].try_into().ok()?))
}

#[tokio::test]
async fn a_viewer_that_vanishes_fails_and_everything_is_freed() {
    let mut show = open();
    let audience = Audience::new(show.clock.clone());
    let _video = audience.video_sink(VP8).unwrap();
    let seat = audience.join(&show.peer, "show").unwrap();
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    assert_eq!(audience.viewers(), 1);
    // The receiving process is killed, as far as we can see: no word, no packet.
    let from = show.clock.now();
    viewer.connection.close().await.unwrap();
    drop(viewer);
    timeout(DEADLINE, show.state.until(|state| state.is_final())).await.expect("found out");
    assert!(show.clock.now().since(from) < Duration::from_secs(10), "{}", show.clock.now());
    show.event(|event| *event == PeerEvent::Closed).await;
    show.freed().await;
    assert_eq!(audience.viewers(), 0);
    show.peer.close().await.expect("to close what failed is no error");
    drop(seat);
}

#[tokio::test]
async fn what_is_no_description_is_refused_with_words_and_the_peer_lives() {
    let show = open();
    let _video = show.track(VP8);
    for garbage in
        ["", "v=0", "hello\r\nm=video", "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "\u{1F600}\nm=\nm=video"]
    {
        let error = show.peer.set_remote_description(Description::offer(garbage)).await.unwrap_err();
        assert!(error.to_string().len() > 20, "{garbage:?}: {error}");
    }
    let no_vp8 = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=recvonly\r\n";
    let error = show.peer.set_remote_description(Description::offer(no_vp8)).await.unwrap_err();
    assert!(error.to_string().contains("no VP8"), "{error}");
    assert!(show.peer.set_local_description(None).await.is_ok(), "it can still offer");
    assert!(show.peer.local_description().await.unwrap().unwrap().sdp.contains("VP8/90000"));
    show.peer.close().await.unwrap();
    show.freed().await;
}

#[tokio::test]
async fn ice_restarts_under_other_names_and_the_media_goes_on() {
    let mut show = open();
    let sender = show.track(VP8);
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let playing = play(show.clock.clone(), vec![sender]);
    viewer.until(|heard| matches!(heard, Heard::Rtp(_)).then_some(())).await;
    let before = show.peer.local_description().await.unwrap().expect("described").sdp;

    let answer = viewer.restart(&show.peer).await;
    let ufrag = |sdp: &str| sdp.lines().find(|line| line.starts_with("a=ice-ufrag:")).map(str::to_owned);
    assert_ne!(ufrag(&before), ufrag(&answer));
    assert!(answer.contains("a=candidate:"), "{answer}");
    // What is checked under the old names would fail within 8 s.
    let from = show.clock.now();
    let long = Duration::from_secs(10);
    viewer
        .until(|heard| matches!(heard, Heard::Rtp(_)).then(|| show.clock.now().since(from) > long)?.then_some(()))
        .await;
    assert_eq!(show.state.get(), PeerState::Connected);
    show.peer.close().await.unwrap();
    show.freed().await;
    timeout(DEADLINE, playing).await.expect("the sender finds the peer closed").unwrap();
    viewer.connection.close().await.unwrap();
}

/// The lines of the section of `media` in `sdp`.
fn section<'a>(sdp: &'a str, media: &str) -> Vec<&'a str> {
    let found = sdp.split("\nm=").find(|section| section.starts_with(media));
    found.unwrap_or_default().lines().map(str::trim_end).collect()
}

#[tokio::test]
async fn a_track_that_ends_says_goodbye_and_is_in_no_report_and_no_description() {
    let mut show = open();
    let (video, audio, never) = (show.track(VP8), show.track(OPUS), show.track(OPUS));
    // Before anything was described.
    drop(never);
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let answer = show.peer.local_description().await.unwrap().unwrap().sdp;
    assert_eq!(
        section(&answer, "audio").iter().filter(|line| line.starts_with("a=ssrc:") && line.contains(" cname:")).count(),
        1
    );
    let playing = play(show.clock.clone(), vec![video]);
    audio.send(&frame(OPUS, show.clock.now(), Role::Start)).unwrap();
    let ssrc = viewer
        .until(|heard| match heard {
            Heard::Rtp(packet) if packet.payload.len() == 100 && packet.header.marker => Some(packet.header.ssrc),
            _ => None,
        })
        .await;
    drop(audio);
    viewer.until(|heard| matches!(heard, Heard::Goodbye(sources) if sources == [ssrc]).then_some(())).await;
    show.event(|event| *event == PeerEvent::NegotiationNeeded).await;
    let (mut reports, mut others) = (0, 0);
    viewer
        .until(|heard| {
            match heard {
                Heard::Report(report) if report.ssrc == ssrc => reports += 1,
                Heard::Report(_) => others += 1,
                Heard::Goodbye(_) => panic!("it is said once"),
                _ => {}
            }
            (others == 3).then_some(())
        })
        .await;
    assert_eq!(reports, 0);
    let answer = viewer.restart(&show.peer).await;
    let audio = section(&answer, "audio");
    assert!(audio.contains(&"a=inactive") && !audio.iter().any(|line| line.starts_with("a=ssrc:")), "{answer}");
    let video = section(&answer, "video");
    assert!(video.contains(&"a=sendonly") && video.iter().any(|line| line.starts_with("a=ssrc:")), "{answer}");
    show.peer.close().await.unwrap();
    show.freed().await;
    timeout(DEADLINE, playing).await.expect("the sender finds the peer closed").unwrap();
    viewer.connection.close().await.unwrap();
}

#[tokio::test]
async fn no_two_peers_have_one_name() {
    let mut names = std::collections::HashSet::new();
    for _ in 0..3 {
        let show = open();
        let _tracks = [show.track(VP8), show.track(OPUS)];
        let offer = show.peer.create_offer().await.unwrap().sdp;
        let of_this: std::collections::HashSet<_> =
            offer.lines().filter_map(|line| Some(line.split_once(" cname:")?.1.to_owned())).collect();
        assert_eq!(of_this.len(), 1, "{offer}");
        names.extend(of_this);
        show.peer.close().await.unwrap();
    }
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn we_offer_too_and_dropping_the_last_handle_frees() {
    let mut show = open();
    let sender = show.track(VP8);
    show.peer.set_local_description(None).await.unwrap();
    let offer = show.peer.gathered().await.unwrap().sdp;
    assert!(!offer.lines().any(|line| line.starts_with("a=candidate:") && line.contains(" 2 udp ")), "{offer}");
    let mut viewer = Viewer::new().await;
    let answer = viewer.answer(offer).await;
    show.peer.set_remote_description(Description::answer(answer)).await.unwrap();
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let playing = play(show.clock.clone(), vec![sender]);
    viewer.until(|heard| matches!(heard, Heard::Rtp(_)).then_some(())).await;
    let Show { backend, clock, peer, events, state } = show;
    drop(peer);
    let show = Show { peer: open().peer, backend, clock, events, state };
    show.freed().await;
    assert_eq!(show.state.get(), PeerState::Closed);
    timeout(DEADLINE, playing).await.expect("the sender finds the peer closed").unwrap();
    viewer.connection.close().await.unwrap();
}
