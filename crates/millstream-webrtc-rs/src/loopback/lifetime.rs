//! How connections and tracks begin, fail, begin again and end.

use std::time::Duration;

use millstream_core::{OPUS, Role, VP8};
use millstream_webrtc::sdp::{Section, Session};
use millstream_webrtc::{Audience, Description, PeerEvent, PeerState, TimeOuts};
use tokio::time::timeout;

use super::viewer::{Received, Viewer};
use super::{DEADLINE, Show, frame, open, open_with, play};

#[tokio::test]
async fn a_viewer_that_vanishes_fails_and_closing_frees_everything() {
    let mut show = open();
    let audience = Audience::new(show.clock.clone());
    let _video = audience.video_sink(VP8).unwrap();
    let subscription = audience.subscribe(&show.peer, "show").unwrap();
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    assert_eq!(audience.viewers(), 1);
    // The receiving process is killed, as far as we can see: no goodbye, no packet.
    let from = show.clock.now();
    viewer.connection.close().await.unwrap();
    drop(viewer);
    timeout(DEADLINE, show.state.until(|state| matches!(state, PeerState::Failed | PeerState::Closed)))
        .await
        .expect("found out");
    assert!(show.clock.now().since(from) < Duration::from_secs(10), "{}", show.clock.now());
    show.peer.close().await.unwrap();
    show.event(|event| *event == PeerEvent::Closed).await;
    show.freed().await;
    assert_eq!(audience.viewers(), 0);
    show.peer.close().await.expect("to close it again is no error");
    drop(subscription);
}

#[tokio::test]
async fn a_connection_that_has_failed_is_made_again_by_an_ice_restart() {
    let mut time_outs = TimeOuts::default();
    (time_outs.disconnected, time_outs.failed) = (Duration::from_millis(1000), Duration::from_millis(500));
    time_outs.keep_alive = Duration::from_millis(200);
    let mut show = open_with(time_outs);
    let (sink, sender) = show.added(VP8);
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let playing = play(show.clock.clone(), vec![sink]);
    let before = viewer.sequence().await;
    viewer.cable.cut(true);
    show.event(|event| *event == PeerEvent::State(PeerState::Failed)).await;
    assert!(!sender.is_ended(), "the track is kept");
    viewer.cable.cut(false);
    viewer.restart(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let after = viewer.sequence().await;
    assert!(after.0 == before.0 && after.1 > before.1, "one source, whose numbers go on: {before:?} {after:?}");
    show.peer.close().await.unwrap();
    show.freed().await;
    timeout(DEADLINE, playing).await.expect("the sink finds the peer closed").unwrap();
    viewer.connection.close().await.unwrap();
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
    let sink = show.track(VP8);
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let playing = play(show.clock.clone(), vec![sink]);
    viewer.until(|received| matches!(received, Received::Rtp(_)).then_some(())).await;
    let before = show.peer.local_description().await.unwrap().expect("described").sdp;

    let answer = viewer.restart(&show.peer).await;
    let ufrag = |sdp: &str| sdp.lines().find(|line| line.starts_with("a=ice-ufrag:")).map(str::to_owned);
    assert_ne!(ufrag(&before), ufrag(&answer));
    assert!(answer.contains("a=candidate:"), "{answer}");
    // What is checked under the old names would fail within 8 s.
    let from = show.clock.now();
    let long = Duration::from_secs(10);
    viewer
        .until(|received| {
            matches!(received, Received::Rtp(_)).then(|| show.clock.now().since(from) > long)?.then_some(())
        })
        .await;
    assert_eq!(show.state.get(), PeerState::Connected);
    show.peer.close().await.unwrap();
    show.freed().await;
    timeout(DEADLINE, playing).await.expect("the sink finds the peer closed").unwrap();
    viewer.connection.close().await.unwrap();
}

/// The section of `media` in `session`.
fn section<'a, 's>(session: &'s Session<'a>, media: &str) -> &'s Section<'a> {
    session.sections.iter().find(|section| section.media == media).expect("there is one")
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
    let session = Session::read(&answer).unwrap();
    let names = section(&session, "audio").lines.attributes("ssrc").filter(|line| line.contains(" cname:"));
    assert_eq!(names.count(), 1, "{answer}");
    let playing = play(show.clock.clone(), vec![video]);
    audio.send(&frame(OPUS, show.clock.now(), Role::Start)).unwrap();
    let ssrc = viewer
        .until(|received| match received {
            Received::Rtp(packet) if packet.payload.len() == 100 && packet.header.marker => Some(packet.header.ssrc),
            _ => None,
        })
        .await;
    drop(audio);
    viewer.until(|received| matches!(received, Received::Goodbye(sources) if sources == [ssrc]).then_some(())).await;
    show.event(|event| *event == PeerEvent::NegotiationNeeded).await;
    let (mut reports, mut others) = (0, 0);
    viewer
        .until(|received| {
            match received {
                Received::Report(report) if report.ssrc == ssrc => reports += 1,
                Received::Report(_) => others += 1,
                Received::Goodbye(_) => panic!("it is said once"),
                _ => {}
            }
            (others == 3).then_some(())
        })
        .await;
    assert_eq!(reports, 0);
    let answer = viewer.restart(&show.peer).await;
    let session = Session::read(&answer).unwrap();
    let audio = section(&session, "audio");
    assert!(audio.lines.has("inactive") && !audio.lines.has("ssrc"), "{answer}");
    let video = section(&session, "video");
    assert!(video.lines.has("sendonly") && video.lines.has("ssrc"), "{answer}");
    show.peer.close().await.unwrap();
    show.freed().await;
    timeout(DEADLINE, playing).await.expect("the sink finds the peer closed").unwrap();
    viewer.connection.close().await.unwrap();
}

#[tokio::test]
async fn we_offer_too_and_dropping_the_last_handle_frees() {
    let mut show = open();
    let sink = show.track(VP8);
    show.peer.set_local_description(None).await.unwrap();
    let offer = show.peer.gathered().await.unwrap().sdp;
    assert!(!offer.lines().any(|line| line.starts_with("a=candidate:") && line.contains(" 2 udp ")), "{offer}");
    let mut viewer = Viewer::new().await;
    let answer = viewer.answer(offer).await;
    show.peer.set_remote_description(Description::answer(answer)).await.unwrap();
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let playing = play(show.clock.clone(), vec![sink]);
    viewer.until(|received| matches!(received, Received::Rtp(_)).then_some(())).await;
    let Show { backend, clock, peer, events, state } = show;
    drop(peer);
    let show = Show { peer: open().peer, backend, clock, events, state };
    show.freed().await;
    assert_eq!(show.state.get(), PeerState::Closed);
    timeout(DEADLINE, playing).await.expect("the sink finds the peer closed").unwrap();
    viewer.connection.close().await.unwrap();
}
