//! What a browser gets: the page, the status, and words about everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse};
use axum::routing::get;

use crate::http::access::{self, Access};
use crate::http::problem::Problem;
use crate::whep::{self, Endpoint};

/// The page's style and script stand in files of their own, and in the page when it is served: so
/// it is one request, and works at any path.
fn html() -> String {
    let mut html = include_str!("page.html").to_owned();
    for (place, text) in [
        ("/* page.css */", include_str!("page.css")),
        ("/* whep.js */", include_str!("whep.js")),
        ("/* page.js */", include_str!("page.js")),
        ("/* controls.js */", include_str!("controls.js")),
        ("/* numbers.js */", include_str!("numbers.js")),
    ] {
        html = html.replace(place, text);
    }
    html
}

/// Nothing from elsewhere; the icon is in the page. Only sites whose players may watch may frame it.
fn policy(access: &Access) -> String {
    let framed_by = if access.origins.are_all() { "*".to_owned() } else { access.origins.names().join(" ") };
    format!(
        "default-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'self' {framed_by}"
    )
}

/// Everything on the page's port. The page itself needs no token; the stream does.
pub(crate) fn routes(endpoint: Arc<Endpoint>, access: Access) -> Router {
    let base = endpoint.base().to_owned();
    let page = get({
        let (html, policy) = (html(), policy(&access));
        move || page(html.clone(), policy.clone())
    })
    .fallback(only_read);
    let mut router = Router::new().route(&format!("{base}/"), page.clone());
    if !base.is_empty() {
        router = router.route(&base, page);
    }
    let status = get(status).options(about_status).fallback(only_read).with_state(Arc::clone(&endpoint));
    let guarded = Router::new()
        .route(&format!("{base}/status"), status)
        .merge(whep::routes(endpoint))
        .route_layer(from_fn_with_state(Arc::new(access), access::guard));
    router.merge(guarded).fallback(move |uri: Uri| nothing_here(uri, base))
}

async fn page(html: String, policy: String) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, Html(html))
}

async fn status(State(endpoint): State<Arc<Endpoint>>) -> impl IntoResponse {
    let json = serde_json::to_string(&endpoint.status()).expect("numbers and words are JSON");
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json)
}

/// What a browser asks before it lets another site read it.
async fn about_status() -> impl IntoResponse {
    (StatusCode::OK, whep::preflight("GET, HEAD, OPTIONS"))
}

async fn only_read() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this is only read; send GET").with(header::ALLOW, "GET, HEAD")
}

async fn nothing_here(uri: Uri, base: String) -> Problem {
    let detail = format!("there is nothing at {}; the page is at {base}/ and WHEP at {base}/whep", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}
