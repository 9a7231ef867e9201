//! ICE restarts by PATCH (RFC 9725, section 4.3.3).

use millstream_core::options::{Table, Value};
use millstream_core::{Format, VP8};

use crate::client::{Answer, Page, open, page};
use crate::samples::{FRAGMENT, OFFER};
use millstream_testkit::engine::FakeEngine;

/// The fragment with which a viewer restarts, under `ufrag`.
fn restart(ufrag: &str) -> String {
    FRAGMENT.replace("abcd", ufrag).replace("0123456789012345678901", "abcdefghijklmnopqrstuv")
}

fn ask(page: &Page, session: &str, tag: &str, ufrag: &str) -> Answer {
    page.trickle(session, &[("If-Match", tag)], &restart(ufrag))
}

#[test]
fn a_restart_gives_a_new_ice_session_and_ends_the_one_before() {
    let page = page(&[]);
    let opened = page.offer(OFFER);
    let (session, first) = (&*opened.session(), opened.header("etag"));
    let answer = ask(&page, session, "*", "efgh");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/trickle-ice-sdpfrag"));
    assert_eq!(
        answer.body,
        "a=ice-ufrag:fake0+1\r\na=ice-pwd:0123456789012345678901\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n\
         a=candidate:1 1 udp 2113937151 127.0.0.1 9 typ host\r\n"
    );
    let second = answer.header("etag");
    assert!(second.len() == 34 && second != first);
    assert_eq!(page.fake.steps(0), ["remote abcd", "local", "gathered", "remote efgh", "local", "gathered"]);
    assert_eq!(page.fake.candidates(0).len(), 4, "those of the restart's own fragment");

    ask(&page, session, first, "efgh").is_problem(412, "send its ETag");
    page.trickle(session, &[("If-Match", first)], "a=end-of-candidates\r\n").is_problem(412, "send its ETag");
    page.trickle(session, &[("If-Match", "*")], FRAGMENT).is_problem(412, "before the last ICE restart");
    assert_eq!(ask(&page, session, second, "efgh").status, 204, "its candidates");
    let third = ask(&page, session, "\"*\"", "ijkl");
    assert_eq!(third.status, 200, "RFC 9725 writes it in quotes");
    assert_ne!(third.header("etag"), second);
    assert_eq!(page.ask("DELETE", session, &[], "").status, 200);
    ask(&page, session, "*", "mnop").is_problem(404, "no such session");
}

#[test]
fn a_restart_that_cannot_be_leaves_the_session_as_it_is() {
    let page = page(&[]);
    let opened = page.offer(OFFER);
    let (session, tag) = (&*opened.session(), opened.header("etag"));
    page.trickle(session, &[], &restart("efgh")).is_problem(428, "send If-Match: *");
    ask(&page, session, "\"other\"", "efgh").is_problem(412, "send its ETag");
    ask(&page, session, "*", "e").is_problem(400, "4 to 256");
    page.trickle(session, &[("If-Match", "*")], "a=ice-ufrag:efgh\r\n").is_problem(400, "send both");
    assert_eq!(page.trickle(session, &[("If-Match", "\"other\""), ("If-Match", tag)], FRAGMENT).status, 204, "a list");
    assert_eq!(page.trickle(session, &[("If-Match", tag)], FRAGMENT).status, 204);
    assert_eq!(page.fake.steps(0).len(), 3, "the engine was not asked");
}

#[test]
fn ten_restarts_a_minute_and_the_session_goes_on() {
    let page = page(&[]);
    let opened = page.offer(OFFER);
    let session = &*opened.session();
    for number in 0..10 {
        assert_eq!(ask(&page, session, "*", &format!("name{number}")).status, 200, "restart {number}");
    }
    let again = ask(&page, session, "*", "name10");
    again.is_problem(429, "more than 10 ICE restarts within 60 s");
    assert!((30..=60).contains(&again.header("retry-after").parse::<u64>().unwrap()), "{again:?}");
    assert_eq!(page.fake.steps(0).len(), 3 + 10 * 3, "the engine was not asked");
    assert_eq!(ask(&page, session, "*", "name9").status, 204, "candidates of the session it is in");
    // Another viewer is not held back by it.
    let other = page.offer(OFFER);
    assert_eq!(ask(&page, &other.session(), "*", "efgh").status, 200);
    assert_eq!(page.ask("DELETE", session, &[], "").status, 200);
}

#[test]
fn an_engine_that_cannot_restart_says_so() {
    let fake = FakeEngine::new();
    fake.without_ice_restarts();
    let table = Table::from([("bind".to_owned(), Value::Text("127.0.0.1:0".to_owned()))]);
    let page = open(&fake, table, &[("video", Format::Packets(VP8))]).unwrap();
    let opened = page.offer(OFFER);
    ask(&page, &opened.session(), "*", "efgh").is_problem(422, "DELETE the session and POST");
    assert_eq!(page.trickle(&opened.session(), &[], FRAGMENT).status, 204);
}
