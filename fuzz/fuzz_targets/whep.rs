//! Whole HTTP requests to a page, with an engine that answers at once.
//!
//! An input is requests as they stand on the wire, one after the other, parted by lines of `----`. `SESSION`
//! stands for the path of the session that was opened last, `TAG` for its entity tag.

#![no_main]

use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use millstream_fuzz::{ask, body};
use millstream_signaling::fuzz::Site;
use millstream_testkit::engine::FakeEngine;

/// More requests than a session takes say nothing new.
const MOST: usize = 16;

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let site = Site::new(&FakeEngine::new().engine());
        let (mut session, mut tag) = (String::from("/whep/0"), String::from("\"0\""));
        for text in parts(data).take(MOST) {
            let Some(request) = request(text, &session, &tag) else { continue };
            let response = ask(&site.routes, request).await;
            let header =
                |name: &str| response.headers().get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
            if let Some(location) = header("location") {
                // It is relative to the endpoint.
                (session, tag) = (format!("/{location}"), header("etag").expect("a session has a tag"));
            }
            let status = response.status().as_u16();
            let problem = header("content-type").as_deref() == Some("application/problem+json");
            let body = body(response).await;
            // An answer to HEAD has none.
            if problem && !body.is_empty() {
                let text = std::str::from_utf8(&body).expect("problems are text");
                assert!(text.starts_with('{') && text.ends_with('}') && text.contains("\"detail\":"), "{text}");
            }
            assert_ne!(status, 500, "{}", String::from_utf8_lossy(&body));
        }
    });
});

fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    const LINE: &[u8] = b"\n----\n";
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.windows(LINE.len()).position(|window| window == LINE) {
            Some(at) => {
                rest = Some(&text[at + LINE.len()..]);
                Some(&text[..at])
            }
            None => rest.take(),
        }
    })
}

/// What `text` asks, if it is a request at all.
fn request(text: &[u8], session: &str, tag: &str) -> Option<Request<Body>> {
    let end = text.windows(2).position(|two| two == b"\n\n").unwrap_or(text.len());
    let (head, body) = (&text[..end], text.get(end + 2..).unwrap_or_default());
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.splitn(2, |byte| *byte == b' ');
    let method = words.next()?;
    let path = String::from_utf8_lossy(words.next()?).replace("SESSION", session);
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let mut pair = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (pair.next()?, pair.next()?);
        let value = if value.trim_ascii() == b"TAG" { tag.as_bytes() } else { value.trim_ascii() };
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_vec())).ok()
}
