//! What the fuzz targets reach that nobody else may: built with `--cfg fuzzing` alone.

use std::sync::{Arc, Mutex};

use millstream_core::{Clock, OPUS, Result, Timestamp, VP8};
use millstream_webrtc::{
    Backend, BackendPeer, Capabilities, Command, Engine, EventSender, LocalTrack, Peer, PeerOptions, Sender,
    TrackOptions,
};
use rtc::interceptor::{AttributedPacket, Packet, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;

use crate::reports::{Reports, Stream, Streams};

/// Our interceptor, with a stream of pictures (SSRC 1) and one of sound (SSRC 2).
pub struct Rtcp {
    reports: Reports,
    now: std::time::Instant,
    /// They hear what is reported.
    _heard: (Peer, Vec<Sender>),
}

impl Rtcp {
    /// An interceptor that has sent something.
    ///
    /// # Panics
    /// Never: the engine is a new one that can send.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Rtcp {
        let (tracks, clock) = (Tracks::default(), Clock::system());
        let peer = Engine::new(tracks.clone()).peer(PeerOptions::new(clock.clone())).expect("it opens");
        let add = |codec| peer.add_track(TrackOptions { codec, stream: "fuzz".into(), id: "fuzz".into() });
        let senders = [VP8, OPUS].map(|codec| add(codec).expect("it can send")).into_iter().collect();
        let streams = Streams::default();
        for (ssrc, track) in (1..).zip(tracks.0.lock().expect("nobody panics with it").drain(..)) {
            let stream = Stream::new(ssrc, &track.codec, "fuzz".to_owned(), track.feedback.clone());
            stream.captured(90_000, Timestamp::from_millis(1000));
            streams.add(Arc::new(stream));
        }
        let now = tokio::time::Instant::now().into_std();
        Rtcp { reports: Reports::new(clock, streams), now, _heard: (peer, senders) }
    }

    /// Takes `bytes` as a datagram that was decrypted.
    ///
    /// # Panics
    /// If our interceptor keeps what it should pass on.
    pub fn read(&mut self, mut bytes: &[u8]) {
        let Ok(packets) = rtc::rtcp::packet::unmarshal(&mut bytes) else { return };
        let (now, transport) = (self.now, TransportContext::default());
        let message = AttributedPacket::new(Packet::Rtcp(packets));
        self.reports.handle_read(TaggedPacket { now, transport, message }).expect("nothing is refused");
        assert!(self.reports.poll_read().is_some() && self.reports.poll_read().is_none(), "passed on once");
        let _ = self.reports.handle_timeout(now);
        while self.reports.poll_write().is_some() {}
    }
}

/// An engine that keeps its tracks.
#[derive(Clone, Default)]
struct Tracks(Arc<Mutex<Vec<LocalTrack>>>);

impl Backend for Tracks {
    fn name(&self) -> &str {
        "fuzz"
    }

    fn capabilities(&self) -> Capabilities {
        let mut able = Capabilities::default();
        able.send = true;
        able
    }

    fn open(&self, _: PeerOptions, _: EventSender) -> Result<Box<dyn BackendPeer>> {
        Ok(Box::new(self.clone()))
    }
}

impl BackendPeer for Tracks {
    fn command(&self, command: Command) {
        if let Command::AddTrack(track) = command {
            self.0.lock().expect("nobody panics with it").push(track);
        }
    }
}
