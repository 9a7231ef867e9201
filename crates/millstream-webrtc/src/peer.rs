//! One connection to somebody.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_core::{Clock, Error, Result};

use crate::sender::Track;
use crate::{
    BackendPeer, Candidate, Capabilities, Command, Description, Engine, EventSender, Events, PeerState, Reply,
    Responder, Sender, Statistics, TrackId, TrackOptions, Watch,
};

/// One connection to somebody. Cloning gives another handle; dropping the last one closes it.
///
/// Every method sends its command when it is called; see [`Reply`].
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    engine: Engine,
    backend: Box<dyn BackendPeer>,
    clock: Clock,
    sender: EventSender,
    events: Mutex<Option<Events>>,
    state: Watch<PeerState>,
    next_track: AtomicU32,
    tracks: Mutex<Vec<Weak<Track>>>,
}

impl Peer {
    pub(crate) fn new(
        engine: Engine,
        backend: Box<dyn BackendPeer>,
        clock: Clock,
        sender: EventSender,
        events: Events,
        state: Watch<PeerState>,
    ) -> Peer {
        let (events, tracks, next_track) = (Mutex::new(Some(events)), Mutex::default(), AtomicU32::new(0));
        Peer(Arc::new(Inner { engine, backend, clock, sender, events, state, next_track, tracks }))
    }

    /// Hears what the remote side offers or answers.
    pub fn set_remote_description(&self, description: Description) -> Reply<()> {
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

    /// Hears a candidate of the remote side; `None` says that there will be no more.
    pub fn add_ice_candidate(&self, candidate: Option<Candidate>) -> Reply<()> {
        if let Err(error) = self.require(self.capabilities().trickle, "trickle candidates") {
            return Reply::ready(Err(error));
        }
        self.ask(|responder| Command::AddIceCandidate(candidate, responder))
    }

    /// Adds a track to send, before the description that is to mention it.
    ///
    /// Whether the remote side can take its codec shows when the answer is made or heard.
    ///
    /// # Errors
    /// If the peer is closed, or the engine cannot send.
    pub fn add_track(&self, options: TrackOptions) -> Result<Sender> {
        self.require(self.capabilities().send, "send media")?;
        if self.0.state.get().is_final() {
            return Err(Error::lost("the peer is closed; open another with Engine::peer"));
        }
        let track = TrackId(self.0.next_track.fetch_add(1, Ordering::Relaxed));
        let (sender, local) = Sender::new(track, options, self.0.clock.clone(), self.0.sender.clone());
        let mut tracks = self.tracks();
        tracks.retain(|track| track.strong_count() > 0);
        tracks.push(Arc::downgrade(sender.track()));
        drop(tracks);
        self.0.backend.command(Command::AddTrack(local));
        Ok(sender)
    }

    /// Looks for new ways to the remote side; the next offer carries them.
    pub fn restart_ice(&self) -> Reply<()> {
        match self.require(self.capabilities().ice_restart, "restart ICE") {
            Ok(()) => self.ask(Command::RestartIce),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    /// Numbers about it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake};
    use crate::{IceServer, PeerEvent, PeerOptions};

    #[test]
    fn commands_are_sent_when_called_and_in_order_whether_or_not_replies_are_awaited() {
        let (fake, peer) = fake::peer();
        drop(peer.set_remote_description(Description::offer("o")));
        let answer = peer.create_answer();
        drop(peer.set_local_description(None));
        assert_eq!(fake.take_names(), ["SetRemoteDescription", "CreateAnswer", "SetLocalDescription"]);
        assert_eq!(answer.wait().unwrap(), Description::answer("answer"));
    }

    #[test]
    fn dropping_the_last_handle_closes_and_events_end() {
        let (fake, peer) = fake::peer();
        let mut events = peer.take_events().expect("taken the first time");
        assert!(peer.take_events().is_none());
        let other = peer.clone();
        drop(peer);
        assert!(fake.take_names().is_empty());
        drop(other);
        assert_eq!(fake.take_names(), ["Close"]);
        assert_eq!(events.recv(), Some(PeerEvent::State(PeerState::Closed)));
        assert_eq!(events.recv(), Some(PeerEvent::Closed));
        assert_eq!(events.recv(), None);
    }

    #[test]
    fn what_the_engine_cannot_do_is_refused_by_name() {
        let engine = Engine::new(Fake::default());
        let options = PeerOptions::new(Clock::manual().0);
        let error = engine.peer(options.clone().ice_servers([IceServer::turn("turns:a", "n", "p")])).unwrap_err();
        assert!(error.to_string().contains("`fake` has no TURN over TLS"), "{error}");
        let error = engine.peer(options).unwrap().restart_ice().wait().unwrap_err();
        assert!(error.to_string().contains("`fake` cannot restart ICE"), "{error}");
    }

    #[test]
    fn statistics_join_the_tracks_with_what_the_engine_knows() {
        let (_fake, peer) = fake::peer();
        let sender = peer.add_track(fake::video_track()).unwrap();
        let statistics = peer.statistics().wait().unwrap();
        assert_eq!(statistics.tracks.len(), 1);
        assert_eq!(statistics.tracks[0].track, sender.id());
        assert_eq!(statistics.transport.bytes_sent, 1);
    }
}
