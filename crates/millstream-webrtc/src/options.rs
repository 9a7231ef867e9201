//! What a peer is opened with.

use std::net::{IpAddr, Ipv4Addr};

use millstream_core::Clock;

/// A STUN or TURN server (W3C `RTCIceServer`).
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`, …
    pub urls: Vec<String>,
    /// For TURN.
    pub username: String,
    /// The password, for TURN.
    pub credential: String,
}

impl IceServer {
    /// A server that asks for no name: STUN.
    pub fn stun(url: impl Into<String>) -> IceServer {
        IceServer { urls: vec![url.into()], username: String::new(), credential: String::new() }
    }

    /// A server that relays.
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
    /// The pipeline's clock: capture times are on it.
    pub clock: Clock,
    /// Addresses to bind, each with a port of the system's choice. An unspecified one (`0.0.0.0`)
    /// means every interface but loopback. By default loopback only, so that nothing is reachable
    /// from outside unless it was said.
    pub addresses: Vec<IpAddr>,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
}

impl PeerOptions {
    /// Loopback only, no servers.
    pub fn new(clock: Clock) -> PeerOptions {
        PeerOptions { clock, addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], ice_servers: Vec::new() }
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
}
