//! Where sessions are opened, and all that are open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{StatusCode, header};
use millstream_core::{Clock, Codec, Utc};
use millstream_webrtc::{Audience, Engine, PeerOptions};
use tokio::sync::{Semaphore, TryAcquireError};

use super::id;
use super::offer::Offer;
use super::session::{self, Session};
use crate::problem::Problem;

/// The media stream's name: browsers play the tracks of one stream in sync.
const STREAM: &str = "millstream";
/// When a viewer who found no place may ask again, in seconds.
const RETRY_AFTER: &str = "5";

/// What viewers get, and how.
pub(crate) struct Stream {
    /// Whose peers serve them.
    pub(crate) engine: Engine,
    /// What they join.
    pub(crate) audience: Audience,
    /// The pipeline's clock.
    pub(crate) clock: Clock,
    /// What the audience is shown.
    pub(crate) codecs: Vec<Codec>,
    /// Where their peers bind.
    pub(crate) addresses: Vec<IpAddr>,
    /// The page's path, without its last slash.
    pub(crate) base: String,
    /// How many there may be.
    pub(crate) max_viewers: u16,
}

/// Where sessions are opened.
pub(crate) struct Endpoint {
    stream: Stream,
    since: Utc,
    places: Arc<Semaphore>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
}

/// A session that has just been opened.
pub(super) struct Opened {
    /// Its name.
    pub(super) id: String,
    /// Its entity tag.
    pub(super) tag: String,
    /// The answer.
    pub(super) answer: String,
}

impl Endpoint {
    /// An endpoint without sessions.
    pub(crate) fn new(stream: Stream) -> Arc<Endpoint> {
        let since = stream.clock.utc(stream.clock.now());
        let places = Arc::new(Semaphore::new(stream.max_viewers.into()));
        Arc::new(Endpoint { stream, since, places, sessions: Mutex::default() })
    }

    /// The page's path, without its last slash.
    pub(crate) fn base(&self) -> &str {
        &self.stream.base
    }

    /// How many sessions there are.
    pub(crate) fn viewers(&self) -> usize {
        self.sessions().len()
    }

    /// How many there may be.
    pub(crate) fn max_viewers(&self) -> u16 {
        self.stream.max_viewers
    }

    /// When it was opened.
    pub(crate) fn since(&self) -> Utc {
        self.since
    }

    /// Answers `offer`, and watches over the session until it ends.
    pub(super) async fn open(self: &Arc<Self>, offer: Offer) -> Result<Opened, Problem> {
        self.check(&offer)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|error| self.no_place(&error))?;
        let options = PeerOptions::new(self.stream.clock.clone()).addresses(self.stream.addresses.iter().copied());
        let failed = |error: millstream_core::Error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
        let peer = self.stream.engine.peer(options).map_err(failed)?;
        let seat = self.stream.audience.join(&peer, STREAM).map_err(failed)?;
        let answer = session::answer(&peer, &offer).await?;

        let (id, tag) = (id::random(), format!("\"{}\"", id::random()));
        let state = peer.state();
        let trickled = AtomicUsize::new(0);
        let session = Session { tag: tag.clone(), offer, trickled, peer, _seat: seat, _place: place };
        self.sessions().insert(id.clone(), Arc::new(session));
        let (endpoint, watched) = (Arc::clone(self), id.clone());
        tokio::spawn(async move {
            session::gone_for_good(state).await;
            let _ = endpoint.leave(&watched).await;
        });
        Ok(Opened { id, tag, answer })
    }

    /// The session called `id`.
    pub(super) fn session(&self, id: &str) -> Result<Arc<Session>, Problem> {
        self.sessions().get(id).cloned().ok_or_else(session::gone)
    }

    /// Ends the session called `id`; afterwards its place is free.
    pub(super) async fn leave(&self, id: &str) -> Result<(), Problem> {
        let session = self.sessions().remove(id).ok_or_else(session::gone)?;
        session.close().await;
        Ok(())
    }

    /// Ends all sessions, and opens no more.
    pub(crate) async fn close(&self) {
        self.places.close();
        let sessions = std::mem::take(&mut *self.sessions());
        let closing: Vec<_> = sessions.values().map(|session| session.peer.close()).collect();
        for closed in closing {
            let _ = closed.await;
        }
    }

    /// Refuses an offer that would see and hear nothing.
    fn check(&self, offer: &Offer) -> Result<(), Problem> {
        if self.stream.codecs.iter().any(|codec| offer.takes(codec)) {
            return Ok(());
        }
        let codecs: Vec<_> = self.stream.codecs.iter().map(Codec::mime).collect();
        let detail =
            format!("the offer receives none of what is sent here: {}; offer to receive it", codecs.join(", "));
        Err(Problem::new(StatusCode::NOT_ACCEPTABLE, detail))
    }

    fn no_place(&self, error: &TryAcquireError) -> Problem {
        let detail = match error {
            TryAcquireError::Closed => "the stream is ending; try again later".to_owned(),
            TryAcquireError::NoPermits => format!("all {} places are taken; try again later", self.stream.max_viewers),
        };
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, RETRY_AFTER)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
