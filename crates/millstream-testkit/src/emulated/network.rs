//! UDP over an emulated network, in virtual time: what an engine without I/O of its own runs on.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_core::{Clock, Cx, Next, Result, Source, Timestamp};
use millstream_webrtc::{DatagramSocket, Network, Sockets};

use super::path::Path;
use super::{Conditions, Counts};

/// Bytes that IPv4 and UDP add to each datagram.
const HEADERS: usize = 28;
/// Datagrams that wait in a socket at most; more are dropped, as a full socket buffer does.
const WAITING: usize = 256;
/// The first port that is free for a socket that asks for any.
const FIRST_PORT: u16 = 40_000;

/// A UDP network in virtual time. Datagrams between all its sockets share one [`EmulatedLink`](super::EmulatedLink)'s
/// worth of conditions; the same seed and the same datagrams give the same network each time. Cloning shares it.
///
/// It moves while its [`driver`](EmulatedNetwork::driver) runs.
#[derive(Clone)]
pub struct EmulatedNetwork {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

struct State {
    path: Path<Datagram>,
    start: Timestamp,
    sockets: BTreeMap<SocketAddr, Inbox>,
    next_port: u16,
    driver: Option<Waker>,
    /// A number that depends on every byte that was sent, and on when: FNV-1a.
    fingerprint: u64,
}

#[derive(Clone)]
struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Inbox {
    datagrams: VecDeque<Datagram>,
    waker: Option<Waker>,
}

impl EmulatedNetwork {
    /// A network on the pipeline's `clock` whose chances follow from `seed`. Changes of its conditions count from now.
    pub fn new(clock: Clock, seed: u64, conditions: Conditions) -> EmulatedNetwork {
        let path = Path::new(seed, conditions);
        let state = State {
            path,
            start: clock.now(),
            sockets: BTreeMap::new(),
            next_port: FIRST_PORT,
            driver: None,
            fingerprint: 0xCBF2_9CE4_8422_2325,
        };
        EmulatedNetwork { clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The same network with `conditions` from the time `after` its start on.
    #[must_use]
    pub fn changing(self, after: std::time::Duration, conditions: Conditions) -> EmulatedNetwork {
        self.lock().path.change(after, conditions);
        self
    }

    /// It, as a peer takes it.
    pub fn network(&self) -> Network {
        Network::new(self.clone())
    }

    /// What moves the datagrams: for `Pipeline::driver`.
    pub fn driver(&self) -> impl Source<Infallible> + use<> {
        let network = self.clone();
        move |cx: &mut Cx| -> Result<Next<Infallible>> {
            network.lock().driver = Some(cx.waker().clone());
            Ok(network.deliver().map_or(Next::Idle, Next::Until))
        }
    }

    /// What it did to the datagrams, to be read while it runs.
    pub fn counts(&self) -> Arc<Counts> {
        self.lock().path.counts()
    }

    /// A number that depends on every byte that was sent, and on when: two runs that are the same have the same.
    pub fn fingerprint(&self) -> u64 {
        self.lock().fingerprint
    }

    /// Puts what has arrived into the sockets; when more will.
    fn deliver(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        let mut wakers = Vec::new();
        let mut state = self.lock();
        while let Some(datagram) = state.path.arrived(now) {
            // Nobody is there, or the socket is full: it is lost, as with any UDP.
            if let Some(inbox) = state.sockets.get_mut(&datagram.to).filter(|inbox| inbox.datagrams.len() < WAITING) {
                inbox.datagrams.push_back(datagram);
                wakers.extend(inbox.waker.take());
            }
        }
        let next = state.path.next_arrival();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets for EmulatedNetwork {
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn DatagramSocket>> {
        let mut state = self.lock();
        let mut address = address;
        if address.port() == 0 {
            address.set_port(state.free_port(address.ip())?);
        } else if state.sockets.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.sockets.insert(address, Inbox::default());
        drop(state);
        Ok(Box::new(Socket { network: self.clone(), address }))
    }
}

impl State {
    fn free_port(&mut self, ip: IpAddr) -> io::Result<u16> {
        for _ in FIRST_PORT..u16::MAX {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            if !self.sockets.contains_key(&SocketAddr::new(ip, port)) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.fingerprint = (self.fingerprint ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

struct Socket {
    network: EmulatedNetwork,
    address: SocketAddr,
}

impl DatagramSocket for Socket {
    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let now = self.network.clock.now();
        let mut state = self.network.lock();
        state.note(&now.as_nanos().to_be_bytes());
        state.note(datagram);
        let start = state.start;
        let on_the_way = Datagram { from: self.address, to, bytes: datagram.to_vec() };
        state.path.enter(on_the_way, datagram.len() + HEADERS, now, start);
        let driver = state.driver.clone();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut state = self.network.lock();
        let Some(inbox) = state.sockets.get_mut(&self.address) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let Some(Datagram { from, bytes, .. }) = inbox.datagrams.pop_front() else {
            inbox.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Poll::Ready(Ok((length, from)))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.network.lock().sockets.remove(&self.address);
    }
}
