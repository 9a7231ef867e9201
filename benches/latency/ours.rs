//! Millstream as a sender of the clip, with the page that people use; and beside each frame, what its
//! encoder took.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millstream::core::units::Bitrate;
use millstream::core::{
    Control, Cx, EncodedFrame, Next, Out, PixelFormat, Pool, RtpPackets, Source, Stage, Timestamp, VP8, VideoFrame,
};
use millstream::signaling::page::{Bind, Options, Page};
use millstream::stages::timecode;
use millstream::{Pipeline, rtp, vpx, webrtc_rs};

use super::{KBPS, clip};
use crate::rivals::{Result, at};

/// This program as the sender of `clip`.
pub(crate) fn command(clip: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(at("this program"))?);
    command.arg("--sender").arg(clip);
    Ok(command)
}

/// Sends until standard input ends. With `notes` it says of each frame its RTP timestamp, when it was captured, in
/// nanoseconds of Unix time, and how many of them its encoder worked.
pub(crate) fn send(clip: &Path, notes: bool) -> Result<()> {
    let clip = std::fs::read(clip).map_err(at(clip.display()))?;
    let mut pipeline = Pipeline::new("latency");
    let options = Options { bind: Bind::new(([127, 0, 0, 1], 0).into()), ..Options::default() };
    let page = Page::open("page", options, &webrtc_rs::engine(), pipeline.clock(), &[VP8]).map_err(at("the page"))?;
    let (captured, captures) = mpsc::channel();
    let (worked, works) = mpsc::channel();
    let encoder = vpx::Options { bitrate: Some(Bitrate::from_kbps(KBPS.into())), ..Default::default() };
    let encoder = Timed { encoder: vpx::Encoder::new(encoder).map_err(at("the encoder"))?, worked };

    let video = pipeline.source("video", Camera { clip, pool: Pool::new(8), count: 0, next: None, captured });
    let vp8 = pipeline.stage("vp8", &video, encoder);
    let packets = pipeline.inline("packets", &vp8, rtp::vp8::Packetizer::new(Default::default()));
    pipeline.inline_sink("page", &packets, page.video().expect("VP8 was asked for"));
    if notes {
        // After the page, so that what it costs comes after what was sent.
        pipeline.inline_sink("notes", &packets, noting(captures, works));
    }
    println!("{{\"url\":\"{}whep\"}}", page.address());
    let running = pipeline.spawn().map_err(at("the pipeline"))?;
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    running.stop();
    running.wait().map_err(at("the pipeline"))
}

/// Says of each frame its RTP timestamp, its capture, and how long its encoder worked.
fn noting(
    captures: mpsc::Receiver<(Timestamp, u128)>,
    works: mpsc::Receiver<Duration>,
) -> impl FnMut(RtpPackets, &mut Cx) -> millstream::core::Result<()> {
    let mut known = VecDeque::new();
    let mut worked = works.into_iter();
    move |packets, _| {
        known.extend(captures.try_iter());
        // What was dropped before the encoder has no packets.
        while known.front().is_some_and(|(time, _)| *time < packets.time) {
            known.pop_front();
        }
        if let (Some((_, unix)), Some(first), Some(worked)) = (known.front(), packets.headers.first(), worked.next()) {
            println!("{{\"rtp\":{},\"captured\":{unix},\"encoder\":{}}}", first.timestamp, worked.as_nanos());
        }
        Ok(())
    }
}

/// Gives a picture of the clip every [`clip::PERIOD`], with its capture burned in.
struct Camera {
    clip: Vec<u8>,
    pool: Pool<u8>,
    count: u64,
    next: Option<Timestamp>,
    captured: mpsc::Sender<(Timestamp, u128)>,
}

impl Source<VideoFrame> for Camera {
    fn next(&mut self, cx: &mut Cx) -> millstream::core::Result<Next<VideoFrame>> {
        let due = *self.next.get_or_insert(cx.now());
        if cx.now() < due {
            return Ok(Next::Until(due));
        }
        self.next = Some(due + clip::PERIOD);
        let (mut time, mut unix) = (due, Duration::ZERO);
        let size = (clip::WIDTH, clip::HEIGHT);
        let mut frame = VideoFrame::fill(&mut self.pool, PixelFormat::I420, size, due, |planes| {
            clip::copy(&self.clip, self.count, planes);
            // A picture is captured when its pixels are there, for all senders.
            time = cx.now();
            unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            timecode::write(planes, unix.as_millis() as u32);
        });
        frame.time = time;
        self.count += 1;
        let _ = self.captured.send((time, unix.as_nanos()));
        Ok(Next::Item(frame))
    }
}

/// An encoder that says how long it worked on each frame.
struct Timed {
    encoder: vpx::Encoder,
    worked: mpsc::Sender<Duration>,
}

impl Stage<VideoFrame, EncodedFrame> for Timed {
    fn process(&mut self, frame: VideoFrame, out: &mut Out<EncodedFrame>) -> millstream::core::Result<()> {
        let begun = Instant::now();
        let done = self.encoder.process(frame, out);
        let _ = self.worked.send(begun.elapsed());
        done
    }

    fn control(&mut self, wish: Control, cx: &mut Cx) -> Option<Control> {
        Stage::<VideoFrame, EncodedFrame>::control(&mut self.encoder, wish, cx)
    }
}
