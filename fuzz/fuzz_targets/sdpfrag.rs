//! Trickled candidates: through our own reading, and through a session of the real engine.

#![no_main]

use std::cell::RefCell;

use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use millstream_fuzz::ask;
use millstream_signaling::fuzz::{self, Site};
use millstream_webrtc::Engine;
use millstream_webrtc_rs::WebRtcRs;
use tokio::runtime::Runtime;

const OFFER: &str = include_str!("../seeds/sdp/viewer.sdp");
/// After so many fragments the session is a new one: what it takes in all is bounded elsewhere.
const PER_SESSION: u32 = 50;

struct Open {
    site: Site,
    session: String,
    left: u32,
}

thread_local! {
    static ENGINE: Engine = Engine::new(WebRtcRs::new());
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

async fn open() -> Open {
    let site = ENGINE.with(Site::new);
    let offer = Request::post("/whep").header("content-type", "application/sdp").body(Body::from(OFFER));
    let response = ask(&site.routes, offer.expect("a request")).await;
    let location = response.headers().get("location").expect("the offer is good");
    let session = location.to_str().expect("a path").to_owned();
    Open { site, session, left: PER_SESSION }
}

fuzz_target!(
    init: millstream_fuzz::contain_the_crates_panics(),
    |data: &[u8]| {
        fuzz::fragment(data);
        RUNTIME.with(|runtime| runtime.block_on(async {
            let current = OPEN.take();
            let mut current = match current {
                Some(open) if open.left > 0 => open,
                old => {
                    if let Some(old) = old {
                        let bye = Request::delete(&old.session).body(Body::empty()).expect("a request");
                        ask(&old.site.routes, bye).await;
                    }
                    open().await
                }
            };
            current.left -= 1;
            let trickle = Request::patch(&current.session)
                .header("content-type", "application/trickle-ice-sdpfrag")
                // Whatever the session's tag is: so ICE restarts are reached too.
                .header("if-match", "*")
                .body(Body::from(data.to_vec()))
                .expect("a request");
            let status = ask(&current.site.routes, trickle).await.status().as_u16();
            assert!(matches!(status, 200..=204 | 400..=428), "{status}");
            // A session that is gone was ended by its engine.
            OPEN.set((status != 404).then_some(current));
        }));
    }
);
