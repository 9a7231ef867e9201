//! What a viewer costs before its engine: handing the packets of a frame on to 1, 10 and 100 viewers' queues.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use millstream::core::{Clock, Cx, Role, Run, Sink, Upstream, VP8};
use millstream::webrtc::{
    Audience, AudienceSink, Backend, BackendPeer, Capabilities, Command, Engine, EventSender, FrameReceiver, Opened,
    Peer, PeerOptions, Subscription,
};

use crate::packetize::{frame, packetizer, packets};
use crate::record::Record;
use crate::rounds::{self, Subject};

pub(crate) fn measure(rounds: u32) -> io::Result<()> {
    let mut record = Record::create("fanout-inside")?;
    for (case, viewers) in [("1_viewer", 1), ("10_viewers", 10), ("100_viewers", 100)] {
        let mut hall = Hall::new(viewers);
        let mut subjects = [Subject::new("millstream", || {
            let times = 20_000 / viewers as u32;
            let from = rounds::thread_nanos();
            (0..times).for_each(|_| hall.show());
            let each = (rounds::thread_nanos() - from) / f64::from(times);
            vec![("frame_cpu_ns", each), ("viewer_cpu_ns", each / viewers as f64)]
        })];
        rounds::measure(&mut record, rounds, case, &mut subjects)?;
    }
    Ok(())
}

/// An audience of viewers whose engine takes each frame and throws it away.
pub(crate) struct Hall {
    sink: AudienceSink,
    cx: Cx,
    packets: millstream::core::RtpPackets,
    receivers: Receivers,
    _viewers: Vec<(Peer, Subscription)>,
}

impl Hall {
    pub(crate) fn new(viewers: usize) -> Hall {
        let (clock, _) = Clock::manual();
        let cx = Cx::new(clock.clone(), Waker::noop().clone(), Upstream::default(), Run::default());
        let audience = Audience::new(clock.clone());
        let sink = audience.video_sink(VP8).expect("the first");
        let receivers = Receivers::default();
        let engine = Engine::new(Nowhere(receivers.clone()));
        let join = |_| {
            let peer = engine.peer(PeerOptions::new(clock.clone())).expect("a peer of an engine that takes all");
            let subscription = audience.subscribe(&peer, "bench").expect("there is an end");
            (peer, subscription)
        };
        let _viewers = (0..viewers).map(join).collect();
        let packets = packets(&mut packetizer(), &frame(Role::Start, 5000)).expect("its packets");
        Hall { sink, cx, packets, receivers, _viewers }
    }

    /// Hands one frame to all viewers, and takes it from each as an engine does.
    pub(crate) fn show(&mut self) {
        self.sink.consume(self.packets.clone(), &mut self.cx).expect("packets of its codec");
        for receiver in self.receivers.lock().expect("one thread").iter_mut() {
            receiver.try_next().expect("each viewer gets it");
        }
    }
}

type Receivers = Arc<Mutex<Vec<FrameReceiver>>>;

/// An engine whose viewers are connected at once.
struct Nowhere(Receivers);

impl Backend for Nowhere {
    fn name(&self) -> &str {
        "nowhere"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.send = true;
        capabilities
    }

    fn open(&self, _: PeerOptions, _: EventSender) -> millstream::core::Result<Opened> {
        Ok(Opened::new(Nowhere(self.0.clone())))
    }
}

impl BackendPeer for Nowhere {
    fn command(&self, command: Command) {
        if let Command::AddTrack(track) = command {
            track.frames.connected();
            self.0.lock().expect("one thread").push(track.frames);
        }
    }
}
