//! How often a viewer may restart its ICE.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::StatusCode;
use millstream_core::Timestamp;

use crate::http::problem::Problem;

/// How many restarts of a session begin within any [`PERIOD`]. An engine takes seconds to find out that a
/// connection is gone, so no viewer needs more; each makes this side gather and shake hands anew.
const MOST: usize = 10;
const PERIOD: Duration = Duration::from_secs(60);

/// When the last restarts of a session began.
#[derive(Debug, Default)]
pub(super) struct Restarts(VecDeque<Timestamp>);

impl Restarts {
    /// Notes one that begins at `now`, or says when it may.
    pub(super) fn begin(&mut self, now: Timestamp) -> Result<(), Problem> {
        while self.0.front().is_some_and(|first| now.since(*first) >= PERIOD) {
            self.0.pop_front();
        }
        if let Some(first) = self.0.front().filter(|_| self.0.len() >= MOST) {
            // Rounded up to whole seconds, so that a client that waits for them is not too early.
            let wait = (PERIOD - now.since(*first)).as_millis().div_ceil(1000) as u64;
            let detail = format!("more than {MOST} ICE restarts within {} s; try again later", PERIOD.as_secs());
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).after(wait));
        }
        self.0.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_any_minute() {
        let (mut restarts, mut begun) = (Restarts::default(), 0);
        // One every 100 ms, for ten minutes.
        for tick in 0..6000 {
            begun += u32::from(restarts.begin(Timestamp::ZERO + Duration::from_millis(100 * tick)).is_ok());
            assert!(restarts.0.len() <= MOST);
        }
        assert_eq!(begun, 100);
        // The last ten began from 540.0 s on.
        let too_soon = restarts.begin(Timestamp::ZERO + Duration::from_millis(599_950)).unwrap_err();
        let words = format!("{too_soon:?}");
        assert!(words.contains("429") && words.contains("\"retry-after\"") && words.contains("\"1\""), "{words}");
        assert!(restarts.begin(Timestamp::ZERO + Duration::from_secs(600)).is_ok());
    }
}
