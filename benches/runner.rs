//! What the runners cost: a hop between threads, an inline hop, a fan-out, items in virtual time.
//!
//! Run with `cargo bench --bench runner`.

use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use millstream::core::{AudioFrame, Buffer, Cx, Next, Out, Result, Timestamp, Utc};
use millstream::{Link, Output, Pipeline};

const ROOM: Link = Link::block(NonZeroUsize::new(16).unwrap());

/// An item that costs nothing: its samples are shared.
fn item(samples: &Buffer<f32>, time: Timestamp) -> AudioFrame {
    AudioFrame::new(48_000, 1, time, samples.clone())
}

/// Gives `count` items as fast as they are taken.
fn counted(count: u64) -> impl FnMut(&mut Cx) -> Result<Next<AudioFrame>> + Send {
    let samples = Buffer::from(vec![0.0; 480]);
    let mut left = count;
    move |cx: &mut Cx| {
        if left == 0 {
            return Ok(Next::End);
        }
        left -= 1;
        Ok(Next::Item(item(&samples, cx.now())))
    }
}

fn pass(block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
    out.push(block);
    Ok(())
}

fn nowhere(_: AudioFrame, _: &mut Cx) -> Result<()> {
    Ok(())
}

/// From the moment a source gives an item to the moment a sink on another thread takes it, both asleep
/// before; beside it what the system takes to wake a thread at all.
fn link_hop(criterion: &mut Criterion) {
    let (ask, asked) = mpsc::channel::<std::task::Waker>();
    let (heard, hears) = mpsc::channel::<Duration>();
    let samples = Buffer::from(vec![0.0; 480]);
    let mut pipeline = Pipeline::new("hop");
    let clock = pipeline.clock().clone();
    let mut first = true;
    let source = pipeline.source("source", move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        // Every other call gives; in between it sleeps until it is woken.
        first = !first;
        if !first {
            let _ = ask.send(cx.waker().clone());
            return Ok(Next::Idle);
        }
        Ok(Next::Item(item(&samples, cx.now())))
    });
    pipeline.sink("sink", source.through(ROOM), move |block: AudioFrame, cx: &mut Cx| {
        let _ = heard.send(cx.now().since(block.time));
        Ok(())
    });
    let running = pipeline.spawn().expect("threads");
    hops(criterion, "link hop between threads", || {
        asked.recv().expect("the source runs").wake();
        hears.recv().expect("the sink runs")
    });
    running.stop();
    // Waits for nothing: the channels are dropped with the pipeline.
    let _ = running.wait();

    let (given, takes) = mpsc::channel::<Timestamp>();
    let (woken, hears) = mpsc::channel::<Duration>();
    let sleeper = {
        let clock = clock.clone();
        std::thread::spawn(move || takes.iter().try_for_each(|time| woken.send(clock.now().since(time))))
    };
    hops(criterion, "bare hop between threads, a channel of the standard library", || {
        given.send(clock.now()).expect("the sleeper runs");
        hears.recv().expect("the sleeper runs")
    });
    drop(given);
    let _ = sleeper.join();
}

/// Tells criterion the mean, and people the usual hop and the worst.
fn hops(criterion: &mut Criterion, name: &str, mut hop: impl FnMut() -> Duration) {
    let mut all = Vec::new();
    criterion.bench_function(name, |bench| {
        bench.iter_custom(|rounds| {
            let from = all.len();
            all.extend((0..rounds).map(|_| hop()));
            all[from..].iter().sum()
        });
    });
    all.sort_unstable();
    if !all.is_empty() {
        let at = |share: usize| all[all.len() * share / 100];
        println!("{name}: p50 {:?}, p95 {:?}, p99 {:?} of {}", at(50), at(95), at(99), all.len());
    }
}

const ITEMS: u64 = 10_000;

/// Runs `ITEMS` items through what `build` adds behind the source, in virtual time.
fn stepped(timed: bool, build: impl Fn(&mut Pipeline, Output<AudioFrame>)) -> millstream::pipeline::Stepped {
    let mut pipeline = Pipeline::in_virtual_time("bench", Utc::default());
    if !timed {
        pipeline = pipeline.untimed();
    }
    let source = pipeline.source("source", counted(ITEMS));
    build(&mut pipeline, source);
    pipeline.step().expect("a good pipeline")
}

fn in_virtual_time(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10,000 items in virtual time");
    group.throughput(Throughput::Elements(ITEMS));
    let chain = |stages: usize| {
        move |pipeline: &mut Pipeline, source: Output<AudioFrame>| {
            let last =
                (0..stages).fold(source, |input, index| pipeline.inline(&format!("stage {index}"), &input, pass));
            pipeline.inline_sink("sink", &last, nowhere);
        }
    };
    for (name, timed, stages) in [
        ("no stage, untimed", false, 0),
        ("10 inline stages, untimed", false, 10),
        ("no stage", true, 0),
        ("10 inline stages", true, 10),
    ] {
        group.bench_function(name, |bench| {
            bench.iter_batched(
                || stepped(timed, chain(stages)),
                |mut stepped| stepped.run_to_end().expect("it ends"),
                BatchSize::LargeInput,
            );
        });
    }
    group.bench_function("one link", |bench| {
        bench.iter_batched(
            || stepped(true, |pipeline, source| pipeline.sink("sink", source.through(ROOM), nowhere)),
            |mut stepped| stepped.run_to_end().expect("it ends"),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("a fan-out to 10 inline sinks", |bench| {
        let build = |pipeline: &mut Pipeline, source: Output<AudioFrame>| {
            (0..10).for_each(|index| pipeline.inline_sink(&format!("sink {index}"), &source, nowhere));
        };
        bench.iter_batched(
            || stepped(true, build),
            |mut stepped| stepped.run_to_end().expect("it ends"),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, link_hop, in_virtual_time);
criterion_main!(benches);
