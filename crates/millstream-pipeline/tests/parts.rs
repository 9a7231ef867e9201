//! Parts that fail alone, stages that lose what they depend on and are tried again, and the events that tell of both.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{
    AudioFrame, Bytes, Control, Cx, EncodedFrame, Error, Next, Out, Result, Role, Sink, Source, Timestamp, Utc, VP8,
};
use millstream_pipeline::{Event, Events, Link, OnFailure, Output, Pipeline, Statistics, Stepped};

const EIGHT: NonZeroUsize = NonZeroUsize::new(8).unwrap();
const TICK: Duration = Duration::from_millis(10);

fn block(time: Timestamp) -> AudioFrame {
    AudioFrame::new(48_000, 1, time, vec![0.0; 48])
}

/// `count` blocks of sound, one each 10 ms.
fn sound(count: u64) -> impl Source<AudioFrame> {
    let mut given = 0;
    move |cx: &mut Cx| {
        let time = cx.start() + TICK * given as u32;
        if given == count {
            return Ok(Next::End);
        }
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        given += 1;
        Ok(Next::Item(block(time)))
    }
}

/// `count` frames of video, one each 10 ms; the first is a key frame, and so is the one after each request.
struct Camera {
    count: u64,
    given: u64,
    key_frame: bool,
}

fn camera(count: u64) -> Camera {
    Camera { count, given: 0, key_frame: true }
}

impl Source<EncodedFrame> for Camera {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        let time = cx.start() + TICK * self.given as u32;
        if self.given == self.count {
            return Ok(Next::End);
        }
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        self.given += 1;
        let role = if std::mem::take(&mut self.key_frame) { Role::Start } else { Role::Reference };
        Ok(Next::Item(EncodedFrame::new(VP8, time, Bytes::new()).with_role(role)))
    }
    fn control(&mut self, control: Control, _: &mut Cx) {
        self.key_frame |= matches!(control, Control::KeyFrame(_));
    }
}

/// A device that is away from 50 ms on until it is back, and notes in milliseconds what it plays.
#[derive(Clone)]
struct Device {
    back: u64,
    played: Arc<Mutex<Vec<(u64, Role)>>>,
    waker: Arc<Mutex<Option<Waker>>>,
}

fn device(back: u64) -> Device {
    Device { back, played: Arc::default(), waker: Arc::default() }
}

impl Device {
    fn play(&mut self, time: Timestamp, role: Role, cx: &mut Cx) -> Result<()> {
        *self.waker.lock().unwrap() = Some(cx.waker().clone());
        if (Timestamp::from_millis(50)..Timestamp::from_millis(self.back)).contains(&cx.now()) {
            return Err(Error::lost("unplugged"));
        }
        self.played.lock().unwrap().push((time.as_nanos() / 1_000_000, role));
        Ok(())
    }

    /// When what it played was captured, in runs without a gap: from, to.
    fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (time, _) in self.played.lock().unwrap().iter() {
            match runs.last_mut() {
                Some(run) if run.1 + 10 == *time => run.1 = *time,
                _ => runs.push((*time, *time)),
            }
        }
        runs
    }
}

impl Sink<AudioFrame> for Device {
    fn consume(&mut self, block: AudioFrame, cx: &mut Cx) -> Result<()> {
        self.play(block.time, Role::Start, cx)
    }
}

impl Sink<EncodedFrame> for Device {
    fn consume(&mut self, frame: EncodedFrame, cx: &mut Cx) -> Result<()> {
        self.play(frame.time, frame.role, cx)
    }
}

fn stepped(build: impl FnOnce(&mut Pipeline)) -> (Stepped, Events) {
    let mut pipeline = Pipeline::in_virtual_time("parts", Utc::default());
    build(&mut pipeline);
    let events = pipeline.events();
    (pipeline.step().expect("a good pipeline"), events)
}

fn all(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_recv()).collect()
}

fn lost(stage: &str) -> Event {
    Event::Lost { stage: stage.into(), message: "unplugged".to_owned() }
}

fn recovered(stage: &str) -> Event {
    Event::Recovered { stage: stage.into() }
}

fn failed(stage: &str, kind: Kind, words: &str) -> Event {
    Event::Failed { stage: stage.into(), kind, message: format!("{stage}: {words}") }
}

/// How often `name` lost something, what it took, and what it did not get.
fn counts(statistics: &Statistics, name: &str) -> [u64; 3] {
    let stage = statistics.stage(name).unwrap();
    [stage.lost, stage.items_in, stage.dropped_lost]
}

#[test]
fn what_was_attached_together_ends_together_and_the_rest_goes_on() {
    let mut source: Option<Output<AudioFrame>> = None;
    let (mut run, mut events) = stepped(|p| {
        let sound = p.source("sound", sound(100));
        p.sink("main", sound.through(Link::block(EIGHT)), |_: AudioFrame, _: &mut Cx| Ok(()));
        source = Some(sound);
    });
    let source = source.unwrap();
    let attach = |run: &mut Stepped, number: u32| {
        let attached = run.attach(|p| {
            let mut left = 5;
            p.inline_sink(&format!("viewer-{number}"), &source, move |_: AudioFrame, _: &mut Cx| {
                left -= 1;
                if left == 0 { Err(Error::fatal("hung up")) } else { Ok(()) }
            });
            // Feeds nobody that fails, and ends all the same: it came with the viewer.
            let own = p.source(&format!("own-{number}"), sound(1_000));
            p.sink(&format!("file-{number}"), own.through(Link::block(EIGHT)), |_: AudioFrame, _: &mut Cx| Ok(()));
        });
        attached.unwrap().1
    };
    let (one, other) = (attach(&mut run, 1), attach(&mut run, 2));
    assert_eq!(all(&mut events), [Event::Started]);
    run.run_until(Timestamp::from_millis(200)).unwrap_err();
    assert!(one.is_gone() && other.is_gone() && one.id() != other.id());
    let fatal = |stage| failed(stage, Kind::Fatal, "hung up");
    let ended = |part| Event::PartEnded { part };
    assert_eq!(all(&mut events), [fatal("viewer-1"), fatal("viewer-2"), ended(one.id()), ended(other.id())]);
    // The fifth block came at 40 ms, and stopped the source that came with the viewer.
    let took = |run: &Stepped, name: &str| run.statistics().stage(name).unwrap().items_in;
    assert_eq!([took(&run, "viewer-1"), took(&run, "file-1"), took(&run, "main")], [5, 4, 21]);
    // One error was given when it happened, the other is given now.
    run.remove(&one, Timestamp::from_millis(200)).unwrap();
    run.remove(&other, Timestamp::from_millis(200)).unwrap_err();
    run.run_to_end().unwrap();
    assert_eq!(took(&run, "main"), 100);
    assert_eq!(all(&mut events), [Event::Ended]);
}

#[test]
fn a_part_that_is_detached_or_refused_tells_so() {
    let (mut run, mut events) = stepped(|p| {
        let sound = p.source("sound", sound(100));
        p.inline_sink("main", &sound, |_: AudioFrame, _: &mut Cx| Ok(()));
    });
    let build = |p: &mut Pipeline| {
        let own = p.source("own", sound(1_000));
        p.inline_sink("file", &own, |_: AudioFrame, _: &mut Cx| Ok(()));
    };
    let ((), part) = run.attach(build).unwrap();
    run.attach(build).expect_err("the names are taken");
    let id = part.id();
    run.remove(&part, Timestamp::from_millis(100)).unwrap();
    assert_eq!(all(&mut events), [Event::Started, Event::PartEnded { part: id }]);
    run.stop().unwrap();
    assert_eq!(all(&mut events), [Event::Stopping, Event::Ended]);
}

#[test]
fn a_sink_that_retries_is_left_alone_and_comes_back() {
    let played = device(250);
    let (mut run, mut events) = stepped(|p| {
        let sound = p.source("sound", sound(50));
        p.inline_sink("speaker", &sound, played.clone());
        p.on_failure("speaker", OnFailure::Retry);
    });
    run.run_to_end().unwrap();
    // Lost at 50 ms; called again after 100 ms, and after 200 ms more.
    assert_eq!(played.runs(), [(0, 40), (350, 490)]);
    // 60 to 140 and 160 to 340 ms did not reach it.
    assert_eq!(counts(&run.statistics(), "speaker"), [2, 50 - 9 - 19, 9 + 19]);
    assert_eq!(all(&mut events), [Event::Started, recovered("speaker"), Event::Ended], "the newest state replaces it");
}

#[test]
fn what_a_sink_behind_a_link_cannot_take_waits_there_by_its_policy() {
    let played = device(250);
    let (mut run, mut events) = stepped(|p| {
        let sound = p.source("sound", sound(50));
        p.sink("speaker", sound.through(Link::drop_oldest(EIGHT)), played.clone());
        p.on_failure("speaker", OnFailure::Retry);
    });
    run.run_until(Timestamp::from_millis(100)).unwrap();
    assert_eq!(all(&mut events), [Event::Started, lost("speaker")]);
    run.run_to_end().unwrap();
    assert_eq!(all(&mut events), [recovered("speaker"), Event::Ended]);
    // At 150 ms the oldest of eight was from 80 ms, and lost with the second attempt; at 350 ms it was from 280 ms.
    assert_eq!(played.runs(), [(0, 40), (280, 490)]);
    let statistics = run.statistics();
    assert_eq!(counts(&statistics, "speaker"), [2, 5 + 2 + 22, 0]);
    assert_eq!(statistics.link("sound", "speaker").unwrap().dropped_full, 21);

    // Through a link that blocks only what was given to it is lost; the source waits.
    let played = device(250);
    let (mut run, _) = stepped(|p| {
        let sound = p.source("sound", sound(50));
        p.sink("speaker", sound.through(Link::block(EIGHT)), played.clone());
        p.on_failure("speaker", OnFailure::Retry);
    });
    run.run_to_end().unwrap();
    assert_eq!(played.runs(), [(0, 40), (70, 490)]);
}

#[test]
fn video_begins_with_a_key_frame_after_a_loss_behind_a_link_and_without() {
    for behind_link in [true, false] {
        let played = device(100);
        let (mut run, _) = stepped(|p| {
            let video = p.source("camera", camera(100));
            match behind_link {
                true => p.sink("screen", video.through(Link::drop_oldest(EIGHT.saturating_add(8))), played.clone()),
                false => p.inline_sink("screen", &video, played.clone()),
            }
            p.on_failure("screen", OnFailure::Retry);
        });
        run.run_to_end().unwrap();
        // Lost at 50 ms, tried again at 150 ms, when a key frame is asked for: the next is one.
        let first = played.played.lock().unwrap()[5];
        assert_eq!((first, played.runs()), ((150, Role::Start), vec![(0, 40), (150, 990)]), "{behind_link}");
        let statistics = run.statistics();
        // What waited in the link, or came meanwhile, cannot be decoded without the frame that was lost.
        assert_eq!(counts(&statistics, "screen"), [1, 100 - 9, 9], "{behind_link}");
        assert_eq!(statistics.links.iter().map(|link| link.dropped()).sum::<u64>(), 0, "{behind_link}");
    }
}

#[test]
fn a_sink_that_wakes_itself_is_tried_at_once() {
    let played = device(70);
    let waker = Arc::clone(&played.waker);
    let (mut run, _) = stepped(|p| {
        let sound = p.source("sound", sound(20));
        p.inline_sink("speaker", &sound, played.clone());
        p.on_failure("speaker", OnFailure::Retry);
        let mut at = vec![85, 75];
        p.driver("plug", move |cx: &mut Cx| match at.pop() {
            None => Ok(Next::End),
            Some(millis) if cx.now() < Timestamp::from_millis(millis) => {
                at.push(millis);
                Ok(Next::Until(Timestamp::from_millis(millis)))
            }
            Some(_) => {
                waker.lock().unwrap().as_ref().expect("it was called").wake_by_ref();
                Ok(Next::Until(Timestamp::from_millis(85)))
            }
        });
    });
    run.run_to_end().unwrap();
    assert_eq!(played.runs(), [(0, 40), (80, 190)]);
}

#[test]
fn a_stage_that_retries_keeps_its_part() {
    let (mut run, mut events) = stepped(|p| {
        let sound = p.source("sound", sound(50));
        let mut calls = 0;
        let stage = move |block: AudioFrame, out: &mut Out<AudioFrame>| {
            calls += 1;
            if calls == 6 {
                return Err(Error::lost("unplugged"));
            }
            out.push(block);
            Ok(())
        };
        let passed = p.stage("codec", sound.through(Link::latest()), stage);
        p.on_failure("codec", OnFailure::Retry);
        p.inline_sink("heard", &passed, |_: AudioFrame, _: &mut Cx| Ok(()));
    });
    run.run_to_end().unwrap();
    // Of what came from 60 to 150 ms, when the backoff was over, only the newest waited.
    assert_eq!(counts(&run.statistics(), "codec"), [1, 50 - 9, 0]);
    assert_eq!(run.statistics().stage("heard").unwrap().items_in, 50 - 9 - 1);
    assert_eq!(all(&mut events), [Event::Started, recovered("codec"), Event::Ended]);
}

#[test]
fn nobody_waits_for_a_backoff_when_the_pipeline_stops() {
    let (mut run, _) = stepped(|p| {
        let sound = p.source("sound", sound(50));
        p.sink("speaker", sound.through(Link::drop_oldest(EIGHT)), device(1_000_000));
        p.on_failure("speaker", OnFailure::Retry);
    });
    run.run_until(Timestamp::from_millis(400)).unwrap();
    run.stop().unwrap();
    assert!(run.is_finished());
    assert_eq!(run.now(), Timestamp::from_millis(400));
}

#[test]
fn what_is_lost_at_the_end_is_a_failure_and_so_is_any_other_error() {
    struct Last;
    impl Sink<AudioFrame> for Last {
        fn consume(&mut self, _: AudioFrame, _: &mut Cx) -> Result<()> {
            Ok(())
        }
        fn finish(&mut self, _: &mut Cx) -> Result<()> {
            Err(Error::lost("unplugged"))
        }
    }
    for (kind, sink) in [
        (Kind::Lost, Box::new(Last) as Box<dyn Sink<AudioFrame>>),
        (Kind::Fatal, Box::new(|_: AudioFrame, _: &mut Cx| Err(Error::fatal("unplugged")))),
    ] {
        let (mut run, mut events) = stepped(|p| {
            let sound = p.source("sound", sound(5));
            p.inline_sink("speaker", &sound, sink);
            p.on_failure("speaker", OnFailure::Retry);
        });
        assert_eq!(run.run_to_end().unwrap_err().kind(), kind);
        assert_eq!(all(&mut events), [Event::Started, failed("speaker", kind, "unplugged"), Event::Ended]);
    }
}
