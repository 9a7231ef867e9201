//! What an engine implements: commands in, events out. No async, no runtime.
//!
//! Two kinds of engine fit. One has threads and sockets of its own and runs by itself. One does no I/O by
//! itself: it takes its sockets from [`PeerOptions::network`](crate::PeerOptions::network) and its time from
//! [`PeerOptions::clock`](crate::PeerOptions::clock), and hands back a [`Driver`] that a pipeline's runner steps,
//! in real or in virtual time.
//!
//! `millstream_testkit::conformance::engine` checks an engine against all that is said here.

use std::convert::Infallible;
use std::fmt;

use millstream_core::{Codec, Error, Result, Source};

use crate::{
    Candidate, Capabilities, Description, EventSender, Feedback, FrameReceiver, PeerOptions, Responder, TrackId,
    TransportStatistics,
};

/// An engine, as [`Engine::new`](crate::Engine::new) takes it.
pub trait Backend: Send + Sync {
    /// Its name, as diagnostics say it.
    fn name(&self) -> &str;

    /// What it can do. Called once.
    fn capabilities(&self) -> Capabilities;

    /// Opens a peer. `options` have been checked against the capabilities.
    fn open(&self, options: PeerOptions, events: EventSender) -> Result<Opened>;
}

/// A peer that an engine has opened.
#[non_exhaustive]
pub struct Opened {
    /// Takes the commands.
    pub peer: Box<dyn BackendPeer>,
    /// What has to run so that anything happens, if the engine does not run by itself.
    pub driver: Option<Driver>,
}

/// What runs a peer of an engine that does not run by itself. It reads sockets, answers timers and sends, and
/// returns when it has to run again; its waker is used when a command, a frame or a datagram comes before that.
/// It ends ([`Next::End`](millstream_core::Next::End)) once the peer is closed and freed.
pub type Driver = Box<dyn Source<Infallible>>;

impl Opened {
    /// A peer that runs by itself.
    pub fn new(peer: impl BackendPeer + 'static) -> Opened {
        Opened { peer: Box::new(peer), driver: None }
    }

    /// The same peer, which runs while `driver` is run.
    #[must_use]
    pub fn with_driver(mut self, driver: impl Source<Infallible> + 'static) -> Opened {
        self.driver = Some(Box::new(driver));
        self
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("has_driver", &self.driver.is_some()).finish_non_exhaustive()
    }
}

/// One connection of an engine.
pub trait BackendPeer: Send + Sync {
    /// Executes `command`, after those before it. Never blocks: the answer goes to its responder,
    /// and a responder that is dropped says that the peer is closed.
    ///
    /// A command that the engine does not know it answers with [`Command::unsupported`]. [`Command::Close`] is
    /// the last one, and comes in any case.
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
    /// [`Peer::add_track`](crate::Peer::add_track). A track that cannot be sent fails alone, with
    /// [`Feedback::failed`].
    AddTrack(LocalTrack),
    /// [`Peer::restart_ice`](crate::Peer::restart_ice).
    RestartIce(Responder<()>),
    /// [`Peer::statistics`](crate::Peer::statistics), but for the tracks, which count by themselves.
    Statistics(Responder<TransportStatistics>),
    /// Frees everything, reports [`PeerState::Closed`](crate::PeerState::Closed) and
    /// [`PeerEvent::Closed`](crate::PeerEvent::Closed), and answers.
    Close(Responder<()>),
    /// What no engine knows, so that a test can see how an engine refuses a command from the future.
    #[doc(hidden)]
    Unknown(Responder<()>),
}

impl Command {
    /// Its name, as diagnostics say it.
    pub fn name(&self) -> &'static str {
        match self {
            Command::SetRemoteDescription(..) => "SetRemoteDescription",
            Command::CreateOffer(_) => "CreateOffer",
            Command::CreateAnswer(_) => "CreateAnswer",
            Command::SetLocalDescription(..) => "SetLocalDescription",
            Command::LocalDescription(_) => "LocalDescription",
            Command::Gathered(_) => "Gathered",
            Command::AddIceCandidate(..) => "AddIceCandidate",
            Command::AddTrack(_) => "AddTrack",
            Command::RestartIce(_) => "RestartIce",
            Command::Statistics(_) => "Statistics",
            Command::Close(_) => "Close",
            Command::Unknown(_) => "Unknown",
        }
    }

    /// Answers that the engine called `engine` does not know this command.
    pub fn unsupported(self, engine: &str) {
        let error =
            Error::config(format!("the engine `{engine}` does not support `{}`; use another engine", self.name()));
        self.refuse(error);
    }

    /// Answers with `error`.
    pub fn refuse(self, error: Error) {
        match self {
            Command::SetRemoteDescription(_, done)
            | Command::SetLocalDescription(_, done)
            | Command::AddIceCandidate(_, done)
            | Command::RestartIce(done)
            | Command::Close(done)
            | Command::Unknown(done) => done.send(Err(error)),
            Command::CreateOffer(done) | Command::CreateAnswer(done) | Command::Gathered(done) => done.send(Err(error)),
            Command::LocalDescription(done) => done.send(Err(error)),
            Command::Statistics(done) => done.send(Err(error)),
            Command::AddTrack(track) => track.feedback.failed(error.to_string()),
        }
    }
}

/// A track to be sent, as an engine gets it.
#[derive(Debug)]
#[non_exhaustive]
pub struct LocalTrack {
    /// How events name it.
    pub track: TrackId,
    /// What it carries: one of [`PeerOptions::codecs`](crate::PeerOptions::codecs).
    pub codec: Codec,
    /// The media stream it belongs to: tracks of one are played in sync.
    pub stream: String,
    /// Its own name within the stream.
    pub id: String,
    /// Its frames. Dropping it discards those that wait, and ends the track.
    pub frames: FrameReceiver,
    /// Where the engine reports what the remote side says about it.
    pub feedback: Feedback,
}
