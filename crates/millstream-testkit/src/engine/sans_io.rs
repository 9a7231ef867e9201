//! An engine that does no I/O by itself, and its peer's driver.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use millstream_core::{Cx, Error, Next, Result, Source, Timestamp};
use millstream_webrtc::{
    Backend, BackendPeer, Capabilities, Command, DatagramSocket, Engine, EventSender, Opened, PeerEvent, PeerOptions,
    PeerState, Responder, TransportStatistics,
};

use super::exchange::{self, Exchange};

/// Between two connectivity checks while there is no answer.
const CHECK: Duration = Duration::from_millis(50);
/// The first byte of a connectivity check, and of its answer. RTP starts with 128 to 191 (RFC 7983).
const REQUEST: u8 = 0;
const RESPONSE: u8 = 1;
/// The fixed part of an RTP header (RFC 3550, section 5.1).
const RTP_HEADER: usize = 12;
/// No datagram is longer.
const LONGEST: usize = 1500;

/// An engine that does no I/O by itself: sockets come from [`PeerOptions::network`], time from
/// [`PeerOptions::clock`], and a peer runs while its driver does. Cloning shares it.
///
/// It talks to another of its kind: connectivity checks, then plain RTP. It can be asked what has arrived.
#[derive(Clone, Default)]
pub struct SansIoEngine(Arc<Mutex<Vec<Arc<Mutex<Connection>>>>>);

/// An RTP packet that has arrived at a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// When.
    pub at: Timestamp,
    /// From which source.
    pub ssrc: u32,
    /// As what.
    pub payload_type: u8,
    /// Its sequence number.
    pub sequence: u16,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// The length of its payload in bytes.
    pub length: usize,
}

impl SansIoEngine {
    /// An engine without peers.
    pub fn new() -> SansIoEngine {
        SansIoEngine::default()
    }

    /// It, as a program has it.
    pub fn engine(&self) -> Engine {
        Engine::new(self.clone())
    }

    /// The packets that have arrived at the peer that was opened as number `peer`, from 0, in order.
    pub fn arrived(&self, peer: usize) -> Vec<Arrived> {
        let connection = Arc::clone(&lock(&self.0)[peer]);
        let connection = lock(&connection);
        connection.arrived.clone()
    }
}

impl Backend for SansIoEngine {
    fn name(&self) -> &str {
        "sans-io"
    }

    fn capabilities(&self) -> Capabilities {
        let mut able = Capabilities::default();
        (able.send, able.trickle, able.ice_restart, able.rollback, able.any_network) = (true, true, true, true, true);
        able
    }

    fn open(&self, options: PeerOptions, events: EventSender) -> Result<Opened> {
        let address = SocketAddr::new(options.addresses[0], 0);
        let failed = |error| Error::config(format!("cannot open a socket on {address}")).caused_by(error);
        let socket = options.network.bind(address).map_err(failed)?;
        let local = socket.local_address().map_err(failed)?;
        let mut peers = lock(&self.0);
        let name = format!("peer{}", peers.len());
        let exchange = Exchange::new(name, options.codecs.clone(), events.clone(), local, true);
        let connection = Connection {
            options,
            events,
            exchange,
            socket: Some(socket),
            state: PeerState::New,
            remote: None,
            checked: false,
            next_check: None,
            deadline: None,
            heard: Timestamp::ZERO,
            sent: 0,
            received: 0,
            arrived: Vec::new(),
            waker: None,
            closing: None,
        };
        let connection = Arc::new(Mutex::new(connection));
        peers.push(Arc::clone(&connection));
        let driver = ConnectionDriver { connection: Arc::clone(&connection), buffer: vec![0; LONGEST] };
        Ok(Opened::new(Commands(connection)).with_driver(driver))
    }
}

struct Connection {
    options: PeerOptions,
    events: EventSender,
    exchange: Exchange,
    /// Gone once it is closed.
    socket: Option<Box<dyn DatagramSocket>>,
    state: PeerState,
    /// Where the other side is, once an exchange or a check has said so.
    remote: Option<SocketAddr>,
    /// The other side has answered a check of the present ICE session.
    checked: bool,
    next_check: Option<Timestamp>,
    /// When connecting fails.
    deadline: Option<Timestamp>,
    /// When the other side was last received.
    heard: Timestamp,
    sent: u64,
    received: u64,
    arrived: Vec<Arrived>,
    waker: Option<Waker>,
    /// Answered when the driver has freed all.
    closing: Option<Vec<Responder<()>>>,
}

struct Commands(Arc<Mutex<Connection>>);

impl BackendPeer for Commands {
    fn command(&self, command: Command) {
        let mut connection = lock(&self.0);
        connection.command(command);
        let waker = connection.waker.clone();
        drop(connection);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Connection {
    fn command(&mut self, command: Command) {
        if self.socket.is_none() || self.closing.is_some() {
            if let Command::Close(done) = command {
                match &mut self.closing {
                    Some(closing) => closing.push(done),
                    None => done.send(Ok(())),
                }
            }
            return;
        }
        match command {
            Command::SetRemoteDescription(description, done) => {
                let set = self.exchange.set_remote(&description);
                self.described();
                done.send(set);
            }
            Command::SetLocalDescription(description, done) => {
                let set = self.exchange.set_local(description);
                self.described();
                done.send(set);
            }
            Command::CreateOffer(done) => done.send(Ok(self.exchange.create_offer())),
            Command::CreateAnswer(done) => done.send(self.exchange.create_answer()),
            Command::LocalDescription(done) => done.send(Ok(self.exchange.local())),
            Command::Gathered(done) => {
                let missing = || Error::config("there is no local description yet; set it first");
                done.send(self.exchange.local().ok_or_else(missing));
            }
            Command::AddIceCandidate(candidate, done) => {
                let candidate = candidate.map(|candidate| candidate.candidate).unwrap_or_default();
                self.remote = exchange::address(&candidate).or(self.remote);
                done.send(Ok(()));
            }
            Command::AddTrack(track) => self.exchange.add(track),
            Command::RestartIce(done) => done.send(self.exchange.restart_ice()),
            Command::Statistics(done) => {
                let mut statistics = TransportStatistics::default();
                (statistics.bytes_sent, statistics.bytes_received) = (self.sent, self.received);
                done.send(Ok(statistics));
            }
            Command::Close(done) => self.closing = Some(vec![done]),
            other => other.unsupported("sans-io"),
        }
    }

    /// A description was applied: if there is a new ICE session, it is checked.
    fn described(&mut self) {
        let Some((_, remote)) = self.exchange.ufrags() else { return };
        self.remote = remote.address.or(self.remote);
        if !matches!(self.state, PeerState::Connected | PeerState::Connecting) {
            let now = self.options.clock.now();
            self.checked = false;
            self.deadline = Some(now + self.options.time_outs.connect);
            self.next_check = Some(now);
            self.change(PeerState::Connecting);
            let sent = self.exchange.tracks.iter().filter(|track| track.payload_type.is_some());
            sent.for_each(|track| track.local.frames.connecting());
        }
    }

    fn change(&mut self, state: PeerState) {
        if self.state != state {
            self.state = state;
            self.events.send(PeerEvent::State(state));
        }
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(socket) = &mut self.socket {
            self.sent += datagram.len() as u64;
            // As with any datagram, one that cannot be sent is lost.
            let _ = socket.send(to, datagram);
        }
    }

    /// Sends a check, or its answer: to whom, and from whom.
    fn check(&mut self, kind: u8) {
        let Some((ours, remote)) = self.exchange.ufrags() else { return };
        let datagram = [&[kind], remote.ufrag.as_bytes(), b":", ours.as_bytes()].concat();
        if let Some(to) = self.remote {
            self.send(to, &datagram);
        }
    }

    fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Timestamp) {
        self.received += datagram.len() as u64;
        match datagram.first() {
            Some(kind @ (&REQUEST | &RESPONSE)) => {
                let Some((ours, remote)) = self.exchange.ufrags() else { return };
                let expected = [ours.as_bytes(), b":", remote.ufrag.as_bytes()].concat();
                if datagram[1..] != expected {
                    return;
                }
                (self.heard, self.remote) = (now, Some(from));
                if *kind == REQUEST {
                    self.check(RESPONSE);
                } else {
                    self.checked = true;
                }
            }
            Some(128..=191) if self.remote == Some(from) && datagram.len() >= RTP_HEADER => {
                self.heard = now;
                let word = |at: usize| u32::from_be_bytes(datagram[at..at + 4].try_into().expect("four bytes"));
                self.arrived.push(Arrived {
                    at: now,
                    ssrc: word(8),
                    payload_type: datagram[1] & 0x7F,
                    sequence: word(0) as u16,
                    timestamp: word(4),
                    length: datagram.len() - RTP_HEADER,
                });
            }
            _ => {}
        }
    }

    /// Follows the time; when to look again.
    fn tick(&mut self, now: Timestamp) -> Option<Timestamp> {
        let time_outs = self.options.time_outs;
        if self.checked && self.state != PeerState::Connected && now.since(self.heard) < time_outs.disconnected {
            self.deadline = None;
            self.change(PeerState::Connected);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.fail();
        }
        if self.state == PeerState::Connected && now.since(self.heard) >= time_outs.disconnected {
            self.change(PeerState::Disconnected);
        }
        let lost = time_outs.disconnected + time_outs.failed;
        if self.state == PeerState::Disconnected && now.since(self.heard) >= lost {
            self.fail();
        }
        if self.state == PeerState::Connected {
            let agreed = self.exchange.tracks.iter_mut().filter(|track| track.payload_type.is_some());
            for track in agreed.filter(|track| !track.connected) {
                track.connected = true;
                track.local.frames.connected();
            }
        }
        if self.next_check.is_some_and(|check| check <= now) {
            self.check(REQUEST);
            let pause = if self.checked { time_outs.keep_alive } else { CHECK };
            self.next_check = Some(now + pause);
        }
        let silence = match self.state {
            PeerState::Connected => Some(self.heard + time_outs.disconnected),
            PeerState::Disconnected => Some(self.heard + lost),
            _ => None,
        };
        [self.next_check, self.deadline, silence].into_iter().flatten().min()
    }

    fn fail(&mut self) {
        (self.deadline, self.next_check) = (None, None);
        self.change(PeerState::Failed);
    }

    /// Sends the frames that wait; those of tracks that are not agreed are discarded.
    fn send_frames(&mut self, cx: &mut Context<'_>) {
        let Some(to) = self.remote else { return };
        for index in 0..self.exchange.tracks.len() {
            while let Poll::Ready(Some(frame)) = self.exchange.tracks[index].local.frames.poll_next(cx) {
                let (ssrc, payload_type) = (self.exchange.tracks[index].ssrc, self.exchange.tracks[index].payload_type);
                let Some(payload_type) = payload_type else { continue };
                for (header, payload) in frame.iter() {
                    let mut datagram = vec![0x80, payload_type | u8::from(header.marker) << 7];
                    datagram.extend(header.sequence.to_be_bytes());
                    datagram.extend(header.timestamp.to_be_bytes());
                    datagram.extend(ssrc.to_be_bytes());
                    datagram.extend_from_slice(&payload);
                    self.send(to, &datagram);
                }
            }
        }
    }
}

/// Runs a connection.
struct ConnectionDriver {
    connection: Arc<Mutex<Connection>>,
    buffer: Vec<u8>,
}

impl Source<Infallible> for ConnectionDriver {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<Infallible>> {
        let waker = cx.waker().clone();
        let mut context = Context::from_waker(&waker);
        let mut connection = lock(&self.connection);
        if let Some(closing) = connection.closing.take() {
            connection.socket = None;
            connection.exchange.tracks.clear();
            connection.change(PeerState::Closed);
            connection.events.send(PeerEvent::Closed);
            drop(connection);
            closing.into_iter().for_each(|done| done.send(Ok(())));
            return Ok(Next::End);
        }
        connection.waker = Some(waker.clone());
        let now = cx.now();
        while let Some(Poll::Ready(received)) =
            connection.socket.as_mut().map(|socket| socket.poll_receive(&mut context, &mut self.buffer))
        {
            if let Ok((length, from)) = received {
                connection.receive(from, &self.buffer[..length], now);
            }
        }
        // First the states, which let the tracks begin.
        let next = connection.tick(now);
        if connection.state == PeerState::Connected {
            connection.send_frames(&mut context);
        }
        Ok(next.map_or(Next::Idle, Next::Until))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
