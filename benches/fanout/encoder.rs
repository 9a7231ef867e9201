//! The encoder encodes once: what it costs with one viewer and with a hundred.

use std::thread::sleep;
use std::time::Duration;

use millstream::stages::test_video::{self, TestVideo};
use millstream::{rtp, vpx};

use super::{DRAIN, FRAMES_PER_SECOND, Running, myself, ours};
use crate::record::Record;
use crate::rivals::gate::{Gate, Gated};
use crate::rivals::process::Process;
use crate::rivals::{Result, at, rotated};

/// The thread that encodes is called like its stage.
const THREAD: &str = "vp8";

/// A test picture, encoded, on a page.
pub(crate) fn send() -> Result<()> {
    let gate = Gate::default();
    let (mut pipeline, page) = ours::page()?;
    let source = TestVideo::new(test_video::Options::default()).map_err(at("the picture"))?;
    let video = pipeline.source("video", Gated::new(source, gate.clone()));
    let vp8 = pipeline.stage(THREAD, &video, vpx::Encoder::new(Default::default()).map_err(at("the encoder"))?);
    let packets = pipeline.inline("packets", &vp8, rtp::vp8::Packetizer::new(Default::default()));
    pipeline.inline_sink("page", &packets, page.video().expect("VP8 was asked for"));
    ours::run(pipeline, &page, &gate)
}

/// Two such senders take turns, one with a viewer and one with a hundred.
pub(crate) fn measure(record: &mut Record, receiver: &mut Process, pairs: u32, window: Duration) -> Result<()> {
    let mut senders = Vec::new();
    for (name, viewers) in [("1_viewer", 1), ("100_viewers", 100)] {
        let sender = Running::start(name, &mut myself("encoding")?)?;
        receiver.ask(&format!("join {} {viewers}", sender.url), "viewers")?;
        senders.push(sender);
    }
    for round in 0..=pairs {
        for sender in rotated(&mut senders, round) {
            let frames = sender.process.ask("count", "frames")?;
            let before = sender.process.used()?;
            sender.process.tell("go")?;
            sleep(window);
            sender.process.tell("stop")?;
            sleep(DRAIN);
            let used = sender.process.used()?.since(&before, THREAD);
            let frames = (sender.process.ask("count", "frames")? - frames).max(1);
            let millis = used * 1e3 / frames as f64;
            let percent = millis / 1e3 * f64::from(FRAMES_PER_SECOND) * 100.0;
            eprintln!("encoder {round}/{pairs} {}: {millis:.2} ms a frame, {percent:.1} % of a core", sender.name);
            if round > 0 {
                let row = record.row(round, "encoder_720p30", sender.name, "encoder_ms_per_frame", millis);
                row.map_err(at("the file"))?;
            }
        }
    }
    Ok(())
}
