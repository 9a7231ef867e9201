//! The stage `opus-encoder`.

use bytes::BytesMut;
use millstream_core::audio::Framer;
use millstream_core::units::Bitrate;
use millstream_core::{
    AudioFrame, ByteRing, Codec, Control, Cx, EncodedFrame, Error, OPUS, Out, Result, Stage, Timestamp,
};

use crate::options::{Options, Rate};

/// Encodes sound as Opus.
///
/// It answers [`Control::Bitrate`] (never above its own option), [`Control::Loss`] (never below its own option), and
/// [`Control::KeyFrame`], because a decoder can start at every packet.
#[derive(Debug)]
pub struct Encoder {
    options: Options,
    /// What a consumer asked for at most.
    asked: Option<Bitrate>,
    /// The share of packets expected to be lost.
    loss: f64,
    running: Option<Running>,
    ring: ByteRing,
}

/// What depends on the rate and channels of the sound, and is made when they are known.
#[derive(Debug)]
struct Running {
    codec: opus::Encoder,
    framer: Framer,
    channels: u16,
}

/// The rates that libopus takes (`opus_encoder_create`), the one with everything first.
pub(crate) const RATES: &[u32] = &[48_000, 24_000, 16_000, 12_000, 8_000];

/// The longest packet: three frames of 1275 bytes in 60 ms, with their lengths (RFC 6716, section 3.4).
const MAX_PACKET: usize = 3 * 1275 + 7;

/// Bytes in a chunk of the ring: some seconds at 64 kbit/s.
const CHUNK: usize = 16 * 1024;

/// Chunks in the ring; a packetizer lets go of a packet as soon as it has copied it.
const CHUNKS: usize = 8;

/// Packets of at most this many bytes say "silence as before" and are not sent (RFC 7587, section
/// 3.1.3; libopus, `OPUS_SET_DTX`).
const DTX_PACKET: usize = 2;

impl Encoder {
    /// An encoder; libopus is asked for one of its own when the first block says its rate and channels.
    pub fn new(options: Options) -> Encoder {
        let loss = options.expected_loss.share();
        Encoder { options, asked: None, loss, running: None, ring: ByteRing::new(CHUNK, CHUNKS) }
    }

    /// What encodes `block`, made anew if its rate or channels are not those before.
    fn start(&mut self, block: &AudioFrame) -> Result<()> {
        if self.running.as_ref().is_some_and(|running| running.framer.fits(block)) {
            return Ok(());
        }
        if !RATES.contains(&block.rate) {
            return Err(Error::fatal(format!(
                "Opus takes sound at 8, 12, 16, 24 or 48 kHz and this is {} Hz; put `resample` before it",
                block.rate
            )));
        }
        let channels = match block.channels {
            1 => opus::Channels::Mono,
            2 => opus::Channels::Stereo,
            count => {
                return Err(Error::fatal(format!(
                    "this encoder takes one or two channels and this is {count}; put `remix` before it"
                )));
            }
        };
        let framer = Framer::new(block.rate, block.channels, self.options.frame.samples(block.rate));
        let codec = opus::Encoder::new(block.rate, channels, self.options.application.into());
        let mut codec = codec.map_err(refused)?;
        codec.set_complexity(self.options.complexity.get().into()).map_err(refused)?;
        codec.set_inband_fec(self.options.fec).map_err(refused)?;
        codec.set_dtx(self.options.dtx).map_err(refused)?;
        self.running = Some(Running { codec, framer, channels: block.channels });
        self.set_bitrate()?;
        self.set_loss()
    }

    fn set_bitrate(&mut self) -> Result<()> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let default = Rate::nearest(Bitrate::from_kbps(32 * u64::from(running.channels)));
        let own = self.options.bitrate.unwrap_or(default);
        let rate = self.asked.map_or(own, |asked| own.min(Rate::nearest(asked)));
        // At most 510 000.
        running.codec.set_bitrate(opus::Bitrate::Bits(rate.bps() as i32)).map_err(refused)
    }

    fn set_loss(&mut self) -> Result<()> {
        let Some(running) = &mut self.running else { return Ok(()) };
        running.codec.set_packet_loss_perc((self.loss * 100.0).round() as i32).map_err(refused)
    }
}

/// libopus refused a setting or a frame that this crate has checked: something is wrong with one of the two.
fn refused(error: opus::Error) -> Error {
    Error::fatal(format!("{} refused", opus::version())).caused_by(error)
}

impl Stage<AudioFrame, EncodedFrame> for Encoder {
    fn process(&mut self, block: AudioFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
        if !block.samples.len().is_multiple_of(usize::from(block.channels.max(1))) {
            let (samples, channels) = (block.samples.len(), block.channels);
            return Err(Error::bad_item(format!("{samples} samples do not divide into {channels} channels")));
        }
        self.start(&block)?;
        let Encoder { options, running, ring, .. } = self;
        let Running { codec, framer, .. } = running.as_mut().expect("start has just made one");
        framer.push(&block, |time, samples| {
            let frame = encode(codec, options, ring, time, samples)?;
            out.items().extend(frame.map(|frame| frame.with_estimated_time(block.time_is_estimated)));
            Ok(())
        })
    }

    fn finish(&mut self, out: &mut Out<EncodedFrame>) -> Result<()> {
        let Encoder { options, running, ring, .. } = self;
        let Some(Running { codec, framer, .. }) = running else { return Ok(()) };
        let estimated = framer.time_is_estimated();
        framer.finish(|time, samples| {
            let frame = encode(codec, options, ring, time, samples)?;
            out.items().extend(frame.map(|frame| frame.with_estimated_time(estimated)));
            Ok(())
        })
    }

    fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
        let set = match wish {
            Control::Bitrate(rate) => {
                self.asked = rate;
                self.set_bitrate()
            }
            Control::Loss(share) => {
                let own = self.options.expected_loss.share();
                self.loss = share.map_or(own, |share| own.max(f64::from(share.clamp(0.0, 1.0))));
                self.set_loss()
            }
            Control::KeyFrame(_) => Ok(()),
            other => return Some(other),
        };
        // A wish cannot fail a stage. libopus takes every rate and loss that gets here, so nothing is lost.
        set.ok();
        None
    }

    fn gives(&self) -> Option<Codec> {
        Some(OPUS)
    }
}

/// Encodes one frame of `samples` that starts at `time`; none if it is silence that needs no packet.
fn encode(
    codec: &mut opus::Encoder,
    options: &Options,
    ring: &mut ByteRing,
    time: Timestamp,
    samples: &[f32],
) -> Result<Option<EncodedFrame>> {
    let mut encoded = Ok(0);
    let data = ring.fill(MAX_PACKET, |packet: &mut BytesMut| {
        packet.resize(MAX_PACKET, 0);
        encoded = codec.encode_float(samples, packet);
        packet.truncate(*encoded.as_ref().unwrap_or(&0));
    });
    let length = encoded.map_err(refused)?;
    if options.dtx && length <= DTX_PACKET {
        return Ok(None);
    }
    Ok(Some(EncodedFrame::new(OPUS, time, data).with_duration(options.frame.duration())))
}
