//! Many viewers of one stream.

use std::task::Waker;
use std::time::Duration;

use millstream_core::units::Bitrate;
use millstream_core::{Clock, Control, Cx, Hand, OPUS, Role, Run, Sink, Timestamp, Upstream, VP8};
use millstream_testkit::engine::FakeEngine;
use millstream_webrtc::{Audience, AudienceSink, BitratePolicy, Peer, Reception, Subscription};

use crate::fixture::{frame, peer_on, sound};

struct Stage {
    audience: Audience,
    video: AudienceSink,
    cx: Cx,
    hand: Hand,
    clock: Clock,
}

fn stage() -> Stage {
    stage_with(BitratePolicy::Fixed)
}

fn stage_with(policy: BitratePolicy) -> Stage {
    let (clock, hand) = Clock::manual();
    hand.advance(Duration::from_secs(10));
    let cx = Cx::new(clock.clone(), Waker::noop().clone(), Upstream::default(), Run::default());
    let audience = Audience::with_policy(clock.clone(), policy);
    let video = audience.video_sink(VP8).unwrap();
    Stage { audience, video, cx, hand, clock }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

impl Stage {
    fn show(&mut self, millis: u64, role: Role) {
        self.video.consume(frame(millis, role, 2), &mut self.cx).unwrap();
    }
    fn asked(&self) -> bool {
        self.cx.upstream().take().is_some()
    }
    fn viewer(&self) -> (FakeEngine, Peer, Subscription) {
        let (fake, peer) = peer_on(self.clock.clone());
        let subscription = self.audience.subscribe(&peer, "stream").unwrap();
        (fake, peer, subscription)
    }
}

#[test]
fn a_viewer_starts_at_a_key_frame_that_was_requested_once() {
    let mut stage = stage();
    stage.show(0, Role::Start);
    let viewers = [stage.viewer(), stage.viewer(), stage.viewer()];
    stage.show(1, Role::Reference);
    assert!(!stage.asked(), "nobody is connected");
    viewers.iter().for_each(|(fake, ..)| fake.connect(0));
    assert!(stage.asked());
    stage.show(2, Role::Reference);
    assert!(!stage.asked(), "three viewers, one request");
    stage.show(3, Role::Start);
    stage.show(4, Role::Reference);
    for (fake, ..) in &viewers {
        assert_eq!(fake.sent(0, 0), [(1, 2), (3, 2)]);
    }
    stage.hand.advance(Duration::from_secs(1));
    stage.show(5, Role::Reference);
    assert!(!stage.asked(), "the key frame served them all");
    assert_eq!(stage.audience.viewers(), 3);
}

#[test]
fn requests_within_the_interval_are_passed_on_after_it() {
    let mut stage = stage();
    let (fake, _peer, _subscription) = stage.viewer();
    stage.show(0, Role::Reference);
    fake.connect(0);
    assert!(stage.asked());
    stage.show(1, Role::Start);
    stage.hand.advance(Duration::from_millis(100));
    fake.feedback(0, 0).key_frame_requested();
    fake.feedback(0, 0).key_frame_requested();
    assert!(!stage.asked());
    stage.video.wake(&mut stage.cx).unwrap();
    assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_500)));
    stage.hand.advance(Duration::from_millis(400));
    assert!(stage.cx.take_alarm(stage.cx.now()));
    stage.video.wake(&mut stage.cx).unwrap();
    assert!(stage.asked());
    // The second request is passed on at its time, unless the picture comes before.
    assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_600)));
    stage.show(2, Role::Start);
    stage.hand.advance(Duration::from_secs(1));
    assert!(stage.cx.take_alarm(stage.cx.now()));
    stage.video.wake(&mut stage.cx).unwrap();
    assert!(!stage.asked());
    assert_eq!(stage.cx.alarm(), None);
}

#[test]
fn repeated_requests_of_one_viewer_cost_the_others_fewer_and_fewer_key_frames() {
    let mut stage = stage();
    let viewers = [stage.viewer(), stage.viewer()];
    viewers.iter().for_each(|(fake, ..)| fake.connect(0));
    let mut asked = Vec::new();
    let mut role = Role::Start;
    // 25 pictures a second for a minute; each request is answered with the next one.
    for millis in (0..60_000).step_by(40) {
        stage.show(millis, role);
        role = Role::Reference;
        if millis % 80 == 0 {
            viewers[0].0.feedback(0, 0).key_frame_requested();
        }
        if millis == 30_000 {
            viewers[1].0.feedback(0, 0).key_frame_requested();
        }
        if stage.cx.take_alarm(stage.cx.now()) {
            stage.video.wake(&mut stage.cx).unwrap();
        }
        if stage.asked() {
            asked.push(millis);
            role = Role::Start;
        }
        viewers.iter().for_each(|(fake, ..)| drop(fake.due(0, 0)));
        stage.hand.advance(Duration::from_millis(40));
    }
    // Those of the one are at least 0.5, 1, 2, 4 and then 8 s apart; the other's is passed on at once.
    assert_eq!(asked, [0, 560, 1560, 3560, 7560, 15_560, 23_560, 30_000, 31_560, 39_560, 47_560, 55_560]);
}

#[test]
fn a_request_that_came_too_soon_is_passed_on_at_its_time_though_no_frame_comes() {
    let mut stage = stage();
    let (fake, _peer, _subscription) = stage.viewer();
    stage.show(0, Role::Start);
    fake.connect(0);
    assert!(stage.asked());
    stage.show(40, Role::Start);
    for (millis, due) in [(10_600, 10_600), (10_700, 11_100), (11_200, 12_100)] {
        stage.hand.set(Timestamp::from_millis(millis));
        fake.feedback(0, 0).key_frame_requested();
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
fn a_viewer_that_joins_when_no_key_frame_may_be_requested_gets_those_since_the_last() {
    let mut stage = stage();
    let (first, ..) = &stage.viewer();
    first.connect(0);
    stage.show(0, Role::Reference);
    assert!(stage.asked());
    for (millis, role) in [(10_000, Role::Start), (10_040, Role::Reference), (10_080, Role::Reference)] {
        stage.hand.set(Timestamp::from_millis(millis));
        stage.show(millis, role);
    }
    let (joiner, _peer, _subscription) = stage.viewer();
    joiner.connecting(0);
    stage.hand.set(Timestamp::from_millis(10_100));
    joiner.connect(0);
    stage.video.wake(&mut stage.cx).unwrap();
    // The first picture at once, the others four times faster than they were captured.
    assert_eq!(joiner.due(0, 0), [(1, at(10_000))]);
    for (millis, sent) in [(10_110, vec![(3, at(10_040))]), (10_120, vec![(5, at(10_080))])] {
        assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(millis)));
        stage.hand.set(Timestamp::from_millis(millis));
        assert!(stage.cx.take_alarm(stage.cx.now()));
        stage.video.wake(&mut stage.cx).unwrap();
        assert_eq!(joiner.due(0, 0), sent);
    }
    assert_eq!(stage.cx.alarm(), None);
    stage.show(10_120, Role::Reference);
    assert_eq!(joiner.due(0, 0), [(7, at(10_120))]);
    assert!(!stage.asked(), "it cost the others nothing");
    // A later one may request a key frame, and what it would have got is forgotten.
    stage.hand.set(Timestamp::from_millis(10_500));
    stage.show(10_500, Role::Reference);
    let (late, _peer, _subscription) = stage.viewer();
    late.connect(0);
    assert!(stage.asked() && late.due(0, 0).is_empty());
}

#[test]
fn what_comes_while_the_engine_is_late_with_what_was_kept_is_sent_at_its_time() {
    let mut stage = stage();
    let (first, ..) = &stage.viewer();
    first.connect(0);
    stage.show(0, Role::Reference);
    stage.show(10_000, Role::Start);
    stage.show(10_040, Role::Reference);
    let (joiner, _peer, _subscription) = stage.viewer();
    stage.hand.set(Timestamp::from_millis(10_100));
    joiner.connect(0);
    // All is due, and the engine has taken nothing.
    stage.hand.set(Timestamp::from_millis(10_112));
    stage.video.wake(&mut stage.cx).unwrap();
    assert_eq!(stage.cx.alarm(), None);
    stage.show(10_080, Role::Reference);
    assert_eq!(joiner.due(0, 0), [(1, at(10_000)), (3, at(10_040))]);
    assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_120)));
    stage.hand.set(Timestamp::from_millis(10_120));
    assert!(stage.cx.take_alarm(stage.cx.now()));
    stage.video.wake(&mut stage.cx).unwrap();
    assert_eq!(joiner.due(0, 0), [(5, at(10_080))]);
}

#[test]
fn where_nothing_was_kept_a_new_viewer_waits_for_the_next_key_frame() {
    let mut stage = stage();
    let (first, ..) = &stage.viewer();
    first.connect(0);
    stage.show(0, Role::Reference);
    assert!(stage.asked());
    stage.show(1, Role::Start);
    (2..34).for_each(|millis| stage.show(millis, Role::Reference));
    let (joiner, _peer, _subscription) = stage.viewer();
    joiner.connect(0);
    stage.video.wake(&mut stage.cx).unwrap();
    assert_eq!(stage.cx.alarm(), Some(Timestamp::from_millis(10_500)));
    stage.show(500, Role::Start);
    assert_eq!(joiner.due(0, 0), [(1, at(500))]);
}

#[test]
fn the_encoder_follows_the_slowest_viewer_only_by_policy() {
    for (policy, asked) in [(BitratePolicy::Fixed, None), (BitratePolicy::Slowest, Some(425))] {
        let mut stage = stage_with(policy);
        let viewers = [stage.viewer(), stage.viewer()];
        stage.show(0, Role::Start);
        for ((fake, ..), kbps) in viewers.iter().zip([900, 500]) {
            fake.connect(0);
            fake.feedback(0, 0).bitrate_estimate(Bitrate::from_kbps(kbps));
        }
        let bitrate = |stage: &Stage| {
            let requests = stage.cx.upstream().take()?;
            requests.iter().find_map(|request| {
                if let Control::Bitrate(Some(rate)) = request { Some(rate.bps() / 1000) } else { None }
            })
        };
        assert_eq!(bitrate(&stage), asked, "{policy:?}");
        // The slowest leaves: the other one sets the rate.
        let [_one, slowest] = viewers;
        drop(slowest);
        assert_eq!(bitrate(&stage), asked.map(|_| 765), "{policy:?}");
    }
}

#[test]
fn what_was_known_before_the_start_is_asked_and_a_closed_viewer_limits_nobody() {
    let mut stage = stage_with(BitratePolicy::Slowest);
    let (slow, peer, _subscription) = stage.viewer();
    slow.connect(0);
    slow.feedback(0, 0).bitrate_estimate(Bitrate::from_kbps(500));
    let rate = |stage: &Stage| {
        let requests = stage.cx.upstream().take()?;
        requests.iter().find(|request| matches!(request, Control::Bitrate(_)))
    };
    assert_eq!(rate(&stage), None, "no runner has called the sink yet");
    stage.show(0, Role::Start);
    assert_eq!(rate(&stage), Some(Control::Bitrate(Some(Bitrate::from_kbps(425)))));
    // It hangs up, and its subscription is still there.
    peer.close().wait().unwrap();
    stage.show(1, Role::Reference);
    assert_eq!(rate(&stage), Some(Control::Bitrate(None)));
}

#[test]
fn a_viewer_that_leaves_or_closes_is_removed_and_the_others_stay() {
    let mut stage = stage();
    let (_one, _peer_one, subscription) = stage.viewer();
    let (_two, peer_two, _subscription_two) = stage.viewer();
    let (_three, _peer_three, _subscription_three) = stage.viewer();
    drop(subscription);
    peer_two.close().wait().unwrap();
    stage.show(0, Role::Start);
    assert_eq!(stage.audience.viewers(), 1);
}

#[test]
fn an_end_that_has_ended_is_sent_to_nobody_any_more() {
    let mut stage = stage();
    let mut audio = stage.audience.audio_sink(OPUS).unwrap();
    let (fake, _peer, _subscription) = stage.viewer();
    fake.connect(0);
    audio.consume(sound(20), &mut stage.cx).unwrap();
    audio.finish(&mut stage.cx).unwrap();
    assert_eq!(fake.ended(0), [false, true], "what waited is sent, and then it is over");
    assert_eq!(fake.sent(0, 1), [(1, 1)]);
    let (later, _peer, _subscription) = stage.viewer();
    assert_eq!(later.tracks(0), ["vp8 stream/video"]);
    assert_eq!(stage.audience.viewers(), 2);
    drop(audio);
    let again = stage.audience.audio_sink(OPUS).unwrap();
    let (third, _peer, _subscription) = stage.viewer();
    assert_eq!(third.tracks(0).len(), 2);
    drop(again);
    assert_eq!(third.ended(0), [false, true]);
}

#[test]
fn both_ends_share_a_stream_and_sound_needs_no_key_frame() {
    let mut stage = stage();
    let mut audio = stage.audience.audio_sink(OPUS).unwrap();
    let (fake, _peer, subscription) = stage.viewer();
    assert_eq!(fake.tracks(0), ["vp8 stream/video", "opus stream/audio"]);
    fake.connect(0);
    audio.consume(sound(20), &mut stage.cx).unwrap();
    assert!(!stage.asked());
    assert_eq!(fake.sent(0, 1), [(1, 1)]);
    assert_eq!(
        subscription.statistics().map(|(codec, sent)| (codec.to_string(), sent.packets)).collect::<Vec<_>>(),
        [("vp8".to_owned(), 0), ("opus".to_owned(), 1)]
    );
    assert!(stage.audience.audio_sink(OPUS).unwrap_err().to_string().contains("taken already"));
    assert!(stage.audience.video_sink(OPUS).unwrap_err().to_string().contains("codec for audio"));
    stage.show(0, Role::Start);
}

#[test]
fn the_pictures_of_one_viewer_are_muted_and_go_on_with_a_key_frame() {
    let mut stage = stage_with(BitratePolicy::Slowest);
    let viewers = [stage.viewer(), stage.viewer()];
    viewers.iter().for_each(|(fake, ..)| fake.connect(0));
    stage.show(0, Role::Start);
    assert!(!stage.asked(), "the picture was a key frame");
    viewers[1].0.feedback(0, 0).bitrate_estimate(Bitrate::from_kbps(500));
    let pictures = &viewers[1].2.senders()[0];
    pictures.mute(true);
    let requests = stage.cx.upstream().take().expect("a bit rate");
    assert_eq!(requests.iter().collect::<Vec<_>>(), [Control::Bitrate(None)], "it limits nobody, and nobody pauses");
    stage.show(40, Role::Reference);
    stage.hand.advance(Duration::from_secs(1));
    pictures.mute(false);
    assert!(stage.asked(), "a key frame");
    stage.show(80, Role::Reference);
    stage.show(120, Role::Start);
    assert_eq!(viewers[0].0.sent(0, 0), [(1, 2), (3, 2), (5, 2), (7, 2)]);
    // What waited when it was muted was not sent.
    assert_eq!(viewers[1].0.sent(0, 0), [(1, 2)]);
}

#[test]
fn a_viewer_whose_pictures_are_replaced_gets_something_else_alone() {
    let mut stage = stage();
    let viewers = [stage.viewer(), stage.viewer()];
    viewers.iter().for_each(|(fake, ..)| fake.connect(0));
    stage.show(0, Role::Start);
    let other = viewers[1].2.senders()[0].replace().unwrap();
    stage.show(40, Role::Start);
    other.send(&frame(50, Role::Start, 3)).unwrap();
    assert_eq!(viewers[0].0.sent(0, 0), [(1, 2), (3, 2)]);
    assert_eq!(viewers[1].0.sent(0, 0), [(1, 2), (3, 3)]);
    assert_eq!(stage.audience.viewers(), 1, "it has left the audience");
}

#[test]
fn the_loss_of_sound_is_asked_for_and_withdrawn_with_the_viewer_that_reports_it() {
    let stage = stage();
    let mut audio = stage.audience.audio_sink(OPUS).unwrap();
    let mut cx = Cx::new(stage.clock.clone(), Waker::noop().clone(), Upstream::default(), Run::default());
    let viewers = [stage.viewer(), stage.viewer()];
    viewers.iter().for_each(|(fake, ..)| fake.connect(0));
    audio.consume(sound(0), &mut cx).unwrap();
    let asked = |cx: &Cx| cx.upstream().take().map(|requests| requests.iter().collect::<Vec<_>>());
    assert_eq!(asked(&cx), None);
    // Track 0 carries pictures, track 1 sound.
    let report = |viewer: usize, track: usize, loss: f32| {
        viewers[viewer].0.feedback(0, track).reception(Reception { loss, ..Reception::default() });
    };
    report(0, 1, 0.02);
    report(1, 1, 0.07);
    assert_eq!(asked(&cx), Some(vec![Control::Loss(Some(0.07))]));
    report(0, 0, 0.15);
    assert_eq!(asked(&cx), None, "lost pictures are sent again");
    let [(_first, ..), (_, peer, _subscription)] = &viewers;
    peer.close().wait().unwrap();
    audio.consume(sound(20), &mut cx).unwrap();
    assert_eq!(asked(&cx), Some(vec![Control::Loss(Some(0.02))]));
}
