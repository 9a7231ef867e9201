//! An async main that reacts to what happens: a recording fails, and the program attaches another.
//!
//! Run with `cargo run --example react_to_events`; it ends by itself after the third recording.

use millstream::core::{Control, Cx, EncodedFrame, Error, Layers, Result};
use millstream::pipeline::Part;
use millstream::stages::{null::Null, test_video};
use millstream::{Event, Output, Pipeline, Running, vpx};

/// Records from `vp8` until a made-up disk is full, after ten frames. A viewer of a call would come and go so.
fn record(running: &Running, number: u32, vp8: &Output<EncodedFrame>) -> Result<Part> {
    let mut room = 10;
    let write = move |_: EncodedFrame, _: &mut Cx| {
        room -= 1;
        if room == 0 { Err(Error::fatal("the disk is full")) } else { Ok(()) }
    };
    let ((), part) = running.attach(|p| p.sink(&format!("recording-{number}"), vp8, write))?;
    // A recording begins with a key frame.
    running.ask("vp8", Control::KeyFrame(Layers::ALL))?;
    Ok(part)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut pipeline = Pipeline::new("watched");
    let picture = pipeline.source("picture", test_video::TestVideo::new(test_video::Options::default())?);
    let vp8 = pipeline.stage("vp8", &picture, vpx::Encoder::new(vpx::Options::default())?);
    pipeline.sink("live", &vp8, Null);
    let mut events = pipeline.events();
    let running = pipeline.spawn()?;

    let mut number = 1;
    let mut part = record(&running, number, &vp8)?;
    while let Some(event) = events.next().await {
        match event {
            Event::Failed { message, .. } => println!("failed: {message}"),
            Event::Lost { stage, message } => println!("{stage} is away: {message}"),
            Event::Recovered { stage } => println!("{stage} is back"),
            Event::PartEnded { part: ended } if ended == part.id() && number < 3 => {
                number += 1;
                part = record(&running, number, &vp8)?;
            }
            Event::PartEnded { .. } => running.stop(),
            other => println!("{other:?}"),
        }
    }
    let live = running.statistics().stage("live").map_or(0, |live| live.items_in);
    println!("{number} recordings, and {}", if live >= 30 { "the live picture went on" } else { "something is wrong" });
    // What the recordings failed with is the outcome of the run, and was expected here.
    match running.await {
        Err(error) if error.stage().is_some_and(|stage| stage.starts_with("recording-")) => Ok(()),
        ended => ended,
    }
}
