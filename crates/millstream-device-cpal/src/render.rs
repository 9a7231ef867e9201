//! From blocks of sound to what a device's callback plays: in the order of capture, steered by how much waits.
//!
//! Knows no device and no clock: what it is told is blocks, and that the device wants frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millstream_core::{AudioFrame, Error, Result, Timestamp};
use rtrb::{Consumer, Producer, RingBuffer};
use rubato::FixedAsync;

use crate::resampler::Resampler;
use crate::steer::Steer;
use crate::volume::{Ramp, Volume};

/// Milliseconds that a fade lasts where sound is missing: long enough not to click.
const FADE_MS: usize = 5;
/// Milliseconds above what is aimed at, from which on sound is dropped: what comes after a stall comes at once.
const SLACK_MS: usize = 100;
/// What waits beside a block and a period, for the jitter of the threads, in milliseconds.
const MARGIN_MS: usize = 5;

/// What a speaker could not play as it came.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Frames of silence played because nothing was there.
    pub(crate) missing: AtomicU64,
    /// How often sound ran out.
    pub(crate) underruns: AtomicU64,
}

/// The callback's end: allocates nothing, waits for nobody.
pub(crate) struct Playout {
    samples: Consumer<f32>,
    channels: usize,
    fade: usize,
    /// Samples that must wait before it begins to play, at first and after it ran out.
    enough: usize,
    state: State,
    /// The frame that was played last, which fades where nothing follows.
    last: [f32; MOST_CHANNELS],
    counts: Arc<Counts>,
}

/// Channels of a device beyond which the rest stay silent.
const MOST_CHANNELS: usize = 8;

/// Channels and rates of sound beyond which nobody meant it.
const MOST_TAKEN: u16 = 32;
const RATES: std::ops::RangeInclusive<u32> = 1000..=768_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Silent until there is enough; so many frames of what was played last still fade out.
    Waiting { fading: usize },
    /// Playing; so many frames are still faded in.
    Playing { rising: usize },
}

/// The pipeline's end.
pub(crate) struct Render {
    samples: Producer<f32>,
    rate: u32,
    channels: usize,
    /// Frames that wait when all goes well, right after a block came.
    target: usize,
    /// How the sound that comes is made into the device's.
    path: Option<Path>,
    steer: Steer,
    ramp: Ramp,
    /// Where the next block begins if nothing is missing.
    expected: Option<Timestamp>,
    /// The frame that was pushed last.
    last: [f32; MOST_CHANNELS],
    /// The next sound is faded in, because what came before it is missing: so many frames still.
    rising: usize,
    dropping: bool,
    dropped: u64,
}

/// Sound of one rate and number of channels into the device's rate.
struct Path {
    rate: u32,
    channels: u16,
    resampler: Resampler,
    waiting: Vec<f32>,
}

/// Both ends of a session with a device of `rate` frames per second and `channels` channels, that asks for
/// `period` frames at a time, and has at most `latency` frames wait in all. `period` of them, and one more, wait
/// in the device itself.
pub(crate) fn session(rate: u32, channels: u16, period: usize, latency: usize, volume: Volume) -> (Render, Playout) {
    let channels = usize::from(channels);
    let ms = rate as usize / 1000;
    // A block of 20 ms, the longest that is usual, a period, and some.
    let least = period + (20 + MARGIN_MS) * ms;
    let target = latency.saturating_sub(2 * period).max(least);
    let (samples, out) = RingBuffer::new((target + 2 * SLACK_MS * ms + period) * channels);
    let fade = FADE_MS * ms;
    let playout = Playout {
        samples: out,
        channels,
        fade,
        enough: target * channels,
        state: State::Waiting { fading: 0 },
        last: [0.0; MOST_CHANNELS],
        counts: Arc::default(),
    };
    let render = Render {
        samples,
        rate,
        channels,
        target,
        path: None,
        steer: Steer::default(),
        ramp: Ramp::new(volume),
        expected: None,
        last: [0.0; MOST_CHANNELS],
        rising: 0,
        dropping: false,
        dropped: 0,
    };
    (render, playout)
}

impl Playout {
    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Says `frames` frames one sample after the other, interleaved: sound, or silence where there is none.
    pub(crate) fn fill(&mut self, frames: usize, mut sample: impl FnMut(f32)) {
        // Looked at once: what comes in the meantime is for the next call.
        let mut there = self.samples.slots();
        for _ in 0..frames {
            if let State::Waiting { fading } = self.state
                && fading == 0
                && there >= self.enough
            {
                self.state = State::Playing { rising: self.fade };
            }
            let gain = match &mut self.state {
                State::Playing { .. } if there < self.channels => {
                    self.counts.underruns.fetch_add(1, Ordering::Relaxed);
                    self.state = State::Waiting { fading: self.fade };
                    None
                }
                State::Playing { rising } => {
                    let gain = 1.0 - *rising as f32 / self.fade as f32;
                    *rising = rising.saturating_sub(1);
                    Some(gain)
                }
                State::Waiting { .. } => None,
            };
            match gain {
                Some(gain) => {
                    there -= self.channels;
                    for channel in 0..self.channels {
                        let value = self.samples.pop().unwrap_or(0.0) * gain;
                        if let Some(last) = self.last.get_mut(channel) {
                            *last = value;
                        }
                        sample(value);
                    }
                }
                None => {
                    self.counts.missing.fetch_add(1, Ordering::Relaxed);
                    let State::Waiting { fading } = &mut self.state else { continue };
                    *fading = fading.saturating_sub(1);
                    let gain = *fading as f32 / self.fade as f32;
                    (0..self.channels).for_each(|channel| sample(gain * self.last.get(channel).unwrap_or(&0.0)));
                }
            }
        }
    }
}

impl Render {
    /// Frames that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.samples.buffer().capacity() / self.channels - self.samples.slots() / self.channels
    }

    /// Frames of the device that were dropped because too many waited.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How long `frames` frames of the device last, in microseconds.
    pub(crate) fn in_micros(&self, frames: u64) -> u64 {
        frames * 1_000_000 / u64::from(self.rate)
    }

    /// Takes the next block, which was [checked](check).
    ///
    /// # Errors
    /// If its rate cannot be made into the device's.
    pub(crate) fn take(&mut self, block: &AudioFrame) -> Result<()> {
        self.fill_gap(block);
        let mut path = match self.path.take().filter(|path| (path.rate, path.channels) == (block.rate, block.channels))
        {
            Some(path) => path,
            None => Path::new(block.rate, block.channels, self.rate)?,
        };
        let channels = usize::from(block.channels);
        let from = path.waiting.len();
        path.waiting.extend_from_slice(&block.samples);
        self.ramp.apply(&mut path.waiting[from..], channels);
        let mut taken = 0;
        loop {
            let length = path.resampler.wants() * channels;
            if path.waiting.len() - taken < length {
                break;
            }
            let sound = path.resampler.process(&path.waiting[taken..taken + length]);
            taken += length;
            self.push(sound, channels);
        }
        path.waiting.drain(..taken);
        // More waits than should: fewer frames are made of as many.
        let above = (self.waiting() as f64 - self.target as f64) / f64::from(self.rate);
        path.resampler.steer(self.steer.correct(-above, block.duration().as_secs_f64()));
        self.path = Some(path);
        Ok(())
    }

    /// Puts silence where sound is missing before `block`, unless the device was silent for as long already.
    fn fill_gap(&mut self, block: &AudioFrame) {
        let expected = self.expected.replace(block.time + block.duration());
        let Some(expected) = expected else { return };
        let gap = block.time.since(expected).as_nanos() as u64 * u64::from(self.rate) / 1_000_000_000;
        // Stamps that are rounded, or wander, are no gap.
        if gap < u64::from(self.rate) / 1000 {
            return;
        }
        self.tail();
        let silence = (gap as usize).min(self.target.saturating_sub(self.waiting()));
        self.put(silence * self.channels, std::iter::repeat(0.0));
    }

    /// Pushes `sound` of `channels` channels, or drops it where too much waits.
    fn push(&mut self, sound: &[f32], channels: usize) {
        let frames = sound.len() / channels;
        let most = self.target + SLACK_MS * self.rate as usize / 1000;
        // Once it drops, it drops down to what is aimed at: one gap, not many.
        let limit = if self.dropping { self.target } else { most };
        if self.waiting() + frames > limit {
            if !self.dropping {
                self.dropping = true;
                self.tail();
            }
            self.dropped += frames as u64;
            return;
        }
        self.dropping = false;
        let fade = self.fade();
        let (out, mut rising, mut last) = (self.channels, self.rising, self.last);
        let samples = sound.chunks_exact(channels).flat_map(|frame| {
            let gain = 1.0 - rising as f32 / fade as f32;
            rising = rising.saturating_sub(1);
            (0..out).map(move |channel| gain * mapped(frame, channel, out))
        });
        if let Some(frame) = sound.chunks_exact(channels).last() {
            last.iter_mut().enumerate().for_each(|(channel, last)| *last = mapped(frame, channel, out));
        }
        if let Ok(chunk) = self.samples.write_chunk_uninit(frames * out) {
            chunk.fill_from_iter(samples);
        }
        self.rising = self.rising.saturating_sub(frames);
        self.last = last;
    }

    /// Fades the last frame out, and the next sound in.
    fn tail(&mut self) {
        let (fade, channels, last) = (self.fade(), self.channels, self.last);
        let samples = (1..=fade).rev().flat_map(|step| {
            let gain = (step - 1) as f32 / fade as f32;
            (0..channels).map(move |channel| gain * last.get(channel).unwrap_or(&0.0))
        });
        self.put(fade * channels, samples);
        self.last = [0.0; MOST_CHANNELS];
        self.rising = fade;
    }

    fn put(&mut self, length: usize, samples: impl Iterator<Item = f32>) {
        let length = length.min(self.samples.slots() / self.channels * self.channels);
        if let Ok(chunk) = self.samples.write_chunk_uninit(length) {
            chunk.fill_from_iter(samples);
        }
    }

    fn fade(&self) -> usize {
        FADE_MS * self.rate as usize / 1000
    }
}

/// Says that `block` is sound.
///
/// # Errors
/// If it is not.
pub(crate) fn check(block: &AudioFrame) -> Result<()> {
    let whole = block.channels != 0 && block.samples.len().is_multiple_of(usize::from(block.channels));
    if whole && block.channels <= MOST_TAKEN && RATES.contains(&block.rate) {
        return Ok(());
    }
    let (samples, channels, rate) = (block.samples.len(), block.channels, block.rate);
    Err(Error::bad_item(format!("{samples} samples in {channels} channels at {rate} Hz are no sound")))
}

impl Path {
    fn new(rate: u32, channels: u16, to: u32) -> Result<Path> {
        let chunk = rate as usize / 100;
        let resampler = Resampler::new(rate, to, channels, chunk, FixedAsync::Input)?;
        // Blocks of up to 120 ms, the longest that Opus has, fit without growing.
        let waiting = Vec::with_capacity(chunk * 13 * usize::from(channels));
        Ok(Path { rate, channels, resampler, waiting })
    }
}

/// The sample of `frame` for the channel `channel` of `of`: one channel is heard everywhere, several become one
/// by their mean, and further channels of a device stay silent.
fn mapped(frame: &[f32], channel: usize, of: usize) -> f32 {
    match (frame, of) {
        ([one], 1 | 2) => *one,
        ([one], _) => {
            if channel < 2 {
                *one
            } else {
                0.0
            }
        }
        (many, 1) => many.iter().sum::<f32>() / many.len() as f32,
        (many, _) => many.get(channel).copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    use millstream_core::samples_to_time;
    use millstream_testkit::Chance;

    const TONE: f64 = 1000.0;
    const RATE: u32 = 48_000;
    const BLOCK: u64 = 480;
    const PERIOD: usize = 480;

    fn block(number: u64) -> AudioFrame {
        let samples: Vec<_> = (number * BLOCK..(number + 1) * BLOCK)
            .map(|n| 0.5 * (TAU * (TONE * n as f64 / f64::from(RATE)).fract()).sin() as f32)
            .collect();
        block_at(number).with_samples(samples)
    }

    /// The same without sound.
    fn block_at(number: u64) -> AudioFrame {
        let time = Timestamp::ZERO + samples_to_time(number * BLOCK, RATE);
        AudioFrame::new(RATE, 1, time, Vec::new())
    }

    fn volume() -> Volume {
        Volume::new("0 dB".parse().unwrap(), false)
    }

    /// How far the sound is from a sine of [`TONE`] at most, sample by sample.
    struct Bend {
        before: [f32; 2],
        most: f32,
    }

    impl Bend {
        fn hear(&mut self, sample: f32) {
            let swing = 2.0 * (TAU * TONE / f64::from(RATE)).cos() as f32;
            self.most = self.most.max((sample - swing * self.before[1] + self.before[0]).abs());
            self.before = [self.before[1], sample];
        }
    }

    /// Half an hour with a device whose clock is `drift` fast and which asks up to `jitter` seconds late: the least
    /// and the most that waited right after a block, in milliseconds off what is aimed at.
    fn half_an_hour(drift: f64, jitter: f64) -> (f64, f64) {
        let (mut render, mut playout) = session(RATE, 1, PERIOD, 4800, volume());
        let (counts, mut chance, mut bend) = (playout.counts(), Chance::new(11), Bend { before: [0.0; 2], most: 0.0 });
        let (mut asked, mut heard, mut waited) = (0_u64, 0_u64, (0.0_f64, 0.0_f64));
        let ask_at =
            |asked: u64, late: f64| (asked + 1) as f64 * PERIOD as f64 / (f64::from(RATE) * (1.0 + drift)) + late;
        let mut next = ask_at(0, 0.0);
        let samples = block(0).samples;
        for number in 0..180_000 {
            let now = (number + 1) as f64 * 0.01;
            while next <= now {
                playout.fill(PERIOD, |sample| {
                    heard += 1;
                    // The start is faded in.
                    if heard > 48_000 {
                        bend.hear(sample);
                    }
                });
                if heard == 48_000 {
                    bend.most = 0.0;
                }
                asked += 1;
                next = ask_at(asked, jitter * chance.share());
            }
            // Ten periods of the tone each.
            render.take(&block_at(number).with_samples(samples.clone())).unwrap();
            let above = (render.waiting() as f64 - render.target as f64) / 48.0;
            if number > 200 {
                waited = (waited.0.min(above), waited.1.max(above));
            }
        }
        assert_eq!((counts.underruns.load(Ordering::Relaxed), render.dropped()), (0, 0));
        // The first two samples are beside none.
        assert!(bend.most < 0.6, "{}", bend.most);
        waited
    }

    #[test]
    fn what_waits_stays_within_its_bounds_for_half_an_hour_whatever_the_clock() {
        let fast = half_an_hour(100e-6, 0.0);
        let slow = half_an_hour(-200e-6, 0.003);
        eprintln!(
            "off what is aimed at, in ms: {fast:.2?} at 100 ppm fast, {slow:.2?} at 200 ppm slow with 3 ms of jitter"
        );
        for (least, most) in [fast, slow] {
            assert!(least > -21.0 && most < 21.0, "{least} to {most} ms");
        }
    }

    /// Plays blocks, each followed by a period of the device, and gives what was heard.
    fn heard(render: &mut Render, playout: &mut Playout, blocks: impl IntoIterator<Item = u64>) -> Vec<f32> {
        let mut all = Vec::new();
        for number in blocks {
            render.take(&block(number)).unwrap();
            playout.fill(PERIOD, |sample| all.push(sample));
        }
        all
    }

    /// The largest step between two samples; that of the tone itself is 0.065.
    fn step(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn late_sound_is_silence_without_a_step_and_sound_goes_on_after_it() {
        let (mut render, mut playout) = session(RATE, 2, PERIOD, 2400, volume());
        let mut all = heard(&mut render, &mut playout, 0..100);
        // A stall of 200 ms; all of it comes at once then.
        (0..20).for_each(|_| playout.fill(PERIOD, |sample| all.push(sample)));
        assert_eq!(playout.counts().underruns.load(Ordering::Relaxed), 1);
        assert!(all[all.len() - 960..].iter().all(|sample| *sample == 0.0), "silence in the end");
        (100..120).for_each(|number| render.take(&block(number)).unwrap());
        all.extend(heard(&mut render, &mut playout, 120..200));
        assert!(render.dropped() > 0, "what came late is not played later and later");
        let left: Vec<f32> = all.iter().copied().step_by(2).collect();
        assert!(step(&left) < 0.08, "{}", step(&left));
        let loud = left[left.len() - 4800..].iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!((loud - 0.5).abs() < 0.01, "{loud}");
    }

    #[test]
    fn missing_sound_is_silence_of_its_length_without_a_step() {
        let (mut render, mut playout) = session(RATE, 1, PERIOD, 9600, volume());
        let mut all = heard(&mut render, &mut playout, 0..100);
        // The device plays on while five blocks do not come.
        (0..5).for_each(|_| playout.fill(PERIOD, |sample| all.push(sample)));
        all.extend(heard(&mut render, &mut playout, 105..200));
        all.drain(..24_000);
        assert!(step(&all) < 0.08, "{}", step(&all));
        let silent = all.iter().filter(|sample| sample.abs() < 1e-6).count();
        assert!(silent > 1200, "{silent} silent samples for 50 ms that are missing");
    }

    #[test]
    fn channels_are_mapped_and_odd_sound_is_refused() {
        assert_eq!([mapped(&[0.5], 0, 1), mapped(&[0.5], 1, 2), mapped(&[0.5], 2, 6)], [0.5, 0.5, 0.0]);
        assert_eq!([mapped(&[0.5, 0.25], 0, 1), mapped(&[0.5, 0.25], 1, 2)], [0.375, 0.25]);
        for (rate, channels) in [(0, 1), (48_000, 0), (5, 1), (48_000, 7), (48_000, 480)] {
            let odd = AudioFrame::new(rate, channels, Timestamp::ZERO, block(0).samples);
            assert_eq!(check(&odd).unwrap_err().kind(), millstream_core::error::Kind::BadItem);
        }
    }
}
