//! The stage `resample`: sound of any rate at another.

use std::collections::BTreeMap;
use std::time::Duration;

use millstream_core::known::{Given, Known, Sound, SoundGiven};
use millstream_core::options::{Table, Value};
use millstream_core::units::SampleRate;
use millstream_core::{
    AudioFrame, Descriptor, Error, Format, Out, Pool, Result, Stage, Timestamp, Worker, samples_to_time,
};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    calculate_cutoff,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::POOLED_ITEMS;

/// Points of the filter at the lower of both rates: what is below 0.94 of its half passes, and what is above is
/// below -90 dB.
const FILTER: usize = 256;
/// The most places between two samples for which a filter each is stored; beyond, what lies between is interpolated.
const MAX_PHASES: u32 = 1024;
/// Places that are stored where it is interpolated: a cubic between them is off by less than 24 bits can show.
const PHASES: usize = 256;
/// The rates that are taken and given, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 1000..=768_000;
/// The most channels that are taken.
const MAX_CHANNELS: u16 = 64;
/// How far a block may be from where the one before ended before it is taken for a new beginning: stamps of devices
/// waver by less.
const TOLERANCE: Duration = Duration::from_millis(10);

/// Options of `resample`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Sample rate of the output.
    pub rate: SampleRate,
}

/// Gives sound at one rate, whatever rate it comes at and however often that changes.
///
/// Sample n was captured when the first one that it took was, plus n divided by the rate: the filter's delay
/// is taken out, and stamps follow from the count. A discontinuity, or a block that is not where the one
/// before ended, gives what is inside and starts a new count. What has the rate passes as it is.
pub struct Resample {
    rate: u32,
    running: Option<Running>,
    pool: Pool<f32>,
}

impl std::fmt::Debug for Resample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resample").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// What depends on the sound that comes.
struct Running {
    from: u32,
    channels: usize,
    inner: Async<f32>,
    /// What waits for a chunk to be full, and what comes out of one.
    input: Vec<f32>,
    output: Vec<f32>,
    count: Count,
}

/// Where the sound is, in samples of a channel.
#[derive(Clone, Copy)]
struct Count {
    /// When the first sample was captured, and whether some are missing before it.
    anchor: Timestamp,
    discontinuity: bool,
    /// Whether the time of the last block was only estimated.
    estimated: bool,
    taken: u64,
    given: u64,
    /// What the filter gives before the first sample has passed half of it.
    delay: usize,
}

impl Resample {
    /// A stage that has taken nothing yet.
    pub fn new(options: Options) -> Resample {
        Resample { rate: options.rate.hz(), running: None, pool: Pool::new(POOLED_ITEMS) }
    }

    /// Gives what is inside, as if silence followed.
    fn drain(&mut self, out: &mut Out<AudioFrame>) {
        if let Some(running) = &mut self.running {
            running.drain(self.rate, &mut self.pool, out);
        }
    }
}

impl Running {
    fn new(block: &AudioFrame, to: u32) -> Result<Running> {
        let (from, channels) = (block.rate, usize::from(block.channels));
        // Where the rates have few places between two samples in common, each has its own filter.
        let phases = to / gcd(from, to);
        let (oversampling, interpolation) = match phases {
            ..=MAX_PHASES => (phases as usize, SincInterpolationType::Nearest),
            _ => (PHASES, SincInterpolationType::Cubic),
        };
        let length = FILTER * from.div_ceil(to).max(1) as usize;
        let filter = SincInterpolationParameters::new(length, WindowFunction::BlackmanHarris2)
            .f_cutoff(calculate_cutoff(FILTER, WindowFunction::BlackmanHarris2))
            .oversampling_factor(oversampling)
            .interpolation(interpolation);
        let chunk = (from / 100) as usize;
        let ratio = f64::from(to) / f64::from(from);
        let inner = Async::new_sinc(ratio, 1.0, &filter, chunk, channels, FixedAsync::Input);
        let inner =
            inner.map_err(|error| Error::fatal(format!("no way from {from} Hz to {to} Hz")).caused_by(error))?;
        let output = vec![0.0; inner.output_frames_max() * channels];
        let mut running = Running {
            from,
            channels,
            inner,
            input: Vec::with_capacity(chunk * channels),
            output,
            count: Count::at(block),
        };
        running.count.delay = running.inner.output_delay();
        Ok(running)
    }

    /// Whether `block` goes on where the one before ended.
    fn goes_on(&self, block: &AudioFrame) -> bool {
        let waiting = (self.input.len() / self.channels) as u64;
        let expected = self.count.anchor + samples_to_time(self.count.taken + waiting, self.from);
        let off = block.time.since(expected).max(expected.since(block.time));
        !block.discontinuity && off <= TOLERANCE
    }

    fn push(&mut self, mut samples: &[f32], to: u32, pool: &mut Pool<f32>, out: &mut Out<AudioFrame>) {
        let full = self.inner.input_frames_next() * self.channels;
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(full - self.input.len()));
            self.input.extend_from_slice(now);
            samples = later;
            if self.input.len() == full {
                self.count.taken += (full / self.channels) as u64;
                self.turn(u64::MAX, to, pool, out);
            }
        }
    }

    fn drain(&mut self, to: u32, pool: &mut Pool<f32>, out: &mut Out<AudioFrame>) {
        let full = self.inner.input_frames_next() * self.channels;
        self.count.taken += (self.input.len() / self.channels) as u64;
        let end = (u128::from(self.count.taken) * u128::from(to)).div_ceil(self.from.into()) as u64;
        while self.count.given < end {
            self.input.resize(full, 0.0);
            self.turn(end, to, pool, out);
        }
        self.input.clear();
    }

    /// Resamples a full chunk, and gives what comes of it before sample `end`.
    fn turn(&mut self, end: u64, to: u32, pool: &mut Pool<f32>, out: &mut Out<AudioFrame>) {
        let (frames, room) = (self.input.len() / self.channels, self.output.len() / self.channels);
        let from = InterleavedSlice::new(&self.input, self.channels, frames).expect("whole frames");
        let mut into = InterleavedSlice::new_mut(&mut self.output, self.channels, room).expect("whole frames");
        let turned = self.inner.process_into_buffer(&from, &mut into, None);
        let (_, made) = turned.expect("as many frames as it wants, and room for the most");
        self.input.clear();
        let count = &mut self.count;
        let skipped = made.min(count.delay);
        count.delay -= skipped;
        let given = (made - skipped).min((end - count.given).try_into().unwrap_or(usize::MAX));
        if given == 0 {
            return;
        }
        let from = &self.output[skipped * self.channels..][..given * self.channels];
        let samples = pool.fill(from.len(), |samples| samples.copy_from_slice(from));
        let (time, channels) = (count.anchor + samples_to_time(count.given, to), self.channels as u16);
        let discontinuity = std::mem::take(&mut count.discontinuity);
        let block = AudioFrame::new(to, channels, time, samples).with_discontinuity(discontinuity);
        out.push(block.with_estimated_time(count.estimated));
        count.given += given as u64;
    }
}

impl Count {
    fn at(block: &AudioFrame) -> Count {
        let (discontinuity, estimated) = (block.discontinuity, block.time_is_estimated);
        Count { anchor: block.time, discontinuity, estimated, taken: 0, given: 0, delay: 0 }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Stage<AudioFrame, AudioFrame> for Resample {
    fn process(&mut self, block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        let AudioFrame { rate, channels, .. } = block;
        let samples = block.samples.len();
        let whole = channels > 0 && samples.is_multiple_of(channels.into());
        if !whole || channels > MAX_CHANNELS || !RATES.contains(&rate) {
            return Err(Error::bad_item(format!("{samples} samples in {channels} channels at {rate} Hz are no sound")));
        }
        if rate == self.rate {
            self.drain(out);
            self.running = None;
            out.push(block);
            return Ok(());
        }
        let fits = |running: &Running| (running.from, running.channels) == (rate, usize::from(channels));
        let astray = self.running.as_ref().is_some_and(|running| !running.goes_on(&block));
        if astray || !self.running.as_ref().is_some_and(fits) {
            self.drain(out);
            match self.running.as_mut().filter(|running| fits(running)) {
                Some(running) => {
                    running.inner.reset();
                    running.count = Count::at(&block);
                    running.count.delay = running.inner.output_delay();
                }
                None => self.running = Some(Running::new(&block, self.rate)?),
            }
            self.running.iter_mut().for_each(|running| running.count.discontinuity |= astray);
        }
        let running = self.running.as_mut().expect("it was made above");
        running.count.estimated = block.time_is_estimated;
        running.push(&block.samples, self.rate, &mut self.pool, out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
        self.drain(out);
        self.running = None;
        Ok(())
    }
}

/// Describes `resample`.
pub fn descriptor() -> Descriptor {
    let gives = |options: &Options| SoundGiven { rate: Given::Is(options.rate.hz()), channels: Given::AsInput };
    Descriptor::stage("resample", "Changes the sample rate of sound", Format::Audio, Format::Audio)
        .light()
        .converting(adapt)
        .knowing(
            move |options: &Options| Known::default().gives(gives(options)),
            |options: Options, _| Ok(Worker::stage(Resample::new(options))),
        )
}

fn adapt(from: Sound, to: Sound) -> Option<(Table, Sound)> {
    let taken = from.rate.is_none_or(|rate| RATES.contains(&rate));
    let rate = to.rate.filter(|_| taken && from.rate != to.rate)?;
    Some((BTreeMap::from([("rate".to_owned(), Value::Integer(rate.into()))]), Sound { rate: Some(rate), ..from }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn rate(hz: u32) -> Resample {
        Resample::new(Options { rate: SampleRate::from_hz(hz).unwrap() })
    }

    /// A second of a sine of `hz` in each of `channels`, at `from`, in blocks of `size` samples, from 3 s on.
    fn sine(from: u32, hz: f64, channels: u16, size: usize) -> Vec<AudioFrame> {
        let at = |n: usize| (0.9 * (TAU * hz * n as f64 / f64::from(from)).sin()) as f32;
        let all: Vec<usize> = (0..from as usize).collect();
        let block = |part: &[usize]| {
            let samples = part.iter().flat_map(|n| std::iter::repeat_n(at(*n), channels.into())).collect::<Vec<_>>();
            let time = Timestamp::from_millis(3000) + samples_to_time(part[0] as u64, from);
            AudioFrame::new(from, channels, time, samples)
        };
        all.chunks(size).map(block).collect()
    }

    fn resampled(stage: &mut Resample, blocks: Vec<AudioFrame>) -> Vec<AudioFrame> {
        let mut out = Out::at(Timestamp::ZERO);
        blocks.into_iter().for_each(|block| stage.process(block, &mut out).unwrap());
        stage.finish(&mut out).unwrap();
        out.items().drain(..).collect()
    }

    /// The first channel, but for 100 ms at each end, where the sine begins and ends.
    fn middle(blocks: &[AudioFrame]) -> Vec<f64> {
        let all: Vec<f64> = blocks
            .iter()
            .flat_map(|block| block.samples.chunks_exact(block.channels.into()).map(|frame| f64::from(frame[0])))
            .collect();
        let edge = blocks[0].rate as usize / 10;
        all[edge..all.len() - edge].to_vec()
    }

    /// How strong the sine of `hz` is in `samples`, and how far below it the rest is, in dB.
    fn judged(samples: &[f64], rate: u32, hz: f64) -> (f64, f64) {
        let step = TAU * hz / f64::from(rate);
        // Least squares for a sine and a cosine.
        let (mut ss, mut cc, mut sc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (n, x) in samples.iter().enumerate() {
            let (s, c) = (step * n as f64).sin_cos();
            (ss, cc, sc) = (ss + s * s, cc + c * c, sc + s * c);
            (xs, xc) = (xs + x * s, xc + x * c);
        }
        let det = ss * cc - sc * sc;
        let (a, b) = ((xs * cc - xc * sc) / det, (xc * ss - xs * sc) / det);
        let rest: f64 = samples
            .iter()
            .enumerate()
            .map(|(n, x)| {
                let (s, c) = (step * n as f64).sin_cos();
                (x - a * s - b * c).powi(2)
            })
            .sum();
        let level = (a * a + b * b).sqrt();
        let noise = (rest / samples.len() as f64).sqrt();
        (level, 20.0 * (level / 2_f64.sqrt() / noise).log10())
    }

    const PAIRS: [(u32, u32); 13] = [
        (44_100, 48_000),
        (22_050, 48_000),
        (11_025, 48_000),
        (32_000, 48_000),
        (8_000, 48_000),
        (96_000, 48_000),
        (192_000, 48_000),
        (88_200, 48_000),
        (48_000, 44_100),
        (48_000, 16_000),
        (48_000, 8_000),
        (44_101, 48_000),
        (47_999, 44_100),
    ];

    #[test]
    fn a_sine_keeps_its_strength_and_nothing_is_added_to_90_db() {
        for (from, to) in PAIRS {
            for share in [0.02, 0.3, 0.85] {
                let hz = share * f64::from(from.min(to)) / 2.0;
                let given = resampled(&mut rate(to), sine(from, hz, 1, (from / 100) as usize));
                let (level, clean) = judged(&middle(&given), to, hz);
                assert!((level / 0.9 - 1.0).abs() < 0.001, "{from} to {to}, {hz} Hz: {level}");
                assert!(clean > 90.0, "{from} to {to}, {hz} Hz: {clean:.1} dB");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_gone_to_90_db() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
            for share in [1.02, 1.3, 1.9] {
                let hz = share * f64::from(to) / 2.0;
                if hz > 0.49 * f64::from(from) {
                    continue;
                }
                let given = middle(&resampled(&mut rate(to), sine(from, hz, 1, 480)));
                let loudest = given.iter().fold(0.0_f64, |most, sample| most.max(sample.abs()));
                let below = 20.0 * (0.9 / loudest).log10();
                assert!(below > 90.0, "{from} to {to}, {hz} Hz: only {below:.1} dB below");
            }
        }
    }

    #[test]
    fn as_much_comes_as_went_in_stamped_by_the_count_however_it_is_cut() {
        for (from, to) in PAIRS {
            let mut first: Option<Vec<f32>> = None;
            for size in [1, 100, (from / 100) as usize, 4801] {
                let given = resampled(&mut rate(to), sine(from, 440.0, 2, size));
                let mut count = 0;
                for block in &given {
                    assert_eq!(block.time, Timestamp::from_millis(3000) + samples_to_time(count, to));
                    assert_eq!((block.rate, block.channels, block.discontinuity), (to, 2, false));
                    count += block.len() as u64;
                }
                assert_eq!(count, u64::from(to), "{from} to {to}: a second is a second");
                let samples: Vec<f32> = given.iter().flat_map(|block| block.samples.to_vec()).collect();
                assert!(first.get_or_insert_with(|| samples.clone()) == &samples, "{from} to {to} in blocks of {size}");
            }
        }
    }

    #[test]
    fn the_delay_of_the_filter_is_taken_out() {
        for (from, to) in PAIRS {
            // An impulse after half a second.
            let mut blocks = sine(from, 0.0, 1, (from / 10) as usize);
            blocks[5].samples = {
                let mut samples = vec![0.0; blocks[5].len()];
                samples[0] = 1.0;
                samples.into()
            };
            let given = resampled(&mut rate(to), blocks);
            let all: Vec<f32> = given.iter().flat_map(|block| block.samples.to_vec()).collect();
            let peak = (0..all.len()).max_by(|a, b| all[*a].abs().total_cmp(&all[*b].abs())).unwrap();
            let seconds = peak as f64 / f64::from(to);
            let tolerated = 1.5 / f64::from(from.min(to));
            assert!(
                (seconds - (from / 10 * 5) as f64 / f64::from(from)).abs() <= tolerated,
                "{from} to {to}: {seconds}"
            );
        }
    }

    #[test]
    fn a_rate_that_changes_is_followed_and_a_gap_starts_anew() {
        let mut stage = rate(48_000);
        let mut blocks = sine(44_100, 440.0, 1, 441);
        for (from, start) in [(96_000, 4000), (48_000, 5000), (44_100, 6000), (44_100, 7500)] {
            let later = Timestamp::from_millis(start).since(Timestamp::from_millis(3000));
            blocks.extend(sine(from, 440.0, 1, (from / 100) as usize).into_iter().map(|block| {
                let time = block.time + later;
                block.with_time(time)
            }));
        }
        let given = resampled(&mut stage, blocks);
        let total: usize = given.iter().map(AudioFrame::len).sum();
        assert_eq!(total, 5 * 48_000);
        let mut end = given[0].time;
        for block in &given {
            let gap = block.time.since(end);
            assert_eq!(block.discontinuity, gap > Duration::from_millis(1), "{}", block.time);
            assert!(block.time + Duration::from_micros(1) >= end, "back in time");
            end = block.time + block.duration();
        }
        assert!(Timestamp::from_millis(8500).since(end) <= Duration::from_nanos(1), "{end}");
    }

    #[test]
    fn it_offers_itself_only_for_what_it_takes() {
        let sound = |rate| Sound { rate, channels: Some(2) };
        let to = sound(Some(48_000));
        for from in [None, Some(1000), Some(44_100), Some(768_000)] {
            assert_eq!(adapt(sound(from), to).unwrap().1, to, "{from:?}");
        }
        for from in [Some(500), Some(999), Some(768_001), Some(48_000)] {
            assert!(adapt(sound(from), to).is_none(), "{from:?}");
        }
    }

    #[test]
    fn what_is_no_sound_is_a_bad_item() {
        for (rate_hz, channels, len) in
            [(0, 1, 9), (999, 1, 9), (800_000, 1, 9), (44_100, 0, 9), (44_100, 2, 9), (44_100, 65, 65)]
        {
            let block = AudioFrame::new(rate_hz, channels, Timestamp::ZERO, vec![0.0; len]);
            rate(48_000).process(block, &mut Out::at(Timestamp::ZERO)).unwrap_err();
        }
    }
}
