//! How viewers fare, and what their pages tell.

use millstream_webrtc::PeerState;
use serde_json::json;

use crate::client::page;
use crate::samples::{OFFER, REPORT};

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn each_viewer_has_a_number_and_no_name() {
    let page = page(&[]);
    let sessions = [page.offer(OFFER), page.offer(OFFER), page.offer(OFFER)];
    assert_eq!(page.ask("DELETE", &sessions[0].session(), &[], "").status, 200);
    page.fake.state(1, PeerState::Connected);
    let answer = page.ask("GET", "/status", &[], "");
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
    for session in &sessions {
        assert!(!answer.body.contains(session.header("location").trim_start_matches("whep/")));
    }
    let status = page.status();
    let viewers: Vec<_> = status["sessions"].as_array().unwrap().iter().map(|s| (&s["viewer"], &s["state"])).collect();
    assert_eq!(viewers, [(&json!(2), &json!("connected")), (&json!(3), &json!("new"))]);
    let first = &status["sessions"][0];
    assert!(first["since"].as_u64().unwrap() >= status["since"].as_u64().unwrap());
    assert_eq!(first["tracks"][0]["codec"], "video/VP8");
    assert_eq!(first["tracks"][1]["codec"], "audio/opus");
    for number in ["bitrate", "frames", "packets", "bytes", "dropped", "key-frames-requested"] {
        assert_eq!(first["tracks"][0][number], 0, "{number}");
    }
    assert!(first.get("page").is_none(), "it told nothing yet");
}

#[test]
fn what_a_page_measures_is_shown_and_answered_with_the_time() {
    let page = page(&[]);
    let opened = page.offer(OFFER);
    let report = format!("{}/report", opened.session());
    let told = page.ask("PUT", &report, &[JSON], REPORT);
    assert_eq!((told.status, told.header("connection")), (200, "close"), "{told:?}");
    let time: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    let since = page.status()["since"].as_f64().unwrap();
    assert!((since * 1000.0..since * 1000.0 + 120_000.0).contains(&time["utc"].as_f64().unwrap()), "{time}");
    let mut shown = page.status()["sessions"][0]["page"].clone();
    assert!(shown.as_object_mut().unwrap().remove("age").unwrap().as_f64().unwrap() >= 0.0);
    assert_eq!(shown, serde_json::from_str::<serde_json::Value>(REPORT).unwrap());

    page.ask("PUT", &report, &[JSON], "{\"latency\": 1e999}").is_problem(400, "out of range");
    page.ask("PUT", &report, &[JSON], "hello").is_problem(400, "send a JSON object");
    page.ask("PUT", &report, &[], REPORT).is_problem(415, "send application/json");
    page.ask("PUT", &report, &[JSON], &" ".repeat(5000)).is_problem(413, "longer than 4 KiB");
    page.ask("PUT", "/whep/0/report", &[JSON], REPORT).is_problem(404, "no such session");
    let get = page.ask("GET", &report, &[], "");
    get.is_problem(405, "PUT a JSON object");
    assert_eq!(get.header("allow"), "OPTIONS, PUT");
    assert_eq!(page.ask("OPTIONS", &report, &[], "").header("access-control-allow-methods"), "OPTIONS, PUT");
}
