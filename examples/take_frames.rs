//! Encoded frames, taken into an async task of one's own, which asks for a key frame when it wants one.
//!
//! Run with `cargo run --example take_frames`; it ends by itself after two seconds.

use std::num::NonZeroUsize;

use futures_util::StreamExt;
use millstream::core::{Control, EncodedFrame, Error, Layers, Result, Role};
use millstream::pipeline::handles::{self, Pull};
use millstream::stages::test_video::{self, TestVideo};
use millstream::{Pipeline, vpx};

/// Takes two seconds of frames. A recorder, a server or a speech model would do its work here.
async fn take(mut frames: Pull<EncodedFrame>) -> usize {
    let mut count = 0;
    while let Some(frame) = frames.next().await {
        count += 1;
        if frame.role == Role::Start || count % 10 == 0 {
            println!("frame {count:2} at {}: {:?}, {} bytes", frame.time, frame.role, frame.data.len());
        }
        match count {
            30 => {
                println!("frame {count:2}: somebody joined, a key frame please");
                frames.ask(Control::KeyFrame(Layers::ALL));
            }
            60 => break,
            _ => {}
        }
    }
    count
}

#[tokio::main]
async fn main() -> Result<()> {
    let eight = NonZeroUsize::new(8).expect("eight is not zero");
    let (sink, frames) = handles::pull_latest(eight);
    let mut pipeline = Pipeline::new("taken");
    let picture = pipeline.source("picture", TestVideo::new(test_video::Options::default())?);
    let vp8 = pipeline.stage("vp8", &picture, vpx::Encoder::new(vpx::Options::default())?);
    pipeline.inline_sink("program", &vp8, sink);
    let running = pipeline.spawn()?;

    let count = tokio::spawn(take(frames)).await.map_err(|error| Error::fatal("the task failed").caused_by(error))?;
    running.stop();
    let encoded = running.statistics().stage("vp8").map_or(0, |vp8| vp8.items_out);
    println!("{count} frames taken of {encoded} encoded");
    // Waiting blocks its thread, which a runtime has others for.
    tokio::task::spawn_blocking(|| running.wait()).await.map_err(|error| Error::fatal("no thread").caused_by(error))?
}
