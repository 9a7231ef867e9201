//! A bounded channel between two tasks: what it holds, what it drops, and the gaps that drops open.
//!
//! One producer puts in, one consumer takes out. An item is never torn: a frame is dropped whole,
//! and with it every later frame that cannot be decoded without it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::throttle::Throttle;
use millstream_core::{Clock, Control, Item, Role, Timestamp, Upstream};

use crate::gap::Gap;
use crate::outputs::Consumer;
use crate::policy::{Link, Policy};
use crate::stats::LinkCounts;
use crate::task_waker::TaskWaker;

/// Room for as many items is made at once; a longer queue grows when it must.
const FIRST_ROOM: usize = 64;

struct Shared<T> {
    link: Link,
    state: Mutex<State<T>>,
    producer: Arc<TaskWaker>,
    consumer: Arc<TaskWaker>,
    clock: Clock,
    upstream: Upstream,
    counts: Arc<LinkCounts>,
}

struct State<T> {
    waiting: VecDeque<(T, Timestamp)>,
    /// What newcomers cannot be decoded, because of what was dropped.
    gap: Gap,
    /// The link asks for key frames as long as the gap is open, and the less often the more often it opens:
    /// all who take what the producer gives pay for them.
    throttle: Throttle,
    /// The producer gives nothing any more.
    ended: bool,
    /// The consumer takes nothing any more.
    closed: bool,
}

/// The producer's end.
pub(crate) struct Entry<T>(Arc<Shared<T>>);

/// The consumer's end.
pub(crate) struct Exit<T>(Arc<Shared<T>>);

/// What the consumer finds.
pub(crate) enum Taken<T> {
    Item(T),
    Nothing,
    Ended,
}

/// A link from the task of `producer` to the task of `consumer`; the request for a key frame after a
/// gap goes `upstream`.
pub(crate) fn link<T: Item>(
    link: Link,
    producer: &Arc<TaskWaker>,
    consumer: &Arc<TaskWaker>,
    clock: &Clock,
    upstream: &Upstream,
    counts: &Arc<LinkCounts>,
) -> (Entry<T>, Exit<T>) {
    let shared = Arc::new(Shared {
        link,
        state: Mutex::new(State {
            waiting: VecDeque::with_capacity(link.items.get().min(FIRST_ROOM)),
            gap: Gap::default(),
            throttle: Throttle::backing_off(),
            ended: false,
            closed: false,
        }),
        producer: Arc::clone(producer),
        consumer: Arc::clone(consumer),
        clock: clock.clone(),
        upstream: upstream.clone(),
        counts: Arc::clone(counts),
    });
    (Entry(Arc::clone(&shared)), Exit(shared))
}

impl<T: Item> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A panic inside a stage happens outside this lock: the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_waiting(&self, state: &State<T>) {
        self.counts.waiting.set(state.waiting.len() as u64);
        self.counts.most_waiting.raise_to(state.waiting.len() as u64);
    }

    /// Takes `item` in, or drops it; whether it waits now.
    fn place(&self, state: &mut State<T>, item: T, now: Timestamp) -> bool {
        // Asked twice: nothing makes room for what cannot be decoded, and making room may close a layer.
        let placed = self.decodable(state, &item)
            && (self.link.policy == Policy::Block || self.make_room(state, &item))
            && self.decodable(state, &item);
        if placed {
            state.waiting.push_back((item, now));
            self.note_waiting(state);
        }
        placed
    }

    /// Whether `item`, a newcomer, can be decoded; it is dropped if not.
    fn decodable(&self, state: &mut State<T>, item: &T) -> bool {
        let decodable = state.gap.lets_through(item);
        if !decodable {
            self.counts.dropped_gap.add(1);
        }
        decodable
    }

    /// Asks for what closes the gap, if there is one when all is done that was to be done at `now`: a
    /// newcomer that a decoder can start from has closed it already.
    fn close_gap(&self, state: &mut State<T>, now: Timestamp) {
        if !state.gap.is_open() {
            return;
        }
        state.throttle.want();
        if state.throttle.ask(now) {
            self.upstream.ask(Control::KeyFrame(state.gap.wanted()));
        }
    }

    /// Removes the oldest item, and behind it what cannot be decoded without it.
    fn drop_front(&self, state: &mut State<T>) {
        let Some((dropped, _)) = state.waiting.pop_front() else { return };
        if dropped.is_referred_to() {
            self.close_behind(state, &dropped);
        }
        self.note_waiting(state);
    }

    /// Drops what waits and cannot be decoded without `dropped`, the oldest.
    fn close_behind(&self, state: &mut State<T>, dropped: &T) {
        let mut gap = Gap::default();
        gap.dropped(dropped);
        state.waiting.retain(|(waiting, _)| {
            let decodable = gap.lets_through(waiting);
            if !decodable {
                self.counts.dropped_gap.add(1);
            }
            decodable
        });
        // What is still closed at the end of the queue is closed for newcomers.
        let before = state.gap.is_open();
        state.gap.merge(&gap);
        if state.gap.is_open() && !before {
            self.counts.gaps.add(1);
        }
    }

    /// Drops what has waited longer than the link allows.
    fn drop_late(&self, state: &mut State<T>, now: Timestamp) {
        let Some(max_age) = self.link.max_age else { return };
        while state.waiting.front().is_some_and(|(_, entered)| now.since(*entered) > max_age) {
            self.counts.dropped_late.add(1);
            self.drop_front(state);
        }
    }

    /// Makes room for `item`, or says that it is the one to go.
    fn make_room(&self, state: &mut State<T>, item: &T) -> bool {
        if state.waiting.len() < self.link.items.get() {
            return true;
        }
        self.counts.dropped_full.add(1);
        if self.link.policy == Policy::DropNewest {
            if state.gap.dropped(item) {
                self.counts.gaps.add(1);
            }
            return false;
        }
        if let Some(index) = state.waiting.iter().position(|(waiting, _)| waiting.role() == Role::Discardable) {
            state.waiting.remove(index);
            return true;
        }
        if item.role() == Role::Discardable {
            return false;
        }
        self.drop_front(state);
        true
    }
}

impl<T: Item> Consumer<T> for Entry<T> {
    fn ready(&mut self) -> bool {
        if self.0.link.policy != Policy::Block {
            return true;
        }
        let state = self.0.state();
        state.closed || state.waiting.len() < self.0.link.items.get()
    }

    fn take(&mut self, item: T) {
        let shared = &*self.0;
        let mut state = shared.state();
        shared.counts.entered.add(1);
        if state.closed {
            shared.counts.dropped_closed.add(1);
            return;
        }
        let now = shared.clock.now();
        shared.drop_late(&mut state, now);
        let starts = item.role() == Role::Start;
        let placed = shared.place(&mut state, item, now);
        if placed && starts && !state.gap.is_open() {
            state.throttle.satisfied(now);
        }
        shared.close_gap(&mut state, now);
        drop(state);
        if placed {
            shared.consumer.notify();
        }
    }

    fn finish(&mut self) -> bool {
        self.0.state().ended = true;
        self.0.consumer.notify();
        true
    }

    fn gone(&self) -> bool {
        self.0.state().closed
    }

    fn discard(&mut self, _: T) {
        self.0.counts.entered.add(1);
        self.0.counts.dropped_closed.add(1);
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.0.consumer.notify();
    }
}

impl<T: Item> Exit<T> {
    /// The oldest item that may still be taken.
    pub(crate) fn take(&self) -> Taken<T> {
        let shared = &*self.0;
        let mut state = shared.state();
        if shared.link.max_age.is_some() {
            let now = shared.clock.now();
            shared.drop_late(&mut state, now);
            shared.close_gap(&mut state, now);
        }
        let Some((item, _)) = state.waiting.pop_front() else {
            return if state.ended { Taken::Ended } else { Taken::Nothing };
        };
        shared.counts.left.add(1);
        shared.note_waiting(&state);
        drop(state);
        if shared.link.policy == Policy::Block {
            shared.producer.notify();
        }
        Taken::Item(item)
    }
}

impl<T> Drop for Exit<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        self.0.counts.dropped_closed.add(state.waiting.len() as u64);
        self.0.counts.waiting.set(0);
        state.waiting.clear();
        drop(state);
        self.0.producer.notify();
    }
}

#[cfg(test)]
mod tests {
    use millstream_core::{Bytes, EncodedFrame, Layer, OPUS, VP8};
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::*;

    struct Bench {
        entry: Entry<EncodedFrame>,
        exit: Exit<EncodedFrame>,
        upstream: Upstream,
        counts: Arc<LinkCounts>,
        hand: millstream_core::Hand,
    }

    fn bench(options: Link) -> Bench {
        let (clock, hand) = Clock::manual();
        let (upstream, counts) = (Upstream::default(), Arc::default());
        let (entry, exit) = link(options, &Arc::default(), &Arc::default(), &clock, &upstream, &counts);
        Bench { entry, exit, upstream, counts, hand }
    }

    fn items(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).expect("a test's link holds something")
    }

    fn frame(number: u64, role: Role, codec: millstream_core::Codec) -> EncodedFrame {
        EncodedFrame::new(codec, Timestamp::from_millis(number), Bytes::new()).with_role(role)
    }

    fn video(number: u64, role: Role) -> EncodedFrame {
        frame(number, role, VP8)
    }

    fn drain(bench: &Bench) -> Vec<u64> {
        let mut taken = Vec::new();
        while let Taken::Item(item) = bench.exit.take() {
            taken.push(item.time.as_nanos() / 1_000_000);
        }
        taken
    }

    #[test]
    fn block_is_ready_until_it_is_full() {
        let mut bench = bench(Link::block(items(2)));
        for number in 0..2 {
            assert!(bench.entry.ready());
            bench.entry.take(video(number, Role::Reference));
        }
        assert!(!bench.entry.ready());
        assert_eq!(drain(&bench), [0, 1]);
        assert!(bench.entry.ready());
    }

    #[test]
    fn frames_that_nobody_has_looked_at_are_dropped_without_a_gap() {
        let mut bench = bench(Link::drop_oldest(items(3)));
        (0..5).for_each(|number| bench.entry.take(video(number, Role::Unknown)));
        assert_eq!(drain(&bench), [2, 3, 4]);
        assert_eq!((bench.counts.dropped_full.value(), bench.counts.gaps.value()), (2, 0));
        assert_eq!(bench.upstream.take(), None, "a depacketizer sees what is missing, and asks");
        // One of them may be the key frame that closes a gap: it passes, and the gap stays.
        (5..9).for_each(|number| bench.entry.take(video(number, Role::Reference)));
        bench.entry.take(video(9, Role::Unknown));
        bench.entry.take(video(10, Role::Reference));
        assert_eq!(drain(&bench), [9]);
        assert_eq!((bench.counts.gaps.value(), bench.counts.dropped_gap.value()), (1, 4));
    }

    #[test]
    fn a_full_link_of_video_drops_to_the_next_start_and_asks_for_one() {
        let mut bench = bench(Link::drop_oldest(items(3)));
        bench.entry.take(video(0, Role::Start));
        for number in 1..5 {
            bench.entry.take(video(number, Role::Reference));
        }
        assert_eq!(drain(&bench), [] as [u64; 0]);
        assert!(bench.upstream.take().is_some());
        bench.entry.take(video(5, Role::Reference));
        bench.entry.take(video(6, Role::Start));
        bench.entry.take(video(7, Role::Reference));
        assert_eq!(drain(&bench), [6, 7]);
        // 3 found it full and made 0, 1 and 2 go; then 3, 4 and 5 had nothing to refer to.
        let counts =
            [&bench.counts.dropped_full, &bench.counts.dropped_gap, &bench.counts.gaps].map(|count| count.value());
        assert_eq!(counts, [1, 5, 1]);
        assert_eq!(bench.counts.entered.value(), 8);
    }

    #[test]
    fn a_start_that_finds_the_link_full_takes_the_place_of_all_and_opens_it() {
        let mut bench = bench(Link::drop_oldest(items(2)));
        bench.entry.take(video(0, Role::Start));
        bench.entry.take(video(1, Role::Reference));
        bench.entry.take(video(2, Role::Start));
        bench.entry.take(video(3, Role::Reference));
        assert_eq!(drain(&bench), [2, 3]);
        assert_eq!(bench.upstream.take(), None, "the gap was closed by what opened it");
    }

    #[test]
    fn a_taker_that_stalls_costs_the_others_fewer_and_fewer_key_frames() {
        let mut bench = bench(Link::drop_oldest(items(8)));
        let mut asked = vec![];
        let mut role = Role::Start;
        // 25 pictures a second, each request answered with the next, and nobody takes anything.
        for millis in (0..60_000).step_by(40) {
            bench.entry.take(video(millis, role));
            role = Role::Reference;
            if bench.upstream.take().is_some() {
                asked.push(millis);
                role = Role::Start;
            }
            bench.hand.advance(Duration::from_millis(40));
        }
        // The second half a second after the first was answered, the others after 1, 2, 4 and 8 s.
        assert_eq!(asked, [320, 880, 1880, 3880, 7880, 15_880, 23_880, 31_880, 39_880, 47_880, 55_880]);
    }

    #[test]
    fn a_dropped_upper_layer_leaves_the_lower_one_alone() {
        let mut bench = bench(Link { policy: Policy::DropNewest, ..Link::drop_oldest(items(2)) });
        let layered = |number, spatial, role| video(number, role).with_layer(Layer::stacked(spatial, 0));
        bench.entry.take(layered(0, 0, Role::Start));
        bench.entry.take(layered(1, 1, Role::Start));
        bench.entry.take(layered(2, 1, Role::Reference));
        assert_eq!(drain(&bench), [0, 1]);
        bench.entry.take(layered(3, 0, Role::Reference));
        bench.entry.take(layered(4, 1, Role::Reference));
        assert_eq!(drain(&bench), [3]);
        bench.entry.take(layered(5, 1, Role::Start));
        bench.entry.take(layered(6, 1, Role::Reference));
        assert_eq!(drain(&bench), [5, 6]);
        let requests: Vec<_> = bench.upstream.take().unwrap().iter().collect();
        assert_eq!(requests, [Control::KeyFrame(millstream_core::Layers::ALL.without(0))]);
    }

    #[test]
    fn a_discardable_frame_goes_first_and_opens_no_gap() {
        let mut bench = bench(Link::drop_oldest(items(3)));
        bench.entry.take(video(0, Role::Start));
        bench.entry.take(video(1, Role::Discardable));
        bench.entry.take(video(2, Role::Reference));
        bench.entry.take(video(3, Role::Reference));
        assert_eq!(drain(&bench), [0, 2, 3]);
        assert_eq!(bench.upstream.take(), None);
    }

    #[test]
    fn audio_loses_single_packets_and_asks_for_nothing() {
        let mut bench = bench(Link::drop_oldest(items(2)));
        for number in 0..5 {
            bench.entry.take(frame(number, Role::Start, OPUS));
        }
        assert_eq!(drain(&bench), [3, 4]);
        assert_eq!(bench.upstream.take(), None);
        assert_eq!(bench.counts.dropped_full.value(), 3);
    }

    #[test]
    fn what_has_waited_too_long_is_late() {
        let mut bench = bench(Link { max_age: Some(Duration::from_millis(100)), ..Link::drop_oldest(items(8)) });
        bench.entry.take(frame(0, Role::Start, OPUS));
        bench.hand.advance(Duration::from_millis(60));
        bench.entry.take(frame(60, Role::Start, OPUS));
        bench.hand.advance(Duration::from_millis(60));
        assert_eq!(drain(&bench), [60]);
        assert_eq!(bench.counts.dropped_late.value(), 1);
    }

    #[test]
    fn a_closed_link_takes_and_counts_and_an_ended_one_says_so() {
        let mut one = bench(Link::block(items(1)));
        assert!(one.entry.finish());
        assert!(matches!(one.exit.take(), Taken::Ended));
        let Bench { mut entry, exit, counts, .. } = bench(Link::block(items(1)));
        entry.take(video(0, Role::Start));
        drop(exit);
        assert!(entry.gone() && entry.ready());
        entry.take(video(1, Role::Reference));
        assert_eq!(counts.dropped_closed.value(), 2);
    }
}
