//! Bundles that are fed by what they give: how such a loop is built, what flows in it, and how it ends.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use millstream_core::descriptor::Gives;
use millstream_core::worker::Bundle;
use millstream_core::{
    Accepts, AudioFrame, Cx, Descriptor, Format, FromInput, InputEvent, Next, Out, Registry, Result, Sink, Source,
    Timestamp, Utc, Worker,
};
use millstream_pipeline::declare::{self, Override};
use millstream_pipeline::{Inputs, Link, Pipeline, Statistics};
use schemars::JsonSchema;
use serde::Deserialize;

const STEP: Duration = Duration::from_millis(20);
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn block(time: Timestamp) -> AudioFrame {
    AudioFrame::new(48_000, 1, time, vec![0.0; 48])
}

/// Gives `left` blocks, one each 20 ms.
struct Tone {
    left: u64,
    next: Timestamp,
}

impl Source<AudioFrame> for Tone {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        let time = self.next.max(cx.start());
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        self.left -= 1;
        self.next = time + STEP;
        Ok(Next::Item(block(time)))
    }
}

/// What both ends of a call share: the far side sends each block back 20 ms after it got it.
#[derive(Default)]
struct Far {
    heard: VecDeque<Timestamp>,
    sent: u64,
    finished: bool,
    waker: Option<Waker>,
}

/// The end that sends to the far side. It takes whatever comes and never waits for the other end.
struct Microphone(Arc<Mutex<Far>>);

impl Sink<AudioFrame> for Microphone {
    fn consume(&mut self, _: AudioFrame, cx: &mut Cx) -> Result<()> {
        let mut far = self.0.lock().unwrap();
        far.heard.push_back(cx.now() + STEP);
        if let Some(waker) = far.waker.take() {
            waker.wake();
        }
        Ok(())
    }
    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.0.lock().unwrap().finished = true;
        Ok(())
    }
}

/// The end that receives from the far side, which hangs up after so many blocks.
struct Speaker {
    far: Arc<Mutex<Far>>,
    hangs_up_after: Option<u64>,
}

impl Source<AudioFrame> for Speaker {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        let mut far = self.far.lock().unwrap();
        if self.hangs_up_after == Some(far.sent) {
            return Ok(Next::End);
        }
        match far.heard.front().copied() {
            Some(time) if time <= cx.now() => {
                far.heard.pop_front();
                far.sent += 1;
                Ok(Next::Item(block(time)))
            }
            Some(time) => Ok(Next::Until(time)),
            None => {
                far.waker = Some(cx.waker().clone());
                Ok(Next::Idle)
            }
        }
    }
}

/// Passes on what comes at any input, as a mixer does with sound that does not overlap.
fn merge(received: FromInput<AudioFrame>, out: &mut Out<AudioFrame>) -> Result<()> {
    if let InputEvent::Item(block) = received.event {
        out.push(block);
    }
    Ok(())
}

fn count(_: AudioFrame, _: &mut Cx) -> Result<()> {
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToneOptions {
    blocks: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CallOptions {
    #[serde(default)]
    hangs_up_after: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn registry() -> Registry {
    let audio = || Accepts::Only(Format::Audio);
    let mut registry = Registry::new();
    registry.add(
        Descriptor::source("tone", "", Format::Audio)
            .build(|options: ToneOptions, _| Ok(Worker::source(Tone { left: options.blocks, next: Timestamp::ZERO }))),
    );
    registry.add(
        Descriptor::stage("merge", "", audio(), Gives::Format(Format::Audio))
            .many()
            .build(|_: Nothing, _| Ok(Worker::many_stage(merge))),
    );
    registry.add(Descriptor::sink("count", "", audio()).build(|_: Nothing, _| Ok(Worker::sink(count))));
    let call = Descriptor::bundle("call", "").optional_input("audio", audio());
    registry.add(call.output("audio", Gives::Format(Format::Audio)).build(|options: CallOptions, joined| {
        // Formats are known before anything is built, in a loop too.
        assert_eq!(joined.input("audio"), Some(&Format::Audio));
        let far = Arc::<Mutex<Far>>::default();
        let speaker = Speaker { far: Arc::clone(&far), hangs_up_after: options.hangs_up_after };
        Ok(Worker::Bundle(Bundle::new().source("audio", speaker).sink("audio", Microphone(far))))
    }));
    registry
}

fn declared(mut pipeline: Pipeline, changes: &[&str]) -> Pipeline {
    let changes: Vec<_> = changes.iter().map(|change| Override::parse(change).unwrap()).collect();
    let plan = declare::read(include_str!("loop.toml"), "loop.toml", &changes, &registry());
    pipeline.add(plan.unwrap_or_else(|wrong| panic!("{wrong}"))).unwrap();
    pipeline
}

fn virtual_time() -> Pipeline {
    Pipeline::in_virtual_time("loop", Utc::default())
}

/// How many items went out of the tone and the call, into the call, and into the sink.
fn counts(statistics: &Statistics) -> [u64; 4] {
    let stage = |name| statistics.stage(name).unwrap();
    [stage("tone").items_out, stage("call.audio").items_out, stage("call.audio-in").items_in, stage("heard").items_in]
}

#[test]
fn a_declared_bundle_that_feeds_itself_runs_and_ends_in_virtual_time() {
    let mut run = declared(virtual_time(), &[]).step().unwrap();
    run.run_to_end().unwrap();
    assert!(run.is_finished());
    // The tone lasts 180 ms. Of its ten blocks the far side sends each back, again and again, until it hangs up.
    assert_eq!(counts(&run.statistics()), [10, 30, 40, 40]);
    assert_eq!(run.statistics().links.iter().map(|link| link.dropped()).sum::<u64>(), 0);
}

#[test]
fn the_same_loop_gives_the_same_counts_on_threads() {
    let running = declared(Pipeline::new("loop"), &["tone.blocks=3"]).spawn().unwrap();
    while !running.wait_for(Duration::from_secs(10)) {}
    assert_eq!(counts(&running.statistics()), [3, 30, 33, 33]);
    running.wait().unwrap();
}

#[test]
fn a_loop_that_never_hangs_up_ends_when_it_is_stopped() {
    let changes = ["call.hangs-up-after=1000000000", "tone.blocks=3"];
    let mut run = declared(virtual_time(), &changes).step().unwrap();
    run.run_until(Timestamp::from_millis(1_000)).unwrap();
    // Three blocks go round, each every 20 ms.
    assert_eq!(counts(&run.statistics()), [3, 48 + 49 + 50, 49 + 50 + 51, 49 + 50 + 51]);
    assert!(!run.is_finished());
    run.stop().unwrap();
    assert!(run.is_finished());
    assert_eq!(run.now(), Timestamp::from_millis(1_000), "the end of input travels round at once");

    let running = declared(Pipeline::new("loop"), &changes).spawn().unwrap();
    while counts(&running.statistics())[2] < 10 {
        std::thread::yield_now();
    }
    running.stop();
    running.wait().unwrap();
}

#[test]
fn a_loop_that_has_nothing_to_say_any_more_waits_for_the_far_side() {
    // Without a tone nothing ever flows, and only the far side could say something or hang up.
    let mut run = declared(virtual_time(), &["tone.blocks=0", "call.hangs-up-after=5"]).step().unwrap();
    run.run_to_end().unwrap();
    assert!(!run.is_finished());
    assert_eq!(counts(&run.statistics()), [0, 0, 0, 0]);
    run.stop().unwrap();
    assert!(run.is_finished());
}

#[test]
fn links_that_block_slow_a_loop_down_and_never_block_it() {
    let mut pipeline = declared(virtual_time(), &["tone.blocks=20"]);
    // Slower than the tone: every link fills, and the tone waits.
    pipeline.cost("mix", |_| Duration::from_millis(50));
    let mut run = pipeline.step().unwrap();
    run.run_to_end().unwrap();
    assert!(run.is_finished());
    assert_eq!(counts(&run.statistics()), [20, 30, 50, 50]);
    let most = |from| run.statistics().link(from, "mix").unwrap().most_waiting;
    assert_eq!([most("tone"), most("call.audio")], [8, 8]);
}

#[test]
fn the_same_in_typed_rust() {
    let far = Arc::<Mutex<Far>>::default();
    let mut p = virtual_time();
    let received = p.source("call.received", Speaker { far: Arc::clone(&far), hangs_up_after: Some(30) });
    let sent = p.sink_end("call.sent", Microphone(Arc::clone(&far)));
    let tone = p.source("tone", Tone { left: 10, next: Timestamp::ZERO });
    let (inputs, mixed): (Inputs<AudioFrame>, _) = p.many_stage("mix", merge);
    p.join(&inputs, tone.through(Link::block(TWO)));
    p.join(&inputs, received.through(Link::block(TWO)));
    p.join_sink(sent, mixed.through(Link::block(TWO)));
    drop(inputs);
    let mut run = p.step().unwrap();
    run.run_to_end().unwrap();
    assert!(run.is_finished() && far.lock().unwrap().finished);
    let statistics = run.statistics();
    let names: Vec<_> = statistics.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["call.received", "call.sent", "tone", "mix"], "in the order of declaration");
    assert_eq!(statistics.stage("call.sent").unwrap().items_in, 40);
}

#[test]
fn a_sink_that_nothing_is_joined_to_is_refused_by_name() {
    let mut p = virtual_time();
    let _end = p.sink_end("call.sent", count);
    let error = p.step().err().expect("nothing is joined to it");
    assert_eq!(error.to_string(), "call.sent: nothing is joined to it; join an output with Pipeline::join_sink");
}
