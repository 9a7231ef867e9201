//! Who is let in: by token, by origin, by the name the port is called.

use millstream_core::options::{Table, Value};
use millstream_core::{Format, VP8};

use crate::client::{Page, open, page};
use crate::samples::{FRAGMENT, OFFER};
use millstream_testkit::engine::FakeEngine;

const TOKEN: &str = "0123456789abcdef";
const SDP: (&str, &str) = ("Content-Type", "application/sdp");

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A page that is bound beyond loopback.
fn public(options: &[(&str, Value)]) -> Page {
    let mut table = Table::from([("bind".to_owned(), text("0.0.0.0:0"))]);
    table.extend(options.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    open(&FakeEngine::new(), table, &[("video", Format::Packets(VP8))]).unwrap()
}

#[test]
fn with_a_token_only_who_shows_it_watches() {
    let page = page(&[("token", text(TOKEN))]);
    assert_eq!(page.notice, format!("http://{}/#token={TOKEN}", page.address));
    let bearer = format!("Bearer {TOKEN}");
    let shown = ("Authorization", bearer.as_str());
    let opened = page.ask("POST", "/whep", &[SDP, shown], OFFER);
    assert_eq!(opened.status, 201, "{opened:?}");
    let session = &*opened.session();
    assert_eq!(page.trickle(session, &[shown], FRAGMENT).status, 204);
    assert_eq!(page.ask("GET", "/status", &[shown], "").status, 200);

    let none = page.offer(OFFER);
    none.is_problem(401, "asks for a token");
    assert_eq!(none.header("www-authenticate"), "Bearer");
    let wrong = page.ask("POST", "/whep", &[SDP, ("Authorization", "Bearer 0123456789abcdeF")], OFFER);
    wrong.is_problem(401, "not the token");
    assert_eq!(wrong.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    page.trickle(session, &[], FRAGMENT).is_problem(401, "token");
    page.ask("DELETE", session, &[], "").is_problem(401, "token");
    page.ask("PUT", &format!("{session}/report"), &[], "{}").is_problem(401, "token");
    page.ask("GET", "/status", &[], "").is_problem(401, "token");
    assert_eq!(page.ask("GET", "/", &[], "").status, 200, "the page asks people for it");
    assert_eq!(page.ask("OPTIONS", "/whep", &[], "").status, 200, "browsers ask without it");
    assert_eq!(page.ask("DELETE", session, &[shown], "").status, 200);
    assert_eq!((page.fake.opened(), page.fake.closed()), (1, 1));
}

#[test]
fn beyond_loopback_a_token_is_made_unless_told_otherwise() {
    let (one, other) = (public(&[]), public(&[]));
    let token = |page: &Page| page.notice.split("/#token=").nth(1).expect("a link with a token").to_owned();
    assert!(token(&one).len() == 32 && token(&one) != token(&other));
    one.offer(OFFER).is_problem(401, "token");
    let bearer = format!("bearer {}", token(&one));
    assert_eq!(one.ask("POST", "/whep", &[SDP, ("Authorization", &bearer)], OFFER).status, 201);

    let open_to_all = public(&[("open-to-all", Value::Bool(true))]);
    assert!(!open_to_all.notice.contains('#'), "{}", open_to_all.notice);
    assert_eq!(open_to_all.ask("POST", "/whep", &[SDP, ("Host", "tv.example")], OFFER).status, 201);
}

#[test]
fn what_contradicts_is_refused() {
    for (options, words) in [
        (vec![("token", text(TOKEN)), ("open-to-all", Value::Bool(true))], "contradict"),
        (vec![("certificate", text("a.pem"))], "give `key = …`"),
        (vec![("key", text("a.pem"))], "give `certificate = …`"),
        (vec![("ice-servers", Value::List(vec![text("stuns:a")]))], "has no STUN over TLS"),
    ] {
        let mut table = Table::from([("bind".to_owned(), text("127.0.0.1:0"))]);
        table.extend(options.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let error = open(&FakeEngine::new(), table, &[("video", Format::Packets(VP8))]).err().expect("refused");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn other_sites_watch_only_if_they_are_named() {
    let own = page(&[]);
    let origin = format!("http://{}", own.address);
    assert_eq!(own.ask("POST", "/whep", &[SDP, ("Origin", &origin)], OFFER).status, 201, "the page itself");
    for (foreign, add) in [
        ("https://player.example", "[\\\"https://player.example\\\"]"),
        ("null", "\\\"*\\\""),
        ("http://127.0.0.1:1", "[\\\"http://127.0.0.1:1\\\"]"),
    ] {
        let answer = own.ask("POST", "/whep", &[SDP, ("Origin", foreign)], OFFER);
        answer.is_problem(403, &format!("origins = {add}"));
        assert_eq!(answer.header("access-control-allow-origin"), "");
        own.ask("OPTIONS", "/whep", &[("Origin", foreign)], "").is_problem(403, "may not watch");
        own.ask("GET", "/status", &[("Origin", foreign)], "").is_problem(403, "may not watch");
    }
    assert_eq!(own.fake.opened(), 1);

    let named = page(&[("origins", Value::List(vec![text("https://Player.example")]))]);
    for method in ["OPTIONS", "POST"] {
        let answer = named.ask(method, "/whep", &[SDP, ("Origin", "https://player.example")], OFFER);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "https://player.example");
        assert!(answer.header("access-control-expose-headers").contains("Location, ETag, Link, Accept-Patch"));
        assert_eq!(answer.header("vary"), "Origin");
    }
    named.ask("POST", "/whep", &[SDP, ("Origin", "https://other.example")], OFFER).is_problem(403, "may not watch");

    let all = page(&[("origins", text("*")), ("open-to-all", Value::Bool(true))]);
    let answer = all.ask("POST", "/whep", &[SDP, ("Origin", "https://other.example")], OFFER);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (201, "*"));
}

#[test]
fn a_site_that_does_not_prove_who_it_is_needs_the_token_on_loopback_too() {
    for origins in [text("*"), Value::List(vec![text("https://a.example"), text("http://player.example")])] {
        let page = page(&[("origins", origins)]);
        let token = page.notice.split("/#token=").nth(1).expect("a link with a token").to_owned();
        for origin in ["http://player.example", "https://a.example"] {
            let from = [SDP, ("Origin", origin)];
            page.ask("POST", "/whep", &from, OFFER).is_problem(401, "asks for a token");
            page.ask("GET", "/status", &from, "").is_problem(401, "asks for a token");
            assert_eq!(page.ask("OPTIONS", "/whep", &from, "").status, 200, "the browser asks before");
        }
        assert_eq!(page.fake.opened(), 0);
        let bearer = format!("Bearer {token}");
        let shown = [SDP, ("Origin", "http://player.example"), ("Authorization", bearer.as_str())];
        assert_eq!(page.ask("POST", "/whep", &shown, OFFER).status, 201);
    }
    for proven in ["https://player.example", "http://localhost:3000"] {
        let page = page(&[("origins", Value::List(vec![text(proven)]))]);
        assert!(!page.notice.contains('#'), "{}", page.notice);
        assert_eq!(page.ask("POST", "/whep", &[SDP, ("Origin", proven)], OFFER).status, 201, "{proven}");
    }
}

#[test]
fn on_loopback_the_port_answers_to_this_machines_names_only() {
    let local = page(&[]);
    for host in ["localhost", "LOCALHOST:8080", "[::1]:8080", "127.0.0.2"] {
        assert_eq!(local.ask("POST", "/whep", &[SDP, ("Host", host)], OFFER).status, 201, "{host}");
    }
    // What a name that was rebound to 127.0.0.1 looks like: of one origin with its own page.
    let rebound = [SDP, ("Host", "evil.example:8080"), ("Origin", "http://evil.example:8080")];
    local.ask("POST", "/whep", &rebound, OFFER).is_problem(403, "answers to localhost, not to evil.example:8080");
    local.ask("GET", "/status", &[("Host", "evil.example")], "").is_problem(403, "answers to localhost");
    let both = [("Host", "localhost"), ("Host", "evil.example")];
    local.ask("GET", "/status", &both, "").is_problem(400, "two Host headers");

    let proxied = page(&[("origins", Value::List(vec![text("https://tv.example")]))]);
    let asked = [SDP, ("Host", "tv.example"), ("Origin", "https://tv.example")];
    assert_eq!(proxied.ask("POST", "/whep", &asked, OFFER).status, 201);
    let guarded = page(&[("token", text(TOKEN))]);
    guarded.ask("POST", "/whep", &[SDP, ("Host", "evil.example")], OFFER).is_problem(401, "token");
}

#[test]
fn ice_servers_are_told_to_both_sides() {
    let servers = Value::List(vec![text("stun:a.example:3478"), text("stun:b.example")]);
    let page = page(&[("ice-servers", servers)]);
    let opened = page.offer(OFFER);
    assert_eq!(opened.status, 201);
    assert_eq!(
        opened.all("link"),
        ["<stun:a.example:3478>; rel=\"ice-server\"", "<stun:b.example>; rel=\"ice-server\""]
    );
    let urls: Vec<_> = page.fake.options(0).ice_servers.into_iter().flat_map(|server| server.urls).collect();
    assert_eq!(urls, ["stun:a.example:3478", "stun:b.example"]);
}
