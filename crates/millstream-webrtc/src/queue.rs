//! The bounded queue between a track's sender and its engine, in whole frames.
//!
//! The sender never waits. What does not fit is dropped, and with it everything that refers to it:
//! a gap, which the next frame that a decoder can start from closes. What came before such a frame
//! and still waits is worth nothing any more and makes room for it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_core::{Clock, Media, Role, RtpPackets, Timestamp};

use crate::SenderStatistics;
use crate::feed::Frame;
use crate::pace::Pace;

/// Frames of video that wait at most: about a second. A network that is further behind is better
/// served by the next key frame.
const VIDEO_FRAMES: usize = 32;
/// Frames of video that come and wait at most until the connection stands: half a second at 30 a second.
/// Whoever takes longer gets a key frame of its own.
const PREPARED_FRAMES: usize = 16;
/// Packets of sound that wait at most: 1.3 s at the usual 20 ms.
const AUDIO_PACKETS: usize = 64;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits, is not needed, or the connection does not stand yet.
    Fine,
    /// It was dropped and others refer to it: a key frame is needed.
    Gap,
    /// Nobody will take it.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Preparing,
    Open,
    Ended,
}

#[derive(Debug)]
pub(crate) struct Queue(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    frames: VecDeque<RtpPackets>,
    media: Media,
    phase: Phase,
    gap: bool,
    /// Frames that came before their time and still may wait beside those that come.
    kept: usize,
    /// As long as what was kept is being sent.
    pace: Option<Pace>,
    sequence: u16,
    waker: Option<Waker>,
    counts: SenderStatistics,
}

impl Queue {
    pub(crate) fn new(media: Media) -> Queue {
        Queue(Mutex::new(Inner {
            frames: VecDeque::new(),
            media,
            phase: Phase::Waiting,
            gap: true,
            kept: 0,
            pace: None,
            // Low, so that a receiver which misses the first packets still guesses the roll-over
            // count right (RFC 3711, section 3.3.1).
            sequence: 1,
            waker: None,
            counts: SenderStatistics::default(),
        }))
    }

    /// Keeps what comes until it is [opened](Queue::open); `false` if it was before.
    pub(crate) fn prepare(&self) -> bool {
        let mut queue = self.lock();
        let first = queue.phase == Phase::Waiting;
        if first {
            queue.phase = Phase::Preparing;
        }
        first
    }

    /// Lets what comes through; `true` if nothing was prepared for that. What was is sent from now on,
    /// at a pace if there is somebody who [releases](Queue::release) it.
    pub(crate) fn open(&self, paced_from: Option<Timestamp>) -> bool {
        let mut queue = self.lock();
        let unprepared = queue.phase == Phase::Waiting;
        if unprepared || queue.phase == Phase::Preparing {
            queue.phase = Phase::Open;
            if let Some(from) = paced_from {
                queue.pace(from);
            }
        }
        unprepared
    }

    /// Takes `frames`, the last ones, for a remote side that got nothing yet; whether it did.
    pub(crate) fn catch_up(&self, frames: &[RtpPackets], now: Timestamp) -> bool {
        let mut queue = self.lock();
        let fresh = queue.gap && queue.frames.is_empty() && queue.counts.frames == 0;
        if !fresh || frames.is_empty() || !matches!(queue.phase, Phase::Preparing | Phase::Open) {
            return false;
        }
        queue.frames.extend(frames.iter().cloned());
        queue.gap = false;
        queue.kept = frames.len();
        if queue.phase == Phase::Open {
            queue.pace(now);
        }
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Whether what was kept is still being sent.
    pub(crate) fn is_paced(&self) -> bool {
        self.lock().pace.is_some()
    }

    /// Has the engine take what is due of what was kept; when more will be.
    pub(crate) fn release(&self, now: Timestamp) -> Option<Timestamp> {
        let mut queue = self.lock();
        let pace = queue.pace?;
        let due = queue.frames.front().is_some_and(|frame| pace.due(frame.time) <= now);
        let waker = if due { queue.waker.take() } else { None };
        let next = queue.frames.iter().map(|frame| pace.due(frame.time)).find(|due| *due > now);
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        next
    }

    pub(crate) fn push(&self, packets: &RtpPackets) -> Pushed {
        let mut queue = self.lock();
        let pushed = queue.push(packets);
        let waker = if queue.frames.is_empty() { None } else { queue.waker.take() };
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        pushed
    }

    pub(crate) fn pop(&self, clock: &Clock) -> Option<Frame> {
        self.lock().pop(clock)
    }

    /// The next frame; `None` once nothing comes any more and all was taken.
    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>, clock: &Clock) -> Poll<Option<Frame>> {
        let mut queue = self.lock();
        if let Some(frame) = queue.pop(clock) {
            return Poll::Ready(Some(frame));
        }
        if queue.phase == Phase::Ended {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What was sent, and what is heard of it.
    pub(crate) fn counts(&self) -> SenderStatistics {
        self.lock().counts
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut SenderStatistics)) {
        change(&mut self.lock().counts);
    }

    pub(crate) fn queued(&self) -> usize {
        self.lock().frames.len()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().phase == Phase::Ended
    }

    /// Nothing comes any more; what waits goes too if `discard`.
    pub(crate) fn end(&self, discard: bool) {
        let mut queue = self.lock();
        queue.phase = Phase::Ended;
        if discard {
            queue.frames.clear();
        }
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, packets: &RtpPackets) -> Pushed {
        match self.phase {
            Phase::Ended => return Pushed::Closed,
            Phase::Waiting => return Pushed::Fine,
            Phase::Preparing => {
                self.prepare(packets);
                return Pushed::Fine;
            }
            Phase::Open => {}
        }
        if self.gap && packets.role != Role::Start {
            self.counts.dropped += 1;
            return Pushed::Fine;
        }
        if !self.make_room(packets.role) {
            self.counts.dropped += 1;
            self.gap = packets.role == Role::Reference;
            return if self.gap { Pushed::Gap } else { Pushed::Fine };
        }
        self.gap = false;
        self.frames.push_back(packets.clone());
        Pushed::Fine
    }

    /// Keeps the newest picture to start from and what follows it, while that is not too much.
    fn prepare(&mut self, packets: &RtpPackets) {
        if packets.role == Role::Start {
            self.forget_kept();
            self.gap = false;
        }
        if self.gap {
            return;
        }
        self.frames.push_back(packets.clone());
        if self.frames.len() > self.kept + PREPARED_FRAMES {
            self.forget_kept();
            self.gap = true;
            self.phase = Phase::Waiting;
        }
    }

    /// Makes room for a frame of `role`, at the cost of what is worth less.
    fn make_room(&mut self, role: Role) -> bool {
        // It stands for all that is still to be sent at a pace.
        if role == Role::Start && self.pace.is_some() {
            self.forget_kept();
        }
        let limit = match self.media {
            Media::Video => VIDEO_FRAMES + self.kept,
            Media::Audio => AUDIO_PACKETS,
        };
        if self.frames.len() < limit {
            return true;
        }
        let gone = match (self.media, role) {
            // Sound that is late is worth less than sound that is not.
            (Media::Audio, _) => self.frames.drain(..1).count(),
            (Media::Video, Role::Start) => self.frames.drain(..).count(),
            (Media::Video, Role::Discardable) => 0,
            (Media::Video, _) => {
                let spare = self.frames.iter().position(|frame| frame.role == Role::Discardable);
                spare.and_then(|index| self.frames.remove(index)).into_iter().count()
            }
        };
        self.counts.dropped += gone as u64;
        gone > 0
    }

    /// Sends what waits at a pace from `from` on.
    fn pace(&mut self, from: Timestamp) {
        self.kept = self.frames.len();
        self.pace = self.frames.front().map(|first| Pace { from, first: first.time });
    }

    fn forget_kept(&mut self) {
        self.frames.clear();
        self.kept = 0;
        self.pace = None;
    }

    fn pop(&mut self, clock: &Clock) -> Option<Frame> {
        if self.phase == Phase::Preparing {
            return None;
        }
        let front = self.frames.front()?;
        if self.phase == Phase::Open && self.pace.is_some_and(|pace| pace.due(front.time) > clock.now()) {
            return None;
        }
        let packets = self.frames.pop_front()?;
        if self.frames.is_empty() {
            self.forget_kept();
        }
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(packets.headers.len() as u16);
        self.counts.frames += 1;
        self.counts.packets += packets.headers.len() as u64;
        self.counts.bytes += packets.headers.iter().map(|header| u64::from(header.end - header.start)).sum::<u64>();
        Some(Frame { sequence, packets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{frame, sound};

    /// The next frame at a time that nothing here depends on.
    fn pop(queue: &mut Inner) -> Option<Frame> {
        queue.pop(&Clock::manual().0)
    }

    fn open(media: Media) -> Queue {
        let queue = Queue::new(media);
        queue.open(None);
        queue
    }

    #[test]
    fn a_full_queue_opens_one_gap_and_a_start_closes_it_and_replaces_what_waits() {
        let queue = open(Media::Video);
        assert_eq!(queue.push(&frame(0, Role::Reference, 1)), Pushed::Fine);
        assert_eq!(queue.lock().counts.dropped, 1, "nothing before the first start");
        for n in 0..32 {
            let role = if n == 0 { Role::Start } else { Role::Reference };
            assert_eq!(queue.push(&frame(n, role, 2)), Pushed::Fine);
        }
        assert_eq!(queue.push(&frame(32, Role::Discardable, 1)), Pushed::Fine);
        assert_eq!(queue.push(&frame(33, Role::Reference, 1)), Pushed::Gap);
        assert_eq!(queue.push(&frame(34, Role::Reference, 1)), Pushed::Fine, "one gap, one wish");
        assert_eq!(queue.push(&frame(35, Role::Start, 1)), Pushed::Fine);
        let mut queue = queue.lock();
        assert_eq!(queue.counts.dropped, 1 + 3 + 32);
        assert_eq!(pop(&mut queue).expect("the start").packets.role, Role::Start);
        assert!(pop(&mut queue).is_none());
    }

    #[test]
    fn a_frame_that_nothing_refers_to_goes_first() {
        let queue = open(Media::Video);
        for n in 0..32 {
            let role = [Role::Start, Role::Discardable][usize::from(n == 9)];
            queue.push(&frame(n, role, 1));
        }
        assert_eq!(queue.push(&frame(32, Role::Reference, 1)), Pushed::Fine);
        assert!(queue.lock().frames.iter().all(|frame| frame.role != Role::Discardable));
    }

    #[test]
    fn sequence_numbers_go_on_over_what_was_dropped() {
        let queue = open(Media::Audio);
        for n in 0..66 {
            queue.push(&sound(n));
        }
        let mut queue = queue.lock();
        assert_eq!(queue.counts.dropped, 2);
        let sequences: Vec<_> = std::iter::from_fn(|| pop(&mut queue)).map(|frame| frame.sequence).collect();
        assert_eq!(sequences, (1..=64).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_prepared_is_sent_when_the_connection_stands() {
        let queue = Queue::new(Media::Video);
        queue.lock().phase = Phase::Preparing;
        for (n, role) in [(0, Role::Reference), (1, Role::Start), (2, Role::Reference)] {
            assert_eq!(queue.push(&frame(n, role, 1)), Pushed::Fine);
        }
        assert!(pop(&mut queue.lock()).is_none(), "not yet");
        queue.lock().phase = Phase::Open;
        queue.push(&frame(3, Role::Reference, 1));
        let mut queue = queue.lock();
        let sent: Vec<_> =
            std::iter::from_fn(|| pop(&mut queue)).map(|frame| (frame.sequence, frame.packets.role)).collect();
        assert_eq!(sent, [(1, Role::Start), (2, Role::Reference), (3, Role::Reference)]);
        assert_eq!(queue.counts.dropped, 0);
    }

    #[test]
    fn what_was_prepared_for_too_long_is_given_up() {
        let queue = Queue::new(Media::Video);
        queue.lock().phase = Phase::Preparing;
        let waits = |queue: &Queue| {
            let queue = queue.lock();
            (queue.phase, queue.frames.len())
        };
        queue.push(&frame(0, Role::Start, 1));
        for n in 1..16 {
            queue.push(&frame(n, Role::Reference, 1));
        }
        assert_eq!(waits(&queue), (Phase::Preparing, 16));
        queue.push(&frame(16, Role::Reference, 1));
        assert_eq!(waits(&queue), (Phase::Waiting, 0));
    }

    #[test]
    fn before_the_connection_stands_nothing_is_kept_or_counted() {
        let queue = Queue::new(Media::Video);
        assert_eq!(queue.push(&frame(0, Role::Start, 1)), Pushed::Fine);
        assert!(pop(&mut queue.lock()).is_none());
        assert_eq!(queue.lock().counts.dropped, 0);
        queue.end(true);
        assert_eq!(queue.push(&frame(0, Role::Start, 1)), Pushed::Closed);
    }

    #[test]
    fn what_was_kept_is_sent_faster_than_it_was_captured_and_never_all_at_once() {
        let (clock, hand) = Clock::manual();
        let at = Timestamp::from_millis;
        let queue = Queue::new(Media::Video);
        let kept: Vec<_> =
            (0..10).map(|n| frame(n * 40, if n == 0 { Role::Start } else { Role::Reference }, 1)).collect();
        assert!(!queue.catch_up(&kept, at(0)), "nobody is there");
        queue.prepare();
        assert!(queue.catch_up(&kept, at(0)) && !queue.catch_up(&kept, at(0)));
        // The connection stands later: nothing of the pace is lost.
        hand.set(at(1000));
        queue.open(Some(at(1000)));
        let mut sent = Vec::new();
        let mut take = |millis| {
            hand.set(at(millis));
            let taken = std::iter::from_fn(|| queue.pop(&clock)).count();
            sent.push((millis, taken, queue.release(at(millis))));
        };
        (1000..1030).step_by(10).for_each(&mut take);
        // A picture that is captured now waits behind them.
        queue.push(&frame(400, Role::Reference, 1));
        (1030..1120).step_by(10).for_each(&mut take);
        let due = |millis| Some(at(millis));
        let mut expected: Vec<_> = (100..110).map(|n| (n * 10, 1, due(n * 10 + 10))).collect();
        expected.extend([(1100, 1, None), (1110, 0, None)]);
        assert_eq!(sent, expected);
        queue.push(&frame(9_000, Role::Reference, 1));
        assert!(queue.pop(&clock).is_some(), "it has caught up");
    }

    #[test]
    fn a_start_stands_for_all_that_is_still_to_be_sent() {
        let (clock, _hand) = Clock::manual();
        let queue = open(Media::Video);
        let kept: Vec<_> =
            (0..31).map(|n| frame(n * 16, if n == 0 { Role::Start } else { Role::Reference }, 1)).collect();
        assert!(queue.catch_up(&kept, Timestamp::ZERO));
        // As many may wait beside them as otherwise.
        for n in 31..63 {
            assert_eq!(queue.push(&frame(n * 16, Role::Reference, 1)), Pushed::Fine);
        }
        assert_eq!(queue.push(&frame(63 * 16, Role::Reference, 1)), Pushed::Gap);
        assert_eq!(queue.pop(&clock).expect("the first").packets.role, Role::Start);
        assert!(queue.pop(&clock).is_none(), "the second is not due");
        queue.push(&frame(2_000, Role::Start, 1));
        let next = queue.pop(&clock).expect("the new one, at once");
        assert_eq!((next.sequence, next.packets.time), (2, Timestamp::from_millis(2_000)));
        assert_eq!(queue.counts().dropped, 1);
    }

    #[test]
    fn no_more_than_eighty_frames_wait_whatever_was_kept_and_prepared() {
        let queue = Queue::new(Media::Video);
        queue.prepare();
        let role = |n| if n == 0 { Role::Start } else { Role::Reference };
        let kept: Vec<_> = (0..32).map(|n| frame(n, role(n), 1)).collect();
        assert!(queue.catch_up(&kept, Timestamp::ZERO));
        for n in 32..80 {
            if n == 48 {
                queue.open(Some(Timestamp::ZERO));
            }
            assert_eq!(queue.push(&frame(n, Role::Reference, 1)), Pushed::Fine);
        }
        assert_eq!((queue.queued(), queue.push(&frame(80, Role::Reference, 1))), (80, Pushed::Gap));
        assert_eq!(queue.queued(), 80);
    }

    #[test]
    fn nothing_is_held_back_for_long_whatever_its_time_says() {
        let (clock, hand) = Clock::manual();
        let queue = open(Media::Video);
        let kept = [frame(0, Role::Start, 1), frame(86_400_000, Role::Reference, 1)];
        assert!(queue.catch_up(&kept, Timestamp::ZERO));
        assert!(queue.pop(&clock).is_some() && queue.pop(&clock).is_none());
        hand.set(Timestamp::from_millis(250));
        assert!(queue.pop(&clock).is_some());
    }
}
