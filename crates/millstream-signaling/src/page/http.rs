//! What a browser gets: the page, the status, and words about everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;

use crate::problem::Problem;
use crate::whep::{self, Endpoint};

/// The page's style and script stand in files of their own, and in the page when it is served: so
/// it is one request, and works at any path.
fn html() -> String {
    include_str!("page.html")
        .replace("/* page.css */", include_str!("page.css"))
        .replace("/* page.js */", include_str!("page.js"))
}

/// Nothing from elsewhere; the icon is in the page.
const POLICY: &str = "default-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'";

/// Everything on the page's port.
pub(crate) fn routes(endpoint: Arc<Endpoint>) -> Router {
    let base = endpoint.base().to_owned();
    let page = get({
        let html = html();
        move || page(html.clone())
    })
    .fallback(only_read);
    let mut router = Router::new().route(&format!("{base}/"), page.clone());
    if !base.is_empty() {
        router = router.route(&base, page);
    }
    let status = get(status).fallback(only_read).with_state(Arc::clone(&endpoint));
    router
        .route(&format!("{base}/status"), status)
        .merge(whep::routes(endpoint))
        .fallback(move |uri: Uri| nothing_here(uri, base))
}

async fn page(html: String) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Html(html))
}

/// `since` is when the page was opened, in seconds since the Unix epoch.
async fn status(State(endpoint): State<Arc<Endpoint>>) -> impl IntoResponse {
    let (viewers, most, since) = (endpoint.viewers(), endpoint.max_viewers(), endpoint.since().unix_millis() / 1000);
    let json = format!("{{\"viewers\":{viewers},\"max-viewers\":{most},\"since\":{since}}}\n");
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json)
}

async fn only_read() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this is only read; send GET").with(header::ALLOW, "GET, HEAD")
}

async fn nothing_here(uri: Uri, base: String) -> Problem {
    let detail = format!("there is nothing at {}; the page is at {base}/ and WHEP at {base}/whep", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}
