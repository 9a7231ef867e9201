//! The source `test-audio`: a tone, or a beep at the start of each second in step with the flash of
//! `test-video`.

use std::f64::consts::{PI, TAU};
use std::time::Duration;

use millstream_core::known::{Known, SoundGiven};
use millstream_core::units::{FrameRate, Frequency, Percent};
use millstream_core::{
    AudioFrame, Control, Cx, Descriptor, Error, Format, Next, Pool, Result, Source, Timestamp, Worker,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::POOLED_ITEMS;
use crate::pace::Pace;

/// Samples per second and channel.
const RATE: u64 = 48_000;
/// Samples in a block of 10 ms.
const BLOCK: u64 = RATE / 100;
/// How long a block lasts.
const BLOCK_TIME: Duration = Duration::from_millis(10);
/// How long a beep lasts, and each of its fades: short enough to be heard as an edge, long enough not to click.
const BEEP: f64 = 0.1;
const FADE: f64 = 0.005;

/// Options of `test-audio`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The sound.
    pub pattern: Pattern,
    /// The frequency. If not given, 440 Hz for a tone and 1 kHz for a beep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Frequency>,
    /// The peak, as a share of full scale.
    pub volume: Percent,
    /// Channels, 1 or 2. All have the same sound.
    #[schemars(range(min = 1, max = 2))]
    pub channels: u16,
}

/// The sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pattern {
    /// A continuous sine.
    #[default]
    Tone,
    /// A sine for 100 ms from the start of each second of UTC.
    Beep,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            pattern: Pattern::default(),
            frequency: None,
            volume: "25 %".parse().expect("25 % is a share"),
            channels: 2,
        }
    }
}

/// Gives blocks of 10 ms at 48 kHz, as a microphone would: each once its last sample has been
/// "captured", stamped with the time of its first.
///
/// Sample n was captured at the pipeline's start plus n / 48000 s, and its phase follows from n, so
/// that nothing drifts. Blocks that are late are given all the same, unless they are more than five
/// seconds late, as after the machine slept: then everything up to the present is left out. While a
/// consumer wishes a [pause](Control::Pause) there are no blocks.
#[derive(Debug)]
pub struct TestAudio {
    pattern: Pattern,
    frequency: f64,
    peak: f64,
    channels: u16,
    pool: Pool<f32>,
    pace: Pace,
    paused: bool,
    discontinuity: bool,
}

impl TestAudio {
    /// A source that has given nothing yet.
    ///
    /// # Errors
    /// A wrong configuration if there are more than two channels or none.
    pub fn new(options: Options) -> Result<TestAudio> {
        if !(1..=2).contains(&options.channels) {
            return Err(Error::config(format!("`channels` is {}; a test sound has 1 or 2", options.channels)));
        }
        let default_frequency = match options.pattern {
            Pattern::Tone => 440.0,
            Pattern::Beep => 1000.0,
        };
        Ok(TestAudio {
            pattern: options.pattern,
            frequency: options.frequency.map_or(default_frequency, Frequency::hz),
            peak: options.volume.share(),
            channels: options.channels,
            pool: Pool::new(POOLED_ITEMS),
            pace: Pace::new(FrameRate::new(100, 1).expect("100 blocks in a second are in range")),
            paused: false,
            discontinuity: false,
        })
    }

    /// The block that starts with sample `first`; `start` is the UTC of sample 0 in nanoseconds.
    fn block(&mut self, first: u64, start: u64, time: Timestamp) -> AudioFrame {
        let (pattern, frequency, peak) = (self.pattern, self.frequency, self.peak);
        let channels = usize::from(self.channels);
        let samples = self.pool.fill(BLOCK as usize * channels, |out| {
            for (index, out) in (first..).zip(out.chunks_exact_mut(channels)) {
                let sample = match pattern {
                    Pattern::Tone => sine(frequency, index as f64 / RATE as f64),
                    Pattern::Beep => beep(frequency, since_second(index, start)),
                };
                out.fill((peak * sample) as f32);
            }
        });
        let discontinuity = std::mem::take(&mut self.discontinuity);
        AudioFrame::new(RATE as u32, self.channels, time, samples).with_discontinuity(discontinuity)
    }
}

impl Source<AudioFrame> for TestAudio {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        if self.paused {
            return Ok(Next::Idle);
        }
        self.discontinuity |= self.pace.skip_if_too_late(cx);
        let time = self.pace.due(cx);
        if cx.now() < time + BLOCK_TIME {
            return Ok(Next::Until(time + BLOCK_TIME));
        }
        let first = self.pace.count() * BLOCK;
        self.pace.advance();
        Ok(Next::Item(self.block(first, cx.utc(cx.start()).unix_nanos(), time)))
    }

    fn control(&mut self, wish: Control, cx: &mut Cx) {
        if let Control::Pause(paused) = wish {
            if self.paused && !paused {
                self.discontinuity |= self.pace.skip_to_now(cx);
            }
            self.paused = paused;
        }
    }
}

fn sine(frequency: f64, seconds: f64) -> f64 {
    ((frequency * seconds).fract() * TAU).sin()
}

/// A beep `seconds` after the start of a second, with edges of half a cosine.
fn beep(frequency: f64, seconds: f64) -> f64 {
    let from_edge = seconds.min(BEEP - seconds);
    if from_edge <= 0.0 {
        return 0.0;
    }
    let gain = if from_edge < FADE { (1.0 - (PI * from_edge / FADE).cos()) / 2.0 } else { 1.0 };
    gain * sine(frequency, seconds)
}

/// Seconds since the last whole second of UTC, for sample `index`.
fn since_second(index: u64, start: u64) -> f64 {
    // In thirds of a nanosecond a sample is a whole number: 3e9 / 48000 = 62500.
    let thirds = (u128::from(start) * 3 + u128::from(index) * 62_500) % 3_000_000_000;
    thirds as f64 / 3e9
}

/// Describes `test-audio`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("test-audio", "Generates a tone, or a beep at the start of each second", Format::Audio).knowing(
        |options: &Options| Known::default().gives(SoundGiven::always(RATE as u32, options.channels)),
        |options: Options, _| Ok(Worker::source(TestAudio::new(options)?)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::tests::{cx, step};
    use millstream_core::samples_to_time;

    fn mono(pattern: Pattern) -> TestAudio {
        TestAudio::new(Options { pattern, channels: 1, ..Options::default() }).unwrap()
    }

    #[test]
    fn stamps_are_exact_over_a_thousand_blocks_and_come_when_the_block_is_over() {
        let (mut cx, hand) = cx(Timestamp::from_millis(3), Duration::ZERO);
        let mut audio = TestAudio::new(Options::default()).unwrap();
        for n in 0..1000 {
            let block = step(&mut audio, &mut cx, &hand).unwrap().unwrap();
            assert_eq!((block.len(), block.channels, block.rate, block.discontinuity), (480, 2, 48_000, false));
            assert_eq!(block.time, Timestamp::from_millis(3) + samples_to_time(n * 480, 48_000));
            assert_eq!(cx.now(), block.time + block.duration());
        }
    }

    #[test]
    fn a_tone_has_its_frequency_peak_and_no_step() {
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
        let mut audio = mono(Pattern::Tone);
        let mut samples = Vec::new();
        for _ in 0..1000 {
            samples.extend_from_slice(&step(&mut audio, &mut cx, &hand).unwrap().unwrap().samples);
        }
        let rises = samples.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!((4399..=4400).contains(&rises), "{rises} in 10 s");
        let peak = samples.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
        assert!((peak - 0.25).abs() < 0.001, "{peak}");
        let steepest = (0.25 * TAU * 440.0 / 48_000.0) as f32 * 1.001;
        assert!(samples.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= steepest));
    }

    #[test]
    fn a_beep_starts_exactly_at_the_second_and_lasts_100_ms() {
        // The second starts 123456 ns after the start: after 5.93 samples.
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::from_nanos(1_700_000_000_000_000_000 - 123_456));
        let mut audio = mono(Pattern::Beep);
        let mut samples = Vec::new();
        for _ in 0..300 {
            samples.extend_from_slice(&step(&mut audio, &mut cx, &hand).unwrap().unwrap().samples);
        }
        for second in 0..3 {
            let from = second * 48_000 + 6;
            assert!(samples[from..from + 4800].iter().filter(|sample| **sample != 0.0).count() > 4700);
            assert_ne!(samples[from], 0.0);
            assert!(samples[from + 4800..from + 47_994].iter().all(|sample| *sample == 0.0));
        }
        assert!(samples[..6].iter().all(|sample| *sample == 0.0));
        let steepest = (0.25 * TAU * 1000.0 / 48_000.0) as f32 * 1.1;
        assert!(samples.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= steepest), "it clicks");
    }

    #[test]
    fn a_pause_opens_one_marked_gap() {
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
        let mut audio = mono(Pattern::Tone);
        step(&mut audio, &mut cx, &hand).unwrap();
        audio.control(Control::Pause(true), &mut cx);
        hand.set(Timestamp::from_millis(995));
        assert!(matches!(audio.next(&mut cx).unwrap(), Next::Idle));
        audio.control(Control::Pause(false), &mut cx);
        let block = step(&mut audio, &mut cx, &hand).unwrap().unwrap();
        assert_eq!((block.time, block.discontinuity), (Timestamp::from_millis(1000), true));
        assert!(!step(&mut audio, &mut cx, &hand).unwrap().unwrap().discontinuity);
    }

    #[test]
    fn no_channels_and_too_many_are_refused() {
        for channels in [0, 3] {
            let error = TestAudio::new(Options { channels, ..Options::default() }).unwrap_err();
            assert_eq!(error.to_string(), format!("`channels` is {channels}; a test sound has 1 or 2"));
        }
    }
}
