//! Pictures drawn by a thread of one's own, pushed into a pipeline that encodes and packetizes them.
//!
//! Run with `cargo run --example feed_frames`; it ends by itself after two seconds.

use std::num::NonZeroUsize;
use std::time::Duration;

use millstream::core::{Clock, Error, PixelFormat, Pool, Result, Timestamp, VideoFrame};
use millstream::pipeline::handles::{self, Push};
use millstream::{Pipeline, rtp, stages::null::Null, vpx};

const SIZE: (u32, u32) = (320, 240);
const PERIOD: Duration = Duration::from_millis(40);

/// A ball that bounces, as a game would draw it: at its own pace, knowing nothing of pipelines.
fn play(push: &Push<VideoFrame>, clock: &Clock) {
    let mut pool = Pool::new(4);
    for tick in 0..50 {
        // Up and down once in 24 ticks: 0 to 12 and back.
        let height = (tick % 24_u32).abs_diff(12);
        let (x, y) = (20 + tick * 5, 20 + 15 * (12 - height));
        // A game drops a picture rather than wait; one that may wait calls `send`.
        let _ = push.try_send(ball(&mut pool, (x, y), clock.now()));
        std::thread::park_timeout(PERIOD);
    }
}

fn ball(pool: &mut Pool<u8>, (x, y): (u32, u32), time: Timestamp) -> VideoFrame {
    VideoFrame::fill(pool, PixelFormat::I420, SIZE, time, |planes| {
        for (row, line) in (0..).zip(planes[0].data.chunks_mut(SIZE.0 as usize)) {
            for (column, luma) in (0..).zip(line) {
                let inside = x.abs_diff(column).pow(2) + y.abs_diff(row).pow(2) < 16 * 16;
                *luma = if inside { 235 } else { 16 };
            }
        }
        planes[1].data.fill(128);
        planes[2].data.fill(128);
    })
}

fn main() -> Result<()> {
    let (source, push) = handles::push(NonZeroUsize::MIN);
    let mut pipeline = Pipeline::new("game");
    let pictures = pipeline.source("game", source);
    let vp8 = pipeline.stage("vp8", &pictures, vpx::Encoder::new(vpx::Options::default())?);
    let packets = pipeline.inline("vp8-rtp", &vp8, rtp::vp8::Packetizer::new(Default::default()));
    pipeline.inline_sink("nowhere", &packets, Null);

    let running = pipeline.spawn()?;
    let clock = running.clock().clone();
    // The thread drops its handle when it is done, and that ends the pipeline.
    let game = std::thread::spawn(move || play(&push, &clock));
    game.join().map_err(|_| Error::fatal("the game panicked"))?;
    // What is inside drains meanwhile.
    while !running.wait_for(PERIOD) {}
    for stage in running.statistics().stages {
        println!("{:8} {:4} in {:4} out {:7} bytes out", stage.name, stage.items_in, stage.items_out, stage.bytes_out);
    }
    running.wait()
}
