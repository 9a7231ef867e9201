//! One stream, many viewers: encoded once, packetized once.
//!
//! Per viewer there is a bounded queue of references and a sequence number; its engine writes the
//! header and encrypts. A viewer that falls behind drops its own frames and hurts nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use millstream_core::throttle::Throttle;
use millstream_core::{
    Clock, Codec, Control, Cx, Error, Layers, Media, Result, Role, RtpPackets, Sink, Timestamp, Upstream,
};

use crate::adapt::Limit;
use crate::queue::Queue;
use crate::recent::Recent;
use crate::sender::{Track, Wish};
use crate::{Adapt, Peer, Sender, SenderStatistics, TrackOptions};

/// One stream, many viewers. Cloning gives another handle.
///
/// Its ends are the sinks of a pipeline; an end that was not taken is not in what viewers get.
#[derive(Clone, Debug)]
pub struct Audience(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    adapt: Adapt,
    ends: Mutex<Vec<Arc<End>>>,
}

impl Audience {
    /// An audience on the pipeline's `clock`, without ends and without viewers.
    pub fn new(clock: Clock) -> Audience {
        Audience::adapting(clock, Adapt::default())
    }

    /// The same whose pictures follow what viewers can take, as `adapt` says.
    pub fn adapting(clock: Clock, adapt: Adapt) -> Audience {
        Audience(Arc::new(Inner { clock, adapt, ends: Mutex::default() }))
    }

    /// The end that takes the pictures, in `codec`.
    ///
    /// # Errors
    /// If it was taken before, or `codec` is not for pictures.
    pub fn video_sink(&self, codec: Codec) -> Result<AudienceSink> {
        self.end(Media::Video, codec)
    }

    /// The end that takes the sound, in `codec`.
    ///
    /// # Errors
    /// If it was taken before, or `codec` is not for sound.
    pub fn audio_sink(&self, codec: Codec) -> Result<AudienceSink> {
        self.end(Media::Audio, codec)
    }

    /// Lets `peer` in: adds a track for each end, all in one media stream called `stream`, before
    /// the first description of the peer. It gets frames once it is connected, from the next one on
    /// that a decoder can start from. Dropping the seat lets it out.
    ///
    /// # Errors
    /// If the peer is closed or cannot send, or if there is no end.
    pub fn join(&self, peer: &Peer, stream: &str) -> Result<Seat> {
        let mut ends = lock(&self.0.ends).clone();
        ends.retain(|end| !end.is_ended());
        if ends.is_empty() {
            return Err(Error::config("there is nothing to see; take a video_sink or an audio_sink first"));
        }
        let mut seat = Seat(Vec::new());
        for end in ends {
            let options =
                TrackOptions { codec: end.codec.clone(), stream: stream.into(), id: end.codec.media.to_string() };
            let sender = Arc::new(peer.add_track(options)?);
            end.admit(&sender);
            let end_of = Arc::downgrade(&end);
            // Only now: it may be given the last frames at once, and those after them come as to all.
            sender.on_wish(move |track, wish| {
                if let Some(end) = end_of.upgrade() {
                    end.hear(track, wish);
                }
            });
            seat.0.push((Arc::downgrade(&end), sender));
        }
        Ok(seat)
    }

    /// How many viewers there are.
    pub fn viewers(&self) -> usize {
        let ends = lock(&self.0.ends);
        ends.iter()
            .map(|end| lock(&end.viewers).all.iter().filter(|viewer| !viewer.is_closed()).count())
            .max()
            .unwrap_or(0)
    }

    /// How many frames wait for the viewer that is furthest behind: at most 32 frames of video or 64
    /// packets of sound. A joiner has up to 48 frames more: 32 from before it came, and 16 that came while
    /// it connected.
    pub fn longest_queue(&self) -> usize {
        let ends = lock(&self.0.ends);
        let longest = |end: &Arc<End>| lock(&end.viewers).all.iter().map(|viewer| viewer.queued()).max();
        ends.iter().filter_map(longest).max().unwrap_or(0)
    }

    fn end(&self, media: Media, codec: Codec) -> Result<AudienceSink> {
        if codec.media != media {
            return Err(Error::config(format!("{codec} is a codec for {}; this end takes {media}", codec.media)));
        }
        let mut ends = lock(&self.0.ends);
        ends.retain(|end| !end.is_ended());
        if ends.iter().any(|end| end.codec.media == media) {
            return Err(Error::config(format!(
                "the {media} of this audience is joined already; make another Audience"
            )));
        }
        let (clock, adapt) = (self.0.clock.clone(), self.0.adapt);
        let viewers = Mutex::new(Viewers { all: Vec::new(), recent: Recent::new() });
        let (wishes, ended) = (Mutex::default(), AtomicBool::new(false));
        let end = Arc::new(End { clock, codec, adapt, viewers, wishes, ended });
        ends.push(Arc::clone(&end));
        Ok(AudienceSink(end))
    }
}

/// A viewer's place: dropping it lets the viewer out.
#[derive(Debug)]
#[must_use = "dropping it lets the viewer out at once"]
pub struct Seat(Vec<(Weak<End>, Arc<Sender>)>);

impl Seat {
    /// What the viewer got, by codec.
    pub fn statistics(&self) -> impl Iterator<Item = (Codec, SenderStatistics)> + '_ {
        self.0.iter().map(|(_, sender)| (sender.codec(), sender.statistics()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        for (end, sender) in &self.0 {
            if let Some(end) = end.upgrade() {
                lock(&end.viewers).all.retain(|viewer| !Arc::ptr_eq(viewer, sender));
                end.follow();
            }
        }
    }
}

/// An end of an [`Audience`]: the sink that takes its pictures or its sound.
///
/// Key-frame wishes of all viewers go upstream as one, at most every
/// [`KEY_FRAME_INTERVAL`](crate::KEY_FRAME_INTERVAL), and those of a viewer that wishes on and on ever
/// less often. Who joins within that interval gets the frames since the last key frame.
#[derive(Debug)]
pub struct AudienceSink(Arc<End>);

impl Sink<RtpPackets> for AudienceSink {
    fn consume(&mut self, packets: RtpPackets, cx: &mut Cx) -> Result<()> {
        packets.require(&self.0.codec)?;
        // Before the viewers get it: one that becomes ready in the meantime still has its wish.
        if packets.role == Role::Start {
            lock(&self.0.wishes).throttle.satisfied(cx.now());
        }
        let mut viewers = lock(&self.0.viewers);
        if packets.codec.media == Media::Video {
            viewers.recent.note(&packets, cx.now());
        }
        let before = viewers.all.len();
        // Whoever is gone is let out here; its seat finds nothing to do later.
        viewers.all.retain(|viewer| viewer.send(&packets).is_ok());
        let left = viewers.all.len() < before;
        drop(viewers);
        if left {
            self.0.follow();
        }
        self.wake(cx)
    }

    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        if self.0.show_way(cx) {
            // What viewers can take was known before.
            self.0.follow();
        }
        let now = cx.now();
        let later = self.0.hear_again(now);
        let mut wishes = lock(&self.0.wishes);
        if wishes.throttle.ask(now) {
            cx.ask(Control::KeyFrame(Layers::ALL));
        }
        let due = [wishes.throttle.due(), later];
        due.into_iter().flatten().for_each(|due| cx.wake_at(due));
        Ok(())
    }

    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.0.end();
        Ok(())
    }

    fn takes(&self) -> Option<Codec> {
        Some(self.0.codec.clone())
    }
}

impl Drop for AudienceSink {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[derive(Debug)]
struct End {
    clock: Clock,
    codec: Codec,
    adapt: Adapt,
    /// Locked before `wishes` by whoever needs both.
    viewers: Mutex<Viewers>,
    wishes: Mutex<Wishes>,
    ended: AtomicBool,
}

#[derive(Debug)]
struct Viewers {
    all: Vec<Arc<Sender>>,
    recent: Recent,
}

#[derive(Debug, Default)]
struct Wishes {
    throttle: Throttle,
    limit: Limit,
    /// When to hear a viewer whose wish came too soon after its last.
    again: Option<Timestamp>,
    /// Whether what was kept for some viewer is to be sent.
    pacing: bool,
    /// How to ask, and how to set an alarm, once a runner has shown it.
    way: Option<(Upstream, Waker)>,
}

impl End {
    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Gives `sender` what comes from now on. If this has ended in the meantime, it ends the track at once.
    fn admit(&self, sender: &Arc<Sender>) {
        let mut viewers = lock(&self.viewers);
        // `end` sets this before it locks the viewers: either it is seen here, or `end` finds this one too.
        if self.is_ended() {
            drop(viewers);
            return sender.end();
        }
        viewers.all.push(Arc::clone(sender));
    }

    /// Ends the tracks of all viewers, and gives no newcomer one: else they would wait for what never comes.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let mut viewers = lock(&self.viewers);
        viewers.recent.forget();
        let all = std::mem::take(&mut viewers.all);
        drop(viewers);
        all.iter().for_each(|viewer| viewer.end());
    }

    /// From any thread: hears a viewer.
    fn hear(&self, track: &Track, wish: Wish) {
        if self.codec.media != Media::Video {
            return;
        }
        match wish {
            Wish::Start => self.want_start(track),
            Wish::KeyFrame if track.asks(self.clock.now()) => self.want_key_frame(),
            Wish::KeyFrame => {
                let mut wishes = lock(&self.wishes);
                wishes.again = [wishes.again, track.due()].into_iter().flatten().min();
                wishes.wake();
            }
            Wish::Pace => self.pace(),
            Wish::Bitrate => self.follow(),
        }
    }

    /// For a viewer that got nothing yet: the frames since the last key frame, if that was just now and the
    /// next may not be asked for.
    fn want_start(&self, track: &Track) {
        let viewers = lock(&self.viewers);
        let now = self.clock.now();
        let free = lock(&self.wishes).throttle.is_free(now);
        let has_start = !free && track.queue.catch_up(viewers.recent.frames(), now);
        drop(viewers);
        if has_start { self.pace() } else { self.want_key_frame() }
    }

    /// Asks at once if it may, or has the sink set its alarm.
    fn want_key_frame(&self) {
        let mut wishes = lock(&self.wishes);
        wishes.throttle.want();
        let Some((upstream, _)) = wishes.way.clone() else { return };
        if wishes.throttle.ask(self.clock.now()) {
            drop(wishes);
            upstream.ask(Control::KeyFrame(Layers::ALL));
        } else {
            wishes.wake();
        }
    }

    /// Has the sink release what was kept for a viewer.
    fn pace(&self) {
        let mut wishes = lock(&self.wishes);
        wishes.pacing = true;
        wishes.wake();
    }

    /// Notes how to ask, if it was not known; whether it was not.
    fn show_way(&self, cx: &Cx) -> bool {
        let way = &mut lock(&self.wishes).way;
        let new = way.is_none();
        way.get_or_insert_with(|| (cx.upstream().clone(), cx.waker().clone()));
        new
    }

    /// Hears those whose wishes came too soon, and sends what was kept, as far as it is time; when to do so
    /// again.
    fn hear_again(&self, now: Timestamp) -> Option<Timestamp> {
        let wishes = lock(&self.wishes);
        let due = wishes.again.is_some_and(|again| again <= now);
        if !due && !wishes.pacing {
            return wishes.again;
        }
        drop(wishes);
        let viewers = lock(&self.viewers);
        let mut wishes = lock(&self.wishes);
        if due {
            wishes.again = None;
            for viewer in &viewers.all {
                if viewer.track().asks(now) {
                    wishes.throttle.want();
                }
                wishes.again = [wishes.again, viewer.track().due()].into_iter().flatten().min();
            }
        }
        let mut next = wishes.again;
        if wishes.pacing {
            let queues = || viewers.all.iter().map(|viewer| &viewer.track().queue);
            let more = queues().filter_map(|queue| queue.release(now)).min();
            // Even if all is due: the engine may not have taken it yet, and what comes next waits behind it.
            wishes.pacing = queues().any(Queue::is_paced);
            next = [next, more].into_iter().flatten().min();
        }
        next
    }

    /// From any thread: asks for the bit rate that viewers can take, if that is wanted and has changed.
    fn follow(&self) {
        if self.codec.media != Media::Video || self.adapt == Adapt::None {
            return;
        }
        // Both are held until it is asked, so that the newest estimates are what is asked last.
        let viewers = lock(&self.viewers);
        let mut wishes = lock(&self.wishes);
        // Before a runner has shown the way nothing flows that would be too much.
        let Some((upstream, _)) = wishes.way.clone() else { return };
        let estimates = viewers.all.iter().filter_map(|viewer| viewer.statistics().bitrate_estimate);
        if let Some(request) = wishes.limit.follow(estimates) {
            upstream.ask(request);
        }
    }
}

impl Wishes {
    /// Has the sink look.
    fn wake(&self) {
        if let Some((_, waker)) = &self.way {
            waker.wake_by_ref();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fake::{self, Fake, frame, sound};
    use millstream_core::units::Bitrate;
    use millstream_core::{Hand, OPUS, Run, Timestamp, VP8};

    struct Stage {
        audience: Audience,
        video: AudienceSink,
        cx: Cx,
        hand: Hand,
    }

    fn stage() -> Stage {
        stage_adapting(Adapt::None)
    }

    fn stage_adapting(adapt: Adapt) -> Stage {
        let (clock, hand) = Clock::manual();
        hand.advance(Duration::from_secs(10));
        let cx = Cx::new(clock.clone(), Waker::noop().clone(), Upstream::default(), Run::default());
        let audience = Audience::adapting(clock, adapt);
        let video = audience.video_sink(VP8).unwrap();
        Stage { audience, video, cx, hand }
    }

    impl Stage {
        fn show(&mut self, millis: u64, role: Role) {
            self.video.consume(frame(millis, role, 2), &mut self.cx).unwrap();
        }
        fn asked(&self) -> bool {
            self.cx.upstream().take().is_some()
        }
        fn viewer(&self) -> (Fake, Peer, Seat) {
            let (fake, peer) = fake::peer_on(self.audience.0.clock.clone());
            let seat = self.audience.join(&peer, "stream").unwrap();
            (fake, peer, seat)
        }
    }

    #[test]
    fn a_viewer_starts_at_a_key_frame_that_was_asked_for_once() {
        let mut stage = stage();
        stage.show(0, Role::Start);
        let viewers = [stage.viewer(), stage.viewer(), stage.viewer()];
        stage.show(1, Role::Reference);
        assert!(!stage.asked(), "nobody is connected");
        viewers.iter().for_each(|(fake, ..)| fake.connect());
        assert!(stage.asked());
        stage.show(2, Role::Reference);
        assert!(!stage.asked(), "three viewers, one wish");
        stage.show(3, Role::Start);
        stage.show(4, Role::Reference);
        for (fake, ..) in &viewers {
            assert_eq!(fake.sent(0), [(1, 2), (3, 2)]);
        }
        stage.hand.advance(Duration::from_secs(1));
        stage.show(5, Role::Reference);
        assert!(!stage.asked(), "the key frame served them all");
        assert_eq!(stage.audience.viewers(), 3);
    }

    #[test]
    fn wishes_within_the_interval_are_asked_when_it_is_over() {
        let mut stage = stage();
        let (fake, _peer, _seat) = stage.viewer();
        stage.show(0, Role::Reference);
        fake.connect();
        assert!(stage.asked());
        stage.show(1, Role::Start);
        stage.hand.advance(Duration::from_millis(100));
        fake.feedback(0).key_frame_wanted();
        fake.feedback(0).key_frame_wanted();
        assert!(!stage.asked());
        stage.video.wake(&mut stage.cx).unwrap();
        assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_500)));
        stage.hand.advance(Duration::from_millis(400));
        assert!(stage.cx.take_alarm(stage.cx.now()));
        stage.video.wake(&mut stage.cx).unwrap();
        assert!(stage.asked());
        // The second wish is heard at its time, unless the picture comes before.
        assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_600)));
        stage.show(2, Role::Start);
        stage.hand.advance(Duration::from_secs(1));
        assert!(stage.cx.take_alarm(stage.cx.now()));
        stage.video.wake(&mut stage.cx).unwrap();
        assert!(!stage.asked());
        assert_eq!(stage.cx.alarm(), None);
    }

    #[test]
    fn a_viewer_that_wishes_on_and_on_costs_the_others_fewer_and_fewer_key_frames() {
        let mut stage = stage();
        let viewers = [stage.viewer(), stage.viewer()];
        viewers.iter().for_each(|(fake, ..)| fake.connect());
        let mut asked = Vec::new();
        let mut role = Role::Start;
        // 25 pictures a second for a minute; each wish is answered with the next one.
        for millis in (0..60_000).step_by(40) {
            stage.show(millis, role);
            role = Role::Reference;
            if millis % 80 == 0 {
                viewers[0].0.feedback(0).key_frame_wanted();
            }
            if millis == 30_000 {
                viewers[1].0.feedback(0).key_frame_wanted();
            }
            if stage.cx.take_alarm(stage.cx.now()) {
                stage.video.wake(&mut stage.cx).unwrap();
            }
            if stage.asked() {
                asked.push(millis);
                role = Role::Start;
            }
            viewers.iter().for_each(|(fake, ..)| drop(fake.due(0)));
            stage.hand.advance(Duration::from_millis(40));
        }
        // Those of the one are at least 0.5, 1, 2, 4 and then 8 s apart; the other is heard at once.
        assert_eq!(asked, [0, 560, 1560, 3560, 7560, 15_560, 23_560, 30_000, 31_560, 39_560, 47_560, 55_560]);
    }

    #[test]
    fn a_wish_that_came_too_soon_is_asked_at_its_time_though_no_frame_comes() {
        let mut stage = stage();
        let (fake, _peer, _seat) = stage.viewer();
        stage.show(0, Role::Start);
        fake.connect();
        assert!(stage.asked());
        stage.show(40, Role::Start);
        for (millis, due) in [(10_600, 10_600), (10_700, 11_100), (11_200, 12_100)] {
            stage.hand.set(Timestamp::from_millis(millis));
            fake.feedback(0).key_frame_wanted();
            stage.video.wake(&mut stage.cx).unwrap();
            if millis < due {
                assert!(!stage.asked());
                assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(due)));
                stage.hand.set(Timestamp::from_millis(due));
                assert!(stage.cx.take_alarm(stage.cx.now()));
                stage.video.wake(&mut stage.cx).unwrap();
            }
            assert!(stage.asked(), "at {due}");
        }
    }

    #[test]
    fn who_joins_when_no_key_frame_may_be_asked_for_gets_the_frames_since_the_last() {
        let mut stage = stage();
        let (first, ..) = &stage.viewer();
        first.connect();
        stage.show(0, Role::Reference);
        assert!(stage.asked());
        for (millis, role) in [(10_000, Role::Start), (10_040, Role::Reference), (10_080, Role::Reference)] {
            stage.hand.set(Timestamp::from_millis(millis));
            stage.show(millis, role);
        }
        let (joiner, _peer, _seat) = stage.viewer();
        joiner.prepare();
        stage.hand.set(Timestamp::from_millis(10_100));
        joiner.connect();
        stage.video.wake(&mut stage.cx).unwrap();
        // The first picture at once, the others four times faster than they were captured.
        assert_eq!(joiner.due(0), [(1, 10_000)]);
        for (millis, sent) in [(10_110, vec![(3, 10_040)]), (10_120, vec![(5, 10_080)])] {
            assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(millis)));
            stage.hand.set(Timestamp::from_millis(millis));
            assert!(stage.cx.take_alarm(stage.cx.now()));
            stage.video.wake(&mut stage.cx).unwrap();
            assert_eq!(joiner.due(0), sent);
        }
        assert_eq!(stage.cx.alarm(), None);
        stage.show(10_120, Role::Reference);
        assert_eq!(joiner.due(0), [(7, 10_120)]);
        assert!(!stage.asked(), "nobody else paid for it");
        // Who comes later may ask, and what it would have got is forgotten.
        stage.hand.set(Timestamp::from_millis(10_500));
        stage.show(10_500, Role::Reference);
        assert!(lock(&stage.video.0.viewers).recent.frames().is_empty());
        let (late, _peer, _seat) = stage.viewer();
        late.connect();
        assert!(stage.asked() && late.due(0).is_empty());
    }

    #[test]
    fn what_comes_while_the_engine_is_late_with_what_was_kept_is_sent_at_its_time() {
        let mut stage = stage();
        let (first, ..) = &stage.viewer();
        first.connect();
        stage.show(0, Role::Reference);
        stage.show(10_000, Role::Start);
        stage.show(10_040, Role::Reference);
        let (joiner, _peer, _seat) = stage.viewer();
        stage.hand.set(Timestamp::from_millis(10_100));
        joiner.connect();
        // All is due, and the engine has taken nothing.
        stage.hand.set(Timestamp::from_millis(10_112));
        stage.video.wake(&mut stage.cx).unwrap();
        assert_eq!(stage.cx.alarm(), None);
        stage.show(10_080, Role::Reference);
        assert_eq!(joiner.due(0), [(1, 10_000), (3, 10_040)]);
        assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_120)));
        stage.hand.set(Timestamp::from_millis(10_120));
        assert!(stage.cx.take_alarm(stage.cx.now()));
        stage.video.wake(&mut stage.cx).unwrap();
        assert_eq!(joiner.due(0), [(5, 10_080)]);
    }

    #[test]
    fn where_nothing_was_kept_a_joiner_waits_for_the_next_key_frame() {
        let mut stage = stage();
        let (first, ..) = &stage.viewer();
        first.connect();
        stage.show(0, Role::Reference);
        assert!(stage.asked());
        stage.show(1, Role::Start);
        (2..34).for_each(|millis| stage.show(millis, Role::Reference));
        let (joiner, _peer, _seat) = stage.viewer();
        joiner.connect();
        stage.video.wake(&mut stage.cx).unwrap();
        assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_500)));
        stage.show(500, Role::Start);
        assert_eq!(joiner.due(0), [(1, 500)]);
    }

    #[test]
    fn the_encoder_follows_the_slowest_viewer_only_if_told_to() {
        for (adapt, asked) in [(Adapt::None, None), (Adapt::Slowest, Some(425))] {
            let mut stage = stage_adapting(adapt);
            let viewers = [stage.viewer(), stage.viewer()];
            stage.show(0, Role::Start);
            for ((fake, ..), kbps) in viewers.iter().zip([900, 500]) {
                fake.connect();
                fake.feedback(0).bitrate_estimate(Bitrate::from_kbps(kbps));
            }
            let bitrate = |stage: &Stage| {
                let wishes = stage.cx.upstream().take()?;
                wishes.iter().find_map(|wish| {
                    if let Control::Bitrate(Some(rate)) = wish { Some(rate.bps() / 1000) } else { None }
                })
            };
            assert_eq!(bitrate(&stage), asked, "{adapt:?}");
            // The slowest leaves: the other one sets the rate.
            let [_one, slowest] = viewers;
            drop(slowest);
            assert_eq!(bitrate(&stage), asked.map(|_| 765), "{adapt:?}");
        }
    }

    #[test]
    fn what_was_known_before_the_start_is_asked_and_a_closed_viewer_limits_nobody() {
        let mut stage = stage_adapting(Adapt::Slowest);
        let (slow, peer, _seat) = stage.viewer();
        slow.connect();
        slow.feedback(0).bitrate_estimate(Bitrate::from_kbps(500));
        let rate = |stage: &Stage| {
            let wishes = stage.cx.upstream().take()?;
            wishes.iter().find(|wish| matches!(wish, Control::Bitrate(_)))
        };
        assert_eq!(rate(&stage), None, "nobody has shown the way yet");
        stage.show(0, Role::Start);
        assert_eq!(rate(&stage), Some(Control::Bitrate(Some(Bitrate::from_kbps(425)))));
        // It hangs up, and its seat is still held.
        peer.close().wait().unwrap();
        stage.show(1, Role::Reference);
        assert_eq!(rate(&stage), Some(Control::Bitrate(None)));
    }

    #[test]
    fn who_leaves_or_closes_is_let_out_and_the_others_stay() {
        let mut stage = stage();
        let (_one, _peer_one, seat) = stage.viewer();
        let (_two, peer_two, _seat_two) = stage.viewer();
        let (_three, _peer_three, _seat_three) = stage.viewer();
        drop(seat);
        peer_two.close().wait().unwrap();
        stage.show(0, Role::Start);
        assert_eq!(stage.audience.viewers(), 1);
        assert_eq!(lock(&stage.video.0.viewers).all.len(), 1);
    }

    #[test]
    fn an_end_that_has_ended_is_sent_to_nobody_any_more() {
        let mut stage = stage();
        let mut audio = stage.audience.audio_sink(OPUS).unwrap();
        let (fake, _peer, _seat) = stage.viewer();
        fake.connect();
        audio.consume(sound(20), &mut stage.cx).unwrap();
        audio.finish(&mut stage.cx).unwrap();
        assert_eq!(fake.ended(), [false, true], "what waited is sent, and then it is over");
        assert_eq!(fake.sent(1), [(1, 1)]);
        let (later, _peer, _seat) = stage.viewer();
        assert_eq!(later.track_names(), ["stream/video"]);
        assert_eq!(stage.audience.viewers(), 2);
        drop(audio);
        let again = stage.audience.audio_sink(OPUS).unwrap();
        let (third, _peer, _seat) = stage.viewer();
        assert_eq!(third.track_names().len(), 2);
        drop(again);
        assert_eq!(third.ended(), [false, true]);
    }

    #[test]
    fn an_end_that_ends_while_a_viewer_joins_ends_its_track() {
        let stage = stage();
        let (fake, peer) = fake::peer_on(stage.audience.0.clock.clone());
        let sender = Arc::new(peer.add_track(fake::video_track()).unwrap());
        stage.video.0.end();
        stage.video.0.admit(&sender);
        assert_eq!(fake.ended(), [true]);
        assert_eq!(stage.audience.viewers(), 0);
    }

    #[test]
    fn both_ends_share_a_stream_and_sound_needs_no_key_frame() {
        let mut stage = stage();
        let mut audio = stage.audience.audio_sink(OPUS).unwrap();
        let (fake, _peer, seat) = stage.viewer();
        assert_eq!(fake.track_names(), ["stream/video", "stream/audio"]);
        fake.connect();
        audio.consume(sound(20), &mut stage.cx).unwrap();
        assert!(!stage.asked());
        assert_eq!(fake.sent(1), [(1, 1)]);
        assert_eq!(
            seat.statistics().map(|(codec, sent)| (codec.name.to_string(), sent.packets)).collect::<Vec<_>>(),
            [("vp8".to_owned(), 0), ("opus".to_owned(), 1)]
        );
        assert!(stage.audience.audio_sink(OPUS).unwrap_err().to_string().contains("joined already"));
        assert!(stage.audience.video_sink(OPUS).unwrap_err().to_string().contains("codec for audio"));
        stage.show(0, Role::Start);
    }
}
