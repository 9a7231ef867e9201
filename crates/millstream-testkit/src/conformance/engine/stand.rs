//! Peers of the engine that is tested, and waiting for them in real or virtual time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use millstream_core::{Codec, Cx, Hand, Next, Run, Timestamp, Upstream};
use millstream_webrtc::{Description, Driver, Peer, PeerOptions, PeerState, Reply, Sender, TrackOptions, TrackSink};

use super::EngineUnderTest;
use crate::conformance::rule::Seen;

/// An engine takes milliseconds; this is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks in real time, and the step of a virtual time in which nothing is due.
const LOOK: Duration = Duration::from_millis(5);

/// A track that was added.
pub(super) type Added = (TrackSink, Sender);

pub(super) struct Stand {
    under_test: EngineUnderTest,
    drivers: Vec<(Driver, Cx)>,
    hand: Option<Hand>,
    peers: Vec<Peer>,
}

impl Stand {
    pub(super) fn new(mut under_test: EngineUnderTest) -> Stand {
        let (hand, network) =
            under_test.virtual_time.take().map_or((None, Vec::new()), |(hand, all)| (Some(hand), all));
        let mut stand = Stand { under_test, drivers: Vec::new(), hand, peers: Vec::new() };
        network.into_iter().for_each(|driver| stand.drive(driver));
        stand
    }

    fn drive(&mut self, driver: Driver) {
        let clock = self.under_test.options.clock.clone();
        self.drivers.push((driver, Cx::new(clock, Waker::noop().clone(), Upstream::default(), Run::default())));
    }

    pub(super) fn has_transport(&self) -> bool {
        self.under_test.transport
    }

    pub(super) fn now(&self) -> Timestamp {
        self.under_test.options.clock.now()
    }

    pub(super) fn peer(&mut self) -> Result<Peer, String> {
        self.open(self.under_test.options.clone())
    }

    pub(super) fn peer_that_gives_up_after(&mut self, connect: Duration) -> Result<Peer, String> {
        let mut options = self.under_test.options.clone();
        options.time_outs.connect = connect;
        self.open(options)
    }

    fn open(&mut self, options: PeerOptions) -> Result<Peer, String> {
        let peer = self.under_test.engine.peer(options).map_err(|error| error.to_string())?;
        if let Some(driver) = peer.take_driver() {
            self.drive(driver);
        }
        self.peers.push(peer.clone());
        Ok(peer)
    }

    pub(super) fn tracks(&self, peer: &Peer, codecs: &[Codec]) -> Result<Vec<Added>, String> {
        let add = |codec: &Codec| {
            let options = TrackOptions { codec: codec.clone(), stream: "stream".into(), id: codec.media.to_string() };
            peer.add_track(options).map_err(|error| error.to_string())
        };
        codecs.iter().map(add).collect()
    }

    pub(super) fn set_local(&mut self, peer: &Peer, description: Option<Description>) -> Seen {
        self.wait(peer.set_local_description(description))
    }

    pub(super) fn set_remote(&mut self, peer: &Peer, description: Description) -> Seen {
        self.wait(peer.set_remote_description(description))
    }

    /// The answer of `reply`, or the words of its error.
    pub(super) fn wait<T: Send + 'static>(&mut self, reply: Reply<T>) -> Result<T, String> {
        let mut reply = pin!(reply);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        let until = self.now() + PATIENCE;
        loop {
            if let Poll::Ready(answer) = reply.as_mut().poll(&mut cx) {
                return answer.map_err(|error| error.to_string());
            }
            if self.now() > until {
                return Err(format!("no answer within {PATIENCE:?}"));
            }
            self.step();
        }
    }

    /// Waits until `peer` is in `state`.
    pub(super) fn until(&mut self, peer: &Peer, state: PeerState) -> Seen {
        let until = self.now() + PATIENCE;
        while peer.state().get() != state {
            if self.now() > until {
                return Err(format!("the state {:?} after {PATIENCE:?}", peer.state().get()));
            }
            self.step();
        }
        Ok(())
    }

    /// Runs what is due, and lets some time pass.
    fn step(&mut self) {
        let Some(hand) = &self.hand else { return thread::park_timeout(LOOK) };
        let now = self.under_test.options.clock.now();
        let mut next = now + LOOK;
        self.drivers.retain_mut(|(driver, cx)| match driver.next(cx) {
            Ok(Next::Until(time)) => {
                next = next.min(time.max(now));
                true
            }
            Ok(Next::End) => false,
            _ => true,
        });
        hand.set(next.max(now + Duration::from_micros(1)));
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for peer in std::mem::take(&mut self.peers) {
            let _ = self.wait(peer.close());
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
