//! An engine without a network, which does what a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::{Error, Result, Timestamp};
use millstream_webrtc::{
    Backend, BackendPeer, Candidate, Capabilities, Command, Description, Engine, EventSender, Feedback, Frame,
    LocalTrack, Opened, PeerEvent, PeerOptions, PeerState, Responder, TransportStatistics,
};

use super::exchange::Exchange;

/// An engine without a network. It executes commands when it gets them, keeps what it got, and connects when a test
/// says so. Its methods take the number of the peer, in the order in which they were opened, from 0. Cloning shares
/// it.
#[derive(Clone, Default)]
pub struct FakeEngine(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    peers: Vec<Record>,
    never_gathers: bool,
    without_ice_restarts: bool,
}

/// What one peer got.
struct Record {
    events: EventSender,
    options: PeerOptions,
    /// `None` once it is closed.
    exchange: Option<Exchange>,
    commands: Vec<&'static str>,
    candidates: Vec<Option<Candidate>>,
    steps: Vec<String>,
    waiting: Vec<Responder<Description>>,
}

impl FakeEngine {
    /// An engine without peers.
    pub fn new() -> FakeEngine {
        FakeEngine::default()
    }

    /// It, as a program has it.
    pub fn engine(&self) -> Engine {
        Engine::new(self.clone())
    }

    /// It, from now on, without ICE restarts.
    pub fn without_ice_restarts(&self) -> Engine {
        self.lock().without_ice_restarts = true;
        self.engine()
    }

    /// From now on no peer ends gathering.
    pub fn never_gathers(&self) {
        self.lock().never_gathers = true;
    }

    /// How many peers were opened.
    pub fn opened(&self) -> usize {
        self.lock().peers.len()
    }

    /// How many peers were closed.
    pub fn closed(&self) -> usize {
        self.lock().peers.iter().filter(|peer| peer.exchange.is_none()).count()
    }

    /// The names of the commands since the last call, in order.
    pub fn take_commands(&self, peer: usize) -> Vec<&'static str> {
        self.peer(peer, |peer| std::mem::take(&mut peer.commands))
    }

    /// What happened to descriptions, in order: `remote UFRAG`, `local`, `gathered`.
    pub fn steps(&self, peer: usize) -> Vec<String> {
        self.peer(peer, |peer| peer.steps.clone())
    }

    /// The remote candidates.
    pub fn candidates(&self, peer: usize) -> Vec<Option<Candidate>> {
        self.peer(peer, |peer| peer.candidates.clone())
    }

    /// What the peer was opened with.
    pub fn options(&self, peer: usize) -> PeerOptions {
        self.peer(peer, |peer| peer.options.clone())
    }

    /// The codecs, streams and names of the tracks: `vp8 stream/video`.
    pub fn tracks(&self, peer: usize) -> Vec<String> {
        let words = |track: &LocalTrack| format!("{} {}/{}", track.codec, track.stream, track.id);
        self.each_track(peer, words)
    }

    /// Which tracks have ended.
    pub fn ended(&self, peer: usize) -> Vec<bool> {
        self.each_track(peer, |track| track.frames.is_ended())
    }

    /// Says that the connection is being made, to all tracks.
    pub fn connecting(&self, peer: usize) {
        self.each_track(peer, |track| track.frames.connecting());
    }

    /// Says that the connection stands: to all tracks, whatever was agreed, and as a state.
    pub fn connect(&self, peer: usize) {
        self.each_track(peer, |track| track.frames.connected());
        self.state(peer, PeerState::Connected);
    }

    /// Has the peer report `state`.
    pub fn state(&self, peer: usize, state: PeerState) {
        let events = self.peer(peer, |peer| peer.events.clone());
        events.send(PeerEvent::State(state));
    }

    /// Where to report what the remote side says about a track.
    ///
    /// # Panics
    /// If there is no such track.
    pub fn feedback(&self, peer: usize, track: usize) -> Feedback {
        self.each_track(peer, |track| track.feedback.clone()).swap_remove(track)
    }

    /// The frames of a track that are due, which are taken.
    ///
    /// # Panics
    /// If there is no such track.
    pub fn take_frames(&self, peer: usize, track: usize) -> Vec<Frame> {
        self.peer(peer, |peer| {
            let exchange = peer.exchange.as_mut().expect("the peer is open");
            let frames = &mut exchange.tracks[track].local.frames;
            std::iter::from_fn(|| frames.try_next()).collect()
        })
    }

    /// First sequence number and number of packets of each frame of a track that is due; they are taken.
    pub fn sent(&self, peer: usize, track: usize) -> Vec<(u16, usize)> {
        self.take_frames(peer, track).iter().map(|frame| (frame.sequence, frame.packets.headers.len())).collect()
    }

    /// First sequence number and capture time of each frame of a track that is due; they are taken.
    pub fn due(&self, peer: usize, track: usize) -> Vec<(u16, Timestamp)> {
        self.take_frames(peer, track).iter().map(|frame| (frame.sequence, frame.packets.time)).collect()
    }

    fn each_track<T>(&self, peer: usize, mut of: impl FnMut(&LocalTrack) -> T) -> Vec<T> {
        self.peer(peer, |peer| {
            peer.exchange.iter().flat_map(|exchange| &exchange.tracks).map(|track| of(&track.local)).collect()
        })
    }

    fn peer<T>(&self, number: usize, of: impl FnOnce(&mut Record) -> T) -> T {
        of(&mut self.lock().peers[number])
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for FakeEngine {
    fn name(&self) -> &str {
        "fake"
    }

    fn capabilities(&self) -> Capabilities {
        let mut able = Capabilities::default();
        (able.send, able.trickle, able.stun, able.rollback) = (true, true, true, true);
        able.ice_restart = !self.lock().without_ice_restarts;
        able
    }

    fn open(&self, options: PeerOptions, events: EventSender) -> Result<Opened> {
        let mut state = self.lock();
        let number = state.peers.len();
        // Nobody listens there: it is the port of the discard protocol (RFC 863).
        let address = SocketAddr::new(options.addresses[0], 9);
        let exchange = Exchange::new(format!("fake{number}"), options.codecs.clone(), events.clone(), address, false);
        state.peers.push(Record {
            events,
            options,
            exchange: Some(exchange),
            commands: Vec::new(),
            candidates: Vec::new(),
            steps: Vec::new(),
            waiting: Vec::new(),
        });
        Ok(Opened::new(FakePeer { fake: self.clone(), number }))
    }
}

struct FakePeer {
    fake: FakeEngine,
    number: usize,
}

impl BackendPeer for FakePeer {
    fn command(&self, command: Command) {
        let mut state = self.fake.lock();
        let never_gathers = state.never_gathers;
        state.peers[self.number].command(command, never_gathers);
    }
}

impl Record {
    fn command(&mut self, command: Command, never_gathers: bool) {
        self.commands.push(command.name());
        let Some(exchange) = &mut self.exchange else {
            // To close it again is no error; all other commands are answered that the peer is closed.
            if let Command::Close(done) = command {
                done.send(Ok(()));
            }
            return;
        };
        match command {
            Command::SetRemoteDescription(description, done) => {
                let ufrag = description.sdp.split("a=ice-ufrag:").nth(1).and_then(|rest| rest.lines().next());
                let step = format!("remote {}", ufrag.unwrap_or_default());
                let set = exchange.set_remote(&description);
                if set.is_ok() {
                    self.steps.push(step);
                }
                done.send(set);
            }
            Command::SetLocalDescription(description, done) => {
                let set = exchange.set_local(description);
                if set.is_ok() {
                    self.steps.push("local".to_owned());
                }
                done.send(set);
            }
            Command::CreateOffer(done) => done.send(Ok(exchange.create_offer())),
            Command::CreateAnswer(done) => done.send(exchange.create_answer()),
            Command::LocalDescription(done) => done.send(Ok(exchange.local())),
            Command::Gathered(done) => {
                self.steps.push("gathered".to_owned());
                match exchange.local() {
                    Some(description) if !never_gathers => done.send(Ok(description)),
                    // Until the peer is closed.
                    _ => self.waiting.push(done),
                }
            }
            Command::AddTrack(track) => exchange.add(track),
            Command::AddIceCandidate(candidate, done) => {
                let is_local = candidate.as_ref().is_some_and(|candidate| candidate.candidate.contains(".local"));
                self.candidates.push(candidate);
                let refused =
                    || Error::bad_item("the engine `fake` resolves no names over mDNS; leave the candidate out");
                done.send(if is_local { Err(refused()) } else { Ok(()) });
            }
            Command::RestartIce(done) => done.send(exchange.restart_ice()),
            Command::Statistics(done) => {
                let mut statistics = TransportStatistics::default();
                statistics.bytes_sent = 1;
                done.send(Ok(statistics));
            }
            Command::Close(done) => {
                self.exchange = None;
                self.waiting.clear();
                self.events.send(PeerEvent::State(PeerState::Closed));
                self.events.send(PeerEvent::Closed);
                done.send(Ok(()));
            }
            other => other.unsupported("fake"),
        }
    }
}
