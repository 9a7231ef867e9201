//! What happens to a pipeline while it runs, as a stream of events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use millstream_core::error::Kind;

/// Names a part of a pipeline in its [events](Event). None is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartId(u64);

impl PartId {
    pub(crate) fn new(id: u64) -> PartId {
        PartId(id)
    }
}

/// Something that happened to a running pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The pipeline runs.
    Started,
    /// A stage lost what it depends on, such as a device that was unplugged. The runner calls it again after
    /// a backoff.
    Lost {
        /// The stage.
        stage: Arc<str>,
        /// Why.
        message: String,
    },
    /// A stage that had lost what it depends on works again.
    Recovered {
        /// The stage.
        stage: Arc<str>,
    },
    /// A stage failed. What ends with it depends on its [`OnFailure`](crate::OnFailure).
    Failed {
        /// The stage.
        stage: Arc<str>,
        /// The kind of error.
        kind: Kind,
        /// What the stage said, with its name in front.
        message: String,
    },
    /// Nothing is left of a part that was attached, because it was detached, failed or came to its end.
    PartEnded {
        /// The part: [`Part::id`](crate::Part::id).
        part: PartId,
    },
    /// All sources end now, because somebody stopped the pipeline or a stage failed that takes everything with it.
    Stopping,
    /// Everything has ended. The last event.
    Ended,
    /// So many events before the next one were dropped, because the program read too slowly.
    Missed(u64),
}

impl Event {
    /// Whether `newer` says all that matters of this, so that an unread one can go.
    fn is_replaced_by(&self, newer: &Event) -> bool {
        match (self, newer) {
            (
                Event::Lost { stage: old, .. } | Event::Recovered { stage: old },
                Event::Lost { stage: new, .. } | Event::Recovered { stage: new },
            ) => old == new,
            _ => false,
        }
    }
}

/// The events of one pipeline, oldest first. The stream ends after [`Event::Ended`].
///
/// At most 256 events wait to be read. Of a stage that is lost and recovers again and again only the newest
/// state waits. When the queue is full the oldest event is dropped, and [`Event::Missed`] says how many were.
/// [`recv`](Events::recv) blocks a thread; a task awaits [`next`](Events::next), or reads the
/// `futures_core::Stream`.
#[derive(Debug)]
pub struct Events(Arc<Queue>);

/// A part that comes and goes leaves one or two events: a program that is this far behind does not read any.
const CAPACITY: usize = 256;

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Event>,
    missed: u64,
    ended: bool,
    waker: Option<Waker>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn push(&mut self, event: Event) {
        self.ended |= event == Event::Ended;
        self.waiting.retain(|old| !old.is_replaced_by(&event));
        if self.waiting.len() == CAPACITY {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back(event);
    }

    fn pop(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.missed) {
            0 => self.waiting.pop_front(),
            missed => Some(Event::Missed(missed)),
        }
    }
}

impl Queue {
    fn push(&self, event: Event) {
        let mut state = locked(&self.state);
        state.push(event);
        let waker = state.waker.take();
        drop(state);
        self.arrived.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Events {
    /// The next event, if one waits.
    pub fn try_recv(&mut self) -> Option<Event> {
        locked(&self.0.state).pop()
    }

    /// Blocks this thread until there is an event; `None` after the last.
    pub fn recv(&mut self) -> Option<Event> {
        let is_quiet = |state: &mut State| state.missed == 0 && state.waiting.is_empty() && !state.ended;
        let state = self.0.arrived.wait_while(locked(&self.0.state), is_quiet);
        state.unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The next event; `None` after the last. The same as the [`Stream`], for a program without
    /// `futures_util::StreamExt`.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = locked(&self.0.state);
        match state.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Sends the events of one pipeline to all who read them.
#[derive(Debug)]
pub(crate) struct Publisher(Mutex<Readers>);

#[derive(Debug)]
struct Readers {
    /// For the first who asks for events: it keeps what happened before.
    first: Option<Arc<Queue>>,
    all: Vec<Weak<Queue>>,
    ended: bool,
}

impl Default for Publisher {
    fn default() -> Publisher {
        let first = Arc::<Queue>::default();
        let all = vec![Arc::downgrade(&first)];
        Publisher(Mutex::new(Readers { first: Some(first), all, ended: false }))
    }
}

impl Publisher {
    /// Everything since the start for the first caller, and from now on for all others.
    pub(crate) fn subscribe(&self) -> Events {
        let mut readers = locked(&self.0);
        if let Some(first) = readers.first.take() {
            return Events(first);
        }
        let queue = Arc::<Queue>::default();
        if readers.ended {
            queue.push(Event::Ended);
        }
        readers.all.push(Arc::downgrade(&queue));
        Events(queue)
    }

    /// Sends `event` to every reader. After [`Event::Ended`] nothing is sent any more.
    pub(crate) fn publish(&self, event: Event) {
        let mut readers = locked(&self.0);
        if readers.ended {
            return;
        }
        readers.ended = event == Event::Ended;
        readers.all.retain(|queue| queue.strong_count() > 0);
        let all: Vec<_> = readers.all.iter().filter_map(Weak::upgrade).collect();
        // With the lock, so that all readers see the same order. A waker that is called here takes none of it.
        all.iter().for_each(|queue| queue.push(event.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(stage: &str) -> Event {
        Event::Lost { stage: stage.into(), message: "unplugged".to_owned() }
    }

    fn recovered(stage: &str) -> Event {
        Event::Recovered { stage: stage.into() }
    }

    fn all(events: &mut Events) -> Vec<Event> {
        std::iter::from_fn(|| events.try_recv()).collect()
    }

    #[test]
    fn the_newest_state_of_a_stage_replaces_the_one_before() {
        let publisher = Publisher::default();
        for event in [Event::Started, lost("camera"), lost("microphone"), recovered("camera"), lost("camera")] {
            publisher.publish(event);
        }
        let mut first = publisher.subscribe();
        assert_eq!(all(&mut first), [Event::Started, lost("microphone"), lost("camera")]);
    }

    #[test]
    fn the_first_reader_sees_the_past_and_others_do_not() {
        let publisher = Publisher::default();
        publisher.publish(Event::Started);
        let (mut first, mut second) = (publisher.subscribe(), publisher.subscribe());
        publisher.publish(Event::Stopping);
        publisher.publish(Event::Ended);
        publisher.publish(Event::Started);
        assert_eq!(all(&mut first), [Event::Started, Event::Stopping, Event::Ended]);
        assert_eq!(all(&mut second), [Event::Stopping, Event::Ended]);
        assert_eq!((first.recv(), second.recv()), (None, None));
        assert_eq!(publisher.subscribe().recv(), Some(Event::Ended));
    }

    #[test]
    fn what_nobody_reads_does_not_grow_and_the_reader_learns_how_much_it_missed() {
        let publisher = Publisher::default();
        let mut events = publisher.subscribe();
        (0..1_000).for_each(|part| publisher.publish(Event::PartEnded { part: PartId::new(part) }));
        let unread = all(&mut events);
        assert_eq!(unread.len(), CAPACITY + 1);
        assert_eq!(unread[0], Event::Missed(1_000 - CAPACITY as u64));
        assert_eq!(unread[CAPACITY], Event::PartEnded { part: PartId::new(999) });
        drop(events);
        publisher.publish(Event::Stopping);
        assert!(locked(&publisher.0).all.is_empty(), "nothing is kept for a reader that is gone");
    }
}
