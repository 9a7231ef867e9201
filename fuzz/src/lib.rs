//! What the targets share: a page's routes without a socket, and whose panics are findings.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use tower_service::Service;

/// Asks `routes`, as a connection would.
pub async fn ask(routes: &Router, request: Request<Body>) -> Response<Body> {
    let Ok(response) = routes.clone().call(request).await;
    response
}

/// The body of `response`.
pub async fn body(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.map(Vec::from).unwrap_or_default()
}

/// Panics of the `webrtc` crate are contained by the engine: they end one peer. Each is named once; all
/// other panics are findings and end the process, as libFuzzer wants it.
pub fn contain_the_crates_panics() {
    static NAMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let contained = std::thread::current().name().is_some_and(|name| name.starts_with("webrtc-rs"));
        if contained && place.contains("/registry/") {
            let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
            let place = place.rsplit("/registry/").next().unwrap_or_default();
            let place = place.splitn(3, '/').nth(2).unwrap_or(place);
            if named.insert(place.to_owned()) {
                eprintln!("CONTAINED: a panic of the webrtc crate at {place}: {info}");
            }
        } else {
            abort(info);
        }
    }));
}
