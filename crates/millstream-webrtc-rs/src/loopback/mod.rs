//! Our engine against a receiver built on the bare `webrtc` crate, over 127.0.0.1.

mod cable;
mod conformance;
mod lifetime;
mod media;
mod offers;
mod viewer;

use std::time::Duration;

use millstream_core::{Clock, Codec, Media, Role, RtpHeader, RtpPackets, Timestamp};
use millstream_webrtc::{
    Engine, Events, Peer, PeerEvent, PeerOptions, PeerState, Sender, TimeOuts, TrackOptions, TrackSink, Watch,
};
use tokio::time::timeout;

use crate::WebRtcRs;

/// How long anything here may take on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(20);
/// What an encoder would cost: a report by send time would be wrong by it.
const ENCODING: Duration = Duration::from_millis(80);

struct Show {
    backend: WebRtcRs,
    clock: Clock,
    peer: Peer,
    events: Events,
    state: Watch<PeerState>,
}

fn open() -> Show {
    open_with(TimeOuts::default())
}

fn open_with(time_outs: TimeOuts) -> Show {
    let (backend, clock) = (WebRtcRs::new(), Clock::system());
    let options = PeerOptions::new(clock.clone()).time_outs(time_outs);
    let peer = Engine::new(backend.clone()).peer(options).unwrap();
    let (events, state) = (peer.take_events().unwrap(), peer.state());
    Show { backend, clock, peer, events, state }
}

impl Show {
    fn track(&self, codec: Codec) -> TrackSink {
        self.added(codec).0
    }

    fn added(&self, codec: Codec) -> (TrackSink, Sender) {
        let id = codec.media.to_string();
        self.peer.add_track(TrackOptions { codec, stream: "show".into(), id }).unwrap()
    }

    async fn event(&mut self, is: impl Fn(&PeerEvent) -> bool) -> PeerEvent {
        let found = async {
            loop {
                let event = self.events.next().await.expect("events go on");
                if is(&event) {
                    return event;
                }
            }
        };
        timeout(DEADLINE, found).await.expect("reported in time")
    }

    async fn freed(&self) {
        // The crate's tasks end when they are polled next.
        let freed = async {
            while self.backend.tasks() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, freed).await.unwrap_or_else(|_| panic!("{} tasks are left", self.backend.tasks()));
    }
}

/// What was captured at `time`, in three packets for a picture.
fn frame(codec: Codec, time: Timestamp, role: Role) -> RtpPackets {
    let count = if codec.media == Media::Video { 3 } else { 1 };
    let timestamp = time.ticks(codec.clock_rate) as u32;
    let header = |n: u32| RtpHeader::new(0, timestamp, n * 100..(n + 1) * 100).with_marker(n + 1 == count);
    let headers: Vec<_> = (0..count).map(header).collect();
    RtpPackets::new(codec, time, headers, vec![0x10; count as usize * 100]).with_role(role)
}

/// Sends picture and sound every 20 ms until it is dropped.
fn play(clock: Clock, sinks: Vec<TrackSink>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            let captured = clock.now() - ENCODING;
            for sink in &sinks {
                if sink.send(&frame(sink.codec(), captured, Role::Start)).is_err() {
                    return;
                }
            }
        }
    })
}
