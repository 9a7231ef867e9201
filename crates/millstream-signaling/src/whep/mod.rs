//! WHEP (draft-ietf-wish-whep): a viewer offers to receive, in one HTTP request, and is answered.
//!
//! Here are the requests and what is said about them; what a session is, is in [`endpoint`].

mod body;
mod endpoint;
mod id;
mod offer;
mod sdpfrag;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};

use crate::problem::Problem;
#[cfg(not(fuzzing))]
use offer::Offer;
#[cfg(not(fuzzing))]
use sdpfrag::Fragment;

pub(crate) use endpoint::{Endpoint, Stream};
#[cfg(fuzzing)]
pub(crate) use {offer::Offer, sdpfrag::Fragment};

const SDP: &str = "application/sdp";
const SDPFRAG: &str = "application/trickle-ice-sdpfrag";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The endpoint, where sessions are opened, and the sessions below it.
pub(crate) fn routes(endpoint: Arc<Endpoint>) -> Router {
    let base = endpoint.base().to_owned();
    Router::new()
        .route(&format!("{base}/whep"), post(open).options(about_endpoint).fallback(only_open))
        .route(
            &format!("{base}/whep/{{id}}"),
            patch(trickle).delete(leave).options(about_session).fallback(only_session),
        )
        .route_layer(map_response(cors))
        .with_state(endpoint)
}

async fn open(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    require(&headers, SDP).map_err(|problem| problem.with(ACCEPT_POST, SDP))?;
    let offer = Offer::parse(&body::read(&headers, body).await?)?;
    let opened = endpoint.open(offer).await?;
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("{}/whep/{}", endpoint.base(), opened.id)),
        (header::ETAG, opened.tag),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (ACCEPT_PATCH, SDPFRAG.to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, opened.answer).into_response())
}

async fn trickle(
    State(endpoint): State<Arc<Endpoint>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let session = endpoint.session(&id)?;
    require(&headers, SDPFRAG).map_err(|problem| problem.with(ACCEPT_PATCH, SDPFRAG))?;
    session.matches(headers.get(header::IF_MATCH))?;
    let fragment = Fragment::parse(&body::read(&headers, body).await?)?;
    session.trickle(fragment).await?;
    Ok(StatusCode::NO_CONTENT)
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
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(header::ALLOW, "OPTIONS, POST")
}

async fn only_session() -> Problem {
    let detail = "this is a session: PATCH adds candidates, DELETE ends it";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(header::ALLOW, "DELETE, OPTIONS, PATCH")
}

async fn about_endpoint() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, preflight("OPTIONS, POST"), [(ACCEPT_POST, SDP)])
}

async fn about_session() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, preflight("DELETE, OPTIONS, PATCH"), [(ACCEPT_PATCH, SDPFRAG)])
}

/// What a browser asks before it lets a player of another origin in.
fn preflight(methods: &'static str) -> [(HeaderName, &'static str); 4] {
    [
        (header::ALLOW, methods),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, Authorization, If-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ]
}

/// Players live on other origins: they may ask, and read what they need.
async fn cors(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static("Location, ETag, Link, Accept-Patch, Retry-After");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}
