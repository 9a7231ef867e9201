//! One viewer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use millstream_core::Error;
use millstream_core::error::Kind;
use millstream_webrtc::{Candidate, Description, Peer, PeerState, Seat, Watch};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::offer::Offer;
use super::sdpfrag::Fragment;
use crate::problem::Problem;

/// How long an engine may take for anything but gathering. It takes milliseconds.
const ENGINE: Duration = Duration::from_secs(5);
/// How long to wait for candidates. Those of this machine come at once; without the others most
/// viewers still find a way, and a person waits.
const GATHERING: Duration = Duration::from_secs(2);
/// How long a viewer may be without a connection before its place goes to somebody else.
const PATIENCE: Duration = Duration::from_secs(15);

/// Candidates that a session takes in all. An engine keeps each and tries it, so that without a bound a
/// viewer's fragments would grow it for ever.
const MAX_CANDIDATES: usize = 256;

/// One viewer. Dropping it closes its peer and frees its place.
pub(super) struct Session {
    pub(super) tag: String,
    pub(super) offer: Offer,
    /// How many candidates were trickled.
    pub(super) trickled: AtomicUsize,
    pub(super) peer: Peer,
    pub(super) _seat: Seat,
    pub(super) _place: OwnedSemaphorePermit,
}

impl Session {
    /// Refuses a request that is about another state of this session. There is one state only, so
    /// a request that does not say which one means it.
    pub(super) fn matches(&self, tags: Option<&HeaderValue>) -> Result<(), Problem> {
        let Some(tags) = tags else { return Ok(()) };
        let tags = tags.to_str().unwrap_or_default();
        if tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == self.tag) {
            return Ok(());
        }
        let detail = format!("If-Match says {tags}, this session is {}; send its ETag", self.tag);
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
    }

    /// Tells the peer of the viewer's candidates.
    pub(super) async fn trickle(&self, fragment: Fragment) -> Result<(), Problem> {
        if !self.peer.engine().capabilities().trickle {
            let detail = "this engine takes candidates in the offer only; gather them first";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        if fragment.ufrags.iter().any(|ufrag| !self.offer.has_ufrag(ufrag)) {
            let detail = "this is an ICE restart, which is not supported; DELETE the session and POST a new offer";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        let count = fragment.candidates.len();
        if self.trickled.fetch_add(count, Ordering::Relaxed) + count > MAX_CANDIDATES {
            let detail =
                format!("more than {MAX_CANDIDATES} candidates in one session; send fewer, or POST a new offer");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        for mut candidate in fragment.candidates {
            if let Some(mid) = &candidate.mid {
                let unknown =
                    || Problem::new(StatusCode::BAD_REQUEST, format!("the offer has no section with mid {mid}"));
                candidate.line = Some(self.offer.line_of(mid).ok_or_else(unknown)?);
            }
            self.tell(Some(candidate)).await?;
        }
        if fragment.end {
            self.tell(None).await?;
        }
        Ok(())
    }

    /// A candidate that the engine cannot use is none: others may do (RFC 8839, section 5.1).
    async fn tell(&self, candidate: Option<Candidate>) -> Result<(), Problem> {
        match timeout(ENGINE, self.peer.add_ice_candidate(candidate)).await {
            Ok(Err(error)) if error.kind() == Kind::Lost => Err(gone()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a viewer's candidate is left out");
                Ok(())
            }
            Ok(Ok(())) => Ok(()),
            Err(_) => Err(slow()),
        }
    }

    /// Closes the peer.
    pub(super) async fn close(&self) {
        if timeout(ENGINE, self.peer.close()).await.is_err() {
            tracing::warn!("the engine does not close a viewer's peer");
        }
    }
}

/// What `peer` answers to `offer`, with the candidates of this side in it.
pub(super) async fn answer(peer: &Peer, offer: &Offer) -> Result<String, Problem> {
    let described = async {
        peer.set_remote_description(Description::offer(offer.sdp.clone())).await?;
        peer.set_local_description(None).await
    };
    timeout(ENGINE, described).await.map_err(|_| slow())?.map_err(refused)?;
    match timeout(GATHERING, peer.gathered()).await {
        Ok(gathered) => Ok(gathered.map_err(refused)?.sdp),
        Err(_) => {
            let so_far = timeout(ENGINE, peer.local_description()).await.map_err(|_| slow())?.map_err(refused)?;
            so_far.map(|description| description.sdp).ok_or_else(slow)
        }
    }
}

/// Returns once the viewer that `state` is about will not come back.
pub(super) async fn gone_for_good(mut state: Watch<PeerState>) {
    let connected = |state: &PeerState| *state == PeerState::Connected;
    loop {
        match timeout(PATIENCE, state.until(|state| connected(state) || state.is_final())).await {
            Ok(PeerState::Connected) => {}
            _ => return,
        }
        // Still connected means that nobody will say otherwise: its engine has dropped it.
        let next = state.until(|state| !connected(state)).await;
        if connected(&next) || next.is_final() {
            return;
        }
    }
}

/// An engine's words about an offer.
pub(super) fn refused(error: Error) -> Problem {
    let status = match error.kind() {
        Kind::BadItem => StatusCode::BAD_REQUEST,
        Kind::Config => StatusCode::NOT_ACCEPTABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(status, error.to_string())
}

fn slow() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the engine does not answer; try again")
}

/// There is no such session (any more).
pub(super) fn gone() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such session, or it has ended; POST a new offer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use millstream_core::Clock;
    use millstream_webrtc::PeerOptions;
    use tokio::time::Instant;

    fn peer() -> (Fake, Peer) {
        let fake = Fake::default();
        let peer = fake.engine().peer(PeerOptions::new(Clock::manual().0)).unwrap();
        (fake, peer)
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_connects_is_gone_after_15_s() {
        let (_fake, peer) = peer();
        let start = Instant::now();
        gone_for_good(peer.state()).await;
        assert_eq!(start.elapsed().as_secs(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_in_time_stays() {
        let (fake, peer) = peer();
        fake.state(0, PeerState::Connected);
        let start = Instant::now();
        let gone = tokio::spawn(gone_for_good(peer.state()));
        for (after, state) in [(60, PeerState::Disconnected), (10, PeerState::Connected), (60, PeerState::Disconnected)]
        {
            assert!(timeout(Duration::from_secs(after), std::future::pending::<()>()).await.is_err());
            fake.state(0, state);
        }
        gone.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 60 + 10 + 60 + 15);
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_or_closes_is_gone_at_once() {
        for last in [PeerState::Failed, PeerState::Closed] {
            let (fake, peer) = peer();
            fake.state(0, PeerState::Connected);
            let gone = tokio::spawn(gone_for_good(peer.state()));
            tokio::task::yield_now().await;
            let start = Instant::now();
            fake.state(0, last);
            gone.await.unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_gathers_for_ever_is_not_waited_for() {
        let (fake, peer) = peer();
        fake.gathers_for_ever();
        let offer = Offer::parse(crate::fake::OFFER.as_bytes()).unwrap();
        assert_eq!(answer(&peer, &offer).await.unwrap(), "v=0 so far");
    }
}
