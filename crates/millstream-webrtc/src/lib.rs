//! The WebRTC client API: [`Engine`], [`Peer`], tracks, statistics, and an [`Audience`] for many
//! viewers. It contains no engine and no async runtime; an engine is a crate named
//! `millstream-webrtc-*` that implements [`Backend`].
//!
//! The shape is the browser's, the manners are Rust's:
//! - A method sends its command **when called** and returns a [`Reply`]: await it on any runtime, or
//!   [`wait`](Reply::wait) on a thread. Dropping it cancels nothing, so the order of calls is the
//!   order of commands.
//! - A state is a [`Watch`]; events are one stream, [taken once](Peer::take_events), from which
//!   nothing that still holds is lost.
//! - A track is added as **two halves**: a [`TrackSink`] that goes into a pipeline and takes RTP packets, one frame
//!   at a time, without blocking; and a [`Sender`], the handle that mutes it, replaces it, stops it and reads its
//!   statistics while it plays. Key-frame requests of the remote side go upstream by themselves.
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
//! let subscription = audience.subscribe(&peer, "stream")?;
//! peer.set_remote_description(Description::offer(offer)).await?;
//! peer.set_local_description(None).await?;
//! let answer = peer.gathered().await?.sdp;
//! # drop((video, subscription));
//! # Ok(answer)
//! # }
//! ```
//!
//! # A track of its own
//! ```no_run
//! # fn call(peer: millstream_webrtc::Peer) -> millstream_core::Result<()> {
//! use millstream_core::VP8;
//! use millstream_webrtc::TrackOptions;
//!
//! let options = TrackOptions { codec: VP8, stream: "call".into(), id: "camera".into() };
//! let (sink, sender) = peer.add_track(options)?; // `sink` is to be joined to a packetizer
//! sender.mute(true);
//! let screen = sender.replace()?; // another sink; nothing is negotiated
//! println!("{} frames were sent", sender.statistics().frames);
//! # drop((sink, screen));
//! # Ok(())
//! # }
//! ```
//!
//! # What it cannot do yet
//! | | |
//! |---|---|
//! | sending packets of any codec, many viewers of one stream | ✅ |
//! | trickle ICE, key-frame requests, receiver reports, REMB | ✅ |
//! | muting and replacing a track while it plays; rollback; ICE restart after a failure | ✅ |
//! | receiving media | ❌ |
//! | data channels | ❌ |
//! | simulcast, own bandwidth estimation | ❌ |
//!
//! What one engine can do is in its [`Capabilities`]; asking for more is an error that names the engine.

#![forbid(unsafe_code)]

mod audience;
mod backend;
mod block;
mod capabilities;
mod description;
mod engine;
mod events;
mod feedback;
mod frames;
mod network;
mod options;
mod peer;
mod queue;
mod reply;
pub mod sdp;
mod sender;
mod sink;
mod states;
mod statistics;
mod system;
mod track;
mod watch;

#[cfg(test)]
mod examples;

pub use millstream_core::throttle::KEY_FRAME_INTERVAL;

pub use audience::{Audience, AudienceSink, BitratePolicy, Subscription, TOLERABLE};
pub use backend::{Backend, BackendPeer, Command, Driver, LocalTrack, Opened};
pub use capabilities::Capabilities;
pub use description::{Candidate, Description, DescriptionKind};
pub use engine::Engine;
pub use events::{EventSender, Events, PeerEvent};
pub use feedback::Feedback;
pub use frames::{Frame, FrameReceiver};
pub use network::{DatagramSocket, Network, Sockets};
pub use options::{IceServer, PeerOptions, TimeOuts};
pub use peer::Peer;
pub use reply::{Reply, Responder};
pub use sender::{Sender, TrackId, TrackOptions};
pub use sink::TrackSink;
pub use states::{PeerState, SignalingState};
pub use statistics::{Reception, SenderStatistics, Statistics, TrackStatistics, TransportStatistics};
pub use watch::{Changed, Watch};
