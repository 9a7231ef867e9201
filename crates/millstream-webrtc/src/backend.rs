//! What an engine implements: commands in, events out. No async, no runtime.

use millstream_core::{Codec, Result};

use crate::{
    Candidate, Capabilities, Description, EventSender, Feed, Feedback, PeerOptions, Responder, TrackId,
    TransportStatistics,
};

/// An engine, as [`Engine::new`](crate::Engine::new) takes it.
pub trait Backend: Send + Sync {
    /// Its name, as diagnostics say it.
    fn name(&self) -> &str;

    /// What it can do. Called once.
    fn capabilities(&self) -> Capabilities;

    /// Opens a peer. `options` have been checked against the capabilities.
    fn open(&self, options: PeerOptions, events: EventSender) -> Result<Box<dyn BackendPeer>>;
}

/// One connection of an engine.
pub trait BackendPeer: Send + Sync {
    /// Executes `command`, after those before it. Never blocks: the answer goes to its responder,
    /// and a responder that is dropped says that the peer is closed.
    ///
    /// [`Command::Close`] is the last one, and comes in any case.
    fn command(&self, command: Command);
}

/// What a [`Peer`](crate::Peer) asks of its engine; the methods of the peer say what each means.
#[derive(Debug)]
#[non_exhaustive]
pub enum Command {
    /// [`Peer::set_remote_description`](crate::Peer::set_remote_description).
    SetRemoteDescription(Description, Responder<()>),
    /// [`Peer::create_offer`](crate::Peer::create_offer).
    CreateOffer(Responder<Description>),
    /// [`Peer::create_answer`](crate::Peer::create_answer).
    CreateAnswer(Responder<Description>),
    /// [`Peer::set_local_description`](crate::Peer::set_local_description).
    SetLocalDescription(Option<Description>, Responder<()>),
    /// [`Peer::local_description`](crate::Peer::local_description).
    LocalDescription(Responder<Option<Description>>),
    /// [`Peer::gathered`](crate::Peer::gathered).
    Gathered(Responder<Description>),
    /// [`Peer::add_ice_candidate`](crate::Peer::add_ice_candidate).
    AddIceCandidate(Option<Candidate>, Responder<()>),
    /// [`Peer::add_track`](crate::Peer::add_track). An engine that cannot send it answers the next
    /// description with the reason.
    AddTrack(LocalTrack),
    /// [`Peer::restart_ice`](crate::Peer::restart_ice).
    RestartIce(Responder<()>),
    /// [`Peer::statistics`](crate::Peer::statistics), but for the tracks, which count by themselves.
    Statistics(Responder<TransportStatistics>),
    /// Frees everything, tells [`PeerState::Closed`](crate::PeerState::Closed) and
    /// [`PeerEvent::Closed`](crate::PeerEvent::Closed), and answers.
    Close(Responder<()>),
}

/// A track to be sent, as an engine gets it.
#[derive(Debug)]
pub struct LocalTrack {
    /// How events name it.
    pub track: TrackId,
    /// What it carries.
    pub codec: Codec,
    /// The media stream it belongs to: tracks of one are played in sync.
    pub stream: String,
    /// Its own name within the stream.
    pub id: String,
    /// Where its frames come from.
    pub feed: Feed,
    /// Where to say what the remote side tells about it.
    pub feedback: Feedback,
}
