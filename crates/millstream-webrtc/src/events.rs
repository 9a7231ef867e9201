//! What a peer tells, as one stream from which nothing is lost.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use millstream_core::units::Bitrate;

use crate::block::block_on;
use crate::watch::{Setter, Watch};
use crate::{Candidate, Reception, TrackId};

/// How far a connection is: the states of W3C's `RTCPeerConnectionState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Nothing has begun.
    #[default]
    New,
    /// ICE or DTLS is on its way.
    Connecting,
    /// Media can flow.
    Connected,
    /// The remote side is not heard at the moment; it may come back.
    Disconnected,
    /// It cannot be reached. Everything behind the peer has been freed.
    Failed,
    /// It was closed, by us or by the remote side.
    Closed,
}

impl PeerState {
    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(self, PeerState::Failed | PeerState::Closed)
    }
}

/// Something a peer tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// It changed its state; [`Peer::state`](crate::Peer::state) follows it.
    State(PeerState),
    /// A local candidate to tell the remote side; `None` once there will be no more.
    Candidate(Option<Candidate>),
    /// The remote side wishes a frame that a decoder can start from, or this side dropped one that
    /// others refer to. The track has told its pipeline already.
    KeyFrameWanted {
        /// The track it is about.
        track: TrackId,
    },
    /// The remote side says how much it can take (REMB, draft-alvestrand-rmcat-remb-03).
    BitrateEstimate(Bitrate),
    /// A receiver report about a track.
    Reception {
        /// The track it is about.
        track: TrackId,
        /// What the report says.
        reception: Reception,
    },
    /// Offer and answer have to be exchanged (again).
    NegotiationNeeded,
    /// Sockets and tasks are freed. The last event.
    Closed,
}

impl PeerEvent {
    /// Whether `newer` says all that this says, so that nobody needs both.
    ///
    /// So a stream that nobody reads stays small: states and candidates are few, the rest repeats.
    fn is_replaced_by(&self, newer: &PeerEvent) -> bool {
        use PeerEvent::{BitrateEstimate, KeyFrameWanted, NegotiationNeeded, Reception};
        match (self, newer) {
            (KeyFrameWanted { track: old }, KeyFrameWanted { track: new }) => old == new,
            (Reception { track: old, .. }, Reception { track: new, .. }) => old == new,
            (BitrateEstimate(_), BitrateEstimate(_)) | (NegotiationNeeded, NegotiationNeeded) => true,
            _ => false,
        }
    }
}

/// The events of one peer, first first. It ends after [`PeerEvent::Closed`].
///
/// An estimate, a report or a key-frame wish that was not read yet gives way to a newer one about
/// the same track; every state and every candidate is kept.
#[derive(Debug)]
pub struct Events(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<PeerEvent>,
    ended: bool,
    waker: Option<Waker>,
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Events {
    /// The next event that is there already.
    pub fn try_recv(&mut self) -> Option<PeerEvent> {
        lock(&self.0).events.pop_front()
    }

    /// Blocks this thread until there is an event; `None` after the last.
    pub fn recv(&mut self) -> Option<PeerEvent> {
        block_on(self.next())
    }

    /// The next event; `None` after the last. The same as the [`Stream`], for those without its
    /// extensions.
    pub async fn next(&mut self) -> Option<PeerEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = PeerEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PeerEvent>> {
        let mut queue = lock(&self.0);
        if let Some(event) = queue.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if queue.ended {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The back-end's half of [`Events`]. Cloning gives another hand for the same peer.
#[derive(Clone, Debug)]
pub struct EventSender {
    queue: Arc<Mutex<Queue>>,
    state: Arc<Setter<PeerState>>,
}

impl EventSender {
    pub(crate) fn new() -> (EventSender, Events, Watch<PeerState>) {
        let queue = Arc::<Mutex<Queue>>::default();
        let (setter, watch) = Watch::new(PeerState::New);
        (EventSender { queue: Arc::clone(&queue), state: Arc::new(setter) }, Events(queue), watch)
    }

    /// Tells `event`. A [`PeerEvent::State`] sets the peer's state as well; after
    /// [`PeerEvent::Closed`] nothing is told any more.
    pub fn send(&self, event: PeerEvent) {
        let mut queue = lock(&self.queue);
        if queue.ended {
            return;
        }
        match event {
            PeerEvent::State(state) => self.state.set(state),
            PeerEvent::Closed => {
                queue.ended = true;
                self.state.end();
            }
            _ => {}
        }
        match queue.events.iter_mut().find(|old| old.is_replaced_by(&event)) {
            Some(old) => *old = event,
            None => queue.events.push_back(event),
        }
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_all_kept_and_what_repeats_is_kept_once() {
        let (sender, mut events, state) = EventSender::new();
        sender.send(PeerEvent::State(PeerState::Connecting));
        sender.send(PeerEvent::BitrateEstimate(Bitrate::from_kbps(1)));
        sender.send(PeerEvent::State(PeerState::Connected));
        sender.send(PeerEvent::BitrateEstimate(Bitrate::from_kbps(2)));
        assert_eq!(state.get(), PeerState::Connected);
        assert_eq!(events.recv(), Some(PeerEvent::State(PeerState::Connecting)));
        assert_eq!(events.recv(), Some(PeerEvent::BitrateEstimate(Bitrate::from_kbps(2))));
        assert_eq!(events.recv(), Some(PeerEvent::State(PeerState::Connected)));
        assert_eq!(events.try_recv(), None);
    }

    #[test]
    fn closed_is_the_last_event_and_the_state_stays() {
        let (sender, mut events, state) = EventSender::new();
        sender.send(PeerEvent::State(PeerState::Failed));
        sender.send(PeerEvent::Closed);
        sender.send(PeerEvent::State(PeerState::Connected));
        assert_eq!(events.recv(), Some(PeerEvent::State(PeerState::Failed)));
        assert_eq!(events.recv(), Some(PeerEvent::Closed));
        assert_eq!(events.recv(), None);
        assert_eq!(state.get(), PeerState::Failed);
    }
}
