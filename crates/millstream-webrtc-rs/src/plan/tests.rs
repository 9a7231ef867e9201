//! What is agreed on the offers of real players, and what is wrong with them, to the letter.

use millstream_core::{Codec, OPUS, VP8};
use millstream_webrtc::sdp::Session;

use super::{Plan, Wanted};

const PASSWORD: &str = "0123456789012345678901";
const AB: &str = "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB";

/// Sound and pictures as a browser wants them.
fn offer() -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP6 ::1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n{TRANSPORT}\
         a=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 98 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\n{TRANSPORT}\
         a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:98 VP9/90000\r\na=rtpmap:97 rtx/90000\r\n\
         a=fmtp:97 apt=96\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
         a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n",
        TRANSPORT = transport()
    )
}

fn transport() -> String {
    format!("a=ice-ufrag:abcd\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {AB}\r\na=setup:actpass\r\n")
}

/// What a session that opens with the offer `text` agrees on, for new tracks of `codecs`.
fn of(text: &str, codecs: &[Codec]) -> millstream_core::Result<Plan> {
    Plan::of(text, &wanted(codecs), true)
}

fn wanted(codecs: &[Codec]) -> Vec<Wanted> {
    codecs.iter().map(|codec| Wanted { codec: codec.clone(), mid: None }).collect()
}

fn plan(text: &str) -> Plan {
    of(text, &[VP8, OPUS]).unwrap()
}

fn refusal(text: &str) -> String {
    of(text, &[VP8, OPUS]).unwrap_err().to_string()
}

/// Codecs and payload types that are sent.
fn sent(plan: &Plan) -> Vec<(&'static str, u8)> {
    plan.sent().map(|(track, negotiated)| (["vp8", "opus"][track], negotiated.payload_type)).collect()
}

fn unsent(plan: &Plan) -> Vec<String> {
    plan.unsent().collect()
}

const BOTH: [(&str, u8); 2] = [("opus", 111), ("vp8", 96)];

#[test]
fn the_crate_gets_what_is_used_and_nothing_else() {
    let text = offer().replace(
        "a=mid:0\r\n",
        "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=ssrc:7 cname:x\r\na=rid:h recv\r\n",
    );
    let described = |media: &str| {
        format!("{media}a=ice-ufrag:abcd\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {AB}\r\na=setup:active\r\n")
    };
    let sound = described(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time\r\n",
    );
    let picture = described(
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
         a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n",
    );
    let session = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=ice-options:trickle\r\n";
    let expected = format!("{session}{sound}a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n{picture}");
    assert_eq!(plan(&text).for_crate().unwrap(), expected);
    // Bare line feeds are as good.
    assert_eq!(plan(&text.replace('\r', "")).for_crate().unwrap(), expected);
}

#[test]
fn the_answer_is_in_the_form_of_the_offer() {
    let text = offer().replace("opus", "L16").replace("UDP/TLS/RTP/SAVPF 98", "RTP/SAVPF 98");
    let plan = plan(&text);
    assert_eq!(sent(&plan), [("vp8", 96)]);
    assert_eq!(unsent(&plan), ["section 1 (audio) has no opus; it has L16/48000/2, PCMU/8000"]);
    let made = "v=0\r\no=- 5 6 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 1\r\na=fingerprint:sha-256 CD\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=setup:passive\r\na=mid:1\r\na=ice-ufrag:us\r\na=ice-pwd:secret\r\n\
        a=rtcp-mux\r\na=rtcp-rsize\r\na=sendonly\r\na=candidate:1 1 udp 2 ::1 9 typ host\r\na=candidate:1 2 udp 2 ::1 9 typ host\r\na=end-of-candidates\r\n";
    assert_eq!(
        plan.answer(made).unwrap(),
        "v=0\r\no=- 5 6 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 CD\r\na=group:BUNDLE 1\r\n\
         m=audio 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:0\r\n\
         a=ice-ufrag:us\r\na=ice-pwd:secret\r\na=rtcp-mux\r\na=setup:passive\r\n\
         m=video 9 RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=setup:passive\r\na=mid:1\r\na=ice-ufrag:us\r\n\
         a=ice-pwd:secret\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=sendonly\r\n\
         a=candidate:1 1 udp 2 ::1 9 typ host\r\na=end-of-candidates\r\n"
    );
    let error = plan.answer(&made.replace("m=video 9", "m=video 0")).unwrap_err().to_string();
    assert!(error.contains("turns down"), "{error}");
}

/// `offer()` of a player that bundles all it has: all but the first section lean on it (RFC 9429, section 4.1.1).
fn max_bundle() -> String {
    offer().replace("m=video 9", "m=video 0").replace("a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n")
}

/// An answer of the crate to an offer of pictures alone.
const MADE: &str = "v=0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 1\r\na=fingerprint:sha-256 CD\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=setup:passive\r\na=mid:1\r\na=ice-ufrag:us\r\na=ice-pwd:secret\r\n\
    a=rtcp-mux\r\na=sendonly\r\na=ssrc:7 msid:show video\r\na=candidate:1 1 udp 2 ::1 9 typ host\r\n";

#[test]
fn a_section_of_a_kind_that_is_not_sent_is_agreed_as_inactive() {
    let text = max_bundle().replace(
        "a=mid:0\r\n",
        "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=rtcp-fb:111 transport-cc\r\na=ssrc:9 cname:x\r\n",
    );
    let text = text.replace("SAVPF 111 0", "SAVPF 63 111 0 13 110 70");
    let text = text.replace(
        "a=rtpmap:111",
        "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
         a=rtpmap:70 L16/8000\r\na=rtpmap:111",
    );
    let plan = of(&text, &[VP8]).unwrap();
    assert_eq!(plan.sent().map(|(_, negotiated)| negotiated.payload_type).collect::<Vec<_>>(), [96]);
    assert_eq!(unsent(&plan), ["section 1 (audio) is of a kind that is not sent here"]);
    assert!(
        !plan.for_crate().unwrap().contains("audio") && plan.for_crate().unwrap().contains("a=group:BUNDLE 1\r\n"),
        "{}",
        plan.for_crate().unwrap()
    );
    // The first section is the one whose transport is used, though nothing is sent in it.
    assert_eq!((plan.tagged(), plan.bundle.join(" ")), ((Some("0"), 0), "0 1".to_owned()));
    assert_eq!(plan.transport.as_ref().unwrap().candidates, ["candidate:1 1 udp 1 192.0.2.1 5 typ host"]);
    assert!(plan.concerns(Some("0"), None) && plan.concerns(None, Some(0)));
    assert_eq!(
        plan.answer(MADE).unwrap(),
        "v=0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 CD\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n\
         a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=mid:0\r\n\
         a=ice-ufrag:us\r\na=ice-pwd:secret\r\na=rtcp-mux\r\na=setup:passive\r\n\
         a=candidate:1 1 udp 2 ::1 9 typ host\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=setup:passive\r\na=mid:1\r\na=ice-ufrag:us\r\na=ice-pwd:secret\r\n\
         a=rtcp-mux\r\na=sendonly\r\na=ssrc:7 msid:show video\r\n"
    );
    // As the second section it leans on the first.
    let plan = of(&max_bundle(), &[OPUS]).unwrap();
    assert_eq!((plan.tagged(), plan.bundle.join(" ")), ((Some("0"), 0), "0 1".to_owned()));
    let made = MADE.replace("m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=audio 9 UDP/TLS/RTP/SAVPF 111");
    let made = made.replace("a=mid:1", "a=mid:0").replace("video\r\n", "audio\r\n");
    let answer = plan.answer(&made).unwrap();
    let second = "m=video 9 UDP/TLS/RTP/SAVPF 98 96\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=rtpmap:98 VP9/90000\r\n\
        a=rtpmap:96 VP8/90000\r\na=mid:1\r\na=ice-ufrag:us\r\na=ice-pwd:secret\r\na=rtcp-mux\r\na=setup:passive\r\n";
    assert!(answer.ends_with(second) && answer.matches("a=candidate").count() == 1, "{answer}");
    // Its transport is passed over if it is of no use.
    let lame = of(&offer().replacen("a=ice-ufrag:abcd\r\n", "", 1), &[VP8]).unwrap();
    assert_eq!((lame.tagged(), lame.bundle.join(" ")), ((Some("1"), 1), "1 0".to_owned()));
    // A player that offers the same again gets the same.
    let again = of(&max_bundle().replace("abcd", "efgh"), &[OPUS]).unwrap().after(Some(&plan)).unwrap();
    assert_eq!((again.tagged(), again.ufrag().unwrap(), again.answer(&made).unwrap()), (plan.tagged(), "efgh", answer));
}

#[test]
fn what_could_not_be_used_anyway_is_not_agreed_as_inactive() {
    for (from, to) in [
        ("BUNDLE 0 1", "BUNDLE 1"),
        ("a=group:BUNDLE 0 1\r\n", ""),
        ("a=mid:0\r\na=recvonly", "a=mid:0\r\na=inactive"),
        ("a=mid:0\r\na=recvonly", "a=mid:0\r\na=sendonly"),
        ("m=audio 9", "m=audio 0"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/XYZ"),
        ("m=audio 9", "m=hologram 9"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"),
        // A codec has to be there, and its type must not be that of the pictures.
        ("SAVPF 111 0\r\n", "SAVPF 13\r\na=rtpmap:13 CN/8000\r\n"),
        ("SAVPF 111 0\r\n", "SAVPF 96\r\na=rtpmap:96 opus/48000/2\r\n"),
        ("SAVPF 111 0\r\n", "SAVPF 97\r\na=rtpmap:97 opus/48000/2\r\n"),
        ("SAVPF 111 0\r\n", "SAVPF 120\r\n"),
    ] {
        let text = offer().replacen(from, to, 1);
        assert_ne!(text, offer());
        let plan = of(&text, &[VP8]).unwrap();
        let answer = plan.answer(MADE).unwrap();
        let first = &Session::read(&answer).unwrap().sections[0];
        assert_eq!((first.port, plan.tagged()), ("0", (Some("1"), 1)), "{text}");
        assert!(!plan.bundle.contains(&"0".to_owned()) && !answer.contains("rtpmap"), "{answer}");
    }
    // There are tracks of its kind, and of no codec that it has.
    let plan = plan(&offer().replace("opus", "L16"));
    assert_eq!((plan.sections[0].idle.is_none(), plan.bundle.join(" ")), (true, "1".to_owned()));
    // Agreed or not, something has to be sent.
    let refused = |text: &str| of(text, &[VP8]).unwrap_err().to_string();
    assert!(refused(&offer().replace("VP8", "H264")).ends_with(
        "section 1 (audio) is of a kind that is not sent here; section 2 (video) has no VP8; it has VP9/90000, H264/90000, rtx/90000"
    ));
    let portless =
        max_bundle().replace("m=audio 9", "m=audio 0").replace("a=mid:0\r\n", "a=mid:0\r\na=bundle-only\r\n");
    let words = "section 1 (audio) is of a kind that is not sent here; every section that could be used is `bundle-only`, and none has a port";
    assert!(refused(&portless).ends_with(words), "{}", refused(&portless));
}

#[test]
fn one_type_means_one_thing_in_what_is_agreed_as_inactive() {
    let (head, picture) = offer().split_once("m=video").map(|(head, tail)| (head.to_owned(), tail.to_owned())).unwrap();
    let sound = head.split_once("m=audio").unwrap().1.to_owned();
    let sound = sound.replace("a=mid:0", "a=mid:2").replace("useinbandfec=1", "useinbandfec=0");
    let text = format!("{head}m=video{picture}m=audio{sound}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    let answer = of(&text, &[VP8]).unwrap().answer(MADE).unwrap();
    let formats = |answer: &str| {
        let session = Session::read(answer).unwrap();
        session.sections.iter().map(|section| format!("{} {}", section.port, section.formats)).collect::<Vec<_>>()
    };
    assert_eq!(formats(&answer), ["9 111 0", "9 96 97", "9 0"], "{answer}");
    let same = of(&text.replace("useinbandfec=0", "useinbandfec=1"), &[VP8]).unwrap().answer(MADE).unwrap();
    assert_eq!(formats(&same), ["9 111 0", "9 96 97", "9 111 0"], "{same}");
}

#[test]
fn no_direction_and_both_directions_mean_receiving() {
    for direction in ["a=sendrecv\r\n", ""] {
        let text = offer().replace("a=recvonly\r\n", direction);
        assert_eq!(sent(&plan(&text)), BOTH, "{direction:?}");
        assert!(!plan(&text).for_crate().unwrap().contains("sendrecv"));
    }
    let inactive = offer().replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n");
    assert_eq!(sent(&plan(&inactive)), BOTH, "each section says what it wants");
    let inactive = inactive.replacen("a=recvonly\r\n", "", 1);
    assert_eq!(sent(&plan(&inactive)), [("vp8", 96)]);
}

#[test]
fn without_a_bundle_the_first_section_is_sent() {
    let alone = offer().replace("a=group:BUNDLE 0 1\r\n", "");
    let plan_of = plan(&alone);
    assert_eq!(sent(&plan_of), [("opus", 111)]);
    let second = "section 2 (video) is in no BUNDLE group with the first that can be used, and there is one transport";
    assert_eq!(unsent(&plan_of), [second]);
    assert!(plan_of.bundle.is_empty(), "no group is answered where none was offered");
    // The first that can be used; without a name it goes by its place.
    let nameless = alone.replace("opus", "L16").replace("a=mid:0\r\n", "").replace("a=mid:1\r\n", "");
    assert_eq!((sent(&plan(&nameless)), plan(&nameless).tagged()), (vec![("vp8", 96)], (None, 1)));
    assert!(plan(&nameless).for_crate().unwrap().contains("a=group:BUNDLE 0\r\n"));
    // Two sections that are bundled, and one that is not.
    let outside = offer().replace("BUNDLE 0 1", "BUNDLE 1 2");
    assert_eq!(sent(&plan(&outside)), [("opus", 111)]);
    let mux = alone.replace("a=rtcp-mux\r\n", "");
    assert!(refusal(&mux).contains("section 1 (audio) wants RTCP on a port of its own; add `a=rtcp-mux`"));
    assert_eq!(sent(&plan(&offer().replace("a=rtcp-mux\r\n", ""))), BOTH, "a bundle is multiplexed anyway");
}

#[test]
fn the_transport_is_that_of_the_first_of_the_bundle_that_is_sent() {
    let own = offer()
        .replacen("abcd", "efgh", 1)
        .replace("a=mid:0\r\n", "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n");
    let own = own.replace("a=mid:1\r\n", "a=mid:1\r\na=candidate:2 1 udp 1 192.0.2.1 6 typ host\r\n");
    let first = plan(&own);
    assert_eq!(
        (first.ufrag().unwrap(), first.bundle.join(" "), first.tagged()),
        ("efgh", "0 1".to_owned(), (Some("0"), 0))
    );
    assert_eq!(first.transport.as_ref().unwrap().candidates, ["candidate:1 1 udp 1 192.0.2.1 5 typ host"]);
    assert!(first.concerns(Some("0"), None) && !first.concerns(Some("1"), Some(0)) && first.concerns(None, None));
    let second = plan(&own.replace("BUNDLE 0 1", "BUNDLE 1 0"));
    assert_eq!(
        (second.ufrag().unwrap(), second.bundle.join(" "), second.tagged()),
        ("abcd", "1 0".to_owned(), (Some("1"), 1))
    );
    let second = plan(&own.replace("opus", "L16"));
    assert_eq!(
        (second.ufrag().unwrap(), second.bundle.join(" "), second.tagged()),
        ("abcd", "1".to_owned(), (Some("1"), 1))
    );
    // A port of 0 asks to be in the bundle, and is no transport to go by.
    let only = own.replace("m=audio 9", "m=audio 0").replace("a=mid:0\r\n", "a=bundle-only\r\na=mid:0\r\n");
    assert_eq!((sent(&plan(&only)), plan(&only).ufrag().unwrap()), (BOTH.to_vec(), "abcd"));
    let only = only.replace("m=video 9", "m=video 0").replace("a=mid:1\r\n", "a=bundle-only\r\na=mid:1\r\n");
    assert!(refusal(&only).contains("`bundle-only`"), "{}", refusal(&only));
}

#[test]
fn the_side_that_begins_the_handshake_is_answered_right() {
    for (setup, answer) in [("actpass", "passive"), ("active", "passive"), ("passive", "active")] {
        let media = offer().replace("actpass", setup);
        assert_eq!(plan(&media).setup(), answer);
        let session = media.replace(&format!("a=setup:{setup}\r\n"), "");
        assert_eq!(plan(&session).setup(), "passive", "without a word it begins (RFC 4145, section 4)");
        let session = session.replace("t=0 0\r\n", &format!("t=0 0\r\na=setup:{setup}\r\n"));
        assert_eq!(plan(&session).setup(), answer);
        let described = if setup == "passive" { "a=setup:passive" } else { "a=setup:active" };
        assert_eq!(plan(&session).for_crate().unwrap().matches(described).count(), 2);
    }
    assert!(refusal(&offer().replace("actpass", "holdconn")).contains("wants no connection yet"));
    assert!(refusal(&offer().replace("actpass", "both")).contains("active, passive or actpass"));
}

#[test]
fn a_certificate_is_known_by_sha_256_however_it_is_written() {
    let fingerprint = format!("a=fingerprint:sha-256 {AB}\r\n");
    let with = |lines: &str| offer().replace(&fingerprint, lines);
    let of = |hash: &str| format!("a=fingerprint:{hash} {AB}\r\n");
    let other = of("sha-256").replacen("AB", "CD", 1);
    let expected = format!("sha-256 {AB}");
    for good in [
        of("SHA-256"),
        of("sha-256").to_lowercase(),
        of("sha-512") + &of("sha-256") + &of("sha-1"),
        of("sha-256") + &of("Sha-256"),
    ] {
        assert_eq!(plan(&with(&good)).transport.as_ref().unwrap().fingerprint, expected, "{good}");
    }
    let session = with("").replace("t=0 0\r\n", &format!("t=0 0\r\n{fingerprint}"));
    assert_eq!(plan(&session).transport.as_ref().unwrap().fingerprint, expected);
    let own = with(&other).replace("t=0 0\r\n", &format!("t=0 0\r\n{fingerprint}"));
    assert_eq!(
        plan(&own).transport.as_ref().unwrap().fingerprint,
        expected.replacen("AB", "CD", 1),
        "the section's own"
    );
    for (bad, words) in [
        (of("sha-384") + &of("sha-512"), "by sha-384, sha-512 alone; add a=fingerprint:sha-256"),
        (String::new(), "no a=fingerprint:sha-256"),
        (of("sha-256").replace(":AB\r\n", "\r\n"), "no a=fingerprint:sha-256 of 32 bytes"),
        (of("sha-256") + &other, "several certificates"),
    ] {
        assert!(refusal(&with(&bad)).contains(words), "{}", refusal(&with(&bad)));
    }
}

#[test]
fn a_candidate_that_cannot_be_used_is_passed_over_alone() {
    let bad = [
        "1 1 udp 1 media.example 5 typ host",
        "1 1 udp 1 0f00.local 5 typ host",
        "1 1 udp 1 fe80::1%eth0 5 typ host",
        "1 1 ssltcp 1 192.0.2.1 5 typ host",
        "1 1 quic 1 192.0.2.1 5 typ host",
        "1 1 udp 1 192.0.2.1 5 typ future",
        "1 1 udp 1 192.0.2.1 99999 typ host",
        "1 1 udp 4294967296 192.0.2.1 5 typ host",
        "1 2 udp 1 192.0.2.1 5 typ host",
        "1 1 udp 1 0.0.0.0 5 typ host",
        "1 1 udp 1 224.0.0.1 5 typ host",
        "1 1 udp",
        "",
    ];
    let good = ["2 1 UDP 1 192.0.2.1 5 typ host generation 0", "3 1 tcp 1 2001:db8::1 9 typ host tcptype active"];
    let lines: String = bad.iter().chain(&good).map(|value| format!("a=candidate:{value}\r\n")).collect();
    let plan_of = plan(&offer().replace("a=mid:0\r\n", &format!("a=mid:0\r\n{lines}")));
    assert_eq!(sent(&plan_of), BOTH);
    assert_eq!(plan_of.transport.as_ref().unwrap().candidates, good.map(|value| format!("candidate:{value}")));
    let many: String = (0..200).map(|n| format!("a=candidate:{n} 1 udp 1 192.0.2.1 {} typ host\r\n", n + 1)).collect();
    let plan_of = plan(&offer().replace("a=mid:0\r\n", &format!("a=mid:0\r\n{many}")));
    assert_eq!(plan_of.transport.as_ref().unwrap().candidates.len(), 64);
}

#[test]
fn a_section_that_cannot_be_used_affects_no_other() {
    for (from, to, reason) in [
        ("111 opus/48000/2", "111 L16/8000", "has no opus; it has L16/8000, PCMU/8000"),
        (
            "a=mid:0\r\na=recvonly",
            "a=mid:0\r\na=inactive",
            "does not want to receive; make it `recvonly` or `sendrecv`",
        ),
        (
            "a=mid:0\r\na=recvonly",
            "a=mid:0\r\na=sendonly",
            "does not want to receive; make it `recvonly` or `sendrecv`",
        ),
        ("m=audio 9", "m=audio 0", "is turned down already, with port 0"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/XYZ", "wants RTP/XYZ; UDP/TLS/RTP/SAVPF is sent here"),
        (
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "is of a kind that is not sent here",
        ),
        ("m=audio 9", "m=hologram 9", "is of a kind that is not sent here"),
        (
            "UDP/TLS/RTP/SAVPF 111 0",
            "UDP/TLS/RTP/SAVPF 72\r\na=rtpmap:72 opus/48000/2",
            "has opus only under payload types from 64 to 95, which look like RTCP (RFC 5761, section 4); use another",
        ),
    ] {
        let text = offer().replacen(from, to, 1);
        assert_ne!(text, offer());
        let plan = plan(&text);
        assert_eq!(sent(&plan), [("vp8", 96)], "{text}");
        let reasons = unsent(&plan);
        assert!(reasons.len() == 1 && reasons[0].ends_with(reason), "{reasons:?}");
    }
    let text = offer().replace("opus", "L16").replace("VP8", "H264");
    let both = "section 1 (audio) has no opus; it has L16/48000/2, PCMU/8000; section 2 (video) has no VP8; it has VP9/90000, H264/90000, rtx/90000";
    assert!(refusal(&text).ends_with(both), "{}", refusal(&text));
    assert!(refusal("v=0\r\ns=-\r\n").ends_with("it has no media section"));
}

#[test]
fn there_is_one_section_for_a_track() {
    let (head, picture) =
        offer().split_once("m=video").map(|(head, tail)| (head.to_owned(), format!("m=video{tail}"))).unwrap();
    let second = picture.replace("a=mid:1", "a=mid:2").replace("96", "102").replace("97", "103");
    let twice = format!("{head}{picture}{second}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    assert_eq!(
        (sent(&plan(&twice)), unsent(&plan(&twice))),
        (BOTH.to_vec(), vec!["section 3 (video) is one more of its kind than there are tracks".to_owned()])
    );
    // The one that has the codec, wherever it stands.
    let other = twice.replacen("VP8", "H264", 1);
    assert_eq!(sent(&plan(&other)), [("opus", 111), ("vp8", 102)]);
    let same = twice.replace("a=mid:2", "a=mid:1");
    assert_eq!(unsent(&plan(&same)), ["section 3 (video) has the mid of another section"]);
    assert_eq!(plan(&same).sections[2].mid, None, "a name is answered once");
}

#[test]
fn a_payload_type_means_one_thing_in_a_bundle() {
    // Pictures under the type of sound, and once more under another.
    let text = offer().replace("m=video 9 UDP/TLS/RTP/SAVPF 98 96 97", "m=video 9 UDP/TLS/RTP/SAVPF 111 96 97");
    let again = text.replace("a=rtpmap:98 VP9", "a=rtpmap:111 VP8");
    assert_eq!(sent(&plan(&again)), BOTH);
    let only = again.replace(" 111 96 97", " 111");
    assert_eq!(sent(&plan(&only)), [("opus", 111)]);
    assert_eq!(
        unsent(&plan(&only)),
        ["section 2 (video) uses payload types that mean something else in another section of its bundle"]
    );
    // Retransmission alone can be done without.
    let rtx = offer().replace("96 97", "96 111").replace("97 ", "111 ");
    assert!(
        plan(&rtx).for_crate().unwrap().contains("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"),
        "{}",
        plan(&rtx).for_crate().unwrap()
    );
    // So can extensions.
    let both = plan(&offer()).sent().map(|(_, to)| (to.capture_time, to.playout_delay)).collect::<Vec<_>>();
    assert_eq!(both, [(Some(3), None), (None, Some(5))]);
    for (from, to) in [
        ("extmap:5", "extmap:3"),
        ("extmap:5", "extmap:15"),
        ("extmap:5", "extmap:300"),
        ("extmap:5", "extmap:5/sendonly"),
    ] {
        let text = offer().replace(from, to);
        assert_eq!(plan(&text).sent().nth(1).unwrap().1.playout_delay, None, "{to}");
    }
}

#[test]
fn without_ice_nothing_is_sent() {
    let text = offer();
    for (from, to, words) in [
        ("a=ice-ufrag:abcd\r\n", "", "no a=ice-ufrag"),
        ("a=ice-pwd", "a=x", "no a=ice-pwd"),
        ("abcd", "abc", "4 to 256"),
        ("abcd", "ab\u{e9}d", "4 to 256"),
        (PASSWORD, "short", "22 to 256"),
    ] {
        assert!(refusal(&text.replace(from, to)).contains(words), "{}", refusal(&text.replace(from, to)));
    }
    let lines = format!("a=ice-ufrag:abcd\r\na=ice-pwd:{PASSWORD}\r\n");
    let session = text.replace(&lines, "").replace("t=0 0\r\n", &format!("t=0 0\r\na=ice-lite\r\n{lines}"));
    assert_eq!(plan(&session).for_crate().unwrap().matches(&lines).count(), 2);
    assert!(plan(&session).for_crate().unwrap().contains("a=ice-lite\r\n"));
}

#[test]
fn what_was_agreed_of_the_handshake_stays() {
    let first = plan(&offer().replace("actpass", "passive"));
    let again = |text: String| plan(&text).after(Some(&first));
    assert_eq!(again(offer()).unwrap().setup(), "active", "who may choose keeps what was chosen");
    assert_eq!(again(offer().replace("abcd", "efgh")).unwrap().ufrag().unwrap(), "efgh");
    let error = again(offer().replace("actpass", "active")).unwrap_err().to_string();
    assert!(error.contains("another DTLS association"), "{error}");
    let error = again(offer().replace("sha-256 AB", "sha-256 CD")).unwrap_err().to_string();
    assert!(error.contains("another DTLS association"), "{error}");
}

#[test]
fn any_offer_makes_a_consistent_plan() {
    let offer = offer();
    let (mut agreed, mut idle) = (0, 0);
    for seed in 1..=4000_u64 {
        let text = mutated(offer.as_bytes(), seed);
        // Every other time to a page that has pictures alone.
        let codecs: &[Codec] = if seed % 2 == 0 { &[VP8] } else { &[VP8, OPUS] };
        let Ok(plan) = of(&String::from_utf8_lossy(&text), codecs) else { continue };
        agreed += 1;
        let described = Session::read(plan.for_crate().unwrap()).expect("it reads what it writes");
        let types: Vec<_> = plan.sent().map(|(_, negotiated)| negotiated.payload_type).collect();
        assert!(!types.is_empty() && described.sections.len() == plan.placed().count());
        let mut formats: Vec<_> = described.sections.iter().flat_map(|section| section.formats.split(' ')).collect();
        let count = formats.len();
        formats.sort_unstable();
        formats.dedup();
        assert_eq!(formats.len(), count, "a type means one thing: {}", plan.for_crate().unwrap());
        let tagged = &plan.sections[plan.tagged];
        assert!(tagged.fate.is_ok() || tagged.idle.is_some());
        idle += usize::from(plan.sections.iter().any(|section| section.idle.is_some()));
        let answer = plan.answer(plan.for_crate().unwrap()).expect("what was described can be answered");
        assert_eq!(Session::read(&answer).unwrap().sections.len(), plan.sections.len(), "section for section");
    }
    assert!(agreed > 400 && idle > 200, "{agreed} of them are still offers, {idle} with a section that is idle");
}

/// `text` with a few lines or bytes changed, by xorshift64* (Vigna 2016): the same each time.
fn mutated(text: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut below = move |limit: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
    };
    let mut lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..=below(4) {
        let (at, other) = (below(lines.len()), below(lines.len()));
        match below(5) {
            0 => lines.swap(at, other),
            1 => drop(lines.remove(at)),
            2 => lines.insert(at, lines[other].clone()),
            3 => lines[at].truncate(other),
            _ => {
                let byte = below(lines[at].len());
                if let Some(byte) = lines[at].get_mut(byte) {
                    *byte = b"0 :/=am\n\0\xff"[below(10)];
                }
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.concat()
}

#[test]
fn all_streams_have_one_cname() {
    let sdp = "m=video 9 X 0\r\na=ssrc:1 cname:show\r\na=ssrc:1 msid:show cname:x\r\na=ssrc:2 cname:other\r\n";
    let expected = "m=video 9 X 0\r\na=ssrc:1 cname:us\r\na=ssrc:1 msid:show cname:x\r\na=ssrc:2 cname:us\r\n";
    assert_eq!(super::named(sdp, "us"), expected);
}

/// Tracks of VP8 and Opus that were offered as `1` and `0`.
fn offered() -> Vec<Wanted> {
    let of = |codec: Codec, mid: &str| Wanted { codec, mid: Some(mid.to_owned()) };
    vec![of(VP8, "1"), of(OPUS, "0")]
}

#[test]
fn a_section_that_is_held_stays_negotiated_and_nothing_is_sent_in_it() {
    for direction in ["inactive", "sendonly"] {
        let text = offer().replacen("a=recvonly", &format!("a={direction}"), 1);
        let plan = plan(&text);
        assert_eq!(sent(&plan), [("vp8", 96)]);
        assert_eq!(plan.placed().collect::<Vec<_>>(), [(1, Some("0")), (0, Some("1"))]);
        assert_eq!(unsent(&plan), ["section 1 (audio) does not want to receive; make it `recvonly` or `sendrecv`"]);
        assert!(plan.for_crate().unwrap().contains("m=audio"), "so that it may go on");
        let made = MADE.replace(
            "m=video",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\na=ssrc:8 cname:x\r\na=msid:show audio\r\nm=video",
        );
        let answer = plan.answer(&made).unwrap();
        let session = Session::read(&answer).unwrap();
        let held = &session.sections[0];
        assert!(held.lines.has("inactive") && !held.lines.has("ssrc") && !held.lines.has("msid"), "{answer}");
        assert!(held.has_port() && session.sections[1].lines.has("sendonly"), "{answer}");
    }
    // A section that receives comes before one that does not: there is one track for both.
    let (head, picture) = offer().split_once("m=video").map(|(head, tail)| (head.to_owned(), tail.to_owned())).unwrap();
    let second = picture.replace("a=mid:1", "a=mid:2").replace("96", "102").replace("97", "103");
    let first = picture.replace("recvonly", "sendonly");
    let text = format!("{head}m=video{first}m=video{second}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    assert_eq!(sent(&plan(&text)), [("opus", 111), ("vp8", 102)]);
}

#[test]
fn an_answer_may_hold_or_turn_down_any_section_or_all() {
    let answer = |text: &str| Plan::of(text, &offered(), false).unwrap();
    let all_held = answer(&offer().replace("a=recvonly", "a=inactive"));
    assert_eq!((all_held.sent().count(), all_held.placed().count()), (0, 2));
    assert!(all_held.for_crate().is_some());
    let one = answer(&offer().replace("m=audio 9", "m=audio 0"));
    assert_eq!((sent(&one), one.placed().collect::<Vec<_>>()), (vec![("vp8", 96)], vec![(0, Some("1"))]));
    let none = answer(&offer().replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0"));
    assert_eq!((none.sent().count(), none.placed().count(), none.for_crate()), (0, 0, None));
    assert!(none.lacking().is_empty(), "turned down is not the same as lacking a codec");
    assert!(refusal(&offer().replace("a=recvonly", "a=inactive")).contains("does not want to receive"));
}

#[test]
fn a_section_belongs_to_the_track_it_was_offered_for() {
    let (head, picture) = offer().split_once("m=video").map(|(head, tail)| (head.to_owned(), tail.to_owned())).unwrap();
    let second = picture.replace("a=mid:1", "a=mid:2").replace("96", "102").replace("97", "103");
    let text = format!("{head}m=video{picture}m=video{second}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    let mut tracks = offered();
    tracks.push(Wanted { codec: VP8, mid: Some("2".to_owned()) });
    let turned_down = text.replace("m=video 9 UDP/TLS/RTP/SAVPF 98 96", "m=video 0 UDP/TLS/RTP/SAVPF 98 96");
    let plan = Plan::of(&turned_down, &tracks, false).unwrap();
    let sent: Vec<_> = plan.sent().map(|(track, negotiated)| (track, negotiated.payload_type)).collect();
    assert_eq!(sent, [(1, 111), (2, 102)], "not the first track in the second's section");
}

#[test]
fn a_track_whose_codec_is_lacking_is_named_alone() {
    let plan = plan(&offer().replace("opus", "L16"));
    assert_eq!(sent(&plan), [("vp8", 96)]);
    assert_eq!(plan.lacking(), [(1, "the other side has no opus; it has L16/48000/2, PCMU/8000".to_owned())]);
    // Where there is no section of its kind, it may come later.
    let (sound, _) = offer().split_once("m=video").map(|(head, tail)| (head.to_owned(), tail.to_owned())).unwrap();
    let plan = of(&sound.replace("BUNDLE 0 1", "BUNDLE 0"), &[VP8, OPUS]).unwrap();
    assert_eq!((sent(&plan), plan.lacking().len()), (vec![("opus", 111)], 0));
    // Nor is one lacking that another track has taken.
    let twice = of(&offer(), &[VP8, VP8, OPUS]).unwrap();
    assert_eq!((twice.placed().count(), twice.lacking().len()), (2, 0));
}
