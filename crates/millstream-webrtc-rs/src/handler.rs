//! The events of the `webrtc` crate, put into a queue: its driver waits for each event handler, so that a slow one
//! would stall the media.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::UnboundedSender;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceCandidateInit, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState,
};

/// Something that happened behind a peer.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    State(RTCPeerConnectionState),
    Candidate(RTCIceCandidateInit),
    Gathered,
    NegotiationNeeded,
    /// A track that was sent has ended, and what waited is sent.
    Ended,
    Panicked,
}

/// Queues the events of one connection.
pub(crate) struct Handler {
    pub(crate) events: UnboundedSender<ConnectionEvent>,
    /// Cleared once the peer has another connection: what this one still reports is ignored.
    pub(crate) is_current: Arc<AtomicBool>,
}

impl Handler {
    fn report(&self, event: Option<ConnectionEvent>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if let Some(event) = event.filter(|_| self.is_current.load(Ordering::Acquire)) {
            // A peer that has ended needs none.
            let _ = self.events.send(event);
        }
        Box::pin(ready(()))
    }
}

type Handled<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

// The trait is written with `async_trait`; these are the signatures that it makes.
impl PeerConnectionEventHandler for Handler {
    fn on_negotiation_needed<'a, 'b>(&'a self) -> Handled<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        self.report(Some(ConnectionEvent::NegotiationNeeded))
    }

    fn on_ice_candidate<'a, 'b>(&'a self, event: RTCPeerConnectionIceEvent) -> Handled<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        // The crate makes every candidate twice, the second for RTCP, which we never send apart.
        let wanted = (event.candidate.component == 1).then_some(event.candidate);
        self.report(wanted.and_then(|candidate| candidate.to_json().ok()).map(ConnectionEvent::Candidate))
    }

    fn on_ice_gathering_state_change<'a, 'b>(&'a self, state: RTCIceGatheringState) -> Handled<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        self.report((state == RTCIceGatheringState::Complete).then_some(ConnectionEvent::Gathered))
    }

    fn on_connection_state_change<'a, 'b>(&'a self, state: RTCPeerConnectionState) -> Handled<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        self.report(Some(ConnectionEvent::State(state)))
    }
}
