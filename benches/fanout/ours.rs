//! Millstream as a sender: frames that are encoded already, through the packetizer and the page that
//! people use.

use std::time::Duration;

use millstream::core::{Bytes, Control, Cx, EncodedFrame, Layer, Next, Role, Source, Timestamp, VP8};
use millstream::signaling::page::{Bind, MaxViewers, Options, Page};
use millstream::{Pipeline, rtp, webrtc_rs};

use super::{FRAMES_PER_SECOND, PACKETS, PAYLOAD};
use crate::rivals::gate::{Gate, Gated};
use crate::rivals::{Result, at};

/// Bytes of the payload descriptor before each packet's share of a frame.
const DESCRIPTOR: usize = 4;

pub(crate) fn send() -> Result<()> {
    let gate = Gate::default();
    let (mut pipeline, page) = page()?;
    let video = pipeline.source("video", Gated::new(Frames::new(), gate.clone()));
    let packets = pipeline.inline("packets", &video, rtp::vp8::Packetizer::new(Default::default()));
    pipeline.inline_sink("page", &packets, page.video().expect("VP8 was asked for"));
    run(pipeline, &page, &gate)
}

/// A pipeline with a page on a free port.
pub(crate) fn page() -> Result<(Pipeline, Page)> {
    let pipeline = Pipeline::new("fanout");
    let options = Options {
        bind: Bind::new(([127, 0, 0, 1], 0).into()),
        max_viewers: MaxViewers::try_from(1000).map_err(at("max-viewers"))?,
        ..Options::default()
    };
    let page = Page::open("page", options, &webrtc_rs::engine(), pipeline.clock(), &[VP8]);
    Ok((pipeline, page.map_err(at("the page"))?))
}

/// Runs until standard input ends.
pub(crate) fn run(pipeline: Pipeline, page: &Page, gate: &Gate) -> Result<()> {
    println!("{{\"url\":\"{}whep\"}}", page.address());
    let running = pipeline.spawn().map_err(at("the pipeline"))?;
    gate.obey()?;
    running.stop();
    running.wait().map_err(at("the pipeline"))
}

/// Frames that are cut into [`PACKETS`] packets of [`PAYLOAD`] bytes.
struct Frames {
    data: Bytes,
    next: Option<Timestamp>,
    key: bool,
}

impl Frames {
    fn new() -> Frames {
        Frames { data: vec![0x55; PACKETS as usize * (PAYLOAD - DESCRIPTOR)].into(), next: None, key: true }
    }
}

impl Source<EncodedFrame> for Frames {
    fn next(&mut self, cx: &mut Cx) -> millstream::core::Result<Next<EncodedFrame>> {
        let period = Duration::from_secs(1) / FRAMES_PER_SECOND;
        let time = *self.next.get_or_insert(cx.now());
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        self.next = Some(time + period);
        let role = if std::mem::take(&mut self.key) { Role::Start } else { Role::Reference };
        let (layer, data) = (Layer::default(), self.data.clone());
        Ok(Next::Item(EncodedFrame::new(VP8, time, data).with_duration(period).with_role(role).with_layer(layer)))
    }

    fn control(&mut self, wish: Control, _: &mut Cx) {
        match wish {
            Control::KeyFrame(_) => self.key = true,
            // What was not sent meanwhile is not made up for.
            Control::Pause(_) => self.next = None,
            _ => {}
        }
    }
}
