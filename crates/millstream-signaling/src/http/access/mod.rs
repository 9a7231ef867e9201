//! Who may watch: whoever shows the token, from a page of this server or of a site that was named.

mod origins;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::problem::Problem;
use token::Shown;

pub use origins::Origins;
pub use token::Token;

/// Who may watch.
#[derive(Debug)]
pub(crate) struct Access {
    /// What a viewer has to show, if anything.
    pub(crate) token: Option<Token>,
    /// The other web sites whose scripts may watch.
    pub(crate) origins: Origins,
    /// Whether the port answers to names of this machine only. Otherwise a site could give its own
    /// name the address 127.0.0.1 and watch as if it were the page (DNS rebinding). A token stops
    /// that as well: it is not sent to another name.
    pub(crate) local: bool,
}

/// Lets a request through, or says why not.
pub(crate) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let host = host(&request);
    let answer = match access.check(host.as_deref(), origin.as_ref(), request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    access.tell(origin.as_ref(), answer)
}

impl Access {
    fn check(
        &self,
        host: Option<&str>,
        origin: Option<&HeaderValue>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        if headers.get_all(header::HOST).iter().nth(1).is_some() {
            // Whoever stands in between may have gone by the other one (RFC 9112, section 3.2).
            return Err(Problem::new(StatusCode::BAD_REQUEST, "the request has two Host headers; send one"));
        }
        self.check_host(host)?;
        if let Some(origin) = origin {
            self.check_origin(&origin.to_str().unwrap_or_default().to_ascii_lowercase(), host)?;
        }
        // What a browser asks before it sends the token (CORS) comes without it.
        if method == Method::OPTIONS { Ok(()) } else { self.check_token(headers) }
    }

    fn check_host(&self, host: Option<&str>) -> Result<(), Problem> {
        let Some(host) = host.filter(|_| self.local && self.token.is_none()) else { return Ok(()) };
        if is_this_machine(host) || self.origins.are_all() || self.origins.hosts().any(|allowed| allowed == host) {
            return Ok(());
        }
        let detail = format!(
            "this is bound to loopback and answers to localhost, not to {host}; open it by 127.0.0.1, or behind a \
             proxy add origins = [\"https://{host}\"]"
        );
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    fn check_origin(&self, origin: &str, host: Option<&str>) -> Result<(), Problem> {
        let own = host.is_some_and(|host| origin.split("://").nth(1) == Some(host));
        if own || self.origins.allow(origin) {
            return Ok(());
        }
        // Pages without a name of their own (a file, a sandboxed frame) all call themselves "null".
        let add = if origin.contains("://") { format!("[\"{origin}\"]") } else { "\"*\"".to_owned() };
        let detail = format!("pages of {origin} may not watch; to let them, add origins = {add}");
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let (detail, challenge) = match self.token.as_ref().map(|token| token.is_shown(headers)) {
            None | Some(Shown::This) => return Ok(()),
            Some(Shown::Another) => ("this is not the token of this stream", "Bearer error=\"invalid_token\""),
            Some(Shown::None) => ("this stream asks for a token; send Authorization: Bearer …", "Bearer"),
        };
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail).with(header::WWW_AUTHENTICATE, challenge))
    }

    /// Tells the browser which site's scripts may read the answer.
    fn tell(&self, origin: Option<&HeaderValue>, mut answer: Response) -> Response {
        let headers = answer.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let named = |origin: &HeaderValue| origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let Some(origin) = origin.filter(|origin| self.origins.allow(&named(origin))) else { return answer };
        let allowed = if self.origins.are_all() { HeaderValue::from_static("*") } else { origin.clone() };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        let exposed = "Location, ETag, Link, Accept-Patch, Retry-After, WWW-Authenticate";
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        answer
    }
}

/// The name and port that the request is to, in small letters.
fn host(request: &Request) -> Option<String> {
    let named = || request.headers().get(header::HOST)?.to_str().ok();
    let host = request.uri().authority().map(|authority| authority.as_str()).or_else(named)?;
    Some(host.to_ascii_lowercase())
}

/// `localhost` and the loopback addresses, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_few_names() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "192.0.2.1", "[2001:db8::1]", ""]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
