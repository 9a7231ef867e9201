//! Errors over HTTP: problem details (RFC 9457), which WHEP asks for.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A status and words about it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// `detail` says what is wrong and what to do next.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), header: None }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Problem {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// The same, and when to try again: in so many seconds.
    pub(crate) fn after(mut self, seconds: u64) -> Problem {
        self.header = Some((header::RETRY_AFTER, seconds.into()));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let details = Details { title, status: self.status.as_u16(), detail: &self.detail };
        let body = serde_json::to_string(&details).expect("text and a number are JSON");
        let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, body).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The body (section 3.1). Without a `type`, the title is the phrase of the status (section 4.2.1).
#[derive(Serialize)]
struct Details<'a> {
    title: &'static str,
    status: u16,
    detail: &'a str,
}
