//! What a viewer gets, and when it was captured.

use std::collections::HashSet;

use millstream_core::{OPUS, Role, Timestamp, VP8};
use millstream_webrtc::{PeerEvent, PeerState, TrackSink};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::time::timeout;

use super::viewer::{Received, Viewer};
use super::{DEADLINE, frame, open, play};

fn ntp_seconds(ntp: u64) -> f64 {
    ntp as f64 / 2f64.powi(32)
}

#[tokio::test]
async fn a_viewer_gets_packets_stamps_and_reports_in_capture_time_and_its_requests_are_followed() {
    let mut show = open();
    let sinks = vec![show.track(VP8), show.track(OPUS)];
    let video = sinks[0].id();
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    // The picture to start from is made while the two sides still shake hands.
    show.event(|event| *event == PeerEvent::KeyFrameRequested { track: video }).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    let playing = play(show.clock.clone(), sinks);

    let (mut packets, mut reports, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut track = None;
    let from = show.clock.now();
    viewer
        .until(|received| {
            match received {
                Received::Rtp(packet) => packets.push(packet),
                Received::Report(report) => reports.push(report),
                Received::Cname(name) => names.push(name),
                Received::Track(remote) => track = Some(remote),
                _ => {}
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
    show.event(|event| *event == PeerEvent::KeyFrameRequested { track: video }).await;
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
    timeout(DEADLINE, playing).await.expect("the sinks find the peer closed").unwrap();
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
async fn a_track_is_replaced_muted_and_read_for_statistics_while_it_plays() {
    let mut show = open();
    let (sink, sender) = show.added(VP8);
    let mut viewer = Viewer::new().await;
    viewer.watch(&show.peer).await;
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    viewer.connected().await;
    let send = |sink: &TrackSink, millis: u64, role| sink.send(&frame(VP8, Timestamp::from_millis(millis), role));
    let mut got = Vec::new();
    let origin = 10_000;
    for number in 0..10 {
        send(&sink, origin + 40 * number, Role::Start).unwrap();
        viewer.packets(3, &mut got).await;
    }
    sender.mute(true);
    for number in 10..20 {
        send(&sink, origin + 40 * number, Role::Start).unwrap();
    }
    assert_eq!((sender.statistics().frames, sender.queued()), (10, 0));
    sender.mute(false);
    send(&sink, origin + 800, Role::Reference).unwrap();
    send(&sink, origin + 840, Role::Start).unwrap();
    viewer.packets(3, &mut got).await;
    let other = sender.replace().unwrap();
    let refused = send(&sink, origin + 880, Role::Start).unwrap_err().to_string();
    assert!(refused.contains("was replaced"), "{refused}");
    send(&other, origin + 880, Role::Reference).unwrap();
    for number in 23..33 {
        send(&other, origin + 40 * number, Role::Start).unwrap();
        viewer.packets(3, &mut got).await;
    }
    // 10 frames, 1 after the mute, 10 of the other sink: as one stream, of three packets each.
    let numbers: Vec<_> = got.iter().map(|packet| packet.sequence_number).collect();
    assert_eq!(numbers, (1..=63).collect::<Vec<_>>());
    let ticks: Vec<_> = got.chunks(3).map(|frame| u64::from(frame[0].timestamp) / 90 - origin).collect();
    let expected: Vec<_> = (0..10).chain([21]).chain(23..33).map(|number| 40 * number).collect();
    assert_eq!(ticks, expected);
    let statistics = sender.statistics();
    assert_eq!((statistics.frames, statistics.packets, statistics.dropped), (21, 63, 2), "two references were dropped");
    assert!(show.peer.statistics().await.unwrap().transport.bytes_sent > 63 * 100);
    show.peer.close().await.unwrap();
    show.freed().await;
    viewer.connection.close().await.unwrap();
}

#[tokio::test]
async fn no_two_peers_have_one_name() {
    let mut names = HashSet::new();
    for _ in 0..3 {
        let show = open();
        let _tracks = [show.track(VP8), show.track(OPUS)];
        let offer = show.peer.create_offer().await.unwrap().sdp;
        let of_this: HashSet<_> =
            offer.lines().filter_map(|line| Some(line.split_once(" cname:")?.1.to_owned())).collect();
        assert_eq!(of_this.len(), 1, "{offer}");
        names.extend(of_this);
        show.peer.close().await.unwrap();
    }
    assert_eq!(names.len(), 3, "{names:?}");
}
