//! `If-Match`: which ICE session of a viewer's a request is about (RFC 9110, section 13.1.1).

use axum::http::{HeaderMap, StatusCode, header};

use crate::http::problem::Problem;

/// What a request says about the session it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing.
    None,
    /// Whichever there is: `*`, which RFC 9725 shows in quotes as well.
    Any,
    /// One of these entity tags.
    Tags(String),
}

impl Condition {
    /// What `headers` say.
    pub(super) fn of(headers: &HeaderMap) -> Condition {
        // Several headers are one list (RFC 9110, section 5.3).
        let values = headers.get_all(header::IF_MATCH).iter();
        let values: Vec<&str> = values.map(|value| value.to_str().unwrap_or_default()).collect();
        if values.is_empty() {
            return Condition::None;
        }
        let tags = values.join(", ");
        if tags.split(',').any(|tag| matches!(tag.trim(), "*" | "\"*\"")) {
            return Condition::Any;
        }
        Condition::Tags(tags)
    }

    /// Refuses a request about another session than the one with `tag`. One that says nothing is
    /// taken to mean it: its content names its ICE session anyway.
    pub(super) fn holds(&self, tag: &str) -> Result<(), Problem> {
        let Condition::Tags(tags) = self else { return Ok(()) };
        if tags.split(',').any(|wanted| wanted.trim() == tag) {
            return Ok(());
        }
        let detail = format!("If-Match says {tags}, this session is {tag}; send its ETag");
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
    }

    /// Refuses an ICE restart that does not say what it restarts (RFC 9725, section 4.3.3).
    pub(super) fn allows_restart(&self) -> Result<(), Problem> {
        if *self != Condition::None {
            return Ok(());
        }
        let detail = "this is an ICE restart, and does not say of which ICE session; send If-Match: *";
        Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail))
    }
}
