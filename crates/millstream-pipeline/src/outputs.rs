//! Where a stage's items go: to any number of takers, each at its own pace.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::{Control, Cx, Item, Requests, Timestamp, Upstream};

use crate::part_state::{Alive, Leave};
use crate::standing::Standing;

/// Whoever takes items on the producer's thread: a link's entry, or a stage that runs inline.
pub(crate) trait Consumer<T>: Send {
    /// Whether it takes an item now.
    fn ready(&mut self) -> bool;
    /// Takes an item; it was ready.
    fn take(&mut self, item: T);
    /// There are no more items. Called again until it says that all is done.
    fn finish(&mut self) -> bool;
    /// Whether it takes nothing any more, though it may still give.
    fn closed(&self) -> bool {
        self.gone()
    }
    /// Whether it takes and gives nothing any more, so that it can be let go of.
    fn gone(&self) -> bool;
    /// Handles requests and wakers, its own and those below it.
    fn attend(&mut self) {}
    /// Counts an item that it will never get, because it is let go of.
    fn discard(&mut self, item: T) {
        let _ = item;
    }
    /// What its stage may know and ask, where it is a stage.
    fn cx(&mut self) -> Option<&mut Cx> {
        None
    }
    /// The earliest alarm, its own or below it.
    fn alarm(&self) -> Option<Timestamp> {
        None
    }
}

/// One taker, what did not yet fit, and what it requests.
pub(crate) struct Edge<T> {
    consumer: Box<dyn Consumer<T>>,
    pending: VecDeque<T>,
    upstream: Upstream,
    asked: Standing,
    finished: bool,
    leave: Arc<Leave>,
    /// Keeps the part alive that the taker is of, where it was attached.
    _alive: Option<Arc<Alive>>,
}

impl<T> Edge<T> {
    pub(crate) fn new(
        consumer: Box<dyn Consumer<T>>,
        upstream: Upstream,
        leave: &Arc<Leave>,
        alive: Option<Arc<Alive>>,
    ) -> Edge<T> {
        Edge {
            consumer,
            pending: VecDeque::new(),
            upstream,
            asked: Standing::default(),
            finished: false,
            leave: Arc::clone(leave),
            _alive: alive,
        }
    }

    fn is_leaving(&self) -> bool {
        self.leave.is_requested()
    }

    /// Lets go of what did not fit, and of the taker once it has finished; whether it has.
    fn has_left(&mut self) -> bool {
        if !self.is_leaving() {
            return false;
        }
        // Whoever leaves does not keep the others waiting.
        self.discard_pending();
        self.finished = self.finished || self.consumer.finish();
        self.finished
    }

    fn discard_pending(&mut self) {
        for item in self.pending.drain(..) {
            self.consumer.discard(item);
        }
    }

    /// Hands over what did not fit; whether nothing is left.
    fn flush(&mut self) -> bool {
        while !self.pending.is_empty() && self.consumer.ready() {
            if let Some(item) = self.pending.pop_front() {
                self.consumer.take(item);
            }
        }
        self.pending.is_empty()
    }
}

/// Where takers are announced, before the start and while running.
pub(crate) struct Mailbox<T> {
    full: AtomicBool,
    /// `None` once the producer has ended.
    edges: Mutex<Option<Vec<Edge<T>>>>,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Arc<Mailbox<T>> {
        Arc::new(Mailbox { full: AtomicBool::new(false), edges: Mutex::new(Some(Vec::new())) })
    }

    /// Announces a taker; its input ends at once if the producer has ended. The caller then notifies the
    /// producer's task.
    pub(crate) fn post(&self, edge: Edge<T>) {
        let mut edges = self.edges();
        // Otherwise it is dropped, after the lock: it wakes others.
        let Some(open) = &mut *edges else { return };
        open.push(edge);
        self.full.store(true, Ordering::Release);
    }

    fn edges(&self) -> MutexGuard<'_, Option<Vec<Edge<T>>>> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The takers of one output.
pub(crate) struct Outputs<T> {
    edges: Vec<Edge<T>>,
    mailbox: Arc<Mailbox<T>>,
    /// What the program asks for, as one more taker.
    requests: Upstream,
    requested: Option<Standing>,
    /// The standing requests of all takers, as the producer was sent.
    sent: Standing,
    /// Whether takers came or went since then.
    changed: bool,
    /// Whether the last takers went by themselves.
    deserted: bool,
}

/// Who was announced and never let in sees the end, and so does whoever comes later.
impl<T> Drop for Outputs<T> {
    fn drop(&mut self) {
        let announced = self.mailbox.edges().take();
        // Without the lock: an edge that is dropped wakes others.
        drop(announced);
    }
}

impl<T> Drop for Edge<T> {
    fn drop(&mut self) {
        self.discard_pending();
    }
}

impl<T: Item> Outputs<T> {
    pub(crate) fn new(mailbox: &Arc<Mailbox<T>>, requests: Upstream) -> Outputs<T> {
        let (sent, mailbox) = (Standing::default(), Arc::clone(mailbox));
        Outputs { edges: Vec::new(), mailbox, requests, requested: None, sent, changed: false, deserted: false }
    }

    fn open_mailbox(&mut self) {
        if self.mailbox.full.swap(false, Ordering::AcqRel) {
            self.changed = true;
            self.edges.extend(self.mailbox.edges().as_mut().into_iter().flat_map(std::mem::take));
        }
    }

    /// Hands every item to every taker, or keeps it for those that are not ready.
    pub(crate) fn give(&mut self, items: &mut VecDeque<T>) {
        while let Some(item) = items.pop_front() {
            let Some((last, others)) = self.edges.split_last_mut() else { continue };
            for edge in others {
                hand_over(edge, item.clone());
            }
            hand_over(last, item);
        }
    }

    /// Whether every taker has everything so far.
    pub(crate) fn flush(&mut self) -> bool {
        let mut all = true;
        for edge in &mut self.edges {
            all &= edge.flush();
        }
        all
    }

    /// Whether nothing is kept for any taker.
    pub(crate) fn is_flushed(&self) -> bool {
        self.edges.iter().all(|edge| edge.pending.is_empty())
    }

    /// Whether all takers are gone by themselves. An output from which takers were detached waits for others.
    pub(crate) fn gone(&self) -> bool {
        self.deserted
    }

    /// Ends every taker's input once it has everything; whether all are done.
    pub(crate) fn finish(&mut self) -> bool {
        let mut all = true;
        for edge in &mut self.edges {
            if !edge.finished {
                edge.finished = edge.flush() && edge.consumer.finish();
            }
            all &= edge.finished;
        }
        all
    }

    /// Has the consumers handle their requests and wakers, takes in new ones, and lets go of those that leave and of
    /// those that are gone: a consumer that goes notifies the producer's task.
    pub(crate) fn attend(&mut self) {
        self.open_mailbox();
        for edge in &mut self.edges {
            edge.consumer.attend();
        }
        let before = self.edges.len();
        self.edges.retain_mut(|edge| !edge.has_left());
        let staying = self.edges.len();
        self.edges.retain(|edge| edge.is_leaving() || !edge.consumer.gone());
        self.changed |= self.edges.len() < before;
        self.deserted = staying > 0 && self.edges.is_empty();
    }

    pub(crate) fn alarm(&self) -> Option<Timestamp> {
        self.edges.iter().filter_map(|edge| edge.consumer.alarm()).min()
    }

    /// The requests that the consumers made since the last call, as one: any key frame counts once, and standing
    /// requests are [merged](Standing::merged), again when consumers come and go.
    pub(crate) fn requests(&mut self) -> Option<Requests> {
        let mut requested: Option<Requests> = None;
        for edge in &mut self.edges {
            for request in edge.upstream.take().iter().flat_map(Requests::iter) {
                edge.asked.note(request);
                requested.get_or_insert_default().note(request);
            }
        }
        for request in self.requests.take().iter().flat_map(Requests::iter) {
            self.requested.get_or_insert_default().note(request);
            requested.get_or_insert_default().note(request);
        }
        // Without consumers nobody can ask for anything else: all stays as it was until one comes.
        if requested.is_none() && (!self.changed || self.edges.is_empty()) {
            return None;
        }
        self.changed = false;
        let requested = requested.unwrap_or_default();
        let standing = Standing::merged(self.edges.iter().map(|edge| &edge.asked).chain(&self.requested));
        let mut news = standing.news(&requested, &self.sent);
        self.sent = standing;
        if let Some(Control::KeyFrame(layers)) = requested.iter().next() {
            news.note(Control::KeyFrame(layers));
        }
        Some(news)
    }
}

fn hand_over<T>(edge: &mut Edge<T>, item: T) {
    if edge.finished {
        return;
    }
    if edge.pending.is_empty() && edge.consumer.ready() {
        edge.consumer.take(item);
    } else {
        edge.pending.push_back(item);
    }
}
