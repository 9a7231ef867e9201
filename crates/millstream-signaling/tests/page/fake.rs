//! An engine that answers at once and does what a test says. Also what a browser sends.

#![allow(dead_code, unreachable_pub, reason = "unit tests and integration tests use different parts of it")]

use std::sync::{Arc, Mutex, MutexGuard};

use millstream_core::{Error, Result};
use millstream_webrtc::{
    Backend, BackendPeer, Candidate, Capabilities, Command, Description, Engine, EventSender, LocalTrack, PeerEvent,
    PeerOptions, PeerState, Responder,
};

/// What Chromium offers to receive, shortened.
pub const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=mid:0\r\na=recvonly\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=mid:1\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n";

/// What a viewer trickles.
pub const FRAGMENT: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2113937151 127.0.0.1 50000 typ host\r\n\
    a=candidate:2 1 udp 2113937151 f00.local 50001 typ host generation 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=candidate:3 1 tcp 1 ::1 9 typ host tcptype active\r\n\
    a=end-of-candidates\r\n";

/// What a page reports.
pub const REPORT: &str = "{\"latency\":34.5,\"latency-error\":1.5,\"width\":1280,\"height\":720,\
    \"frames-per-second\":30.0,\"bitrate\":1500000.0,\"round-trip\":0.5,\"loss\":0.0,\"jitter-buffer\":12.0,\
    \"frames-decoded\":900,\"frames-dropped\":1,\"freeze-count\":0,\"freezes-duration\":0.0}";

/// `count` versions of `text` with a few bytes changed, cut out, doubled or swapped: the same each time.
pub fn mutations(text: &[u8], count: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (1..=count).map(|seed| {
        // xorshift64* (Vigna 2016): enough chance for a test, and the same everywhere.
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut below = move |limit: usize| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
        };
        let mut bytes = text.to_vec();
        for _ in 0..=below(6) {
            let (at, other) = (below(bytes.len()), below(bytes.len()));
            match below(6) {
                0 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = below(256) as u8),
                1 => bytes.truncate(at),
                2 => drop(bytes.drain(at.min(other)..at.max(other))),
                3 => bytes.extend_from_within(at.min(other)..at.max(other)),
                4 => bytes.insert(at, b" :=\r\n/\0\xff"[below(8)]),
                _ if !bytes.is_empty() => bytes.swap(at, other),
                _ => {}
            }
        }
        bytes
    })
}

/// The engine. Cloning shares it.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    peers: Vec<PeerRecord>,
    gathers_for_ever: bool,
    cannot_restart: bool,
    waiting: Vec<Responder<Description>>,
}

/// What one peer was told.
struct PeerRecord {
    events: EventSender,
    options: PeerOptions,
    tracks: Vec<LocalTrack>,
    candidates: Vec<Option<Candidate>>,
    steps: Vec<String>,
    closed: bool,
}

impl Fake {
    /// It, as a program has it.
    pub fn engine(&self) -> Engine {
        Engine::new(self.clone())
    }

    /// From now on no peer ends gathering.
    pub fn gathers_for_ever(&self) {
        self.lock().gathers_for_ever = true;
    }

    /// It, from now on, without ICE restarts.
    pub fn without_restarts(&self) -> Engine {
        self.lock().cannot_restart = true;
        self.engine()
    }

    /// What the peer was told of descriptions, in order.
    pub fn steps(&self, peer: usize) -> Vec<String> {
        self.lock().peers[peer].steps.clone()
    }

    /// The STUN and TURN servers the peer was to use.
    pub fn ice_servers(&self, peer: usize) -> Vec<String> {
        self.lock().peers[peer].options.ice_servers.iter().flat_map(|server| server.urls.clone()).collect()
    }

    /// Has the peer that was opened as number `peer` tell `state`.
    pub fn state(&self, peer: usize, state: PeerState) {
        let events = self.lock().peers[peer].events.clone();
        events.send(PeerEvent::State(state));
    }

    /// How many peers were opened.
    pub fn opened(&self) -> usize {
        self.lock().peers.len()
    }

    /// How many peers were closed.
    pub fn closed(&self) -> usize {
        self.lock().peers.iter().filter(|peer| peer.closed).count()
    }

    /// What the peer was told of candidates.
    pub fn candidates(&self, peer: usize) -> Vec<Option<Candidate>> {
        self.lock().peers[peer].candidates.clone()
    }

    /// The codecs of the peer's tracks.
    pub fn tracks(&self, peer: usize) -> Vec<String> {
        self.lock().peers[peer].tracks.iter().map(|track| track.codec.name.to_string()).collect()
    }

    /// Where the peer was to bind.
    pub fn addresses(&self, peer: usize) -> Vec<String> {
        self.lock().peers[peer].options.addresses.iter().map(ToString::to_string).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Backend for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        (capabilities.send, capabilities.trickle, capabilities.stun) = (true, true, true);
        capabilities.ice_restart = !self.lock().cannot_restart;
        capabilities
    }

    fn open(&self, options: PeerOptions, events: EventSender) -> Result<Box<dyn BackendPeer>> {
        let mut state = self.lock();
        let record = PeerRecord {
            events,
            options,
            tracks: Vec::new(),
            candidates: Vec::new(),
            steps: Vec::new(),
            closed: false,
        };
        state.peers.push(record);
        Ok(Box::new(FakePeer { fake: self.clone(), number: state.peers.len() - 1 }))
    }
}

struct FakePeer {
    fake: Fake,
    number: usize,
}

impl BackendPeer for FakePeer {
    fn command(&self, command: Command) {
        let mut state = self.fake.lock();
        let for_ever = state.gathers_for_ever;
        let peer = &mut state.peers[self.number];
        match command {
            Command::SetRemoteDescription(offer, done) if offer.sdp.contains("a=broken") => {
                done.send(Err(Error::bad_item("the fake engine does not like `a=broken`")));
            }
            Command::SetRemoteDescription(offer, done)
                if !peer.tracks.is_empty()
                    && !peer.tracks.iter().any(|track| offer.sdp.contains(&*track.codec.encoding)) =>
            {
                done.send(Err(Error::config("nothing can be sent: the offer has no codec of a track")));
            }
            Command::SetRemoteDescription(offer, done) => {
                let ufrag = offer.sdp.split("a=ice-ufrag:").nth(1).and_then(|rest| rest.lines().next());
                peer.steps.push(format!("remote {}", ufrag.unwrap_or_default()));
                done.send(Ok(()));
            }
            Command::SetLocalDescription(_, done) => {
                peer.steps.push("local".to_owned());
                done.send(Ok(()));
            }
            Command::Gathered(done) => {
                peer.steps.push("gathered".to_owned());
                match peer.steps.iter().filter(|step| *step == "gathered").count() {
                    _ if for_ever => state.waiting.push(done),
                    1 => done.send(Ok(Description::answer("v=0 gathered"))),
                    restart => done.send(Ok(Description::answer(format!(
                        "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:fake{restart}\r\n\
                         a=ice-pwd:fake{restart}\r\na=candidate:1 1 udp 1 127.0.0.1 {restart} typ host\r\n"
                    )))),
                }
            }
            Command::LocalDescription(done) => done.send(Ok(Some(Description::answer("v=0 so far")))),
            Command::AddTrack(track) => peer.tracks.push(track),
            Command::AddIceCandidate(candidate, done) => {
                let local = candidate.as_ref().is_some_and(|candidate| candidate.candidate.contains(".local"));
                peer.candidates.push(candidate);
                done.send(if local { Err(Error::bad_item("no mDNS in the fake engine")) } else { Ok(()) });
            }
            Command::Close(done) => {
                peer.closed = true;
                peer.tracks.clear();
                peer.events.send(PeerEvent::State(PeerState::Closed));
                peer.events.send(PeerEvent::Closed);
                done.send(Ok(()));
            }
            _ => {}
        }
    }
}
