//! The WebRTC engine over the `webrtc` crate (0.21.1): the complete one for calls with few peers.
//!
//! ```no_run
//! use millstream_core::Clock;
//! use millstream_webrtc::PeerOptions;
//!
//! let engine = millstream_webrtc_rs::engine();
//! let peer = engine.peer(PeerOptions::new(Clock::system()))?;
//! # Ok::<(), millstream_core::Error>(())
//! ```
//!
//! # How it runs
//! A peer is a task on one of at most two threads of this engine, each with a runtime of its own:
//! packets of the `webrtc` crate cross threads on a shared runtime, at twice the cost. A thread ends
//! with the last peer on it once the engine is gone.
//!
//! # What it does itself
//! - **Sender reports** say where *capture* time is on the RTP clock; the crate's own say when
//!   packets left, which tears lips and voice apart by what encoding costs.
//! - **abs-capture-time** and **playout-delay 0/0** are offered, and written where negotiated.
//! - **RTCP** is read where it arrives: the crate keeps it to itself.
//! - **Panics** of the crate end the peer they happen in, with [`PeerState::Failed`], and nothing else.
//! - **Failures** of the connection leave the peer, so that an ICE restart can connect it again, until it is closed.
//!
//! [`PeerState::Failed`]: millstream_webrtc::PeerState::Failed

#![forbid(unsafe_code)]

mod connection;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod handler;
#[cfg(test)]
mod loopback;
mod peer;
mod plan;
mod reports;
mod runtime;
mod shard;
mod socket;
mod timer;
mod track;
mod wake_list;

use std::sync::Arc;

use millstream_core::Result;
use millstream_webrtc::{Backend, BackendPeer, Capabilities, Command, Engine, EventSender, Opened, PeerOptions};
use tokio::sync::mpsc;

use crate::shard::Shards;

/// What diagnostics call this engine.
const NAME: &str = "webrtc-rs";

/// The engine over the `webrtc` crate.
pub fn engine() -> Engine {
    Engine::new(WebRtcRs::default())
}

/// The back-end behind [`engine`], which counts its tasks. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct WebRtcRs(Arc<Shards>);

impl WebRtcRs {
    /// A back-end without threads: they start with the first peer.
    pub fn new() -> WebRtcRs {
        WebRtcRs::default()
    }

    /// How many tasks are alive: none once every peer is closed.
    pub fn tasks(&self) -> usize {
        self.0.tasks()
    }
}

impl Backend for WebRtcRs {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        let mut able = Capabilities::default();
        able.send = true;
        able.trickle = true;
        able.ice_restart = true;
        able.rollback = true;
        able.stun = true;
        able.turn_udp = true;
        able
    }

    fn open(&self, options: PeerOptions, events: EventSender) -> Result<Opened> {
        let (sender, commands) = mpsc::unbounded_channel();
        self.0.spawn(|wake_list| peer::run(options, events, commands, wake_list))?;
        Ok(Opened::new(Commands(sender)))
    }
}

/// Sends commands to a peer's task.
struct Commands(mpsc::UnboundedSender<Command>);

impl BackendPeer for Commands {
    fn command(&self, command: Command) {
        // A command to a peer that has ended is dropped, and its responder says that the peer is closed. To close
        // it again is no error.
        if let Err(mpsc::error::SendError(Command::Close(done))) = self.0.send(command) {
            done.send(Ok(()));
        }
    }
}
