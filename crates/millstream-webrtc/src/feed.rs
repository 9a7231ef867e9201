//! The bounded queue between a track's sender and its engine, in whole frames.
//!
//! The sender never waits. What does not fit is dropped, and with it everything that refers to it:
//! a gap, which the next frame that a decoder can start from closes. What came before such a frame
//! and still waits is worth nothing any more and makes room for it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_core::units::Bitrate;
use millstream_core::{Media, Role, RtpPackets};

use crate::sender::{Track, Wish};
use crate::{PeerEvent, Reception, SenderStatistics};

/// Frames of video that wait at most: about a second. A network that is further behind is better
/// served by the next key frame.
const VIDEO_FRAMES: usize = 32;
/// Frames of video that wait at most for the connection: half a second at 30 a second. Whoever takes
/// longer gets a key frame of its own.
const PREPARED_FRAMES: usize = 16;
/// Packets of sound that wait at most: 1.3 s at the usual 20 ms.
const AUDIO_PACKETS: usize = 64;

/// A frame on its way to the remote side.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The sequence number of its first packet; the others count on from it. It replaces what the
    /// headers say: so what this viewer did not get leaves no hole.
    pub sequence: u16,
    /// Its packets. Payload type, SSRC and header extensions are the engine's.
    pub packets: RtpPackets,
}

/// Where an engine takes a track's frames from.
#[derive(Debug)]
pub struct Feed(pub(crate) Arc<Track>);

impl Feed {
    /// Says that the connection is being made. A picture to start from is wished for, and kept with
    /// those after it until [`open`](Feed::open): so it is made while the two sides still shake hands.
    /// If they take longer than half a second of pictures it is given up. Sound is not kept: it would
    /// be late.
    pub fn prepare(&self) {
        let mut queue = self.0.queue.lock();
        if queue.phase != Phase::Waiting || self.0.codec.media != Media::Video {
            return;
        }
        queue.phase = Phase::Preparing;
        drop(queue);
        self.0.want_key_frame();
    }

    /// Says that the connection stands. What was [prepared](Feed::prepare) is sent; where nothing
    /// was, the first frame is the next one that a decoder can start from, and it is wished for.
    pub fn open(&self) {
        let mut queue = self.0.queue.lock();
        let unprepared = match queue.phase {
            Phase::Waiting => true,
            Phase::Preparing => false,
            Phase::Open | Phase::Ended => return,
        };
        queue.phase = Phase::Open;
        drop(queue);
        // Every packet of sound is a start: there is nothing to wish for.
        if unprepared && self.0.codec.media == Media::Video {
            self.0.want_key_frame();
        }
    }

    /// The next frame; `None` once the sender is gone and all was taken.
    pub async fn next(&mut self) -> Option<Frame> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next frame, if there is one now.
    pub fn try_next(&mut self) -> Option<Frame> {
        self.0.queue.lock().pop()
    }

    /// [`next`](Feed::next) by hand.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let mut queue = self.0.queue.lock();
        if let Some(frame) = queue.pop() {
            return Poll::Ready(Some(frame));
        }
        if queue.phase == Phase::Ended {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.queue.end(true);
    }
}

/// Where an engine says what the remote side tells about a track. Cloning gives another hand.
#[derive(Clone, Debug)]
pub struct Feedback(pub(crate) Arc<Track>);

impl Feedback {
    /// The remote side asked for a frame to start from (PLI or FIR; RFC 4585, RFC 5104).
    pub fn key_frame_wanted(&self) {
        self.0.want_key_frame();
    }

    /// A receiver report came.
    pub fn reception(&self, reception: Reception) {
        self.0.queue.lock().counts.reception = Some(reception);
        self.0.events.send(PeerEvent::Reception { track: self.0.id, reception });
    }

    /// The remote side said how much it can take.
    pub fn bitrate_estimate(&self, rate: Bitrate) {
        self.0.queue.lock().counts.bitrate_estimate = Some(rate);
        self.0.tell(Wish::Bitrate);
        self.0.events.send(PeerEvent::BitrateEstimate(rate));
    }
}

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
pub(crate) struct Inner {
    frames: VecDeque<RtpPackets>,
    media: Media,
    phase: Phase,
    gap: bool,
    sequence: u16,
    waker: Option<Waker>,
    pub(crate) counts: SenderStatistics,
}

impl Queue {
    pub(crate) fn new(media: Media) -> Queue {
        Queue(Mutex::new(Inner {
            frames: VecDeque::new(),
            media,
            phase: Phase::Waiting,
            gap: true,
            // Low, so that a receiver which misses the first packets still guesses the roll-over
            // count right (RFC 3711, section 3.3.1).
            sequence: 1,
            waker: None,
            counts: SenderStatistics::default(),
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.frames.clear();
            self.gap = false;
        }
        if self.gap {
            return;
        }
        self.frames.push_back(packets.clone());
        if self.frames.len() > PREPARED_FRAMES {
            self.frames.clear();
            self.gap = true;
            self.phase = Phase::Waiting;
        }
    }

    /// Makes room for a frame of `role`, at the cost of what is worth less.
    fn make_room(&mut self, role: Role) -> bool {
        let limit = match self.media {
            Media::Video => VIDEO_FRAMES,
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
            (Media::Video, Role::Reference) => {
                let spare = self.frames.iter().position(|frame| frame.role == Role::Discardable);
                spare.and_then(|index| self.frames.remove(index)).into_iter().count()
            }
        };
        self.counts.dropped += gone as u64;
        gone > 0
    }

    fn pop(&mut self) -> Option<Frame> {
        if self.phase == Phase::Preparing {
            return None;
        }
        let packets = self.frames.pop_front()?;
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

    fn open(media: Media) -> Queue {
        let queue = Queue::new(media);
        queue.lock().phase = Phase::Open;
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
        assert_eq!(queue.pop().expect("the start").packets.role, Role::Start);
        assert!(queue.pop().is_none());
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
        let sequences: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|frame| frame.sequence).collect();
        assert_eq!(sequences, (1..=64).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_prepared_is_sent_when_the_connection_stands() {
        let queue = Queue::new(Media::Video);
        queue.lock().phase = Phase::Preparing;
        for (n, role) in [(0, Role::Reference), (1, Role::Start), (2, Role::Reference)] {
            assert_eq!(queue.push(&frame(n, role, 1)), Pushed::Fine);
        }
        assert!(queue.lock().pop().is_none(), "not yet");
        queue.lock().phase = Phase::Open;
        queue.push(&frame(3, Role::Reference, 1));
        let mut queue = queue.lock();
        let sent: Vec<_> =
            std::iter::from_fn(|| queue.pop()).map(|frame| (frame.sequence, frame.packets.role)).collect();
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
        assert!(queue.lock().pop().is_none());
        assert_eq!(queue.lock().counts.dropped, 0);
        queue.end(true);
        assert_eq!(queue.push(&frame(0, Role::Start, 1)), Pushed::Closed);
    }
}
