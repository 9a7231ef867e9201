//! An engine for tests that answers at once and keeps what it was told.

use std::sync::{Arc, Mutex};

use millstream_core::{Clock, Codec, OPUS, Result, Role, RtpHeader, RtpPackets, Timestamp, VP8};

use crate::{
    Backend, BackendPeer, Capabilities, Command, Description, Engine, EventSender, Feedback, LocalTrack, Peer,
    PeerEvent, PeerOptions, PeerState, TrackOptions, TransportStatistics,
};

#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    names: Vec<String>,
    tracks: Vec<LocalTrack>,
    events: Option<EventSender>,
}

pub(crate) fn peer() -> (Fake, Peer) {
    peer_on(Clock::manual().0)
}

pub(crate) fn peer_on(clock: Clock) -> (Fake, Peer) {
    let fake = Fake::default();
    let peer = Engine::new(fake.clone()).peer(PeerOptions::new(clock)).unwrap();
    (fake, peer)
}

pub(crate) fn video_track() -> TrackOptions {
    TrackOptions { codec: VP8, stream: "stream".into(), id: "video".into() }
}

/// A frame of VP8 captured at `millis`, in `packets` packets.
pub(crate) fn frame(millis: u64, role: Role, packets: u32) -> RtpPackets {
    packets_of(VP8, millis, packets).with_role(role)
}

/// A packet of Opus captured at `millis`.
pub(crate) fn sound(millis: u64) -> RtpPackets {
    packets_of(OPUS, millis, 1)
}

/// As many packets as `count`, of one byte each.
fn packets_of(codec: Codec, millis: u64, count: u32) -> RtpPackets {
    let headers: Vec<_> = (0..count).map(|n| RtpHeader::new(0, (millis * 90) as u32, n..n + 1)).collect();
    RtpPackets::new(codec, Timestamp::from_millis(millis), headers, vec![0; count as usize])
}

impl Fake {
    pub(crate) fn take_names(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().names)
    }

    pub(crate) fn connect(&self) {
        let state = self.0.lock().unwrap();
        state.tracks.iter().for_each(|track| track.feed.open());
        state.events.as_ref().unwrap().send(PeerEvent::State(PeerState::Connected));
    }

    pub(crate) fn prepare(&self) {
        self.0.lock().unwrap().tracks.iter().for_each(|track| track.feed.prepare());
    }

    pub(crate) fn feedback(&self, track: usize) -> Feedback {
        self.0.lock().unwrap().tracks[track].feedback.clone()
    }

    pub(crate) fn track_names(&self) -> Vec<String> {
        self.0.lock().unwrap().tracks.iter().map(|track| format!("{}/{}", track.stream, track.id)).collect()
    }

    /// Which tracks have ended.
    pub(crate) fn ended(&self) -> Vec<bool> {
        self.0.lock().unwrap().tracks.iter().map(|track| track.feed.is_ended()).collect()
    }

    /// First sequence number and time in milliseconds of each frame that is due on `track`.
    pub(crate) fn due(&self, track: usize) -> Vec<(u16, u64)> {
        let mut state = self.0.lock().unwrap();
        let feed = &mut state.tracks[track].feed;
        let frames = std::iter::from_fn(|| feed.try_next());
        frames.map(|frame| (frame.sequence, frame.packets.time.as_nanos() / 1_000_000)).collect()
    }

    /// First sequence number and packets of each frame that waits on `track`.
    pub(crate) fn sent(&self, track: usize) -> Vec<(u16, usize)> {
        let mut state = self.0.lock().unwrap();
        let feed = &mut state.tracks[track].feed;
        std::iter::from_fn(|| feed.try_next()).map(|frame| (frame.sequence, frame.packets.headers.len())).collect()
    }
}

impl Backend for Fake {
    fn name(&self) -> &str {
        "fake"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { send: true, trickle: true, ..Capabilities::default() }
    }
    fn open(&self, _: PeerOptions, events: EventSender) -> Result<Box<dyn BackendPeer>> {
        self.0.lock().unwrap().events = Some(events);
        Ok(Box::new(self.clone()))
    }
}

impl BackendPeer for Fake {
    fn command(&self, command: Command) {
        let mut state = self.0.lock().unwrap();
        let name = format!("{command:?}");
        state.names.push(name.split('(').next().unwrap_or_default().to_owned());
        match command {
            Command::SetRemoteDescription(_, done) | Command::SetLocalDescription(_, done) => done.send(Ok(())),
            Command::CreateAnswer(answer) | Command::Gathered(answer) => answer.send(Ok(Description::answer("answer"))),
            Command::AddTrack(track) => state.tracks.push(track),
            Command::Statistics(answer) => {
                answer.send(Ok(TransportStatistics { bytes_sent: 1, ..TransportStatistics::default() }));
            }
            Command::Close(done) => {
                state.tracks.clear();
                if let Some(events) = &state.events {
                    events.send(PeerEvent::State(PeerState::Closed));
                    events.send(PeerEvent::Closed);
                }
                done.send(Ok(()));
            }
            _ => {}
        }
    }
}
