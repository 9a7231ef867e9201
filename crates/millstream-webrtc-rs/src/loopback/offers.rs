//! What is sent on the offers of real players: as many packets as were agreed, and not one else.

use std::collections::BTreeMap;

use millstream_core::{Codec, OPUS, Role, VP8};
use millstream_webrtc::sdp::Session;
use millstream_webrtc::{Description, PeerEvent, PeerState, TrackSink};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use webrtc::peer_connection::RTCSessionDescription;

use super::viewer::{Received, Viewer};
use super::{Show, frame, open, play};

const BOTH: [RtpCodecKind; 2] = [RtpCodecKind::Audio, RtpCodecKind::Video];
/// Frames of each that are sent.
const FRAMES: usize = 40;
const PACKETS_OF_PICTURES: usize = 3 * FRAMES;

/// What came of one offer.
struct Came {
    answer: String,
    /// By payload type, from how many sources and how many packets.
    packets: BTreeMap<u8, (usize, usize)>,
    /// Who was reported on.
    reported: Vec<u32>,
}

/// What a viewer gets that wants `kinds` and offers what `edit` makes of it, from a page of both.
async fn watch(kinds: &[RtpCodecKind], edit: impl Fn(String) -> String) -> Came {
    watch_page(&[VP8, OPUS], kinds, edit).await
}

/// The same from a page of `codecs`.
async fn watch_page(codecs: &[Codec], kinds: &[RtpCodecKind], edit: impl Fn(String) -> String) -> Came {
    let mut show = open();
    let sinks: Vec<_> = codecs.iter().map(|codec| show.track(codec.clone())).collect();
    let mut viewer = Viewer::new().await;
    let offer = edit(viewer.offer(kinds).await);
    let answer = viewer.ask(&show.peer, offer).await.unwrap();
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    viewer.connected().await;
    let taken = taken(&answer);
    let mut came = BTreeMap::<u32, (u8, usize)>::new();
    let mut reported = Vec::new();
    for sent in 1..=FRAMES {
        let now = show.clock.now();
        for sink in &sinks {
            // One whose codec the viewer lacks refuses it, and the others play.
            let is_taken = taken.iter().any(|(media, _)| *media == sink.codec().media.to_string());
            let result = sink.send(&frame(sink.codec(), now, Role::Start));
            assert!(!is_taken || result.is_ok(), "{result:?}");
        }
        let expected = sent * taken.iter().map(|(media, _)| if media == "video" { 3 } else { 1 }).sum::<usize>();
        viewer
            .until(|received| {
                match received {
                    Received::Packet(header) => {
                        let (of, packets) = came.entry(header.ssrc).or_insert((header.payload_type, 0));
                        assert_eq!(*of, header.payload_type, "one type for one source");
                        *packets += 1;
                    }
                    Received::Report(report) => reported.push(report.ssrc),
                    _ => {}
                }
                (came.values().map(|(_, packets)| packets).sum::<usize>() >= expected).then_some(())
            })
            .await;
    }
    let tracks = show.peer.statistics().await.unwrap().tracks;
    for sink in &sinks {
        let media = sink.codec().media.to_string();
        let frames = tracks.iter().find(|track| track.track == sink.id()).unwrap().sender.frames;
        let expected = if taken.iter().any(|(taken, _)| *taken == media) { FRAMES } else { 0 };
        assert_eq!(frames as usize, expected, "{media}");
    }
    let mut packets = BTreeMap::<u8, (usize, usize)>::new();
    for (payload_type, count) in came.values() {
        let entry = packets.entry(*payload_type).or_default();
        (entry.0, entry.1) = (entry.0 + 1, entry.1 + count);
    }
    let known: Vec<_> = came.keys().map(|ssrc| format!("a=ssrc:{ssrc} ")).collect();
    assert!(known.iter().all(|line| answer.contains(line)), "every source is in the answer: {known:?} {answer}");
    close(&show, viewer).await;
    Came { answer, packets, reported }
}

async fn close(show: &Show, viewer: Viewer) {
    show.peer.close().await.unwrap();
    show.freed().await;
    viewer.connection.close().await.unwrap();
}

/// Kind and first payload type of the sections that are sent.
fn taken(answer: &str) -> Vec<(String, u8)> {
    let session = Session::read(answer).unwrap();
    let taken =
        session.sections.iter().filter(|section| !session.is_rejected(section) && !section.lines.has("inactive"));
    taken.map(|section| (section.media.to_owned(), section.encodings().next().unwrap().0)).collect()
}

/// The section lines, and the directions.
fn shape(answer: &str) -> Vec<&str> {
    let is_shape = |line: &&str| {
        ["m=", "a=sendonly", "a=inactive", "a=recvonly", "a=sendrecv", "a=setup", "a=group"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    answer.lines().filter(is_shape).collect()
}

#[tokio::test]
async fn a_viewer_of_pictures_gets_no_sound() {
    let came = watch(&[RtpCodecKind::Video], |offer| offer).await;
    let [(_, video)] = &taken(&came.answer)[..] else { panic!("{}", came.answer) };
    assert_eq!(came.packets, BTreeMap::from([(*video, (1, PACKETS_OF_PICTURES))]));
    assert!(came.reported.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", came.reported);
}

#[tokio::test]
async fn a_viewer_of_sound_gets_no_pictures() {
    let came = watch(&[RtpCodecKind::Audio], |offer| offer).await;
    let [(_, audio)] = &taken(&came.answer)[..] else { panic!("{}", came.answer) };
    assert_eq!(came.packets, BTreeMap::from([(*audio, (1, FRAMES))]));
    assert!(came.reported.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", came.reported);
}

#[tokio::test]
async fn both_ways_and_no_direction_are_answered_sendonly() {
    for direction in ["a=sendrecv", "a=x-none"] {
        let came = watch(&BOTH, |offer| offer.replace("a=recvonly", direction)).await;
        let shape = shape(&came.answer);
        assert_eq!(shape.iter().filter(|line| **line == "a=sendonly").count(), 2, "{direction}: {shape:?}");
        let types = taken(&came.answer);
        let expected = BTreeMap::from([(types[0].1, (1, FRAMES)), (types[1].1, (1, PACKETS_OF_PICTURES))]);
        assert_eq!(came.packets, expected);
    }
}

#[tokio::test]
async fn without_a_bundle_the_first_section_plays() {
    let came = watch(&BOTH, |offer| without(&offer, "a=group:")).await;
    let types = taken(&came.answer);
    assert_eq!((types.len(), &*types[0].0), (1, "audio"), "{}", came.answer);
    assert_eq!(came.packets, BTreeMap::from([(types[0].1, (1, FRAMES))]));
    assert!(
        came.answer.contains("m=video 0 UDP/TLS/RTP/SAVPF ") && !came.answer.contains("a=group:"),
        "{}",
        came.answer
    );
}

#[tokio::test]
async fn of_sound_and_pictures_what_the_page_has_plays() {
    for (codec, count) in [(VP8, PACKETS_OF_PICTURES), (OPUS, FRAMES)] {
        for kinds in [BOTH, [RtpCodecKind::Video, RtpCodecKind::Audio]] {
            for bundle_only in [false, true] {
                let came =
                    watch_page(
                        std::slice::from_ref(&codec),
                        &kinds,
                        |offer| if bundle_only { leaning(&offer) } else { offer },
                    )
                    .await;
                let [(media, of)] = &taken(&came.answer)[..] else { panic!("{}", came.answer) };
                assert_eq!((media, &came.packets), (&codec.media.to_string(), &BTreeMap::from([(*of, (1, count))])));
                let answer = Session::read(&came.answer).unwrap();
                assert_eq!(answer.lines.attribute("group"), Some("BUNDLE 0 1"), "{}", came.answer);
                let rejected = answer.sections.iter().any(|section| answer.is_rejected(section));
                let idle = answer.sections.iter().find(|section| !section.is_for(&codec)).unwrap();
                assert!(!rejected && idle.lines.has("inactive") && !idle.lines.has("ssrc"), "{}", came.answer);
                let of_first: Vec<_> = answer.sections.iter().map(|section| section.lines.has("candidate")).collect();
                assert_eq!(of_first, [true, false], "{}", came.answer);
            }
        }
    }
}

#[tokio::test]
async fn ice_restarts_where_the_first_section_is_idle() {
    let mut show = open();
    let video = show.track(VP8);
    let mut viewer = Viewer::new().await;
    let offer = leaning(&viewer.offer(&BOTH).await);
    viewer.ask(&show.peer, offer).await.unwrap();
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    viewer.connected().await;
    let answer = viewer.restart(&show.peer).await;
    assert!(answer.contains("a=group:BUNDLE 0 1\r\n") && answer.matches("a=inactive").count() == 1, "{answer}");
    // Until the new names are checked, packets are lost: it is played on.
    let playing = play(show.clock.clone(), vec![video]);
    let mut came = 0;
    viewer
        .until(|received| {
            came += usize::from(matches!(received, Received::Packet(_)));
            (came >= PACKETS_OF_PICTURES).then_some(())
        })
        .await;
    close(&show, viewer).await;
    playing.abort();
}

/// `offer` with all sections but the first in their bundle only (RFC 9143, section 6).
fn leaning(offer: &str) -> String {
    let mut sections = offer.split("\r\nm=");
    let mut text = sections.next().unwrap().to_owned() + "\r\nm=" + sections.next().unwrap();
    for section in sections {
        let (line, rest) = section.split_once("\r\n").unwrap();
        text += &format!("\r\nm={}\r\na=bundle-only\r\n{rest}", line.replacen(" 9 ", " 0 ", 1));
    }
    text
}

#[tokio::test]
async fn either_side_may_begin_the_handshake() {
    for (setup, expected) in
        [("active", "a=setup:passive"), ("passive", "a=setup:active"), ("actpass", "a=setup:passive")]
    {
        for of_session in [false, true] {
            let line = format!("a=setup:{setup}");
            let edit = |offer: String| match of_session {
                true => without(&offer, "a=setup:").replace("t=0 0\r\n", &format!("t=0 0\r\n{line}\r\n")),
                false => offer.replace("a=setup:actpass", &line),
            };
            let came = watch(&[RtpCodecKind::Video], edit).await;
            assert_eq!(came.answer.lines().filter(|line| line.starts_with("a=setup:")).collect::<Vec<_>>(), [expected]);
            assert_eq!(came.packets.values().map(|(_, packets)| packets).sum::<usize>(), PACKETS_OF_PICTURES);
        }
    }
}

#[tokio::test]
async fn a_certificate_is_compared_however_its_fingerprint_is_written() {
    let other = "a=fingerprint:sha-512 AA:BB\r\na=fingerprint:";
    for edit in [
        &|offer: String| offer.replace("a=fingerprint:sha-256", "a=fingerprint:SHA-256"),
        &|offer: String| offer.replace("a=fingerprint:", other),
        &|offer: String| {
            let line = offer.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap().to_owned();
            without(&offer, "a=fingerprint:").replace("a=rtcp-mux\r\n", &format!("a=rtcp-mux\r\n{line}\r\n"))
        },
    ] as [&dyn Fn(String) -> String; 3]
    {
        let came = watch(&[RtpCodecKind::Video], edit).await;
        assert_eq!(came.packets.values().map(|(_, packets)| packets).sum::<usize>(), PACKETS_OF_PICTURES);
    }
    let show = open();
    let _video = show.track(VP8);
    let mut viewer = Viewer::new().await;
    let offer = viewer.offer(&[RtpCodecKind::Video]).await.replace("a=fingerprint:sha-256", "a=fingerprint:sha-512");
    let refused = show.peer.set_remote_description(Description::offer(offer)).await.unwrap_err();
    assert!(refused.to_string().contains("known by sha-512 alone"), "{refused}");
    close(&show, viewer).await;
}

#[tokio::test]
async fn what_cannot_be_used_affects_nothing_else() {
    let bad = "a=candidate:9 1 udp 1 media.example 9 typ host\r\na=candidate:9 1 udp 1 fe80::1%eth0 9 typ host\r\n\
               a=candidate:9 1 ssltcp 1 192.0.2.1 9 typ host\r\na=candidate:9 1 x 1 192.0.2.1 9 typ host\r\n";
    let came = watch(&BOTH, |offer| {
        let candidates = offer.replace("a=rtcp-mux\r\n", &format!("a=rtcp-mux\r\n{bad}"));
        candidates.replace("opus/48000", "L16/48000")
    })
    .await;
    let types = taken(&came.answer);
    assert_eq!((types.len(), &*types[0].0), (1, "video"), "{}", came.answer);
    assert_eq!(came.packets, BTreeMap::from([(types[0].1, (1, PACKETS_OF_PICTURES))]));
    assert!(
        came.answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF ") && came.answer.contains("a=group:BUNDLE 1\r\n"),
        "{}",
        came.answer
    );
    let ours: Vec<_> =
        came.answer.split("m=video").nth(1).unwrap().lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert_eq!((ours.len(), came.answer.matches("a=candidate:").count()), (1, 1), "ours stand where it is sent");
}

#[tokio::test]
async fn one_payload_type_is_answered_once() {
    let came = watch(&BOTH, |offer| {
        // Sound under a type that is one of pictures, and under its own.
        let (head, video) =
            offer.split_once("m=video").map(|(head, tail)| (head.to_owned(), format!("m=video{tail}"))).unwrap();
        let vp8 = Session::read(&offer).unwrap().sections[1].payload_types(&VP8)[0];
        let head = head.replace("SAVPF ", &format!("SAVPF {vp8} "));
        format!("{head}a=rtpmap:{vp8} opus/48000/2\r\n{video}")
    })
    .await;
    let answered = Session::read(&came.answer).unwrap();
    let types: Vec<_> = answered
        .sections
        .iter()
        .filter(|section| !answered.is_rejected(section))
        .flat_map(|section| section.formats.split(' '))
        .collect();
    let mut once = types.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((types.len(), once.len()), (types.len(), types.len()), "{types:?}");
    assert_eq!(came.packets.len(), taken(&came.answer).len());
}

/// Sends `FRAMES` frames of each of `sinks`, and says that what comes is all of the payload type `expected`, three
/// packets for each.
async fn only_pictures_come(show: &Show, viewer: &mut Viewer, sinks: [&TrackSink; 2], expected: u8) {
    let mut got = Vec::new();
    for _ in 0..FRAMES {
        let now = show.clock.now();
        for sink in sinks {
            sink.send(&frame(sink.codec(), now, Role::Start)).unwrap();
        }
        viewer.packets(3, &mut got).await;
    }
    let types: Vec<_> = got.iter().map(|header| header.payload_type).collect();
    assert_eq!(types, [expected; PACKETS_OF_PICTURES]);
}

/// A new offer of `viewer`, with its sound as `direction` says; the answer of the peer.
async fn renegotiate(show: &Show, viewer: &mut Viewer, direction: &str) -> String {
    let offer = viewer.connection.create_offer(None).await.unwrap();
    viewer.connection.set_local_description(offer).await.unwrap();
    let offer = viewer.connection.local_description().await.unwrap().sdp;
    let (sound, pictures) = offer.split_once("m=video").unwrap();
    let offer = format!("{}m=video{pictures}", sound.replace("a=recvonly", direction));
    show.peer.set_remote_description(Description::offer(offer)).await.unwrap();
    show.peer.set_local_description(None).await.unwrap();
    let answer = show.peer.local_description().await.unwrap().unwrap().sdp;
    let description = RTCSessionDescription::answer(answer.clone()).unwrap();
    viewer.connection.set_remote_description(description).await.unwrap();
    answer
}

#[tokio::test]
async fn a_section_that_is_held_is_not_sent_until_it_goes_on() {
    let mut show = open();
    let (video, audio) = (show.track(VP8), show.track(OPUS));
    let mut viewer = Viewer::new().await;
    let offer = viewer.offer(&BOTH).await;
    viewer.ask(&show.peer, offer).await.unwrap();
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    viewer.connected().await;
    let answer = renegotiate(&show, &mut viewer, "a=inactive").await;
    let [(_, of_video)] = taken(&answer)[..] else { panic!("{answer}") };
    assert!(!answer.contains("m=audio 0"), "held, and not turned down: {answer}");
    only_pictures_come(&show, &mut viewer, [&audio, &video], of_video).await;
    let answer = renegotiate(&show, &mut viewer, "a=recvonly").await;
    let [(_, of_audio), (_, of_video)] = taken(&answer)[..] else { panic!("{answer}") };
    let mut got = Vec::new();
    for _ in 0..FRAMES {
        let now = show.clock.now();
        audio.send(&frame(OPUS, now, Role::Start)).unwrap();
        video.send(&frame(VP8, now, Role::Start)).unwrap();
        viewer.packets(4, &mut got).await;
    }
    let count = |of| got.iter().filter(|header| header.payload_type == of).count();
    assert_eq!((count(of_audio), count(of_video)), (FRAMES, PACKETS_OF_PICTURES));
    close(&show, viewer).await;
}

#[tokio::test]
async fn a_section_that_an_answer_turns_down_is_not_sent() {
    let mut show = open();
    let (video, (audio, sender)) = (show.track(VP8), show.added(OPUS));
    show.peer.set_local_description(None).await.unwrap();
    let offer = show.peer.gathered().await.unwrap().sdp;
    let mut viewer = Viewer::new().await;
    let answer = viewer.answer(offer).await;
    let answer = answer.replace("m=audio 9", "m=audio 0").replace("BUNDLE 0 1", "BUNDLE 0");
    show.peer.set_remote_description(Description::answer(answer.clone())).await.unwrap();
    show.event(|event| *event == PeerEvent::State(PeerState::Connected)).await;
    viewer.connected().await;
    let [(_, of_video)] = taken(&answer)[..] else { panic!("{answer}") };
    only_pictures_come(&show, &mut viewer, [&audio, &video], of_video).await;
    assert_eq!((sender.statistics().frames, sender.failure()), (0, None));
    close(&show, viewer).await;
}

fn without(sdp: &str, start: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with(start)).collect()
}
