//! WHEP (draft-ietf-wish-whep): a viewer offers to receive, in one HTTP request, and is answered.
//!
//! Here are the requests and what is said about them; what a session is, is in [`endpoint`].

mod body;
mod condition;
mod endpoint;
mod measured;
mod offer;
mod presence;
mod report;
mod restarts;
mod sdpfrag;
mod session;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post, put};

use crate::http::problem::Problem;
use condition::Condition;
#[cfg(not(fuzzing))]
use offer::Offer;
use report::Report;
#[cfg(not(fuzzing))]
use sdpfrag::Fragment;

pub(crate) use endpoint::{Endpoint, Stream};
#[cfg(fuzzing)]
pub(crate) use {offer::Offer, sdpfrag::Fragment};

const SDP: &str = "application/sdp";
const SDPFRAG: &str = "application/trickle-ice-sdpfrag";
const JSON: &str = "application/json";
/// What may be asked of the endpoint, and of a session.
const ABOUT_ENDPOINT: &str = "GET, HEAD, OPTIONS, POST";
const ABOUT_SESSION: &str = "DELETE, GET, HEAD, OPTIONS, PATCH";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The endpoint, where sessions are opened, and the sessions below it.
pub(crate) fn routes(endpoint: Arc<Endpoint>) -> Router {
    let base = endpoint.base().to_owned();
    Router::new()
        .route(&format!("{base}/whep"), post(open).get(here).options(about_endpoint).fallback(only_open))
        .route(
            &format!("{base}/whep/{{id}}"),
            patch(trickle).delete(leave).get(lives).options(about_session).fallback(only_session),
        )
        .route(&format!("{base}/whep/{{id}}/report"), put(report_of_page).options(about_report).fallback(only_report))
        .with_state(endpoint)
}

async fn open(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    require(&headers, SDP).map_err(|problem| problem.with(ACCEPT_POST, SDP))?;
    let offer = Offer::parse(&body::read(&headers, body, body::LIMIT).await?)?;
    let opened = endpoint.open(offer).await?;
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        // Relative to the endpoint: a proxy may serve that at another path.
        (header::LOCATION, format!("whep/{}", opened.id)),
        (header::ETAG, opened.tag),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (ACCEPT_PATCH, SDPFRAG.to_owned()),
    ];
    let mut response = (StatusCode::CREATED, headers, opened.answer).into_response();
    for server in endpoint.ice_servers() {
        let link = HeaderValue::try_from(server.link()).expect("servers are of visible ASCII");
        response.headers_mut().append(header::LINK, link);
    }
    Ok(response)
}

/// There is nothing to read, but a player may find out that WHEP is spoken here.
async fn here() -> impl IntoResponse {
    [(header::CONTENT_TYPE, SDP), (ACCEPT_POST, SDP), (header::CACHE_CONTROL, "no-store")]
}

/// There is nothing to read of a session either, while there is one.
async fn lives(State(endpoint): State<Arc<Endpoint>>, Path(id): Path<String>) -> Result<impl IntoResponse, Problem> {
    endpoint.session(&id)?;
    Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")]))
}

/// 204 for candidates; 200 and the server's side for an ICE restart (RFC 9725, section 4.3).
async fn trickle(
    State(endpoint): State<Arc<Endpoint>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let session = endpoint.session(&id)?;
    require(&headers, SDPFRAG).map_err(|problem| problem.with(ACCEPT_PATCH, SDPFRAG))?;
    let fragment = Fragment::parse(&body::read(&headers, body, body::LIMIT).await?)?;
    let Some(restarted) = session.apply(endpoint.now(), Condition::of(&headers), fragment).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let headers = [
        (header::CONTENT_TYPE, SDPFRAG.to_owned()),
        (header::ETAG, restarted.tag),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::OK, headers, restarted.fragment).into_response())
}

/// What a page measures. The answer is the time here: with it a page knows how far its own clock is
/// off, and can tell how old a picture is.
async fn report_of_page(
    State(endpoint): State<Arc<Endpoint>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let session = endpoint.session(&id)?;
    require(&headers, JSON)?;
    let report = Report::parse(&body::read(&headers, body, report::LIMIT).await?)?;
    session.keep(endpoint.now(), report);
    let headers = [
        (header::CONTENT_TYPE, JSON),
        (header::CACHE_CONTROL, "no-store"),
        // So that no viewer keeps one of the few slots for connections from report to report.
        (header::CONNECTION, "close"),
    ];
    let utc = endpoint.utc().unix_nanos() / 1000;
    Ok((headers, format!("{{\"utc\":{}.{:03}}}\n", utc / 1000, utc % 1000)))
}

async fn leave(State(endpoint): State<Arc<Endpoint>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    endpoint.leave(&id).await?;
    Ok(StatusCode::OK)
}

/// Refuses a body of another type than `wanted`; parameters such as `charset` do not count.
fn require(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let found = if essence.is_empty() { "nothing" } else { essence };
    let detail = format!("the Content-Type says {found}; send {wanted}");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

async fn only_open() -> Problem {
    let detail = "viewers open a session here: POST an SDP offer (WHEP); people open the page above";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(header::ALLOW, ABOUT_ENDPOINT)
}

async fn only_session() -> Problem {
    let detail = "this is a session: PATCH adds candidates or restarts ICE, DELETE ends it";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(header::ALLOW, ABOUT_SESSION)
}

async fn only_report() -> Problem {
    let detail = "a viewer's page reports here what it measures: PUT a JSON object; the reports are in the status";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(header::ALLOW, "OPTIONS, PUT")
}

async fn about_endpoint() -> impl IntoResponse {
    (StatusCode::OK, preflight(ABOUT_ENDPOINT), [(ACCEPT_POST, SDP)])
}

async fn about_session() -> impl IntoResponse {
    (StatusCode::OK, preflight(ABOUT_SESSION), [(ACCEPT_PATCH, SDPFRAG)])
}

async fn about_report() -> impl IntoResponse {
    (StatusCode::OK, preflight("OPTIONS, PUT"))
}

/// What a browser asks before it lets a player of another origin in.
pub(crate) fn preflight(methods: &'static str) -> [(HeaderName, &'static str); 4] {
    [
        (header::ALLOW, methods),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, Authorization, If-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ]
}
