//! UDP sockets, as an engine without I/O of its own uses them: the system's, or emulated ones in virtual time.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::system::SystemSockets;

/// Where an engine gets its sockets from. Cloning shares it.
#[derive(Clone)]
pub struct Network {
    sockets: Arc<dyn Sockets>,
    is_system: bool,
}

impl Network {
    /// The system's network.
    pub fn system() -> Network {
        Network { sockets: Arc::new(SystemSockets), is_system: true }
    }

    /// Another network, such as an emulated one.
    pub fn new(sockets: impl Sockets + 'static) -> Network {
        Network { sockets: Arc::new(sockets), is_system: false }
    }

    /// Binds a socket to `address`; port 0 takes a free port.
    ///
    /// # Errors
    /// What the network says.
    pub fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn DatagramSocket>> {
        self.sockets.bind(address)
    }

    /// Whether this is the system's network.
    pub fn is_system(&self) -> bool {
        self.is_system
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_system { "Network::system()" } else { "Network" })
    }
}

/// What a [`Network`] is made of.
pub trait Sockets: Send + Sync {
    /// Binds a socket to `address`; port 0 takes a free port.
    ///
    /// # Errors
    /// What the network says.
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn DatagramSocket>>;
}

/// A UDP socket that never blocks.
pub trait DatagramSocket: Send {
    /// Where it is bound.
    ///
    /// # Errors
    /// What the network says.
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// Sends `datagram` to `to`.
    ///
    /// # Errors
    /// What the network says. The datagram is lost then, as any datagram may be.
    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;

    /// Receives the next datagram into `buffer`: its length, and where it is from. What does not fit is cut off.
    /// If none has arrived, the waker of `cx` is used once one has.
    ///
    /// # Errors
    /// What the network says. An error of one datagram does not spoil the socket.
    fn poll_receive(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>>;
}
