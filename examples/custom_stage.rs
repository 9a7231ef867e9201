//! A source and a stage of one's own, encoded and packetized like any other.
//!
//! Run with `cargo run --example custom_stage`, or for 20 s of media with `-- 20`.

use millstream::core::{Cx, Next, Out, PixelFormat, Pool, Result, Source, Stage, Utc, VideoFrame};
use millstream::{Pipeline, rtp, stages::null::Null, vpx};

/// Gives pictures that brighten from black to white and start again, 25 in a second.
struct Fade {
    pool: Pool<u8>,
    count: u64,
}

impl Source<VideoFrame> for Fade {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<VideoFrame>> {
        let time = cx.start() + std::time::Duration::from_millis(40 * self.count);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        self.count += 1;
        let luma = 16 + (self.count % 220) as u8;
        Ok(Next::Item(VideoFrame::fill(&mut self.pool, PixelFormat::I420, (320, 180), time, |planes| {
            planes[0].data.fill(luma);
            planes[1].data.fill(128);
            planes[2].data.fill(128);
        })))
    }
}

/// Passes one picture in two on.
struct Halve(bool);

impl Stage<VideoFrame, VideoFrame> for Halve {
    fn process(&mut self, frame: VideoFrame, out: &mut Out<VideoFrame>) -> Result<()> {
        self.0 = !self.0;
        if self.0 {
            out.push(frame);
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut pipeline = Pipeline::in_virtual_time("custom", Utc::default());
    let fade = pipeline.source("fade", Fade { pool: Pool::new(4), count: 0 });
    let half = pipeline.inline("half", &fade, Halve(false));
    let vp8 = pipeline.stage("vp8", &half, vpx::Encoder::new(vpx::Options::default())?);
    let packets = pipeline.inline("vp8-rtp", &vp8, rtp::vp8::Packetizer::new(Default::default()));
    pipeline.inline_sink("nowhere", &packets, Null);

    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(10);
    let mut stepped = pipeline.step()?;
    stepped.run_for(std::time::Duration::from_secs(seconds))?;
    for stage in stepped.statistics().stages {
        println!("{:8} {:4} in {:4} out {:7} bytes out", stage.name, stage.items_in, stage.items_out, stage.bytes_out);
    }
    Ok(())
}
