//! The source `microphone`: a device's sound in blocks at 48 kHz.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millstream_core::device::{Choice, Device, Kind};
use millstream_core::known::{Known, SoundGiven};
use millstream_core::units::{Decibels, Span};
use millstream_core::{
    AudioFrame, Clock, Control, Cx, Descriptor, Error, Format, Next, Result, Source, Timestamp, Worker,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capture::{self, Capture};
use crate::keep::{self, Kept, News, Stream};
use crate::list;
use crate::stream;
use crate::volume::{Ramp, Volume};
use crate::{RATE, blocks};

/// How often is looked whether a block is there. The callback wakes nobody: that may wait for a lock.
pub(crate) const POLL: Duration = Duration::from_millis(4);
/// Milliseconds of sound that a callback brings, where the device can.
const PERIOD_MS: u32 = 10;

/// Options of `microphone`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The microphone: its id, or part of its id or name that no other device has. After a loss, Millstream waits for
    /// this device only. If not given, the default device. If that is lost and there is another one, Millstream
    /// switches to it and stays with it until it is lost too. To record what a speaker plays, give its whole id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Channels, 1 or 2. One is the mean of all channels of the device; two are its first two.
    #[schemars(range(min = 1, max = 2))]
    pub channels: u16,
    /// The length of a block, 10 ms or 20 ms.
    pub block: Span,
    /// The gain; below zero it is quieter.
    pub gain: Decibels,
    /// Whether to output silence. The device stays open.
    pub mute: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { device: None, channels: 1, block: Span::from_millis(10), gain: Decibels::default(), mute: false }
    }
}

/// Gives what a device records, in blocks of exactly one length at 48 kHz.
///
/// Stamps count samples from one moment and are steered to the pipeline's clock by resampling, so that they neither
/// step nor drift. A device that is lost (unplugged, its server killed or its stream moved to another device without
/// a word) is said to be [lost](Error::lost) once and opened again, by itself; the block after that is a
/// discontinuity. While a consumer wishes a [pause](Control::Pause), sound is thrown away.
pub struct Microphone {
    kept: Kept<Capture>,
    capture: Option<Capture>,
    /// When the last block ended, in nanoseconds: sessions to come start behind it.
    end: Arc<AtomicU64>,
    lost: u64,
    ramp: Ramp,
    paused: bool,
}

impl Microphone {
    /// Opens the device: the source, whose sound is stamped on `clock`, the pipeline's, and the handle to its gain and
    /// mute. `name` is the stage's, for the log.
    ///
    /// # Errors
    /// A wrong configuration, or what is in the way of opening the device and what to do about it.
    pub fn open(name: &str, options: Options, clock: &Clock) -> Result<(Microphone, Volume)> {
        let Options { device, channels, block, gain, mute } = options;
        if !(1..=2).contains(&channels) {
            return Err(Error::config(format!("`channels` is {channels}; a microphone gives 1 or 2")));
        }
        let block = blocks(block)?;
        let end = Arc::new(AtomicU64::new(0));
        let (ends, stamped) = (Arc::clone(&end), clock.clone());
        let kept = keep::keep(name, clock.clone(), Kind::Microphone, device, move |found| {
            let config = stream::native(found)?;
            let mut session = None;
            let intake = || {
                let end = Timestamp::from_nanos(ends.load(Ordering::Acquire));
                let (intake, capture) = capture::session(config.sample_rate(), channels, block, end)?;
                session = Some(capture);
                Ok(intake)
            };
            let frames = stream::period(&config, PERIOD_MS);
            let made = stream::record(found, &config, frames, &stamped, intake, channels)?;
            let session = session.ok_or_else(|| Error::fatal("a stream without a session"))?;
            Ok(Stream {
                stream: made.stream,
                health: made.health,
                period: made.period,
                what: crate::what(found),
                session,
            })
        })?;
        let volume = Volume::new(gain, mute);
        let ramp = Ramp::new(volume.clone());
        Ok((Microphone { kept, capture: None, end, lost: 0, ramp, paused: false }, volume))
    }

    /// Hears of the device; says why if it was lost.
    fn hear(&mut self) -> Result<()> {
        while let Some(news) = self.kept.news()? {
            match news {
                News::Opened(mut capture) => {
                    capture.begin();
                    self.lost = capture.lost();
                    self.capture = Some(capture);
                }
                News::Lost(why) => {
                    self.capture = None;
                    return Err(Error::lost(why));
                }
            }
        }
        Ok(())
    }
}

impl Source<AudioFrame> for Microphone {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        self.hear()?;
        let ramp = &mut self.ramp;
        let block = match &mut self.capture {
            Some(capture) if !self.paused => capture.next(|samples, channels| ramp.apply(samples, channels)),
            _ => None,
        };
        if let Some(capture) = &self.capture {
            if capture.lost() > self.lost && !self.paused {
                tracing::warn!("{} samples of the microphone were not taken in time", capture.lost() - self.lost);
                self.lost = capture.lost();
            }
            self.end.store(capture.end().as_nanos(), Ordering::Release);
        }
        Ok(block.map_or_else(|| Next::Until(cx.now() + POLL), Next::Item))
    }

    fn control(&mut self, wish: Control, _: &mut Cx) {
        if let Control::Pause(paused) = wish {
            if let Some(capture) = self.capture.as_mut().filter(|_| self.paused && !paused) {
                capture.begin();
                self.lost = capture.lost();
            }
            self.paused = paused;
        }
    }
}

/// Describes `microphone`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("microphone", "Captures sound from a microphone", Format::Audio).blocking().knowing(
        |options: &Options| Known::default().gives(SoundGiven::always(RATE, options.channels)),
        |options: Options, joined| {
            let clock = joined.clock().clone();
            let (microphone, _) = Microphone::open(joined.name(), options, &clock)?;
            Ok(Worker::source(microphone))
        },
    )
}

/// Microphones, and what records what speakers play.
pub(crate) fn list() -> Result<Vec<Device>> {
    list::list(Kind::Microphone)
}

/// Which one these options mean.
pub(crate) fn choose(options: &Options) -> Result<Choice> {
    list::choose(Kind::Microphone, options.device.as_deref())
}
