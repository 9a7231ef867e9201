//! The stage `vp8-vpx-encode`.

use std::time::Duration;

use millstream_core::{
    Codec, Control, Cx, Descriptor, EncodedFrame, Error, Format, FrameRateLimit, Out, Registry, Result, Role, Stage,
    Timestamp, VP8, VideoFrame, Worker as Built,
};
use millstream_pixels::Converter;

use crate::options::Options;
use crate::worker::{TICKS_PER_SECOND, Worker};

/// Adds `vp8-vpx-encode` to what `registry` knows.
pub fn register(registry: &mut Registry) {
    registry.add(descriptor());
}

/// The stage type `vp8-vpx-encode`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage(
        "vp8-vpx-encode",
        "Encodes pictures as VP8 with the crate vpx-encode, for comparison: vp8-encoder does more and costs less",
        Format::Video,
        Format::Encoded(VP8),
    )
    .build(|options: Options, _| Ok(Built::stage(Encoder::new(options))))
}

/// Encodes pictures as VP8 by the crate `vpx-encode`.
///
/// [`Control::KeyFrame`] is answered with the next frame, by a new encoder, and [`Control::MaxFrameRate`] by
/// leaving pictures out; [`Control::Bitrate`] is not answered and goes on upstream. Pictures of an odd width or height are bad items.
pub struct Encoder {
    options: Options,
    converter: Converter,
    worker: Option<Worker>,
    size: (u32, u32),
    /// The tick of the last picture, which the next one's is above.
    tick: i64,
    key_asked: bool,
    frame_rate: FrameRateLimit,
}

impl Encoder {
    /// An encoder; libvpx is asked for one when the first picture says its size.
    pub fn new(options: Options) -> Encoder {
        let (converter, frame_rate) = (Converter::new(), FrameRateLimit::default());
        Encoder { options, converter, worker: None, size: (0, 0), tick: 0, key_asked: false, frame_rate }
    }

    /// An encoder for pictures of `size` that is at its first frame if a key frame is due.
    fn ready(&mut self, size: (u32, u32)) -> Result<&mut Worker> {
        if self.size != size || std::mem::take(&mut self.key_asked) {
            self.worker = None;
        }
        self.size = size;
        if self.worker.is_none() {
            self.worker = Some(Worker::new(size, self.options.kbps())?);
        }
        Ok(self.worker.as_mut().expect("it was just made"))
    }

    /// The tick of a picture captured at `time`: of 60 in a second every other counts as later than it is.
    fn tick(&mut self, time: Timestamp) -> i64 {
        self.tick = (time.ticks(TICKS_PER_SECOND) as i64).max(self.tick + 1);
        self.tick
    }
}

impl Stage<VideoFrame, EncodedFrame> for Encoder {
    fn process(&mut self, frame: VideoFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
        if !self.frame_rate.admits(frame.time) {
            return Ok(());
        }
        let size = (frame.width(), frame.height());
        if !size.0.is_multiple_of(2) || !size.1.is_multiple_of(2) {
            return Err(Error::bad_item(format!(
                "vpx-encode takes even sizes and this is {} x {}: put a `scale` before it, or use `vp8-encoder`",
                size.0, size.1
            )));
        }
        let picture = self.converter.to_i420(&frame)?;
        let tick = self.tick(frame.time);
        for packet in self.ready(size)?.encode(picture, tick)? {
            let encoded = EncodedFrame::new(VP8, frame.time, packet.data)
                .with_duration(Duration::from_secs(1) / TICKS_PER_SECOND)
                .with_role(if packet.key { Role::Start } else { Role::Reference })
                .with_size(size)
                .with_estimated_time(frame.time_is_estimated);
            out.push(encoded);
        }
        Ok(())
    }

    fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
        match wish {
            Control::KeyFrame(_) => self.key_asked = true,
            Control::MaxFrameRate(limit) => self.frame_rate.set(limit),
            other => return Some(other),
        }
        None
    }

    fn gives(&self) -> Option<Codec> {
        Some(VP8)
    }
}
