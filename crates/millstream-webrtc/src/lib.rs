//! The WebRTC client API: [`Engine`], [`Peer`], tracks, statistics, and an [`Audience`] for many
//! viewers. There is no engine in it, no socket and no async runtime; an engine is a crate named
//! `millstream-webrtc-*` that implements [`Backend`].
//!
//! The shape is the browser's, the manners are Rust's:
//! - A method sends its command **when called** and returns a [`Reply`]: await it on any runtime, or
//!   [`wait`](Reply::wait) on a thread. Dropping it cancels nothing, so the order of calls is the
//!   order of commands.
//! - A state is a [`Watch`]; events are one stream, [taken once](Peer::take_events), from which
//!   nothing that still holds is lost.
//! - A track **is** a pipeline's sink: [`Sender`] takes RTP packets, one frame at a time, and never
//!   blocks. A key-frame wish of the remote side goes upstream by itself.
//!
//! # Answering a viewer
//! ```no_run
//! # async fn answer(engine: millstream_webrtc::Engine, offer: String) -> millstream_core::Result<String> {
//! use millstream_core::{Clock, VP8};
//! use millstream_webrtc::{Audience, Description, PeerOptions};
//!
//! let clock = Clock::system();
//! let audience = Audience::new(clock.clone());
//! let video = audience.video_sink(VP8)?; // to be joined to a packetizer
//!
//! let peer = engine.peer(PeerOptions::new(clock))?;
//! let seat = audience.join(&peer, "stream")?;
//! peer.set_remote_description(Description::offer(offer)).await?;
//! peer.set_local_description(None).await?;
//! let answer = peer.gathered().await?.sdp;
//! # drop((video, seat));
//! # Ok(answer)
//! # }
//! ```
//!
//! # What it cannot do yet
//! | | |
//! |---|---|
//! | sending packets of any codec, many viewers of one stream | ✅ |
//! | trickle ICE, key-frame wishes, receiver reports, REMB | ✅ |
//! | receiving media | ❌ |
//! | data channels | ❌ |
//! | simulcast, own bandwidth estimation | ❌ |
//!
//! What one engine can do is in its [`Capabilities`]; asking for more is an error with a name.

#![forbid(unsafe_code)]

mod adapt;
mod audience;
mod backend;
mod block;
mod capabilities;
mod description;
mod engine;
mod events;
mod feed;
mod options;
mod pace;
mod peer;
mod queue;
mod recent;
mod reply;
pub mod sdp;
mod sender;
mod statistics;
mod watch;

#[cfg(test)]
mod fake;

pub use millstream_core::throttle::KEY_FRAME_INTERVAL;

pub use adapt::{Adapt, TOLERABLE};
pub use audience::{Audience, AudienceSink, Seat};
pub use backend::{Backend, BackendPeer, Command, LocalTrack};
pub use capabilities::Capabilities;
pub use description::{Candidate, Description, DescriptionKind};
pub use engine::Engine;
pub use events::{EventSender, Events, PeerEvent, PeerState};
pub use feed::{Feed, Feedback, Frame};
pub use options::{IceServer, PeerOptions};
pub use peer::Peer;
pub use reply::{Reply, Responder};
pub use sender::{Sender, TrackId, TrackOptions};
pub use statistics::{Reception, SenderStatistics, Statistics, TrackStatistics, TransportStatistics};
pub use watch::{Changed, Watch};
