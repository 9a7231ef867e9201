//! What waits in a track's queue, and what is dropped when too much would.
//!
//! A frame that does not fit is dropped, and with it everything that refers to it: a gap. The next frame that a
//! decoder can start from closes the gap. Whatever still waits ahead of such a frame is no longer needed and makes
//! room for it.

use std::collections::VecDeque;

use millstream_core::{Clock, Media, Role, RtpPackets, Timestamp};

use super::Pushed;
use super::pace::Pace;
use crate::SenderStatistics;
use crate::frames::Frame;

/// Frames of video that wait at most: about a second. A network that is further behind is better
/// served by the next key frame.
const VIDEO_FRAMES: usize = 32;
/// Frames of video that come and wait at most until the connection stands: half a second at 30 a second.
/// A remote side that takes longer gets a key frame of its own.
const PREPARED_FRAMES: usize = 16;
/// Packets of sound that wait at most: 1.3 s at the usual 20 ms.
const AUDIO_PACKETS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The remote side is not connected: what comes is not needed.
    Idle,
    /// The connection is being made: what comes is kept.
    Preparing,
    /// The connection stands.
    Open,
    /// Nothing comes any more.
    Ended,
}

#[derive(Debug)]
pub(super) struct Waiting {
    frames: VecDeque<Queued>,
    media: Media,
    phase: Phase,
    /// Nothing is taken before the next start.
    gap: bool,
    muted: bool,
    /// The number of the sink whose frames are taken.
    sink: u32,
    /// What is added to the RTP timestamps of that sink, so that they go on from those of the sink before.
    offset: u32,
    /// The offset has to be computed with the next frame.
    rebase: bool,
    /// RTP timestamp, as it is sent, and capture time of the newest frame that was taken.
    newest: Option<(u32, Timestamp)>,
    /// Frames that came before their time and may wait in addition to those that come.
    kept: usize,
    /// As long as what was kept is being sent.
    pace: Option<Pace>,
    sequence: u16,
    pub(super) counts: SenderStatistics,
}

#[derive(Debug)]
struct Queued {
    packets: RtpPackets,
    offset: u32,
}

impl Waiting {
    pub(super) fn new(media: Media) -> Waiting {
        Waiting {
            frames: VecDeque::new(),
            media,
            phase: Phase::Idle,
            gap: true,
            muted: false,
            sink: 0,
            offset: 0,
            rebase: false,
            newest: None,
            kept: 0,
            pace: None,
            // Low, so that a receiver which misses the first packets still guesses the roll-over
            // count right (RFC 3711, section 3.3.1).
            sequence: 1,
            counts: SenderStatistics::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    pub(super) fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    pub(super) fn is_from(&self, sink: u32) -> bool {
        self.sink == sink
    }

    pub(super) fn prepare(&mut self) -> bool {
        let first = self.phase == Phase::Idle;
        if first {
            self.phase = Phase::Preparing;
        }
        first
    }

    pub(super) fn open(&mut self, paced_from: Option<Timestamp>) -> bool {
        let unprepared = self.phase == Phase::Idle;
        if unprepared || self.phase == Phase::Preparing {
            self.phase = Phase::Open;
            if let Some(from) = paced_from {
                self.pace(from);
            }
        }
        unprepared
    }

    pub(super) fn end(&mut self, discard: bool) {
        self.phase = Phase::Ended;
        if discard {
            self.frames.clear();
        }
    }

    pub(super) fn replace(&mut self) -> Option<u32> {
        if self.phase == Phase::Ended {
            return None;
        }
        self.sink = self.sink.wrapping_add(1);
        (self.gap, self.rebase) = (true, true);
        Some(self.sink)
    }

    /// Whether that is something new.
    pub(super) fn mute(&mut self, mute: bool) -> bool {
        if self.muted == mute {
            return false;
        }
        self.muted = mute;
        if mute {
            self.forget();
            self.gap = true;
        }
        true
    }

    pub(super) fn catch_up(&mut self, sink: u32, frames: &[RtpPackets], now: Timestamp) -> bool {
        let fresh = self.gap && self.frames.is_empty() && self.counts.frames == 0;
        let awaited = matches!(self.phase, Phase::Preparing | Phase::Open);
        if !fresh || frames.is_empty() || !awaited || self.muted || self.sink != sink {
            return false;
        }
        frames.iter().for_each(|packets| self.add(packets));
        self.gap = false;
        self.kept = frames.len();
        if self.phase == Phase::Open {
            self.pace(now);
        }
        true
    }

    /// Of what is paced: whether some is due, and when more will be.
    pub(super) fn due(&self, now: Timestamp) -> Option<(bool, Option<Timestamp>)> {
        let pace = self.pace?;
        let due = self.frames.front().is_some_and(|front| pace.due(front.packets.time) <= now);
        let next = self.frames.iter().map(|queued| pace.due(queued.packets.time)).find(|due| *due > now);
        Some((due, next))
    }

    pub(super) fn push(&mut self, sink: u32, packets: &RtpPackets) -> Pushed {
        if self.phase == Phase::Ended {
            return Pushed::Ended;
        }
        if self.sink != sink {
            return Pushed::Replaced;
        }
        if self.muted || self.phase == Phase::Idle {
            return Pushed::Accepted;
        }
        if self.phase == Phase::Preparing {
            self.keep(packets);
            return Pushed::Accepted;
        }
        if self.gap && packets.role != Role::Start {
            self.counts.dropped += 1;
            return Pushed::Accepted;
        }
        if !self.make_room(packets.role) {
            self.counts.dropped += 1;
            self.gap = packets.role == Role::Reference;
            return if self.gap { Pushed::Gap } else { Pushed::Accepted };
        }
        self.gap = false;
        self.add(packets);
        Pushed::Accepted
    }

    /// Keeps the newest picture to start from and what follows it, while that is not too much.
    fn keep(&mut self, packets: &RtpPackets) {
        if packets.role == Role::Start {
            self.forget();
            self.gap = false;
        }
        if self.gap {
            return;
        }
        self.add(packets);
        if self.frames.len() > self.kept + PREPARED_FRAMES {
            self.forget();
            self.gap = true;
            self.phase = Phase::Idle;
        }
    }

    fn add(&mut self, packets: &RtpPackets) {
        if let Some(first) = packets.headers.first() {
            if std::mem::take(&mut self.rebase) {
                self.offset = self.continuing(first.timestamp, packets);
            }
            let timestamp = first.timestamp.wrapping_add(self.offset);
            // Frames that refer to later pictures (B frames) are captured earlier than those before them.
            if self.newest.is_none_or(|(newest, _)| is_after(timestamp, newest)) {
                self.newest = Some((timestamp, packets.time));
            }
        }
        self.frames.push_back(Queued { packets: packets.clone(), offset: self.offset });
    }

    /// What to add to `timestamp`, the first of a new sink, so that it is as far from the newest one of the sink
    /// before as the two were captured apart, and in any case behind it.
    fn continuing(&self, timestamp: u32, packets: &RtpPackets) -> u32 {
        let Some((newest, captured)) = self.newest else { return self.offset };
        let ticks = |time: Timestamp| time.ticks(packets.codec.clock_rate) as u32;
        let expected = newest.wrapping_add(ticks(packets.time).wrapping_sub(ticks(captured)));
        let next = if is_after(expected, newest) { expected } else { newest.wrapping_add(1) };
        next.wrapping_sub(timestamp)
    }

    /// Makes room for a frame of `role`, at the cost of what is worth less.
    fn make_room(&mut self, role: Role) -> bool {
        // It stands for all that is still to be sent at a pace.
        if role == Role::Start && self.pace.is_some() {
            self.forget();
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
                let spare = self.frames.iter().position(|queued| queued.packets.role == Role::Discardable);
                spare.and_then(|index| self.frames.remove(index)).into_iter().count()
            }
        };
        self.counts.dropped += gone as u64;
        gone > 0
    }

    /// Sends what waits at a pace from `from` on.
    fn pace(&mut self, from: Timestamp) {
        self.kept = self.frames.len();
        self.pace = self.frames.front().map(|first| Pace { from, first: first.packets.time });
    }

    fn forget(&mut self) {
        self.frames.clear();
        self.kept = 0;
        self.pace = None;
    }

    pub(super) fn pop(&mut self, clock: &Clock) -> Option<Frame> {
        if self.phase == Phase::Preparing {
            return None;
        }
        let front = self.frames.front()?;
        if self.phase == Phase::Open && self.pace.is_some_and(|pace| pace.due(front.packets.time) > clock.now()) {
            return None;
        }
        let Queued { packets, offset } = self.frames.pop_front()?;
        if self.frames.is_empty() {
            self.forget();
        }
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(packets.headers.len() as u16);
        self.counts.frames += 1;
        self.counts.packets += packets.headers.len() as u64;
        self.counts.bytes += packets.headers.iter().map(|header| u64::from(header.end - header.start)).sum::<u64>();
        Some(Frame { sequence, timestamp_offset: offset, packets })
    }
}

/// Whether the RTP timestamp `one` comes after `other`: they wrap around (RFC 3550, section 5.1).
fn is_after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{frame, sound};

    /// The next frame at a time that nothing here depends on.
    fn pop(queue: &mut Waiting) -> Option<Frame> {
        queue.pop(&Clock::manual().0)
    }

    fn open(media: Media) -> Waiting {
        let mut queue = Waiting::new(media);
        queue.open(None);
        queue
    }

    #[test]
    fn a_full_queue_opens_one_gap_and_a_start_closes_it_and_replaces_what_waits() {
        let mut queue = open(Media::Video);
        assert_eq!(queue.push(0, &frame(0, Role::Reference, 1)), Pushed::Accepted);
        assert_eq!(queue.counts.dropped, 1, "nothing before the first start");
        for n in 0..32 {
            let role = if n == 0 { Role::Start } else { Role::Reference };
            assert_eq!(queue.push(0, &frame(n, role, 2)), Pushed::Accepted);
        }
        assert_eq!(queue.push(0, &frame(32, Role::Discardable, 1)), Pushed::Accepted);
        assert_eq!(queue.push(0, &frame(33, Role::Reference, 1)), Pushed::Gap);
        assert_eq!(queue.push(0, &frame(34, Role::Reference, 1)), Pushed::Accepted, "one gap, one request");
        assert_eq!(queue.push(0, &frame(35, Role::Start, 1)), Pushed::Accepted);
        assert_eq!(queue.counts.dropped, 1 + 3 + 32);
        assert_eq!(pop(&mut queue).expect("the start").packets.role, Role::Start);
        assert!(pop(&mut queue).is_none());
    }

    #[test]
    fn a_frame_that_nothing_refers_to_goes_first() {
        let mut queue = open(Media::Video);
        for n in 0..32 {
            let role = [Role::Start, Role::Discardable][usize::from(n == 9)];
            queue.push(0, &frame(n, role, 1));
        }
        assert_eq!(queue.push(0, &frame(32, Role::Reference, 1)), Pushed::Accepted);
        assert!(queue.frames.iter().all(|queued| queued.packets.role != Role::Discardable));
    }

    #[test]
    fn sequence_numbers_go_on_over_what_was_dropped() {
        let mut queue = open(Media::Audio);
        for n in 0..66 {
            queue.push(0, &sound(n));
        }
        assert_eq!(queue.counts.dropped, 2);
        let sequences: Vec<_> = std::iter::from_fn(|| pop(&mut queue)).map(|frame| frame.sequence).collect();
        assert_eq!(sequences, (1..=64).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_prepared_is_sent_when_the_connection_stands() {
        let mut queue = Waiting::new(Media::Video);
        queue.phase = Phase::Preparing;
        for (n, role) in [(0, Role::Reference), (1, Role::Start), (2, Role::Reference)] {
            assert_eq!(queue.push(0, &frame(n, role, 1)), Pushed::Accepted);
        }
        assert!(pop(&mut queue).is_none(), "not yet");
        queue.phase = Phase::Open;
        queue.push(0, &frame(3, Role::Reference, 1));
        let sent: Vec<_> =
            std::iter::from_fn(|| pop(&mut queue)).map(|frame| (frame.sequence, frame.packets.role)).collect();
        assert_eq!(sent, [(1, Role::Start), (2, Role::Reference), (3, Role::Reference)]);
        assert_eq!(queue.counts.dropped, 0);
    }

    #[test]
    fn what_was_prepared_for_too_long_is_given_up() {
        let mut queue = Waiting::new(Media::Video);
        queue.phase = Phase::Preparing;
        let waits = |queue: &Waiting| (queue.phase, queue.frames.len());
        queue.push(0, &frame(0, Role::Start, 1));
        for n in 1..16 {
            queue.push(0, &frame(n, Role::Reference, 1));
        }
        assert_eq!(waits(&queue), (Phase::Preparing, 16));
        queue.push(0, &frame(16, Role::Reference, 1));
        assert_eq!(waits(&queue), (Phase::Idle, 0));
    }

    #[test]
    fn before_the_connection_stands_nothing_is_kept_or_counted() {
        let mut queue = Waiting::new(Media::Video);
        assert_eq!(queue.push(0, &frame(0, Role::Start, 1)), Pushed::Accepted);
        assert!(pop(&mut queue).is_none());
        assert_eq!(queue.counts.dropped, 0);
        queue.end(true);
        assert_eq!(queue.push(0, &frame(0, Role::Start, 1)), Pushed::Ended);
    }

    #[test]
    fn what_was_kept_is_sent_faster_than_it_was_captured_and_never_all_at_once() {
        let (clock, hand) = Clock::manual();
        let at = Timestamp::from_millis;
        let mut queue = Waiting::new(Media::Video);
        let kept: Vec<_> =
            (0..10).map(|n| frame(n * 40, if n == 0 { Role::Start } else { Role::Reference }, 1)).collect();
        assert!(!queue.catch_up(0, &kept, at(0)), "the remote side is not there yet");
        queue.prepare();
        assert!(queue.catch_up(0, &kept, at(0)) && !queue.catch_up(0, &kept, at(0)));
        // The connection stands later: nothing of the pace is lost.
        hand.set(at(1000));
        queue.open(Some(at(1000)));
        let mut sent = Vec::new();
        let mut take = |queue: &mut Waiting, millis| {
            hand.set(at(millis));
            let taken = std::iter::from_fn(|| queue.pop(&clock)).count();
            sent.push((millis, taken, queue.due(at(millis)).and_then(|(_, next)| next)));
        };
        (1000..1030).step_by(10).for_each(|millis| take(&mut queue, millis));
        // A picture that is captured now waits behind them.
        queue.push(0, &frame(400, Role::Reference, 1));
        (1030..1120).step_by(10).for_each(|millis| take(&mut queue, millis));
        let due = |millis| Some(at(millis));
        let mut expected: Vec<_> = (100..110).map(|n| (n * 10, 1, due(n * 10 + 10))).collect();
        expected.extend([(1100, 1, None), (1110, 0, None)]);
        assert_eq!(sent, expected);
        queue.push(0, &frame(9_000, Role::Reference, 1));
        assert!(queue.pop(&clock).is_some(), "it has caught up");
    }

    #[test]
    fn a_start_stands_for_all_that_is_still_to_be_sent() {
        let (clock, _hand) = Clock::manual();
        let mut queue = open(Media::Video);
        let kept: Vec<_> =
            (0..31).map(|n| frame(n * 16, if n == 0 { Role::Start } else { Role::Reference }, 1)).collect();
        assert!(queue.catch_up(0, &kept, Timestamp::ZERO));
        // As many may wait beside them as otherwise.
        for n in 31..63 {
            assert_eq!(queue.push(0, &frame(n * 16, Role::Reference, 1)), Pushed::Accepted);
        }
        assert_eq!(queue.push(0, &frame(63 * 16, Role::Reference, 1)), Pushed::Gap);
        assert_eq!(queue.pop(&clock).expect("the first").packets.role, Role::Start);
        assert!(queue.pop(&clock).is_none(), "the second is not due");
        queue.push(0, &frame(2_000, Role::Start, 1));
        let next = queue.pop(&clock).expect("the new one, at once");
        assert_eq!((next.sequence, next.packets.time), (2, Timestamp::from_millis(2_000)));
        assert_eq!(queue.counts.dropped, 1);
    }

    #[test]
    fn no_more_than_eighty_frames_wait_whatever_was_kept_and_prepared() {
        let mut queue = Waiting::new(Media::Video);
        queue.prepare();
        let role = |n| if n == 0 { Role::Start } else { Role::Reference };
        let kept: Vec<_> = (0..32).map(|n| frame(n, role(n), 1)).collect();
        assert!(queue.catch_up(0, &kept, Timestamp::ZERO));
        for n in 32..80 {
            if n == 48 {
                queue.open(Some(Timestamp::ZERO));
            }
            assert_eq!(queue.push(0, &frame(n, Role::Reference, 1)), Pushed::Accepted);
        }
        assert_eq!((queue.len(), queue.push(0, &frame(80, Role::Reference, 1))), (80, Pushed::Gap));
        assert_eq!(queue.len(), 80);
    }

    #[test]
    fn nothing_is_held_back_for_long_whatever_its_time_says() {
        let (clock, hand) = Clock::manual();
        let mut queue = open(Media::Video);
        let kept = [frame(0, Role::Start, 1), frame(86_400_000, Role::Reference, 1)];
        assert!(queue.catch_up(0, &kept, Timestamp::ZERO));
        assert!(queue.pop(&clock).is_some() && queue.pop(&clock).is_none());
        hand.set(Timestamp::from_millis(250));
        assert!(queue.pop(&clock).is_some());
    }

    /// A frame captured at `millis` with the RTP timestamp `ticks`.
    fn stamped(millis: u64, ticks: u32) -> RtpPackets {
        let mut packets = frame(millis, Role::Start, 1);
        let mut header = packets.headers[0];
        header.timestamp = ticks;
        packets.headers = vec![header].into();
        packets
    }

    /// The RTP timestamps that are sent of those that wait.
    fn timestamps(queue: &mut Waiting) -> Vec<u32> {
        let timestamps = |frame: Frame| frame.iter().map(|(header, _)| header.timestamp).collect::<Vec<_>>();
        std::iter::from_fn(|| pop(queue)).flat_map(timestamps).collect()
    }

    #[test]
    fn rtp_timestamps_of_another_sink_continue_by_capture_time_and_never_jump_back() {
        let mut queue = open(Media::Video);
        assert_eq!(queue.push(0, &stamped(1000, 90_000)), Pushed::Accepted);
        let sink = queue.replace().unwrap();
        assert_eq!(queue.push(0, &stamped(1040, 93_600)), Pushed::Replaced);
        // Its time starts elsewhere: it is captured 40 ms later, and so are the next ones.
        assert_eq!(queue.push(sink, &stamped(1040, 7)), Pushed::Accepted);
        assert_eq!(queue.push(sink, &stamped(1080, 3607)), Pushed::Accepted);
        assert_eq!(timestamps(&mut queue), [90_000, 93_600, 97_200]);
        // One that is behind, by a frame that was captured earlier.
        let sink = queue.replace().unwrap();
        queue.push(sink, &stamped(980, 88_200));
        queue.push(sink, &stamped(1020, 91_800));
        assert_eq!(timestamps(&mut queue), [97_201, 100_801]);
        // The same source again: nothing is added where nothing is needed.
        let sink = queue.replace().unwrap();
        queue.push(sink, &stamped(2020, 181_800));
        let one_second_later = 100_801 + 90_000;
        assert_eq!(timestamps(&mut queue), [one_second_later]);
        queue.end(true);
        assert_eq!((queue.replace(), queue.push(sink, &stamped(2060, 0))), (None, Pushed::Ended));
    }

    #[test]
    fn a_muted_track_sends_nothing_and_goes_on_with_a_start() {
        let mut queue = open(Media::Video);
        queue.push(0, &frame(0, Role::Start, 1));
        assert!(queue.mute(true) && !queue.mute(true));
        assert!(pop(&mut queue).is_none(), "not even what waited");
        queue.push(0, &frame(1, Role::Start, 1));
        assert!(queue.is_empty() && queue.mute(false));
        queue.push(0, &frame(2, Role::Reference, 1));
        queue.push(0, &frame(3, Role::Start, 1));
        let sent: Vec<_> =
            std::iter::from_fn(|| pop(&mut queue)).map(|frame| (frame.sequence, frame.packets.time)).collect();
        assert_eq!(sent, [(1, Timestamp::from_millis(3))]);
    }
}
