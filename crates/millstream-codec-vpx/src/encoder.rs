//! The stage `vp8-encoder`.

use millstream_core::units::Bitrate;
use millstream_core::{
    ByteRing, Codec, Control, Cx, EncodedFrame, Error, FrameRateLimit, Out, Result, Role, Stage, Timestamp, VP8,
    VideoFrame,
};
use millstream_pixels::Converter;

use crate::ffi::{Context, Library, Settings};
use crate::options::Options;
use crate::pace::Pace;

/// Encodes pictures as VP8.
///
/// The first frame is a key frame, and so is the first of another size. It answers
/// [`Control::KeyFrame`] with the next frame, [`Control::Bitrate`] without a key frame and never above its
/// own option, and [`Control::MaxFrameRate`] by leaving pictures out; other requests go on upstream. Rotation is
/// not applied: VP8 cannot express it.
pub struct Encoder {
    options: Options,
    library: &'static Library,
    /// What a consumer asked for at most.
    asked: Option<Bitrate>,
    key_asked: bool,
    frame_rate: FrameRateLimit,
    converter: Converter,
    running: Option<Running>,
    ring: ByteRing,
}

/// What depends on the size of the pictures.
struct Running {
    context: Context,
    size: (u32, u32),
    /// What libvpx aims at now.
    kbps: u32,
    pace: Pace,
    /// When the last key frame was captured.
    last_key: Option<Timestamp>,
}

/// Bytes in a chunk of the ring: some seconds at 1 Mbit/s. A larger frame gets its own chunk.
const CHUNK: usize = 256 * 1024;

/// Chunks in the ring; a packetizer lets go of a frame as soon as it has copied it.
const CHUNKS: usize = 4;

impl Encoder {
    /// An encoder. Loads libvpx if that has not been done, and fails if there is none; libvpx is
    /// asked for an encoder when the first picture says its size.
    pub fn new(options: Options) -> Result<Encoder> {
        if options.min_quantizer > options.max_quantizer {
            return Err(Error::config(format!(
                "`min-quantizer` ({}) is above `max-quantizer` ({}): 2 and 56 are usual",
                options.min_quantizer.get(),
                options.max_quantizer.get()
            )));
        }
        Ok(Encoder {
            options,
            library: Library::load()?,
            asked: None,
            key_asked: false,
            frame_rate: FrameRateLimit::default(),
            converter: Converter::new(),
            running: None,
            ring: ByteRing::new(CHUNK, CHUNKS),
        })
    }

    /// What to aim at when pictures are of `size`, in thousand bits per second.
    fn kbps(&self, size: (u32, u32)) -> u32 {
        let most = self.options.most_bitrate(size);
        let rate = self.asked.map_or(most, |asked| asked.min(most));
        // libvpx refuses 0, and multiplies by 1000 in 32 bits: a million is more than VP8 can use.
        (rate.bps() / 1000).clamp(1, 1_000_000) as u32
    }

    /// Whether a picture captured at `time` must be a key frame.
    fn key_due(&self, time: Timestamp) -> bool {
        let last_key = self.running.as_ref().and_then(|running| running.last_key);
        let Some(last_key) = last_key else { return true };
        let old = self.options.key_frame_interval.is_some_and(|interval| time.since(last_key) >= interval.duration());
        self.key_asked || old
    }

    /// libvpx ready for pictures of `size` at the bit rate that is due.
    fn ready(&mut self, size: (u32, u32)) -> Result<()> {
        let kbps = self.kbps(size);
        if let Some(running) = self.running.as_mut().filter(|running| running.size == size) {
            if running.kbps != kbps {
                running.context.set_bitrate(kbps)?;
                running.kbps = kbps;
            }
            return Ok(());
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let settings = Settings {
            size,
            threads: self.options.threads_for(size, cores),
            kbps,
            cpu_used: self.options.cpu_used.get().into(),
            min_quantizer: self.options.min_quantizer.get().unsigned_abs().into(),
            max_quantizer: self.options.max_quantizer.get().unsigned_abs().into(),
        };
        // A new one for every size: libvpx resizes in place only below its first size, and making
        // one costs less than the key frame that a new size needs anyway.
        let context = Context::new(self.library, settings)?;
        self.running = Some(Running { context, size, kbps, pace: Pace::new(), last_key: None });
        Ok(())
    }
}

impl Stage<VideoFrame, EncodedFrame> for Encoder {
    fn process(&mut self, frame: VideoFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
        if !self.frame_rate.admits(frame.time) {
            return Ok(());
        }
        let size = (frame.width(), frame.height());
        let picture = self.converter.to_i420(&frame)?;
        self.ready(size)?;
        let key = self.key_due(frame.time);
        let running = self.running.as_mut().expect("ready has just made one");
        let slot = running.pace.slot(frame.time);
        for packet in running.context.encode(&picture, slot, key)? {
            if packet.role == Role::Start {
                self.key_asked = false;
                running.last_key = Some(frame.time);
            }
            let encoded = EncodedFrame::new(VP8, frame.time, self.ring.copy(packet.data))
                .with_duration(slot.duration())
                .with_role(packet.role)
                .with_size(size)
                .with_estimated_time(frame.time_is_estimated);
            out.push(encoded);
        }
        Ok(())
    }

    fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
        match wish {
            Control::KeyFrame(_) => self.key_asked = true,
            Control::Bitrate(rate) => self.asked = rate,
            Control::MaxFrameRate(limit) => self.frame_rate.set(limit),
            other => return Some(other),
        }
        None
    }

    fn gives(&self) -> Option<Codec> {
        Some(VP8)
    }
}
