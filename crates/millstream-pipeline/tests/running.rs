//! What a program does with a pipeline that runs: reads its events, awaits its end, asks its stages for something.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use futures_util::StreamExt;
use millstream_core::units::Bitrate;
use millstream_core::{AudioFrame, Control, Cx, Error, Layers, Next, Result, Sink, Source, Timestamp, Utc};
use millstream_pipeline::{Event, Link, OnFailure, Pipeline, Running};

const EIGHT: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// A runtime for one future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<R>(work: impl IntoFuture<Output = R>) -> R {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut work = pin!(work.into_future());
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        std::thread::park();
    }
}

fn block(time: Timestamp) -> AudioFrame {
    AudioFrame::new(48_000, 1, time, vec![0.0; 48])
}

/// A source of `count` blocks as fast as they go, that notes what it is asked for.
struct Noting {
    count: u64,
    asked: Arc<Mutex<Vec<Control>>>,
}

impl Source<AudioFrame> for Noting {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        if self.count == 0 {
            return Ok(Next::End);
        }
        self.count -= 1;
        Ok(Next::Item(block(cx.now())))
    }
    fn control(&mut self, control: Control, _: &mut Cx) {
        self.asked.lock().unwrap().push(control);
    }
}

fn endless() -> impl Source<AudioFrame> {
    |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        let _ = cx;
        Ok(Next::Idle)
    }
}

fn nowhere(_: AudioFrame, _: &mut Cx) -> Result<()> {
    Ok(())
}

fn started(build: impl FnOnce(&mut Pipeline)) -> Running {
    let mut pipeline = Pipeline::new("running");
    build(&mut pipeline);
    pipeline.spawn().unwrap()
}

#[test]
fn the_end_is_awaited_without_blocking_and_tells_how_it_went() {
    let good = started(|p| {
        let source = p.source("source", Noting { count: 10, asked: Arc::default() });
        p.sink("sink", source.through(Link::block(EIGHT)), nowhere);
    });
    let ended = good.ended();
    block_on(ended.clone());
    block_on(ended);
    block_on(good).unwrap();

    let bad = started(|p| {
        let source = p.source("source", Noting { count: 10, asked: Arc::default() });
        p.sink("sink", source.through(Link::block(EIGHT)), |_: AudioFrame, _: &mut Cx| Err(Error::fatal("full")));
    });
    assert_eq!(block_on(bad).unwrap_err().to_string(), "sink: full");
}

#[test]
fn a_program_reads_events_until_the_end() {
    let running = started(|p| {
        let source = p.source("source", endless());
        p.inline_sink("sink", &source, nowhere);
    });
    let mut events = running.events();
    assert_eq!(block_on(events.next()), Some(Event::Started));
    let ((), part) = running
        .attach(|p| {
            let source = p.source("other", Noting { count: 10, asked: Arc::default() });
            p.inline_sink("short", &source, nowhere);
        })
        .unwrap();
    assert_eq!(events.recv(), Some(Event::PartEnded { part: part.id() }));
    let stopper = running.stopper();
    let reader = std::thread::spawn(move || block_on(events.collect::<Vec<_>>()));
    stopper.stop();
    block_on(running).unwrap();
    assert_eq!(reader.join().unwrap(), [Event::Stopping, Event::Ended]);
}

#[test]
fn a_stage_that_takes_all_with_it_is_told_of_before_the_end() {
    let mut pipeline = Pipeline::new("stops");
    let source = pipeline.source("source", Noting { count: 10, asked: Arc::default() });
    pipeline.inline_sink("sink", &source, |_: AudioFrame, _: &mut Cx| Err(Error::fatal("full")));
    pipeline.on_failure("sink", OnFailure::Stop);
    let events = pipeline.events();
    let running = pipeline.spawn().unwrap();
    let names = |event| match event {
        Event::Started => "started",
        Event::Failed { .. } => "failed",
        Event::Stopping => "stopping",
        Event::Ended => "ended",
        _ => "another",
    };
    assert_eq!(block_on(events.map(names).collect::<Vec<_>>()), ["started", "failed", "stopping", "ended"]);
    running.wait().unwrap_err();
}

#[test]
fn the_end_comes_though_a_stage_hangs() {
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let running = started(|p| {
        let source = p.source("source", Noting { count: 10, asked: Arc::default() });
        let hang = Mutex::new(hang);
        p.sink("stuck", source.through(Link::block(EIGHT)), move |_: AudioFrame, _: &mut Cx| {
            let _ = hang.lock().unwrap().recv();
            Ok(())
        });
    });
    while running.statistics().stage("stuck").unwrap().items_in == 0 {
        std::thread::yield_now();
    }
    running.stop();
    let ended = running.ended();
    block_on(ended);
    let error = block_on(running).unwrap_err();
    assert!(error.to_string().contains("left behind: stuck"), "{error}");
    drop(release);
}

/// Asks for a bit rate with its first block.
struct Asks(u64);

impl Sink<AudioFrame> for Asks {
    fn consume(&mut self, _: AudioFrame, cx: &mut Cx) -> Result<()> {
        cx.ask(Control::Bitrate(Some(Bitrate::from_kbps(self.0))));
        Ok(())
    }
}

#[test]
fn the_program_asks_a_stage_as_one_more_consumer() {
    let asked = Arc::<Mutex<Vec<Control>>>::default();
    let mut pipeline = Pipeline::in_virtual_time("asked", Utc::default());
    let source = pipeline.source("opus", Noting { count: 1, asked: Arc::clone(&asked) });
    pipeline.inline_sink("viewer", &source, Asks(300));
    let idle = pipeline.source("silence", endless());
    pipeline.inline_sink("other", &idle, nowhere);
    let kbps = |kbps| Control::Bitrate(Some(Bitrate::from_kbps(kbps)));
    let mut run = pipeline.step().unwrap();
    run.ask("opus", kbps(500)).unwrap();
    run.ask("opus", Control::KeyFrame(Layers::ALL)).unwrap();
    run.run_until(Timestamp::from_millis(1)).unwrap();
    let first = std::mem::take(&mut *asked.lock().unwrap());
    assert_eq!(first, [Control::KeyFrame(Layers::ALL), kbps(500), kbps(300)]);
    let said = |result: Result<()>| result.unwrap_err().to_string();
    assert_eq!(said(run.ask("opsu", kbps(1))), "no stage is called `opsu`; did you mean `opus`?");
    assert_eq!(
        said(run.ask("viewer", kbps(1))),
        "`viewer` has no output, so nothing can be asked of it; ask a stage that feeds it"
    );
    run.stop().unwrap();

    // Of the bit rates of all the lowest holds, whoever asks for it; this one asks on.
    let asked = Arc::<Mutex<Vec<Control>>>::default();
    let mut pipeline = Pipeline::in_virtual_time("asked", Utc::default());
    let ticking = Ticking { given: 0, asked: Arc::clone(&asked) };
    let source = pipeline.source("opus", ticking);
    pipeline.inline_sink("viewer", &source, Asks(300));
    let mut run = pipeline.step().unwrap();
    for (millis, rate) in [(15, 500), (25, 200), (35, 900)] {
        run.run_until(Timestamp::from_millis(millis)).unwrap();
        run.ask("opus", kbps(rate)).unwrap();
    }
    run.run_until(Timestamp::from_millis(39)).unwrap();
    let rates: Vec<Control> = asked.lock().unwrap().clone();
    assert_eq!(rates, [300, 300, 300, 300, 200, 200, 300].map(kbps));
}

/// A block each 10 ms; notes what it is asked for.
struct Ticking {
    given: u32,
    asked: Arc<Mutex<Vec<Control>>>,
}

impl Source<AudioFrame> for Ticking {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        let time = cx.start() + Duration::from_millis(10) * self.given;
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        self.given += 1;
        Ok(Next::Item(block(time)))
    }
    fn control(&mut self, control: Control, _: &mut Cx) {
        self.asked.lock().unwrap().push(control);
    }
}
