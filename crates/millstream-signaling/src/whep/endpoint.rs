//! Where sessions are opened, and all that are open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{StatusCode, header};
use millstream_core::{Clock, Timestamp, Utc};
use millstream_webrtc::{Audience, Engine, PeerOptions};
use tokio::sync::{Semaphore, TryAcquireError};

use super::measured;
use super::offer::Offer;
use super::presence;
use super::session::{self, Session};
use super::status::Status;
use crate::http::problem::Problem;
use crate::page::IceServerOption;
use crate::random;

/// When a viewer that was refused because all places are taken may ask again, in seconds.
const RETRY_AFTER: &str = "5";

/// What viewers get, and how.
pub(crate) struct Stream {
    /// Whose peers serve them.
    pub(crate) engine: Engine,
    /// What they join.
    pub(crate) audience: Audience,
    /// The pipeline's clock.
    pub(crate) clock: Clock,
    /// Where their peers bind.
    pub(crate) addresses: Vec<IpAddr>,
    /// STUN and TURN servers, for them and for the viewers.
    pub(crate) ice_servers: Vec<IceServerOption>,
    /// The page's path, without its last slash.
    pub(crate) base: String,
    /// How many there may be.
    pub(crate) max_viewers: u16,
}

/// Where sessions are opened.
pub(crate) struct Endpoint {
    stream: Stream,
    since: Timestamp,
    /// How many sessions there have been.
    opened: AtomicU64,
    permits: Arc<Semaphore>,
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
        let (since, opened) = (stream.clock.now(), AtomicU64::new(0));
        let permits = Arc::new(Semaphore::new(stream.max_viewers.into()));
        Arc::new(Endpoint { stream, since, opened, permits, sessions: Mutex::default() })
    }

    /// The page's path, without its last slash.
    pub(crate) fn base(&self) -> &str {
        &self.stream.base
    }

    /// The STUN and TURN servers for the viewers.
    pub(super) fn ice_servers(&self) -> &[IceServerOption] {
        &self.stream.ice_servers
    }

    /// The time on the pipeline's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.stream.clock.now()
    }

    /// The same in UTC: what capture times are in.
    pub(super) fn utc(&self) -> Utc {
        self.stream.clock.utc(self.now())
    }

    /// How the page and each viewer fare.
    pub(crate) fn status(&self) -> Status {
        let sessions: Vec<_> = self.sessions().values().cloned().collect();
        let mut sessions: Vec<_> = sessions.iter().map(|session| session.status(&self.stream.clock)).collect();
        sessions.sort_by_key(|session| session.viewer);
        Status {
            viewers: sessions.len(),
            max_viewers: self.stream.max_viewers,
            since: self.stream.clock.utc(self.since).unix_millis() / 1000,
            sessions,
        }
    }

    /// Answers `offer`, and watches over the session until it ends.
    pub(super) async fn open(self: &Arc<Self>, offer: Offer) -> Result<Opened, Problem> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|error| self.full(&error))?;
        let servers = self.stream.ice_servers.iter().map(IceServerOption::for_engine);
        let options = PeerOptions::new(self.stream.clock.clone())
            .addresses(self.stream.addresses.iter().copied())
            .ice_servers(servers)
            .codecs(self.stream.audience.codecs());
        let failed = |error: millstream_core::Error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
        let peer = self.stream.engine.peer(options).map_err(failed)?;
        // A stream of each viewer's own: browsers play its tracks in sync, and scripts can read its name (RFC 8830),
        // which shall not know two viewers by it.
        let subscription = self.stream.audience.subscribe(&peer, &random::name()).map_err(failed)?;
        let answer = session::answer(&peer, &offer).await?;

        let (id, tag) = (random::name(), session::new_tag());
        let number = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Arc::new(Session::new(number, self.now(), tag.clone(), offer, (peer, subscription), permit));
        self.sessions().insert(id.clone(), Arc::clone(&session));
        tokio::spawn(Arc::clone(self).watch_over(id.clone(), session));
        Ok(Opened { id, tag, answer })
    }

    /// Notes how `session` fares until its viewer will not come back, and ends it.
    async fn watch_over(self: Arc<Self>, id: String, session: Arc<Session>) {
        let gone = presence::gone_for_good(session.peer.state(), Arc::clone(&session.restarted));
        let mut beat = tokio::time::interval(measured::EVERY);
        tokio::pin!(gone);
        // A request may end it: then it is freed at once, whatever this waits for.
        let noted = Arc::downgrade(&session);
        drop(session);
        loop {
            tokio::select! {
                () = &mut gone => break,
                _ = beat.tick() => match noted.upgrade() {
                    Some(session) => session.note(self.now()),
                    None => break,
                }
            }
        }
        let _ = self.leave(&id).await;
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
        self.permits.close();
        let sessions = std::mem::take(&mut *self.sessions());
        let closing: Vec<_> = sessions.values().map(|session| session.peer.close()).collect();
        for closed in closing {
            let _ = closed.await;
        }
    }

    fn full(&self, error: &TryAcquireError) -> Problem {
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
