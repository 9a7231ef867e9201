//! What a peer reports, as one stream from which nothing that still holds is lost.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use millstream_core::units::Bitrate;

use crate::block::block_on;
use crate::watch::{Setter, Watch};
use crate::{Candidate, PeerState, Reception, SignalingState, TrackId};

/// Something a peer reports.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// It changed its state; [`Peer::state`](crate::Peer::state) follows it.
    State(PeerState),
    /// The exchange of offer and answer changed its state;
    /// [`Peer::signaling_state`](crate::Peer::signaling_state) follows it.
    Signaling(SignalingState),
    /// A local candidate for the remote side; `None` once there will be no more.
    Candidate(Option<Candidate>),
    /// The remote side requests a frame that a decoder can start from, or this side dropped one that
    /// others refer to. The track has asked its pipeline already.
    KeyFrameRequested {
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
    /// The track cannot be sent: the remote side lacks its codec, for instance. The other tracks are not affected.
    TrackFailed {
        /// The track it is about.
        track: TrackId,
        /// Why, in words.
        reason: String,
    },
    /// Offer and answer have to be exchanged (again).
    NegotiationNeeded,
    /// Sockets and tasks are freed. The last event.
    Closed,
}

impl PeerEvent {
    /// Whether `newer` makes this event obsolete.
    fn is_replaced_by(&self, newer: &PeerEvent) -> bool {
        use PeerEvent::{BitrateEstimate, KeyFrameRequested, NegotiationNeeded, Reception, TrackFailed};
        match (self, newer) {
            (KeyFrameRequested { track: old }, KeyFrameRequested { track: new }) => old == new,
            (Reception { track: old, .. }, Reception { track: new, .. }) => old == new,
            (TrackFailed { track: old, .. }, TrackFailed { track: new, .. }) => old == new,
            (BitrateEstimate(_), BitrateEstimate(_)) | (NegotiationNeeded, NegotiationNeeded) => true,
            _ => false,
        }
    }
}

/// The events of one peer, first first. It ends after [`PeerEvent::Closed`].
///
/// What was not read yet gives way to what makes it worthless: an estimate, a report, a failure or a key-frame
/// request to a newer one about the same track, candidates to those of the next ICE session, and the oldest of 32
/// states to a newer state. So the remote side, which can have its ICE restarted and its connection falter as often
/// as it likes, cannot grow a stream that is not read. Once this is dropped nothing is kept.
#[derive(Debug)]
pub struct Events(Arc<Mutex<Queue>>);

/// States that wait at most, of the connection and of signalling together. A connection that is made passes through
/// two each, one that falters through two more.
const STATES: usize = 32;

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<PeerEvent>,
    ended: bool,
    /// The reader is gone.
    unread: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn push(&mut self, event: PeerEvent) {
        if self.unread {
            return;
        }
        if let Some(old) = self.events.iter_mut().find(|old| old.is_replaced_by(&event)) {
            *old = event;
            return;
        }
        match event {
            PeerEvent::Candidate(_) => self.forget_former_candidates(),
            PeerEvent::State(_) | PeerEvent::Signaling(_) => self.make_room_for_a_state(),
            _ => {}
        }
        self.events.push_back(event);
    }

    /// After the last candidate of an ICE session comes the first of the next one: the former ones are obsolete.
    fn forget_former_candidates(&mut self) {
        let Some(last) = self.events.iter().rposition(|event| *event == PeerEvent::Candidate(None)) else { return };
        let mut index = 0..;
        self.events.retain(|event| index.next() > Some(last) || !matches!(event, PeerEvent::Candidate(_)));
    }

    fn make_room_for_a_state(&mut self) {
        let is_state = |event: &PeerEvent| matches!(event, PeerEvent::State(_) | PeerEvent::Signaling(_));
        if self.events.iter().filter(|event| is_state(event)).count() >= STATES
            && let Some(oldest) = self.events.iter().position(is_state)
        {
            self.events.remove(oldest);
        }
    }
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

impl Drop for Events {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.unread = true;
        queue.events = VecDeque::new();
    }
}

/// The back-end's half of [`Events`]. Cloning gives another handle for the same peer.
#[derive(Clone, Debug)]
pub struct EventSender {
    queue: Arc<Mutex<Queue>>,
    states: Arc<(Setter<PeerState>, Setter<SignalingState>)>,
}

/// What a peer reads of what its engine reports.
#[derive(Debug)]
pub(crate) struct Reported {
    pub(crate) events: Events,
    pub(crate) state: Watch<PeerState>,
    pub(crate) signaling: Watch<SignalingState>,
}

impl EventSender {
    pub(crate) fn new() -> (EventSender, Reported) {
        let queue = Arc::<Mutex<Queue>>::default();
        let (set_state, state) = Watch::new(PeerState::New);
        let (set_signaling, signaling) = Watch::new(SignalingState::Stable);
        let sender = EventSender { queue: Arc::clone(&queue), states: Arc::new((set_state, set_signaling)) };
        (sender, Reported { events: Events(queue), state, signaling })
    }

    /// Reports `event`. A [`PeerEvent::State`] and a [`PeerEvent::Signaling`] set the peer's states as well; after
    /// [`PeerEvent::Closed`] nothing is reported any more.
    pub fn send(&self, event: PeerEvent) {
        let (state, signaling) = &*self.states;
        let mut queue = lock(&self.queue);
        if queue.ended {
            return;
        }
        match event {
            PeerEvent::State(new) => state.set(new),
            PeerEvent::Signaling(new) => signaling.set(new),
            PeerEvent::Closed => {
                queue.ended = true;
                signaling.set(SignalingState::Closed);
                state.end();
                signaling.end();
            }
            _ => {}
        }
        queue.push(event);
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
    fn states_are_kept_and_what_repeats_is_kept_once() {
        let (sender, Reported { mut events, state, .. }) = EventSender::new();
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

    fn candidate(number: u32) -> PeerEvent {
        PeerEvent::Candidate(Some(Candidate { candidate: format!("candidate:{number}"), ..Candidate::default() }))
    }

    /// A restart as an engine reports it: two candidates, and that there are no more.
    fn restart(sender: &EventSender, number: u32) {
        sender.send(PeerEvent::NegotiationNeeded);
        for event in [candidate(2 * number), candidate(2 * number + 1), PeerEvent::Candidate(None)] {
            sender.send(event);
        }
        for state in [PeerState::Disconnected, PeerState::Connected] {
            sender.send(PeerEvent::State(state));
        }
    }

    #[test]
    fn an_unread_stream_does_not_grow_with_restarts() {
        let (sender, Reported { mut events, state, .. }) = EventSender::new();
        (0..10_000).for_each(|number| restart(&sender, number));
        sender.send(PeerEvent::State(PeerState::Failed));
        sender.send(PeerEvent::Closed);
        let unread: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
        let count = |is: fn(&PeerEvent) -> bool| unread.iter().filter(|event| is(event)).count();
        assert_eq!(count(|event| matches!(event, PeerEvent::State(_))), STATES);
        let candidates: Vec<_> =
            unread.iter().filter(|event| matches!(event, PeerEvent::Candidate(_))).cloned().collect();
        assert_eq!(
            candidates,
            [candidate(19_998), candidate(19_999), PeerEvent::Candidate(None)],
            "those that can be used"
        );
        assert_eq!(unread.len(), STATES + 3 + 1 + 1, "and one need to negotiate, and the end");
        assert_eq!(unread[unread.len() - 2..], [PeerEvent::State(PeerState::Failed), PeerEvent::Closed]);
        assert_eq!(state.get(), PeerState::Failed);
    }

    #[test]
    fn a_reader_misses_nothing() {
        let (sender, Reported { mut events, .. }) = EventSender::new();
        let mut read = 0;
        for number in 0..100 {
            restart(&sender, number);
            read += std::iter::from_fn(|| events.try_recv()).count();
        }
        assert_eq!(read, 100 * 6);
    }

    #[test]
    fn nothing_is_kept_once_the_reader_is_dropped() {
        let (sender, Reported { events, state, .. }) = EventSender::new();
        restart(&sender, 0);
        let queue = Arc::clone(&events.0);
        drop(events);
        (0..100).for_each(|number| restart(&sender, number));
        assert!(lock(&queue).events.is_empty());
        assert_eq!(state.get(), PeerState::Connected, "the state is set all the same");
    }

    #[test]
    fn closed_is_the_last_event_and_the_state_stays() {
        let (sender, Reported { mut events, state, .. }) = EventSender::new();
        sender.send(PeerEvent::State(PeerState::Failed));
        sender.send(PeerEvent::Closed);
        sender.send(PeerEvent::State(PeerState::Connected));
        assert_eq!(events.recv(), Some(PeerEvent::State(PeerState::Failed)));
        assert_eq!(events.recv(), Some(PeerEvent::Closed));
        assert_eq!(events.recv(), None);
        assert_eq!(state.get(), PeerState::Failed);
    }
}
