//! Reading a request's body, in bounded memory and time.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};

use crate::http::problem::Problem;

/// The longest offer or fragment: browsers offer less than 10 KiB for two media sections.
pub(super) const LIMIT: usize = 64 * 1024;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of a body that is too long is thrown away before the connection is cut, and for how
/// long. A sender that writes all before it reads would otherwise see a reset, not our words.
const DISCARD: (usize, Duration) = (16 * 1024 * 1024, Duration::from_secs(2));

/// The whole of `body`, if it is no longer than `limit` bytes and comes in time.
pub(super) async fn read(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        discard(body);
        return Err(too_long(limit));
    }
    let mut read = Vec::new();
    let whole = tokio::time::timeout(PATIENCE, async {
        while let Some(chunk) = chunk(&mut body).await {
            let chunk = chunk.map_err(|_| broken())?;
            if read.len() + chunk.len() > limit {
                return Err(too_long(limit));
            }
            read.extend_from_slice(&chunk);
        }
        Ok(())
    });
    match whole.await {
        Ok(Ok(())) => Ok(read),
        Ok(Err(problem)) => {
            discard(body);
            Err(problem)
        }
        Err(_) => {
            let detail = format!("the body did not come within {} s; send it again", PATIENCE.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

/// The next piece; `None` at the end.
async fn chunk(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

fn discard(mut body: Body) {
    tokio::spawn(tokio::time::timeout(DISCARD.1, async move {
        let mut left = DISCARD.0;
        while let Some(Ok(chunk)) = chunk(&mut body).await {
            left = match left.checked_sub(chunk.len()) {
                Some(left) => left,
                None => return,
            };
        }
    }));
}

fn broken() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the body breaks off or is no HTTP; send it again")
}

fn too_long(limit: usize) -> Problem {
    let detail = format!("the body is longer than {} KiB, which it has no reason to be; send less", limit / 1024);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
