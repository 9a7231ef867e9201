//! One viewer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use millstream_core::error::Kind;
use millstream_core::{Clock, Error, Timestamp};
use millstream_webrtc::{Candidate, Description, Peer, PeerState, Subscription};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::timeout;

use super::condition::Condition;
use super::measured::Measured;
use super::offer::Offer;
use super::report::Report;
use super::restarts::Restarts;
use super::sdpfrag::{self, Fragment};
use super::status::SessionStatus;
use crate::http::problem::Problem;
use crate::random;

/// How long an engine may take for anything but gathering. It takes milliseconds.
const ENGINE: Duration = Duration::from_secs(5);
/// How long to wait for candidates. Those of this machine come at once; without the others most
/// viewers still find a way, and a person waits.
const GATHERING: Duration = Duration::from_secs(2);

/// Candidates that a session takes in all. An engine keeps each and tries it, so that without a bound a
/// viewer's fragments would grow it for ever.
const MAX_CANDIDATES: usize = 256;

/// One viewer. Dropping it closes its peer and lets another viewer in.
pub(super) struct Session {
    /// The first viewer has 1.
    number: u64,
    /// When it came, on the pipeline's clock.
    since: Timestamp,
    pub(super) peer: Peer,
    subscription: Subscription,
    measured: Mutex<Measured>,
    /// Notified by each ICE restart.
    pub(super) restarted: Arc<Notify>,
    /// One request about it after the other.
    ice: tokio::sync::Mutex<Ice>,
    _permit: OwnedSemaphorePermit,
}

/// The ICE session that a viewer is in.
struct Ice {
    tag: String,
    offer: Offer,
    /// How many candidates the viewer has sent in all.
    trickled: usize,
    restarts: Restarts,
    /// The user fragments of those before it, the newest last.
    former: VecDeque<String>,
}

/// How many user fragments are remembered: a late request comes after one restart or two.
const FORMER: usize = 8;

/// A new ICE session.
pub(super) struct Restarted {
    /// Its entity tag.
    pub(super) tag: String,
    /// What the viewer needs to know about it, as a fragment.
    pub(super) fragment: String,
}

impl Session {
    /// The viewer whose `offer` was answered, in an ICE session with `tag`.
    pub(super) fn new(
        number: u64,
        since: Timestamp,
        tag: String,
        offer: Offer,
        (peer, subscription): (Peer, Subscription),
        permit: OwnedSemaphorePermit,
    ) -> Session {
        // Events are not read: the state is watched, and candidates are in the answer.
        drop(peer.take_events());
        let restarts = Restarts::default();
        let ice = tokio::sync::Mutex::new(Ice { tag, offer, trickled: 0, restarts, former: VecDeque::new() });
        let (measured, restarted) = (Mutex::default(), Arc::default());
        Session { number, since, peer, subscription, measured, restarted, ice, _permit: permit }
    }

    /// Applies `fragment` at `now`: candidates, or what the viewer wants to restart ICE with.
    pub(super) async fn apply(
        &self,
        now: Timestamp,
        condition: Condition,
        fragment: Fragment,
    ) -> Result<Option<Restarted>, Problem> {
        let mut ice = self.ice.lock().await;
        condition.holds(&ice.tag)?;
        if fragment.ufrags.iter().any(|ufrag| ice.former.contains(ufrag)) {
            let detail = "these candidates are of before the last ICE restart; send those after it";
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail));
        }
        if fragment.ufrags.iter().all(|ufrag| ice.offer.has_ufrag(ufrag)) {
            ice.trickled += fragment.candidates.len();
            if ice.trickled > MAX_CANDIDATES {
                let detail =
                    format!("more than {MAX_CANDIDATES} candidates in one session; send fewer, or POST a new offer");
                return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
            }
            self.trickle(&ice.offer, fragment).await?;
            return Ok(None);
        }
        condition.allows_restart()?;
        self.restart(now, &mut ice, fragment).await.map(Some)
    }

    /// Begins a new ICE session; should that fail, the one before goes on.
    async fn restart(&self, now: Timestamp, ice: &mut Ice, fragment: Fragment) -> Result<Restarted, Problem> {
        if !self.peer.engine().capabilities().ice_restart {
            let detail = "this is an ICE restart, which this engine cannot; DELETE the session and POST a new offer";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        let offer = ice.offer.restarted(&fragment.credentials()?)?;
        ice.restarts.begin(now)?;
        let answer = answer(&self.peer, &offer).await?;
        let before = std::mem::replace(&mut ice.offer, offer);
        ice.trickled = fragment.candidates.len();
        ice.former.extend(before.ufrags());
        ice.former.drain(..ice.former.len().saturating_sub(FORMER));
        ice.tag = new_tag();
        self.restarted.notify_one();
        // The viewer must learn that the session is a new one, whatever its candidates are.
        if let Err(problem) = self.trickle(&ice.offer, fragment).await {
            tracing::debug!(?problem, "candidates of an ICE restart are left out");
        }
        Ok(Restarted { tag: ice.tag.clone(), fragment: sdpfrag::of_answer(&answer) })
    }

    /// Gives the viewer's candidates to the peer.
    async fn trickle(&self, offer: &Offer, fragment: Fragment) -> Result<(), Problem> {
        if !self.peer.engine().capabilities().trickle {
            let detail = "this engine takes candidates in the offer only; gather them first";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        for mut candidate in fragment.candidates {
            if let Some(mid) = &candidate.mid {
                let unknown =
                    || Problem::new(StatusCode::BAD_REQUEST, format!("the offer has no section with mid {mid}"));
                candidate.line = Some(offer.line_of(mid).ok_or_else(unknown)?);
            }
            self.add_candidate(Some(candidate)).await?;
        }
        if fragment.end {
            self.add_candidate(None).await?;
        }
        Ok(())
    }

    /// A candidate that the engine cannot use is left out: others may do (RFC 8839, section 5.1).
    async fn add_candidate(&self, candidate: Option<Candidate>) -> Result<(), Problem> {
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

    /// Notes what was sent so far.
    pub(super) fn note(&self, now: Timestamp) {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).note(now, &self.subscription);
    }

    /// Keeps what the viewer's page measures.
    pub(super) fn keep(&self, now: Timestamp, report: Report) {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).report(now, report);
    }

    /// How it fares.
    pub(super) fn status(&self, clock: &Clock) -> SessionStatus {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, tracks) = (clock.now(), measured.tracks(clock.now(), &self.subscription));
        SessionStatus {
            viewer: self.number,
            since: clock.utc(self.since).unix_millis() / 1000,
            state: in_words(self.peer.state().get()),
            bitrate: tracks.iter().map(|track| track.bitrate).sum(),
            tracks,
            page: measured.page_report(now),
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

/// The name of a new state of a session.
pub(super) fn new_tag() -> String {
    format!("\"{}\"", random::name())
}

fn in_words(state: PeerState) -> &'static str {
    match state {
        PeerState::New => "new",
        PeerState::Connecting => "connecting",
        PeerState::Connected => "connected",
        PeerState::Disconnected => "disconnected",
        PeerState::Failed => "failed",
        PeerState::Closed => "closed",
    }
}

/// An engine's words about an offer.
pub(super) fn refused(error: Error) -> Problem {
    let status = match error.kind() {
        Kind::BadItem => StatusCode::BAD_REQUEST,
        // No 406: with that, a player takes the body for an offer to answer (draft-ietf-wish-whep after -03, "Server
        // Sends Counter-Offer").
        Kind::Config => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Lost => return gone(),
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
    use crate::samples::OFFER;
    use millstream_core::Clock;
    use millstream_testkit::engine::FakeEngine;
    use millstream_webrtc::PeerOptions;

    fn peer() -> (FakeEngine, Peer) {
        let fake = FakeEngine::new();
        let peer = fake.engine().peer(PeerOptions::new(Clock::manual().0)).unwrap();
        (fake, peer)
    }

    #[tokio::test(start_paused = true)]
    async fn two_restarts_at_once_come_one_after_the_other() {
        let (fake, peer) = peer();
        fake.never_gathers();
        let audience = millstream_webrtc::Audience::new(Clock::manual().0);
        let _end = audience.video_sink(millstream_core::VP8).unwrap();
        let subscription = audience.subscribe(&peer, "stream").unwrap();
        let permit = Arc::new(tokio::sync::Semaphore::new(1)).acquire_owned().await.unwrap();
        let offer = Offer::parse(OFFER.as_bytes()).unwrap();
        let session = Session::new(1, Timestamp::ZERO, new_tag(), offer, (peer, subscription), permit);
        let restart = |ufrag: &str| {
            let fragment = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:9876543210987654321098\r\n");
            session.apply(Timestamp::ZERO, Condition::Any, Fragment::parse(fragment.as_bytes()).unwrap())
        };
        let (one, other) = tokio::join!(restart("efgh"), restart("ijkl"));
        let (one, other) = (one.unwrap().unwrap(), other.unwrap().unwrap());
        assert_ne!(one.tag, other.tag);
        assert_eq!(fake.steps(0), ["remote efgh", "local", "gathered", "remote ijkl", "local", "gathered"]);
        let late = session
            .apply(Timestamp::ZERO, Condition::Tags(one.tag), Fragment::default())
            .await
            .err()
            .expect("it is a former one");
        assert!(format!("{late:?}").contains("412"), "{late:?}");
        let late = Fragment::parse(b"a=ice-ufrag:efgh\r\na=end-of-candidates\r\n").unwrap();
        let late =
            session.apply(Timestamp::ZERO, Condition::Any, late).await.err().expect("its candidates are former ones");
        assert!(format!("{late:?}").contains("412"), "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_gathers_for_ever_is_not_waited_for() {
        let (fake, peer) = peer();
        fake.never_gathers();
        let offer = Offer::parse(OFFER.as_bytes()).unwrap();
        let audience = millstream_webrtc::Audience::new(Clock::manual().0);
        let _end = audience.video_sink(millstream_core::VP8).unwrap();
        let _subscription = audience.subscribe(&peer, "stream").unwrap();
        let so_far = answer(&peer, &offer).await.unwrap();
        assert!(so_far.contains("a=ice-ufrag:fake0") && so_far.contains("a=sendonly"), "{so_far}");
    }
}
