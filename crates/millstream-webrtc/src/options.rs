//! What a peer is opened with.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use millstream_core::{Clock, Codec, OPUS, VP8};

use crate::Network;

/// A STUN or TURN server (W3C `RTCIceServer`).
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`, …
    pub urls: Vec<String>,
    /// The user name, for TURN.
    pub username: String,
    /// The password, for TURN.
    pub credential: String,
}

impl IceServer {
    /// A STUN server.
    pub fn stun(url: impl Into<String>) -> IceServer {
        IceServer { urls: vec![url.into()], username: String::new(), credential: String::new() }
    }

    /// A TURN server.
    pub fn turn(url: impl Into<String>, username: impl Into<String>, credential: impl Into<String>) -> IceServer {
        IceServer { urls: vec![url.into()], username: username.into(), credential: credential.into() }
    }
}

// By hand, so that no log shows a password.
impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// What a peer is opened with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerOptions {
    /// The pipeline's clock: capture times are on it, and an engine with a [`Driver`](crate::Driver) takes its time
    /// from it.
    pub clock: Clock,
    /// Where sockets come from, for an engine that does no I/O by itself. An engine that opens its own sockets
    /// accepts the system's network only.
    pub network: Network,
    /// Addresses to bind, each with a port of the system's choice. An unspecified one (`0.0.0.0`)
    /// means every interface but loopback. The default is loopback only, so that nothing is reachable
    /// from outside unless the program says so.
    pub addresses: Vec<IpAddr>,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
    /// The codecs of the tracks that may be added, now or while the connection runs. The preferred ones come first.
    /// The default is VP8 and Opus, which every WebRTC endpoint can decode (RFC 7742, RFC 7874).
    pub codecs: Vec<Codec>,
    /// How long the engine waits.
    pub time_outs: TimeOuts,
}

/// How long an engine waits before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeOuts {
    /// From the moment both descriptions are known until the connection must stand; else it is
    /// [`Failed`](crate::PeerState::Failed). 15 s by default: ICE alone gives up after 8 s, but a remote side that
    /// stops in the middle of DTLS would be waited for without end.
    pub connect: Duration,
    /// Silence after which a connection is [`Disconnected`](crate::PeerState::Disconnected): 3 s by default.
    pub disconnected: Duration,
    /// Further silence after which it is [`Failed`](crate::PeerState::Failed): 5 s by default.
    pub failed: Duration,
    /// Between two keep-alives: 1 s by default, which leaves room for a few that are lost.
    pub keep_alive: Duration,
    /// How long closing may take before what is left is freed without a goodbye: 1 s by default.
    pub close: Duration,
}

impl Default for TimeOuts {
    fn default() -> TimeOuts {
        let seconds = Duration::from_secs;
        TimeOuts {
            connect: seconds(15),
            disconnected: seconds(3),
            failed: seconds(5),
            keep_alive: seconds(1),
            close: seconds(1),
        }
    }
}

impl PeerOptions {
    /// Loopback only, no servers, VP8 and Opus, over the system's network.
    pub fn new(clock: Clock) -> PeerOptions {
        PeerOptions {
            clock,
            network: Network::system(),
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            ice_servers: Vec::new(),
            codecs: vec![VP8, OPUS],
            time_outs: TimeOuts::default(),
        }
    }

    /// Takes sockets from `network` instead of the system.
    #[must_use]
    pub fn network(mut self, network: Network) -> PeerOptions {
        self.network = network;
        self
    }

    /// Binds these addresses instead of loopback.
    #[must_use]
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> PeerOptions {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// Uses these STUN and TURN servers.
    #[must_use]
    pub fn ice_servers(mut self, servers: impl IntoIterator<Item = IceServer>) -> PeerOptions {
        self.ice_servers = servers.into_iter().collect();
        self
    }

    /// Offers these codecs instead of VP8 and Opus.
    #[must_use]
    pub fn codecs(mut self, codecs: impl IntoIterator<Item = Codec>) -> PeerOptions {
        self.codecs = codecs.into_iter().collect();
        self
    }

    /// Waits this long instead of the defaults.
    #[must_use]
    pub fn time_outs(mut self, time_outs: TimeOuts) -> PeerOptions {
        self.time_outs = time_outs;
        self
    }
}
