//! The stage type `speaker`: plays sound on a device, and gives what it plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millstream_core::descriptor::Gives;
use millstream_core::device::{Choice, Device, Kind};
use millstream_core::known::{Known, SoundGiven};
use millstream_core::units::{Decibels, Span};
use millstream_core::{AudioFrame, Bundle, Clock, Cx, Descriptor, Error, Format, Result, Sink, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RATE;
use crate::capture;
use crate::keep::{self, Kept, News, Stream};
use crate::list;
use crate::played::{PLAYED_BLOCK, Played, Sessions};
use crate::render::{self, Counts, Render};
use crate::stream::{self, PLAYED_CHANNELS};
use crate::volume::Volume;

/// Options of `speaker`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Which one: its id, or a part of its id or name that no other has; it alone is waited for when it was lost. The
    /// default if not given: if that is lost and another is there, the other takes over and stays until it is lost
    /// itself, because a device that works is not left for one that may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How much sound waits before it is heard, 20 ms to 2 s: half in the device and half here. Less is heard
    /// sooner, more survives a busier machine.
    pub latency: Span,
    /// The gain; below zero it is quieter.
    pub gain: Decibels,
    /// Whether to play silence instead. The device stays open.
    pub mute: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { device: None, latency: Span::from_millis(40), gain: Decibels::default(), mute: false }
    }
}

/// Plays blocks of any rate and number of channels in the order of their capture.
///
/// How much waits is steered by resampling, so that the device's clock may differ from the one the sound was captured
/// by. What is late or missing is silence, faded in and out. A device that is lost is opened again, by itself; until
/// then sound is dropped and counted, and nobody waits for it. The first block of each loss is a
/// [bad item](Error::bad_item), by which the pipeline's figures and its log hear of it.
pub struct Speaker {
    kept: Kept<(Render, Arc<Counts>)>,
    render: Option<(Render, Arc<Counts>)>,
    counters: Counters,
    latency: Duration,
}

/// What a program keeps of a [`Speaker`] that plays in a pipeline. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Handle {
    volume: Volume,
    counters: Counters,
}

impl Handle {
    /// Its gain and mute, to be changed while it runs.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// What could not be played as it came.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// What a speaker could not play as it came. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Tally>);

#[derive(Debug, Default)]
struct Tally {
    lost: AtomicU64,
    dropped: AtomicU64,
    underruns: AtomicU64,
}

impl Counters {
    /// How often the device was lost.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Milliseconds of sound that were dropped: because the device was lost, or because too much came at once.
    pub fn dropped_ms(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed) / 1000
    }

    /// How often sound ran out, and silence was played instead.
    pub fn underruns(&self) -> u64 {
        self.0.underruns.load(Ordering::Relaxed)
    }
}

impl Speaker {
    /// Opens the device: the sink that plays, and the handle to it. `name` is the stage's, for the log, and `clock`
    /// the pipeline's.
    ///
    /// # Errors
    /// A wrong configuration, or what is in the way of opening the device and what to do about it.
    pub fn open(name: &str, options: Options, clock: &Clock) -> Result<(Speaker, Handle)> {
        Speaker::open_for(name, options, clock, None)
    }

    /// The same, with a source of what the device plays, as an echo canceller needs it.
    ///
    /// # Errors
    /// Those of [`open`](Speaker::open).
    pub fn open_with_played(name: &str, options: Options, clock: &Clock) -> Result<(Speaker, Played, Handle)> {
        let (played, sessions) = Played::new();
        let (speaker, handle) = Speaker::open_for(name, options, clock, Some(sessions))?;
        Ok((speaker, played, handle))
    }

    fn open_for(name: &str, options: Options, clock: &Clock, played: Option<Sessions>) -> Result<(Speaker, Handle)> {
        let Options { device, latency, gain, mute } = options;
        let latency = latency.duration();
        if !(Duration::from_millis(20)..=Duration::from_secs(2)).contains(&latency) {
            return Err(Error::config(format!("`latency` is {latency:?}; a speaker has from 20 ms to 2 s")));
        }
        let volume = Volume::new(gain, mute);
        let (loudness, ticks) = (volume.clone(), clock.clone());
        let kept = keep::keep(name, clock.clone(), Kind::Speaker, device, move |found| {
            let config = stream::native(found)?;
            // The device has two periods waiting: half of the latency.
            let frames = stream::period(&config, latency.as_millis() as u32 / 4);
            let rate = config.sample_rate();
            let waiting = (u64::from(rate) * latency.as_millis() as u64 / 1000) as usize;
            let (mut session, mut capture) = (None, None);
            let ends = || {
                let (render, playout) =
                    render::session(rate, config.channels(), frames as usize, waiting, loudness.clone());
                session = Some((render, playout.counts()));
                let mut intake = None;
                if let Some(sessions) = &played {
                    let ends = capture::session(rate, PLAYED_CHANNELS, PLAYED_BLOCK, sessions.end())?;
                    intake = Some(ends.0);
                    capture = Some(ends.1);
                }
                Ok((playout, intake))
            };
            let made = stream::play(found, &config, frames, &ticks, ends)?;
            let session = session.ok_or_else(|| Error::fatal("a stream without a session"))?;
            if let (Some(sessions), Some(capture)) = (&played, capture) {
                sessions.begin(capture);
            }
            Ok(Stream {
                stream: made.stream,
                health: made.health,
                period: made.period,
                what: crate::what(found),
                session,
            })
        })?;
        let speaker = Speaker::with(kept, latency);
        let counters = speaker.counters.clone();
        Ok((speaker, Handle { volume, counters }))
    }

    fn with(kept: Kept<(Render, Arc<Counts>)>, latency: Duration) -> Speaker {
        Speaker { kept, render: None, counters: Counters::default(), latency }
    }

    /// Hears of the device; why, if it was lost.
    fn hear(&mut self) -> Result<Option<String>> {
        let mut lost = None;
        while let Some(news) = self.kept.news()? {
            match news {
                News::Opened(session) => self.render = Some(session),
                News::Lost(why) => {
                    self.render = None;
                    self.counters.0.lost.fetch_add(1, Ordering::Relaxed);
                    lost = Some(why);
                }
            }
        }
        Ok(lost)
    }
}

impl Sink<AudioFrame> for Speaker {
    fn consume(&mut self, block: AudioFrame, _: &mut Cx) -> Result<()> {
        render::check(&block)?;
        let lost = self.hear()?;
        let tally = &self.counters.0;
        let there = self.render.as_mut().filter(|_| lost.is_none());
        let Some((render, counts)) = there else {
            tally.dropped.fetch_add(block.duration().as_micros() as u64, Ordering::Relaxed);
            // A sink's `Error::lost` would end its branch; a block that is refused is counted, and its words are said.
            let said = |why| Error::bad_item(format!("lost the {why}; sound is dropped until it is back"));
            return lost.map_or(Ok(()), |why| Err(said(why)));
        };
        let dropped = render.dropped();
        render.take(&block)?;
        tally.dropped.fetch_add(render.in_micros(render.dropped() - dropped), Ordering::Relaxed);
        tally.underruns.fetch_add(counts.underruns.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        Ok(())
    }

    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        // What waits is still heard: here, and in the device. A device that is stuck keeps nobody.
        if let Some((render, _)) = &self.render {
            let rest = Duration::from_micros(render.in_micros(render.waiting() as u64)) + self.latency / 2;
            std::thread::park_timeout(rest.min(Duration::from_secs(1)));
        }
        Ok(())
    }
}

/// Describes `speaker`.
pub fn descriptor() -> Descriptor {
    Descriptor::bundle("speaker", "Plays sound, and gives what it plays")
        .input("input", Format::Audio)
        .output("played", Gives::Format(Format::Audio))
        .blocking()
        .knowing(
            |_: &Options| Known::default().gives(SoundGiven::always(RATE, PLAYED_CHANNELS)),
            |options: Options, joined| {
                let clock = joined.clock().clone();
                let bundle = Bundle::new();
                Ok(Worker::Bundle(if joined.output("played") {
                    let (speaker, played, _) = Speaker::open_with_played(joined.name(), options, &clock)?;
                    bundle.sink("input", speaker).source("played", played)
                } else {
                    bundle.sink("input", Speaker::open(joined.name(), options, &clock)?.0)
                }))
            },
        )
}

/// Speakers.
pub(crate) fn list() -> Result<Vec<Device>> {
    list::list(Kind::Speaker)
}

/// Which one these options mean.
pub(crate) fn choose(options: &Options) -> Result<Choice> {
    list::choose(Kind::Speaker, options.device.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::Sender;

    use millstream_core::Timestamp;
    use millstream_core::error::Kind;
    use millstream_testkit::{conformance, examples};

    type Hand = Sender<News<(Render, Arc<Counts>)>>;

    fn speaker() -> (Hand, Speaker) {
        let (hand, kept) = Kept::by_hand();
        (hand, Speaker::with(kept, Duration::ZERO))
    }

    fn open(hand: &Hand) {
        let (render, playout) = render::session(44_100, 2, 441, 1764, Volume::new(Decibels::default(), false));
        hand.send(News::Opened((render, playout.counts()))).unwrap();
    }

    #[test]
    fn a_speaker_conforms_with_its_device_and_without() {
        let hands = std::cell::RefCell::new(Vec::new());
        for there in [true, false] {
            let make = || {
                let (hand, speaker) = speaker();
                if there {
                    open(&hand);
                }
                hands.borrow_mut().push(hand);
                speaker
            };
            conformance::sink(make, |number| examples::block(48_000, 2, number));
        }
    }

    #[test]
    fn what_comes_while_the_device_is_lost_is_dropped_and_counted() {
        let (hand, mut speaker) = speaker();
        let counters = speaker.counters.clone();
        let mut cx = Cx::at(Timestamp::ZERO);
        let mut give = |numbers: std::ops::Range<u64>| {
            numbers.for_each(|number| speaker.consume(examples::block(48_000, 2, number), &mut cx).unwrap());
        };
        let length = examples::block(48_000, 2, 0).duration().as_millis() as u64;
        give(0..10);
        assert_eq!((counters.lost(), counters.dropped_ms()), (0, 10 * length));
        let (render, playout) = render::session(48_000, 2, 480, 4800, Volume::new(Decibels::default(), false));
        hand.send(News::Opened((render, playout.counts()))).unwrap();
        give(10..12);
        assert_eq!((counters.lost(), counters.dropped_ms()), (0, 10 * length));
        hand.send(News::Lost("unplugged".to_owned())).unwrap();
        let lost = speaker.consume(examples::block(48_000, 2, 12), &mut cx).unwrap_err();
        assert!(lost.kind() == Kind::BadItem && lost.to_string().contains("unplugged"), "{lost}");
        (13..20).for_each(|number| speaker.consume(examples::block(48_000, 2, number), &mut cx).unwrap());
        assert_eq!((counters.lost(), counters.dropped_ms()), (1, 18 * length));
        drop(hand);
        let gone = speaker.consume(examples::block(48_000, 2, 20), &mut cx).unwrap_err();
        assert!(gone.to_string().contains("has died"));
    }
}
