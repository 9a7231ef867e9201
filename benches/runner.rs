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
    AudioFrame { time, samples: samples.clone(), rate: 48_000, channels: 1, discontinuity: false }
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

/// From the moment a source gives an item to the moment a sink on another thread takes it, both asleep before.
fn link_hop(criterion: &mut Criterion) {
    criterion.bench_function("link hop between threads", |bench| {
        let (ask, asked) = mpsc::channel::<std::task::Waker>();
        let (heard, hears) = mpsc::channel::<Duration>();
        let samples = Buffer::from(vec![0.0; 480]);
        let mut pipeline = Pipeline::new("hop");
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
        let mut hops = Vec::new();
        bench.iter_custom(|rounds| {
            let from = hops.len();
            for _ in 0..rounds {
                asked.recv().expect("the source runs").wake();
                hops.push(hears.recv().expect("the sink runs"));
            }
            hops[from..].iter().sum()
        });
        // What a stream feels is the usual hop and the worst; the mean is what criterion tells.
        hops.sort_unstable();
        let at = |share: usize| hops[hops.len() * share / 100];
        println!("link hop between threads: p50 {:?}, p95 {:?}, p99 {:?} of {}", at(50), at(95), at(99), hops.len());
        running.stop();
        // Waits for nothing: the channels are dropped with the pipeline.
        let _ = running.wait();
    });
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
