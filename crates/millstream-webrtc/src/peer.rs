//! One connection to a remote side.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_core::{Clock, Codec, Error, Result};

use crate::events::Reported;
use crate::track::Track;
use crate::{
    BackendPeer, Candidate, Capabilities, Command, Description, DescriptionKind, Driver, Engine, EventSender, Events,
    Opened, PeerState, Reply, Responder, Sender, SignalingState, Statistics, TrackId, TrackOptions, TrackSink, Watch,
};

/// One connection to a remote side. Cloning gives another handle; dropping the last one closes it.
///
/// Every method sends its command when it is called; see [`Reply`].
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    engine: Engine,
    backend: Box<dyn BackendPeer>,
    driver: Mutex<Option<Driver>>,
    clock: Clock,
    codecs: Vec<Codec>,
    sender: EventSender,
    events: Mutex<Option<Events>>,
    state: Watch<PeerState>,
    signaling: Watch<SignalingState>,
    next_track: AtomicU32,
    tracks: Mutex<Vec<Weak<Track>>>,
}

impl Peer {
    pub(crate) fn new(
        engine: Engine,
        opened: Opened,
        clock: Clock,
        codecs: Vec<Codec>,
        sender: EventSender,
        reported: Reported,
    ) -> Peer {
        let Reported { events, state, signaling } = reported;
        Peer(Arc::new(Inner {
            engine,
            backend: opened.peer,
            driver: Mutex::new(opened.driver),
            clock,
            codecs,
            sender,
            events: Mutex::new(Some(events)),
            state,
            signaling,
            next_track: AtomicU32::new(0),
            tracks: Mutex::default(),
        }))
    }

    /// Applies what the remote side offers or answers. A section of it that cannot be used, is turned down or is
    /// held affects no other.
    pub fn set_remote_description(&self, description: Description) -> Reply<()> {
        if let Err(error) = self.can_apply(&description) {
            return Reply::ready(Err(error));
        }
        self.ask(|responder| Command::SetRemoteDescription(description, responder))
    }

    /// Makes an offer. Tracks are added before.
    pub fn create_offer(&self) -> Reply<Description> {
        self.ask(Command::CreateOffer)
    }

    /// Makes the answer to the remote side's offer. Tracks are added before.
    pub fn create_answer(&self) -> Reply<Description> {
        self.ask(Command::CreateAnswer)
    }

    /// Applies what was created, and begins to gather candidates. `None` creates what is due.
    pub fn set_local_description(&self, description: Option<Description>) -> Reply<()> {
        if let Err(error) = description.as_ref().map_or(Ok(()), |description| self.can_apply(description)) {
            return Reply::ready(Err(error));
        }
        self.ask(|responder| Command::SetLocalDescription(description, responder))
    }

    /// The local description with the candidates gathered so far.
    pub fn local_description(&self) -> Reply<Option<Description>> {
        self.ask(Command::LocalDescription)
    }

    /// The local description once all candidates are in it. Commands after it do not wait.
    pub fn gathered(&self) -> Reply<Description> {
        self.ask(Command::Gathered)
    }

    /// Adds a candidate of the remote side; `None` says that there will be no more.
    pub fn add_ice_candidate(&self, candidate: Option<Candidate>) -> Reply<()> {
        if let Err(error) = self.require(self.capabilities().trickle, "trickle candidates") {
            return Reply::ready(Err(error));
        }
        self.ask(|responder| Command::AddIceCandidate(candidate, responder))
    }

    /// Adds a track to send: the sink for its frames, and its handle. The next description mentions it.
    ///
    /// A track whose codec the remote side lacks [fails](crate::PeerEvent::TrackFailed) alone, when that description
    /// is answered or answers.
    ///
    /// # Errors
    /// If the peer is closed, if the codec is none of [`PeerOptions::codecs`](crate::PeerOptions::codecs), or if
    /// the engine cannot send.
    pub fn add_track(&self, options: TrackOptions) -> Result<(TrackSink, Sender)> {
        self.require(self.capabilities().send, "send media")?;
        if self.0.state.get().is_final() {
            return Err(Error::lost("the peer is closed; open another with Engine::peer"));
        }
        if !self.0.codecs.contains(&options.codec) {
            let codecs: Vec<_> = self.0.codecs.iter().map(ToString::to_string).collect();
            return Err(Error::config(format!(
                "this peer was opened for {}; give PeerOptions::codecs {} as well",
                codecs.join(" and "),
                options.codec
            )));
        }
        let track = TrackId(self.0.next_track.fetch_add(1, Ordering::Relaxed));
        let (sink, sender, local) = Sender::new(track, options, self.0.clock.clone(), self.0.sender.clone());
        let mut tracks = self.tracks();
        tracks.retain(|track| track.strong_count() > 0);
        tracks.push(Arc::downgrade(sender.track()));
        drop(tracks);
        self.0.backend.command(Command::AddTrack(local));
        Ok((sink, sender))
    }

    /// Gathers new candidates under new credentials, also after the connection has failed; the next offer carries
    /// them.
    pub fn restart_ice(&self) -> Reply<()> {
        match self.require(self.capabilities().ice_restart, "restart ICE") {
            Ok(()) => self.ask(Command::RestartIce),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    /// What was sent and received.
    pub fn statistics(&self) -> Reply<Statistics> {
        let tracks: Vec<_> = self.tracks().iter().filter_map(Weak::upgrade).collect();
        self.ask(|responder: Responder<Statistics>| {
            Command::Statistics(responder.map(move |transport| Statistics {
                tracks: tracks.iter().map(|track| track.statistics()).collect(),
                transport,
            }))
        })
    }

    /// How far it is.
    pub fn state(&self) -> Watch<PeerState> {
        self.0.state.clone()
    }

    /// How far the exchange of offer and answer is.
    pub fn signaling_state(&self) -> Watch<SignalingState> {
        self.0.signaling.clone()
    }

    /// What has to run so that anything happens, if the engine does not run by itself: for
    /// `Pipeline::driver`, once; `None` afterwards, and of an engine that runs by itself.
    pub fn take_driver(&self) -> Option<Driver> {
        self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Its events, from the first on: once, `None` afterwards.
    pub fn take_events(&self) -> Option<Events> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Closes it; the reply comes when its sockets are free. Other handles find it closed.
    pub fn close(&self) -> Reply<()> {
        self.ask(Command::Close)
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Sends a command that no engine knows, for tests of engines.
    #[doc(hidden)]
    pub fn unknown(&self) -> Reply<()> {
        self.ask(Command::Unknown)
    }

    fn can_apply(&self, description: &Description) -> Result<()> {
        let can = description.kind != DescriptionKind::Rollback || self.capabilities().rollback;
        self.require(can, "take an offer back (rollback)")
    }

    fn ask<T: Send + 'static>(&self, command: impl FnOnce(Responder<T>) -> Command) -> Reply<T> {
        let (responder, reply) = Reply::new();
        self.0.backend.command(command(responder));
        reply
    }

    fn capabilities(&self) -> &Capabilities {
        self.0.engine.capabilities()
    }

    fn require(&self, can: bool, what: &str) -> Result<()> {
        Capabilities::require(can, self.0.engine.name(), what)
    }

    fn tracks(&self) -> MutexGuard<'_, Vec<Weak<Track>>> {
        self.0.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("engine", &self.0.engine.name()).field("state", &self.0.state.get()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (responder, _) = Reply::new();
        self.backend.command(Command::Close(responder));
    }
}
