//! The stages `pcmu-encoder` and `pcma-encoder`.

use std::time::Duration;

use millstream_core::audio::Framer;
use millstream_core::{AudioFrame, ByteRing, Codec, Control, Cx, EncodedFrame, Error, Out, Result, Stage, Timestamp};

use crate::RATE;
use crate::decimator::Decimator;
use crate::law::Law;

/// Encodes sound as G.711: 160 bytes each 20 ms.
///
/// Sound at a multiple of 8 kHz is taken, in one channel or two, which are mixed. Above 8 kHz it is
/// low-passed, which makes it 2.25 ms late against its stamps.
///
/// It answers [`Control::KeyFrame`], because a decoder can start at every byte; the bit rate is
/// 64 kbit/s and nothing else.
#[derive(Debug)]
pub struct Encoder {
    law: Law,
    running: Option<Running>,
    ring: ByteRing,
}

/// What depends on the rate and channels of the sound, and is made when they are known.
#[derive(Debug)]
struct Running {
    framer: Framer,
    decimator: Decimator,
}

/// How much sound a frame holds: the default of RFC 3551, section 4.2.
const FRAME: Duration = Duration::from_millis(20);

/// Frames in a second.
const FRAMES: u32 = 50;

/// Bytes in a frame.
const BYTES: usize = (RATE / FRAMES) as usize;

/// Bytes in a chunk of the ring: half a second.
const CHUNK: usize = 4_000;

/// Chunks in the ring; a packetizer lets go of a frame as soon as it has copied it.
const CHUNKS: usize = 8;

impl Encoder {
    /// An encoder of `law`.
    pub fn new(law: Law) -> Encoder {
        Encoder { law, running: None, ring: ByteRing::new(CHUNK, CHUNKS) }
    }

    /// Gets ready for `block`, anew if its rate or channels are not those before.
    fn start(&mut self, block: &AudioFrame) -> Result<()> {
        if self.running.as_ref().is_some_and(|running| running.framer.fits(block)) {
            return Ok(());
        }
        let AudioFrame { rate, channels, .. } = *block;
        if !(1..=2).contains(&channels) {
            return Err(Error::fatal(format!(
                "G.711 takes one or two channels and this is {channels}: put `remix` before it"
            )));
        }
        let decimator = Decimator::new(rate, channels).ok_or_else(|| {
            Error::fatal(format!(
                "G.711 takes sound at 8 kHz or a multiple of it, up to 96 kHz, and this is {rate} Hz: \
                 put `resample` before it"
            ))
        })?;
        let framer = Framer::new(rate, channels, (rate / FRAMES) as usize);
        self.running = Some(Running { framer, decimator });
        Ok(())
    }
}

impl Stage<AudioFrame, EncodedFrame> for Encoder {
    fn process(&mut self, block: AudioFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
        if !block.samples.len().is_multiple_of(usize::from(block.channels.max(1))) {
            let (samples, channels) = (block.samples.len(), block.channels);
            return Err(Error::bad_item(format!("{samples} samples do not divide into {channels} channels")));
        }
        self.start(&block)?;
        let Encoder { law, running, ring } = self;
        let Running { framer, decimator } = running.as_mut().expect("start has just made one");
        framer.push(&block, |time, samples| {
            let frame = encode(*law, decimator, ring, time, samples);
            out.push(frame.with_estimated_time(block.time_is_estimated));
            Ok(())
        })
    }

    fn finish(&mut self, out: &mut Out<EncodedFrame>) -> Result<()> {
        let Encoder { law, running, ring } = self;
        let Some(Running { framer, decimator }) = running else { return Ok(()) };
        let estimated = framer.time_is_estimated();
        framer.finish(|time, samples| {
            out.push(encode(*law, decimator, ring, time, samples).with_estimated_time(estimated));
            Ok(())
        })
    }

    fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
        match wish {
            Control::KeyFrame(_) => None,
            other => Some(other),
        }
    }

    fn gives(&self) -> Option<Codec> {
        Some(self.law.codec())
    }
}

/// One frame of `samples` that starts at `time`.
fn encode(law: Law, decimator: &mut Decimator, ring: &mut ByteRing, time: Timestamp, samples: &[f32]) -> EncodedFrame {
    let data = ring.fill(BYTES, |bytes| {
        decimator.push(samples, |sample| bytes.extend_from_slice(&[law.compress(sample)]));
    });
    EncodedFrame::new(law.codec(), time, data).with_duration(FRAME)
}
