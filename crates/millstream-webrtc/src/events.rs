//! What a peer tells, as one stream from which nothing that still holds is lost.

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
/// What was not read yet gives way to what makes it worthless: an estimate, a report or a key-frame wish to
/// a newer one about the same track, candidates to those of the next ICE session, and the oldest of 16 states
/// to a newer state. So the remote side, which can have its ICE restarted and its connection falter as often
/// as it likes, does not grow a stream that nobody reads. Once this is dropped nothing is kept.
#[derive(Debug)]
pub struct Events(Arc<Mutex<Queue>>);

/// States that wait at most. A connection that is made passes through two, one that falters through two more.
const STATES: usize = 16;

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<PeerEvent>,
    ended: bool,
    /// Whoever could read it is gone.
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
            PeerEvent::State(_) => self.make_room_for_a_state(),
            _ => {}
        }
        self.events.push_back(event);
    }

    /// After the last candidate of an ICE session comes the first of the next one: nobody needs the former any more.
    fn forget_former_candidates(&mut self) {
        let Some(last) = self.events.iter().rposition(|event| *event == PeerEvent::Candidate(None)) else { return };
        let mut index = 0..;
        self.events.retain(|event| index.next() > Some(last) || !matches!(event, PeerEvent::Candidate(_)));
    }

    fn make_room_for_a_state(&mut self) {
        let is_state = |event: &PeerEvent| matches!(event, PeerEvent::State(_));
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

    fn candidate(number: u32) -> PeerEvent {
        PeerEvent::Candidate(Some(Candidate { candidate: format!("candidate:{number}"), ..Candidate::default() }))
    }

    /// A restart as an engine tells it: two candidates, and that there are no more.
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
    fn what_nobody_reads_does_not_grow_with_restarts() {
        let (sender, mut events, state) = EventSender::new();
        (0..10_000).for_each(|number| restart(&sender, number));
        sender.send(PeerEvent::State(PeerState::Failed));
        sender.send(PeerEvent::Closed);
        let unread: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
        let count = |is: fn(&PeerEvent) -> bool| unread.iter().filter(|event| is(event)).count();
        assert_eq!(count(|event| matches!(event, PeerEvent::State(_))), STATES);
        let told: Vec<_> = unread.iter().filter(|event| matches!(event, PeerEvent::Candidate(_))).cloned().collect();
        assert_eq!(told, [candidate(19_998), candidate(19_999), PeerEvent::Candidate(None)], "those that can be used");
        assert_eq!(unread.len(), STATES + 3 + 1 + 1, "and one wish to negotiate, and the end");
        assert_eq!(unread[unread.len() - 2..], [PeerEvent::State(PeerState::Failed), PeerEvent::Closed]);
        assert_eq!(state.get(), PeerState::Failed);
    }

    #[test]
    fn who_reads_misses_nothing() {
        let (sender, mut events, _state) = EventSender::new();
        let mut read = 0;
        for number in 0..100 {
            restart(&sender, number);
            read += std::iter::from_fn(|| events.try_recv()).count();
        }
        assert_eq!(read, 100 * 6);
    }

    #[test]
    fn nothing_is_kept_for_who_has_gone() {
        let (sender, events, state) = EventSender::new();
        restart(&sender, 0);
        let queue = Arc::clone(&events.0);
        drop(events);
        (0..100).for_each(|number| restart(&sender, number));
        assert!(lock(&queue).events.is_empty());
        assert_eq!(state.get(), PeerState::Connected, "the state is told all the same");
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
