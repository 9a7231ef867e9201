//! What went wrong, as HTTP tells it: problem details (RFC 9457), which WHEP asks for.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A status and words about it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    header: Option<(HeaderName, &'static str)>,
}

impl Problem {
    /// `detail` says what is wrong and what to do next.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), header: None }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Problem {
        self.header = Some((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Without a `type`, the title is the phrase of the status (section 4.2.1).
        let title = self.status.canonical_reason().unwrap_or("Error");
        let (status, detail) = (self.status.as_u16(), escaped(&self.detail));
        let body = format!("{{\"title\":\"{title}\",\"status\":{status},\"detail\":\"{detail}\"}}\n");
        let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, body).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// `text` as it stands in a JSON string (RFC 8259, section 7).
fn escaped(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_json() {
        assert_eq!(escaped("a \"b\" \\ c\r\nü"), "a \\\"b\\\" \\\\ c\\u000d\\u000aü");
    }
}
