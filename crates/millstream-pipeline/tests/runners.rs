//! What the runners promise, in virtual time with exact counts, and the same on threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::units::Bitrate;
use millstream_core::{AudioFrame, Control, Cx, Error, Layers, Next, Out, Result, Sink, Source, Stage, Timestamp, Utc};
use millstream_pipeline::{Link, Pipeline, Running, Stepped};

fn block(time: Timestamp) -> AudioFrame {
    AudioFrame::new(48_000, 1, time, vec![0.0; 480])
}

/// Gives `count` blocks, one each 10 ms from the start on.
fn ticking(count: u64) -> impl Source<AudioFrame> {
    let mut given = 0;
    move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        let time = cx.start() + Duration::from_millis(10 * given);
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

fn pass(block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
    out.push(block);
    Ok(())
}

#[derive(Clone, Default)]
struct Counter(Arc<AtomicU32>);

impl Counter {
    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Sink<AudioFrame> for Counter {
    fn consume(&mut self, _: AudioFrame, _: &mut Cx) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn nowhere(_: AudioFrame, _: &mut Cx) -> Result<()> {
    Ok(())
}

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Builds the same pipeline for both runners, and runs it to its end on each.
fn on_both(build: impl Fn(&mut Pipeline)) -> [Result<()>; 2] {
    let mut stepped = Pipeline::in_virtual_time("stepped", Utc::default());
    build(&mut stepped);
    let mut threads = Pipeline::new("threads");
    build(&mut threads);
    [stepped.step().and_then(|mut stepped| stepped.run_to_end()), threads.spawn().and_then(Running::wait)]
}

fn stepped(build: impl FnOnce(&mut Pipeline)) -> Stepped {
    let mut pipeline = Pipeline::in_virtual_time("test", Utc::default());
    build(&mut pipeline);
    pipeline.step().expect("a good pipeline")
}

#[test]
fn items_come_at_their_time_and_the_end_reaches_everybody() {
    let heard = Counter::default();
    let finished = Arc::new(AtomicU32::new(0));
    struct Last(Arc<AtomicU32>);
    impl Stage<AudioFrame, AudioFrame> for Last {
        fn process(&mut self, block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
            out.push(block);
            Ok(())
        }
        fn finish(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            out.push(block(Timestamp::ZERO));
            Ok(())
        }
    }
    let mut run = stepped(|p| {
        let source = p.source("source", ticking(10));
        let last = p.stage("last", source.through(Link::block(FOUR)), Last(finished.clone()));
        p.inline_sink("heard", &last, heard.clone());
    });
    run.run_until(Timestamp::from_millis(45)).unwrap();
    assert_eq!(heard.count(), 5);
    assert!(!run.is_finished());
    run.run_to_end().unwrap();
    assert_eq!((heard.count(), finished.load(Ordering::SeqCst)), (11, 1));
    assert_eq!(run.now(), Timestamp::from_millis(90));
    assert!(run.is_finished());
    let statistics = run.statistics();
    let link = statistics.link("source", "last").unwrap();
    assert_eq!((link.entered, link.left, link.waiting, link.dropped()), (10, 10, 0, 0));
}

#[test]
fn threads_give_the_same_count() {
    let heard = Counter::default();
    let results = on_both(|p| {
        let source = p.source("source", ticking(20));
        let passed = p.stage("pass", source.through(Link::block(FOUR)), pass);
        p.sink("heard", passed.through(Link::block(FOUR)), heard.clone());
    });
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(heard.count(), 40);
}

#[test]
fn a_branch_that_stands_still_hurts_no_other() {
    let heard = Counter::default();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let mut pipeline = Pipeline::new("branches");
    let source = pipeline.source("source", ticking(30));
    pipeline.sink("fast", source.through(Link::block(FOUR)), heard.clone());
    pipeline.sink("stuck", source.through(Link::drop_oldest(FOUR)), move |_: AudioFrame, _: &mut Cx| {
        // Stands still until the test lets go.
        let _ = released.recv();
        Ok(())
    });
    let running = pipeline.spawn().unwrap();
    while heard.count() < 30 {
        std::thread::yield_now();
    }
    let statistics = running.statistics();
    let stuck = statistics.link("source", "stuck").unwrap();
    assert_eq!((stuck.entered, stuck.left, stuck.waiting, stuck.dropped_full), (30, 1, 4, 25));
    drop(release);
    running.wait().unwrap();
}

#[test]
fn an_error_ends_all_and_names_its_stage() {
    for result in on_both(|p| {
        let source = p.source("source", ticking(1_000_000));
        let mut left = 3;
        let broken =
            p.stage("encode", source.through(Link::block(FOUR)), move |block: AudioFrame, out: &mut Out<_>| {
                left -= 1;
                if left == 0 {
                    return Err(Error::fatal("gpu fell off"));
                }
                out.push(block);
                Ok(())
            });
        p.sink("end", &broken, nowhere);
    }) {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), "encode: gpu fell off");
    }
}

#[test]
fn a_panic_is_an_error_that_names_its_stage_inline_too() {
    for result in on_both(|p| {
        let source = p.source("source", ticking(1_000_000));
        let broken =
            p.inline("inline", &source, |_: AudioFrame, _: &mut Out<AudioFrame>| panic!("out of {}", "cheese"));
        p.inline_sink("end", &broken, nowhere);
    }) {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Panic, "inline: panicked: out of cheese"));
    }
}

#[test]
fn a_bad_item_is_skipped_and_counted() {
    let heard = Counter::default();
    let mut run = stepped(|p| {
        let source = p.source("source", ticking(10));
        let mut number = 0;
        let picky = p.inline("picky", &source, move |block: AudioFrame, out: &mut Out<_>| {
            number += 1;
            if number == 4 {
                return Err(Error::bad_item("the fourth"));
            }
            out.push(block);
            Ok(())
        });
        p.inline_sink("heard", &picky, heard.clone());
    });
    run.run_to_end().unwrap();
    assert_eq!(heard.count(), 9);
    assert_eq!(run.statistics().stage("picky").unwrap().bad_items, 1);
}

/// Gives one block, then sleeps and notes every wish.
struct Wished {
    given: bool,
    heard: Arc<Mutex<Vec<Control>>>,
}

impl Source<AudioFrame> for Wished {
    fn next(&mut self, _: &mut Cx) -> Result<Next<AudioFrame>> {
        if std::mem::replace(&mut self.given, true) {
            return Ok(Next::Idle);
        }
        Ok(Next::Item(block(Timestamp::ZERO)))
    }
    fn control(&mut self, wish: Control, _: &mut Cx) {
        self.heard.lock().unwrap().push(wish);
    }
}

#[test]
fn wishes_climb_inline_stages_and_links_to_a_source_that_sleeps_and_merge_at_a_fan_out() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let asking = |kbps| {
        move |_: AudioFrame, cx: &mut Cx| {
            cx.ask(Control::KeyFrame(Layers::ALL));
            cx.ask(Control::Bitrate(Some(Bitrate::from_kbps(kbps))));
            Ok(())
        }
    };
    let mut run = stepped(|p| {
        let source = p.source("source", Wished { given: false, heard: heard.clone() });
        let first = p.inline("first", &source, pass);
        let second = p.inline("second", &first, pass);
        let left = p.inline("left", &second, pass);
        p.inline_sink("left end", &left, asking(500));
        let right = p.inline("right", &second, pass);
        p.inline_sink("right end", &right, asking(300));
    });
    run.run_until(Timestamp::ZERO).unwrap();
    let both = [Control::KeyFrame(Layers::ALL), Control::Bitrate(Some(Bitrate::from_kbps(300)))];
    assert_eq!(*heard.lock().unwrap(), both);

    heard.lock().unwrap().clear();
    let mut run = stepped(|p| {
        let source = p.source("source", Wished { given: false, heard: heard.clone() });
        let first = p.stage("first", source.through(Link::block(FOUR)), pass);
        p.sink("end", first.through(Link::block(FOUR)), asking(500));
    });
    run.run_until(Timestamp::ZERO).unwrap();
    let one = [Control::KeyFrame(Layers::ALL), Control::Bitrate(Some(Bitrate::from_kbps(500)))];
    assert_eq!(*heard.lock().unwrap(), one);
}

#[test]
fn wakers_and_alarms_lead_to_wake() {
    let woken = Arc::new(Mutex::new(Vec::new()));
    struct Alarmed(Arc<Mutex<Vec<u64>>>);
    impl Sink<AudioFrame> for Alarmed {
        fn consume(&mut self, block: AudioFrame, cx: &mut Cx) -> Result<()> {
            cx.wake_at(block.time + Duration::from_millis(25));
            Ok(())
        }
        fn wake(&mut self, cx: &mut Cx) -> Result<()> {
            self.0.lock().unwrap().push(cx.now().as_nanos() / 1_000_000);
            Ok(())
        }
    }
    let mut run = stepped(|p| {
        let source = p.source("source", ticking(2));
        let passed = p.inline("pass", &source, pass);
        p.inline_sink("alarmed", &passed, Alarmed(woken.clone()));
    });
    run.run_until(Timestamp::from_millis(100)).unwrap();
    // The source ends at 20 ms and takes the sink with it; the alarm of 25 ms is set while it lives.
    assert_eq!(*woken.lock().unwrap(), [] as [u64; 0]);

    let mut run = stepped(|p| {
        let mut ticking = ticking(2);
        let source = p.source("source", move |cx: &mut Cx| match ticking.next(cx)? {
            Next::End => Ok(Next::Idle),
            next => Ok(next),
        });
        let passed = p.inline("pass", &source, pass);
        p.inline_sink("alarmed", &passed, Alarmed(woken.clone()));
    });
    run.run_until(Timestamp::from_millis(100)).unwrap();
    // Two alarms were asked for, 25 and 35 ms; there is one, and the earliest wins.
    assert_eq!(*woken.lock().unwrap(), [25]);
}

#[test]
fn a_source_that_idles_goes_on_when_another_thread_wakes_it() {
    let waker = Arc::new(Mutex::new(None::<std::task::Waker>));
    let offered = waker.clone();
    let mut asked = 0;
    let mut pipeline = Pipeline::new("idle");
    let source = pipeline.source("idle", move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        asked += 1;
        *offered.lock().unwrap() = Some(cx.waker().clone());
        Ok(if asked == 1 { Next::Idle } else { Next::End })
    });
    pipeline.inline_sink("end", &source, nowhere);
    let running = pipeline.spawn().unwrap();
    while waker.lock().unwrap().is_none() {
        std::thread::yield_now();
    }
    assert!(!running.wait_for(Duration::from_millis(20)));
    waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
    running.wait().unwrap();
}

#[test]
fn stopping_ends_sources_and_drains() {
    let heard = Counter::default();
    let mut pipeline = Pipeline::new("endless");
    let source = pipeline.source("source", ticking(u64::MAX));
    let passed = pipeline.stage("pass", source.through(Link::block(FOUR)), pass);
    pipeline.sink("heard", passed.through(Link::block(FOUR)), heard.clone());
    let running = pipeline.spawn().unwrap();
    while heard.count() < 3 {
        std::thread::yield_now();
    }
    running.stop();
    running.wait().unwrap();
}

#[test]
fn dropping_the_handle_stops_and_joins() {
    let alive = Arc::new(());
    let held = alive.clone();
    let mut pipeline = Pipeline::new("dropped");
    let mut ticking = ticking(u64::MAX);
    let source = pipeline.source("source", move |cx: &mut Cx| {
        let _held = &held;
        ticking.next(cx)
    });
    pipeline.inline_sink("end", &source, nowhere);
    drop(pipeline.spawn().unwrap());
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let mut twice = Pipeline::new("twice");
    twice.source("one", ticking(1));
    twice.source("one", ticking(1));
    assert!(twice.spawn().unwrap_err().to_string().contains("two stages are called `one`"));

    let mut blocking = Pipeline::in_virtual_time("blocking", Utc::default());
    blocking.blocking_source("camera", ticking(1));
    let error = blocking.step().err().unwrap();
    assert_eq!(error.to_string(), "camera: it blocks in a driver and cannot run in virtual time");
}

/// Keeps everything until the end.
struct Hoard(Vec<AudioFrame>);

impl Stage<AudioFrame, AudioFrame> for Hoard {
    fn process(&mut self, block: AudioFrame, _: &mut Out<AudioFrame>) -> Result<()> {
        self.0.push(block);
        Ok(())
    }
    fn finish(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
        self.0.drain(..).for_each(|block| out.push(block));
        Ok(())
    }
}

#[test]
fn what_is_given_at_the_end_arrives_even_if_it_is_more_than_the_link_holds() {
    let heard = Counter::default();
    let results = on_both(|p| {
        let source = p.source("source", ticking(10));
        let hoard = p.inline("hoard", &source, Hoard(Vec::new()));
        let passed = p.inline("pass", &hoard, pass);
        p.sink("heard", passed.through(Link::block(NonZeroUsize::MIN)), heard.clone());
    });
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(heard.count(), 20);
}

#[test]
fn a_panic_while_a_stage_is_dropped_is_an_error_too() {
    struct Bomb;
    impl Sink<AudioFrame> for Bomb {
        fn consume(&mut self, _: AudioFrame, _: &mut Cx) -> Result<()> {
            Ok(())
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let mut pipeline = Pipeline::new("bomb");
    let source = pipeline.source("source", ticking(1));
    pipeline.sink("bomb", source.through(Link::block(FOUR)), Bomb);
    let error = pipeline.spawn().unwrap().wait().unwrap_err();
    assert_eq!(error.to_string(), "bomb: panicked: dropped");
}

#[test]
fn a_drain_that_is_cut_off_is_not_called_a_success() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let mut pipeline = Pipeline::new("slow");
    let source = pipeline.source("source", ticking(u64::MAX));
    let mut told = Some(release);
    let heard = Counter::default();
    let counted = heard.clone();
    pipeline.sink("slow", source.through(Link::block(FOUR)), move |_: AudioFrame, cx: &mut Cx| {
        counted.0.fetch_add(1, Ordering::SeqCst);
        // Busy until the drain is over: nobody releases it before.
        let _ = released.recv_timeout(Duration::from_millis(2200));
        let _ = cx.now();
        Ok(())
    });
    let running = pipeline.spawn().unwrap();
    while heard.count() == 0 {
        std::thread::yield_now();
    }
    running.stop();
    let error = running.wait().unwrap_err();
    drop(told.take());
    assert!(error.to_string().contains("cut off") && error.to_string().contains("slow"), "{error}");
}

#[test]
fn a_source_that_is_asked_in_vain_for_ever_is_stopped() {
    for result in on_both(|p| {
        let source = p.source("lazy", |cx: &mut Cx| -> Result<Next<AudioFrame>> { Ok(Next::Until(cx.now())) });
        p.inline_sink("end", &source, nowhere);
    }) {
        assert!(result.unwrap_err().to_string().starts_with("lazy: it was asked 10000 times"));
    }
}

#[test]
fn a_driver_runs_when_it_is_due_and_when_it_is_woken_and_ends_with_the_pipeline() {
    use std::convert::Infallible;

    let called = Arc::new(Mutex::new(Vec::new()));
    let waker = Arc::new(Mutex::new(None::<std::task::Waker>));
    let (calls, kept) = (called.clone(), waker.clone());
    let mut run = stepped(|p| {
        p.driver("engine", move |cx: &mut Cx| -> Result<Next<Infallible>> {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            let now = cx.now().as_nanos() / 1_000_000;
            calls.lock().unwrap().push(now);
            Ok(if now < 20 { Next::Until(cx.now() + Duration::from_millis(10)) } else { Next::Idle })
        });
    });
    run.run_until(Timestamp::from_millis(50)).unwrap();
    assert_eq!(*called.lock().unwrap(), [0, 10, 20]);
    waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
    run.run_until(Timestamp::from_millis(60)).unwrap();
    assert_eq!(*called.lock().unwrap(), [0, 10, 20, 50]);
    run.stop().unwrap();
    assert!(run.is_finished());
}

#[test]
fn an_estimated_time_of_capture_is_no_latency() {
    let mut pipeline = Pipeline::in_virtual_time("estimated", Utc::default());
    let mut given = 0;
    let source = pipeline.source("network", move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        let arrived = cx.start() + Duration::from_millis(10 * given + 50);
        if given == 5 {
            return Ok(Next::End);
        }
        if cx.now() < arrived {
            return Ok(Next::Until(arrived));
        }
        given += 1;
        // The first sender report comes before the fourth block, and says that capture was 50 ms ago.
        let (time, estimated) = if given <= 3 { (arrived, true) } else { (arrived - Duration::from_millis(50), false) };
        Ok(Next::Item(block(time).with_estimated_time(estimated)))
    });
    let passed = pipeline.inline("pass", &source, pass);
    pipeline.inline_sink("sink", &passed, nowhere);
    let mut run = pipeline.step().unwrap();
    run.run_to_end().unwrap();
    let statistics = run.statistics();
    for (name, items) in [("network", 0), ("pass", 5), ("sink", 5)] {
        let stage = statistics.stage(name).unwrap();
        assert_eq!((stage.items_in, stage.latency.count), (items, 2), "{name}");
        assert_eq!(stage.latency.max_us, 50_000, "{name}");
    }
}
