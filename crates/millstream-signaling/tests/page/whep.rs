//! WHEP, status by status.

use std::io::Write;

use millstream_core::Format;
use millstream_core::OPUS;
use millstream_core::options::{Table, Value};
use millstream_webrtc::PeerState;

use crate::client::{Answer, open, page};
use crate::samples::{FRAGMENT, OFFER, mutations};
use millstream_testkit::engine::FakeEngine;
use millstream_webrtc::sdp::Session;

#[test]
fn an_offer_is_answered_with_all_a_player_needs() {
    let page = page(&[]);
    let answer = page.offer(OFFER);
    assert_eq!(answer.status, 201, "{answer:?}");
    let session = Session::read(&answer.body).unwrap();
    assert!(session.sections.iter().all(|section| section.lines.has("sendonly")), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert_eq!(answer.header("accept-patch"), "application/trickle-ice-sdpfrag");
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), ("", "Origin"));
    assert_eq!(answer.header("link"), "");
    let id = answer.header("location").strip_prefix("whep/").expect("a name below the endpoint's");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert!(answer.header("etag").len() == 34 && answer.header("etag").starts_with('"'));
    assert_ne!(page.offer(OFFER).header("location"), answer.header("location"));
    let tracks = page.fake.tracks(0);
    assert!(tracks[0].starts_with("vp8 ") && tracks[1].starts_with("opus ") && tracks.len() == 2, "{tracks:?}");
    assert_eq!(page.fake.options(0).addresses, [std::net::Ipv4Addr::LOCALHOST]);
    page.wait_for_viewers(2);
}

#[test]
fn what_is_no_offer_is_refused_in_words() {
    let page = page(&[]);
    page.ask("POST", "/whep", &[("Content-Type", "text/plain")], OFFER).is_problem(415, "send application/sdp");
    page.ask("POST", "/whep", &[], OFFER).is_problem(415, "says nothing");
    page.offer("").is_problem(400, "empty");
    page.offer("garbage").is_problem(400, "v=0");
    page.offer(&OFFER.replace("a=ice-ufrag:abcd", "a=ice-ufrag:ab")).is_problem(400, "4 to 256");
    let other = OFFER.replace("VP8", "H264").replace("opus", "PCMU");
    page.offer(&other).is_problem(422, "nothing can be sent");
    let parameters = page.ask("POST", "/whep", &[("Content-Type", "Application/SDP; charset=utf-8")], OFFER);
    assert_eq!(parameters.status, 201);
    page.wait_for_viewers(1);
    assert_eq!((page.fake.opened(), page.fake.closed()), (3, 2), "the peer of a refused offer is closed");
}

#[test]
fn candidates_without_end_are_refused() {
    let page = page(&[]);
    let session = page.offer(OFFER).session();
    let many: String =
        (0..64).map(|n| format!("a=candidate:{n} 1 udp 1 127.0.0.1 {} typ host\r\n", 50_000 + n)).collect();
    for _ in 0..4 {
        assert_eq!(page.trickle(&session, &[], &many).status, 204);
    }
    page.trickle(&session, &[], &many).is_problem(400, "more than 256 candidates");
    assert_eq!(page.fake.candidates(0).len(), 256);
}

#[test]
fn one_of_two_media_is_enough() {
    let page = page(&[]);
    assert_eq!(page.offer(&OFFER.replace("VP8", "H264")).status, 201);
    let table = Table::from([("bind".to_owned(), Value::Text("127.0.0.1:0".to_owned()))]);
    let sound = open(&FakeEngine::new(), table, &[("audio", Format::Packets(OPUS))]).unwrap();
    assert_eq!(sound.offer(OFFER).status, 201);
    let tracks = sound.fake.tracks(0);
    assert!(tracks.len() == 1 && tracks[0].starts_with("opus "), "{tracks:?}");
    sound.offer(&OFFER.replace("opus", "PCMU")).is_problem(422, "nothing can be sent");
}

#[test]
fn a_body_that_is_too_long_is_not_kept() {
    let page = page(&[]);
    let head = format!(
        "POST /whep HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/sdp\r\n",
        page.address
    );
    // A client that reads before it writes is answered before a byte of the body was sent.
    let mut stream = page.connect();
    stream.write_all(format!("{head}Content-Length: 10000000000\r\n\r\n").as_bytes()).unwrap();
    let mut first = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 413");
    drop(stream);
    // One that writes all of 10 MB first gets to read the answer too.
    let mut stream = page.connect();
    stream.write_all(format!("{head}Content-Length: 10000000\r\n\r\n").as_bytes()).unwrap();
    stream.write_all(&vec![b'x'; 10_000_000]).unwrap();
    Answer::read(stream).is_problem(413, "64 KiB");
    // So does one that does not say how much will come.
    let mut stream = page.connect();
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    for _ in 0..10 {
        stream.write_all(format!("186a0\r\n{}\r\n", "x".repeat(100_000)).as_bytes()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    Answer::read(stream).is_problem(413, "64 KiB");
    assert_eq!(page.offer(&format!("{OFFER}{}", "a=x\r\n".repeat(10_000))).status, 201, "60 KB is fine");
}

#[test]
fn other_methods_are_told_which_there_are() {
    let page = page(&[]);
    let all = "GET, HEAD, OPTIONS, POST";
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = page.ask(method, "/whep", &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, all), "{method}");
    }
    let options = page.ask("OPTIONS", "/whep", &[], "");
    assert_eq!((options.status, options.header("accept-post")), (200, "application/sdp"));
    assert_eq!(options.header("access-control-allow-methods"), all);
    assert_eq!(options.header("access-control-allow-headers"), "Content-Type, Authorization, If-Match");

    let all = "DELETE, GET, HEAD, OPTIONS, PATCH";
    let session = page.ask("OPTIONS", "/whep/0", &[], "");
    assert_eq!((session.status, session.header("access-control-allow-methods")), (200, all));
    let post = page.ask("POST", "/whep/0", &[], "");
    post.is_problem(405, "DELETE ends it");
    assert_eq!(post.header("allow"), all);
}

#[test]
fn a_player_finds_out_that_whep_is_spoken() {
    let page = page(&[]);
    for method in ["GET", "HEAD"] {
        let answer = page.ask(method, "/whep", &[], "");
        assert_eq!(
            (answer.status, answer.header("content-type"), &*answer.body),
            (200, "application/sdp", ""),
            "{method}"
        );
        assert_eq!(
            (answer.header("accept-post"), answer.header("content-length")),
            ("application/sdp", "0"),
            "{method}"
        );
        page.ask(method, "/whep/0", &[], "").status.eq(&404).then_some(()).expect("there is no such session");
    }
    let session = page.offer(OFFER).session();
    for method in ["GET", "HEAD"] {
        let answer = page.ask(method, &session, &[], "");
        assert_eq!((answer.status, &*answer.body), (204, ""), "{method}");
    }
    assert_eq!(page.ask("DELETE", &session, &[], "").status, 200);
    page.ask("GET", &session, &[], "").is_problem(404, "no such session");
    assert_eq!(page.fake.opened(), 1);
}

#[test]
fn candidates_come_later() {
    let page = page(&[]);
    let answer = page.offer(OFFER);
    let (session, tag) = (&*answer.session(), answer.header("etag"));
    assert_eq!(page.trickle(session, &[("If-Match", tag)], FRAGMENT).status, 204);
    let heard = page.fake.candidates(0);
    let heard: Vec<_> = heard.iter().map(|c| c.as_ref().map(|c| (c.mid.clone().unwrap(), c.line.unwrap()))).collect();
    assert_eq!(heard, [Some(("0".into(), 0)), Some(("0".into(), 0)), Some(("1".into(), 1)), None]);
    assert_eq!(page.trickle(session, &[], "a=end-of-candidates\r\n").status, 204, "If-Match may be left out");

    page.trickle(session, &[("If-Match", "\"other\"")], FRAGMENT).is_problem(412, "send its ETag");
    page.trickle("/whep/0", &[], FRAGMENT).is_problem(404, "no such session");
    page.trickle(session, &[], "hello").is_problem(400, "no SDP line");
    page.trickle(session, &[], &FRAGMENT.replace("mid:1", "mid:7")).is_problem(400, "mid 7");
    page.ask("PATCH", session, &[("Content-Type", "application/sdp")], FRAGMENT).is_problem(415, "trickle-ice-sdpfrag");
    page.trickle(session, &[], &"a=x:y\r\n".repeat(20_000)).is_problem(413, "64 KiB");
}

#[test]
fn garbage_is_answered_and_serving_goes_on() {
    let page = page(&[]);
    let answer = page.offer(OFFER);
    for body in mutations(FRAGMENT.as_bytes(), 150) {
        let body = String::from_utf8_lossy(&body);
        let status = page.trickle(&answer.session(), &[], &body).status;
        assert!(matches!(status, 204 | 400 | 428), "{status} for {body:?}");
    }
    assert_eq!(page.trickle(&answer.session(), &[], FRAGMENT).status, 204);
}

#[test]
fn who_leaves_frees_a_place() {
    let page = page(&[("max-viewers", Value::Integer(1))]);
    let first = page.offer(OFFER);
    let full = page.offer(OFFER);
    full.is_problem(503, "all 1 places are taken");
    assert_eq!((full.header("retry-after"), page.fake.opened()), ("5", 1));
    assert_eq!(page.ask("DELETE", &first.session(), &[], "").status, 200);
    assert_eq!(page.fake.closed(), 1);
    page.ask("DELETE", &first.session(), &[], "").is_problem(404, "no such session");
    assert_eq!(page.offer(OFFER).status, 201);
}

#[test]
fn a_viewer_that_vanishes_frees_its_place() {
    let page = page(&[("max-viewers", Value::Integer(1))]);
    assert_eq!(page.offer(OFFER).status, 201);
    page.fake.state(0, PeerState::Connected);
    page.fake.state(0, PeerState::Closed);
    page.wait_for_viewers(0);
    assert_eq!(page.offer(OFFER).status, 201);
}
