//! What the `webrtc` crate tells, put into a queue: its driver waits for whoever listens, and a slow
//! listener would stall the media.

use std::future::{Future, ready};
use std::pin::Pin;

use tokio::sync::mpsc::UnboundedSender;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceCandidateInit, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState,
};

/// Something that happened behind a peer.
#[derive(Debug)]
pub(crate) enum Signal {
    State(RTCPeerConnectionState),
    Candidate(RTCIceCandidateInit),
    Gathered,
    NegotiationNeeded,
    /// A track that ran has ended: its sender is gone, and what waited is sent.
    Ended,
    Panicked,
}

pub(crate) struct Handler(pub(crate) UnboundedSender<Signal>);

impl Handler {
    fn tell(&self, signal: Option<Signal>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if let Some(signal) = signal {
            // A peer that is gone needs no news.
            let _ = self.0.send(signal);
        }
        Box::pin(ready(()))
    }
}

type Told<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

// The trait is written with `async_trait`; these are the signatures that it makes.
impl PeerConnectionEventHandler for Handler {
    fn on_negotiation_needed<'a, 'b>(&'a self) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        self.tell(Some(Signal::NegotiationNeeded))
    }

    fn on_ice_candidate<'a, 'b>(&'a self, event: RTCPeerConnectionIceEvent) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        // The crate makes every candidate twice, the second for RTCP, which we never send apart.
        let wanted = (event.candidate.component == 1).then_some(event.candidate);
        self.tell(wanted.and_then(|candidate| candidate.to_json().ok()).map(Signal::Candidate))
    }

    fn on_ice_gathering_state_change<'a, 'b>(&'a self, state: RTCIceGatheringState) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        self.tell((state == RTCIceGatheringState::Complete).then_some(Signal::Gathered))
    }

    fn on_connection_state_change<'a, 'b>(&'a self, state: RTCPeerConnectionState) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        self.tell(Some(Signal::State(state)))
    }
}
