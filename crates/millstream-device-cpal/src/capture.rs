//! From what a device's callback left in a ring to blocks at 48 kHz, stamped on the pipeline's clock.
//!
//! Knows no device and no clock of its own: what it is told is samples and when they were captured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millstream_core::{AudioFrame, Pool, Result, Timestamp, samples_to_time};
use rtrb::{Consumer, Producer, RingBuffer};
use rubato::FixedAsync;

use crate::RATE;
use crate::resampler::Resampler;
use crate::steer::Steer;

/// How long is listened before anything is given. A server guesses its own delay at first: PulseAudio says 0
/// until it has been asked; what the second half of this time says holds.
const LISTEN: Duration = Duration::from_millis(200);
/// Seconds away, from which on a mark says that samples were lost, if all do for [`INSISTS`]: then stamps leap, since
/// to steer there would take a minute.
const ASTRAY: f64 = 0.01;
/// For so long: longer than a thread is late.
const INSISTS: Duration = Duration::from_millis(200);
/// How much sound the ring holds: a reader that stood still for longer has lost some.
const RING: Duration = Duration::from_secs(1);
/// Callbacks that the ring of their marks holds: of 1 ms each, [`RING`]. A device with shorter ones (ALSA's null device
/// has 1 frame) has to be looked at more often than that, and is.
const MARKS: usize = 1024;
/// Blocks that are kept to be written again: a short queue, and one in each stage on the way.
const POOLED_ITEMS: usize = 8;

/// When the samples from `first` on were captured.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Frames that came before, lost ones not counted.
    first: u64,
    captured: Timestamp,
    /// Frames were lost right before it.
    gap: bool,
}

/// The callback's end: allocates nothing, waits for nobody.
pub(crate) struct Intake {
    channels: usize,
    samples: Producer<f32>,
    marks: Producer<Mark>,
    count: u64,
    gap: bool,
    lost: Arc<AtomicU64>,
}

/// The pipeline's end: gives blocks of exactly one length.
pub(crate) struct Capture {
    rate: u32,
    channels: u16,
    /// Frames in a block.
    block: usize,
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    lost: Arc<AtomicU64>,
    resampler: Resampler,
    input: Vec<f32>,
    pool: Pool<f32>,
    anchor: Anchor,
    /// Frames of the ring that were taken or left out.
    taken: u64,
    /// Frames before this one are left out.
    from: u64,
    steer: Steer,
    /// Seconds that the marks since the last block were off, their sum and number.
    off: (f64, u32),
    astray: Option<Astray>,
    /// When the block that was given last ended, in this session or one before.
    end: Timestamp,
}

/// Where stamps are counted from.
enum Anchor {
    /// From nowhere yet. The mark that came first, and the sum and number of what those after it said.
    Listening {
        since: Option<(Timestamp, f64, u32)>,
    },
    At(Count),
}

/// A count of samples, and the frame of the device that the next of them is.
struct Count {
    start: Timestamp,
    /// Blocks given since.
    blocks: u64,
    /// Where in the device's frames the next block begins.
    position: f64,
    /// Frames of input per frame of output.
    step: f64,
}

/// Marks in a row that are all too far off, in one direction.
struct Astray {
    since: Timestamp,
    /// Seconds that they are off, their sum and number.
    off: (f64, u32),
}

/// Both ends of a session with a device of `rate` frames per second, of which `channels` channels are taken.
/// `end` is when the last block of the session before ended: nothing is given that was captured earlier.
pub(crate) fn session(rate: u32, channels: u16, block: usize, end: Timestamp) -> Result<(Intake, Capture)> {
    let resampler = Resampler::new(rate, RATE, channels, block, FixedAsync::Output)?;
    let frames = (u64::from(rate) * RING.as_millis() as u64 / 1000) as usize;
    let (samples_in, samples) = RingBuffer::new(frames * usize::from(channels));
    let (marks_in, marks) = RingBuffer::new(MARKS);
    let lost = Arc::new(AtomicU64::new(0));
    let intake = Intake {
        channels: usize::from(channels),
        samples: samples_in,
        marks: marks_in,
        count: 0,
        gap: false,
        lost: Arc::clone(&lost),
    };
    let input = vec![0.0; resampler.wants_at_most() * usize::from(channels)];
    let capture = Capture {
        rate,
        channels,
        block,
        samples,
        marks,
        lost,
        resampler,
        input,
        pool: Pool::new(POOLED_ITEMS),
        anchor: Anchor::Listening { since: None },
        taken: 0,
        from: 0,
        steer: Steer::default(),
        off: (0.0, 0),
        astray: None,
        end,
    };
    Ok((intake, capture))
}

impl Intake {
    /// Takes `frames` frames, the first of which was captured at `captured`; `samples` are interleaved, in as many
    /// channels as the session has. What does not fit is lost and counted.
    pub(crate) fn put(&mut self, frames: usize, captured: Timestamp, samples: impl Iterator<Item = f32>) {
        if frames == 0 {
            return;
        }
        let length = frames * self.channels;
        if self.marks.is_full() || self.samples.slots() < length {
            self.gap = true;
            self.lost.fetch_add(frames as u64, Ordering::Relaxed);
            return;
        }
        let Ok(chunk) = self.samples.write_chunk_uninit(length) else { return };
        let written = chunk.fill_from_iter(samples);
        let mark = Mark { first: self.count, captured, gap: std::mem::take(&mut self.gap) };
        self.count += (written / self.channels) as u64;
        // There was room, and nobody else writes.
        let _ = self.marks.push(mark);
    }
}

impl Capture {
    /// The next block, once all of it has been captured. `change` may change its samples.
    pub(crate) fn next(&mut self, change: impl FnOnce(&mut [f32], usize)) -> Option<AudioFrame> {
        self.read_marks();
        self.leave_out();
        let length = self.resampler.wants() * usize::from(self.channels);
        let Anchor::At(count) = &mut self.anchor else { return None };
        if self.taken < self.from || self.samples.slots() < length {
            return None;
        }
        self.samples.pop_entire_slice(&mut self.input[..length]).ok()?;
        self.taken += (length / usize::from(self.channels)) as u64;
        let time = count.next(self.block);
        let discontinuity = count.blocks == 0;
        count.blocks += 1;
        count.position += self.block as f64 * count.step;
        let resampled = self.resampler.process(&self.input[..length]);
        let channels = usize::from(self.channels);
        let samples = self.pool.fill(resampled.len(), |out| {
            out.copy_from_slice(resampled);
            change(out, channels);
        });
        // Not right before it is used: what it takes next depends on it.
        count.step = self.resampler.steer(correction(&mut self.off, &mut self.steer, self.block));
        let block = AudioFrame::new(RATE, self.channels, time, samples).with_discontinuity(discontinuity);
        self.end = time + block.duration();
        Some(block)
    }

    /// Forgets what waits and begins to listen.
    pub(crate) fn begin(&mut self) {
        while self.marks.pop().is_ok() {}
        self.start_anew(self.taken);
        self.leave_out();
    }

    /// When the last block ended.
    pub(crate) fn end(&self) -> Timestamp {
        self.end
    }

    /// Frames that were lost because nobody took them in time.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn read_marks(&mut self) {
        while let Ok(mark) = self.marks.pop() {
            if mark.gap {
                self.start_anew(mark.first);
            }
            match &mut self.anchor {
                Anchor::Listening { since } => {
                    let (from, sum, number) = since.get_or_insert((mark.captured, 0.0, 0));
                    let listened = mark.captured.since(*from);
                    // What frame 0 would have been captured at, counted from the first mark.
                    if listened >= LISTEN / 2 {
                        *sum += listened.as_secs_f64() - mark.first as f64 / f64::from(self.rate);
                        *number += 1;
                    }
                    if listened >= LISTEN {
                        let zero = from.as_nanos() as f64 / 1e9 + *sum / f64::from(*number);
                        let next = mark.first.max(self.taken);
                        // The filter's first output lies half a filter before its first input.
                        let position = next as f64 - self.resampler.delay();
                        self.count_from(position, zero + position / f64::from(self.rate), next);
                    }
                }
                Anchor::At(count) => {
                    let ahead = (mark.first as f64 - count.position) / count.step / f64::from(RATE);
                    let captured = mark.captured.as_nanos() as f64 - count.next(self.block).as_nanos() as f64;
                    let off = captured / 1e9 - ahead;
                    self.off.0 += off.clamp(-ASTRAY, ASTRAY);
                    self.off.1 += 1;
                    self.insist(mark.captured, off);
                }
            }
        }
    }

    /// Leaps once all marks for a while say that it is `off` seconds behind, which samples that were lost explain.
    fn insist(&mut self, now: Timestamp, off: f64) {
        if off.abs() < ASTRAY {
            self.astray = None;
            return;
        }
        let same = self.astray.take().filter(|astray| astray.off.0.signum() == off.signum());
        let mut astray = same.unwrap_or(Astray { since: now, off: (0.0, 0) });
        astray.off = (astray.off.0 + off, astray.off.1 + 1);
        if now.since(astray.since) < INSISTS {
            self.astray = Some(astray);
            return;
        }
        let Anchor::At(count) = &self.anchor else { return };
        let off = astray.off.0 / f64::from(astray.off.1);
        let (position, at) = (count.position, count.next(self.block).as_nanos() as f64 / 1e9 + off);
        tracing::debug!("the sound is {:.0} ms from where it should be: counted anew", off * 1e3);
        self.count_from(position, at, self.taken.max(self.from));
        self.steer.leap();
    }

    /// Counts from the frame at `position` on, which was captured `at` seconds after the clock's zero; `next` is the
    /// first frame that is still to be taken. Frames from before the end of what has been given are left out: stamps do
    /// not go back.
    fn count_from(&mut self, position: f64, at: f64, next: u64) {
        let again = ((self.end.as_nanos() as f64 / 1e9 - at).max(0.0) * f64::from(self.rate)).ceil();
        self.from = next + again as u64;
        let start = Timestamp::from_nanos(((at + again / f64::from(self.rate)) * 1e9).max(0.0) as u64).max(self.end);
        let step = self.resampler.steer(0.0);
        self.anchor = Anchor::At(Count { start, blocks: 0, position: position + again, step });
        self.off = (0.0, 0);
        self.astray = None;
    }

    /// Forgets where it counts from: what comes before the frame `first` is not given.
    fn start_anew(&mut self, first: u64) {
        self.from = first;
        self.anchor = Anchor::Listening { since: None };
        self.steer = Steer::default();
        self.resampler.reset();
    }

    /// Leaves out what is not to be given: all there is as long as nothing says when it was captured.
    fn leave_out(&mut self) {
        let there = (self.samples.slots() / usize::from(self.channels)) as u64;
        let out = match self.anchor {
            Anchor::Listening { .. } => there,
            Anchor::At(_) => there.min(self.from.saturating_sub(self.taken)),
        };
        if let Ok(chunk) = self.samples.read_chunk(out as usize * usize::from(self.channels)) {
            chunk.commit_all();
            self.taken += out;
        }
    }
}

impl Count {
    /// When the next block begins.
    fn next(&self, block: usize) -> Timestamp {
        self.start + samples_to_time(self.blocks * block as u64, RATE)
    }
}

/// By how much to go faster, from how far the marks since the last block were off.
fn correction((sum, number): &mut (f64, u32), steer: &mut Steer, block: usize) -> f64 {
    let off = if *number == 0 { steer.off() } else { *sum / f64::from(*number) };
    (*sum, *number) = (0.0, 0);
    steer.correct(off, block as f64 / f64::from(RATE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    use millstream_testkit::{Chance, strength};

    /// The tone that is recorded: its phase tells when a sample was captured, within 10 ms.
    const TONE: f64 = 50.0;
    const BLOCK: usize = 960;

    /// A device of `rate` frames per second by its own clock, which is `drift` fast. It says when what it gives
    /// was captured with up to `jitter` seconds too much.
    struct Device {
        rate: f64,
        drift: f64,
        jitter: f64,
        period: usize,
        given: u64,
        /// Seconds by which all is later than it would be: what it lost without a word.
        late: f64,
        chance: Chance,
    }

    impl Device {
        fn at(&self, frame: u64) -> f64 {
            1.0 + self.late + frame as f64 / (self.rate * (1.0 + self.drift))
        }

        /// One callback.
        fn give(&mut self, intake: &mut Intake, channels: usize) {
            let late = self.jitter * self.chance.share();
            let captured = Timestamp::from_nanos(((self.at(self.given) + late) * 1e9) as u64);
            // A phase that turns: a sine for each sample would take longer than all that is tested.
            let phase = TAU * TONE * self.at(self.given);
            let step = TAU * TONE / (self.rate * (1.0 + self.drift));
            let (mut sine, mut cosine) = phase.sin_cos();
            let (turn_sine, turn_cosine) = step.sin_cos();
            let samples = (0..self.period).flat_map(|_| {
                let sample = 0.5 * sine as f32;
                (sine, cosine) = (sine * turn_cosine + cosine * turn_sine, cosine * turn_cosine - sine * turn_sine);
                std::iter::repeat_n(sample, channels)
            });
            intake.put(self.period, captured, samples);
            self.given += self.period as u64;
        }
    }

    /// Seconds by which the stamp of `block` is too early.
    fn early(block: &AudioFrame) -> f64 {
        let start = block.time.as_nanos() as f64 / 1e9;
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, frame) in block.samples.chunks(usize::from(block.channels)).enumerate() {
            let turn = TAU * TONE * (start + n as f64 / f64::from(RATE));
            real += f64::from(frame[0]) * turn.sin();
            imaginary += f64::from(frame[0]) * turn.cos();
        }
        imaginary.atan2(real) / (TAU * TONE)
    }

    /// Half an hour of `device`: how far stamps were off at most.
    fn half_an_hour(mut device: Device) -> f64 {
        let (mut intake, mut capture) = session(device.rate as u32, 1, BLOCK, Timestamp::ZERO).unwrap();
        let (mut blocks, mut farthest, mut start, mut tail) = (0_u64, 0.0_f64, Timestamp::ZERO, [0.0_f32; 2]);
        let swing = 2.0 * (TAU * TONE / f64::from(RATE)).cos() as f32;
        while device.at(device.given) < 1.0 + 1800.0 {
            device.give(&mut intake, 1);
            while let Some(block) = capture.next(|_, _| {}) {
                assert_eq!((block.len(), block.rate), (BLOCK, RATE));
                if blocks == 0 {
                    start = block.time;
                }
                assert_eq!(block.time, start + samples_to_time(blocks * BLOCK as u64, RATE), "stamps count samples");
                assert_eq!(block.discontinuity, blocks == 0);
                blocks += 1;
                // The first block begins with half a filter of silence.
                if blocks > 1 {
                    if blocks % 10 == 2 {
                        farthest = farthest.max(early(&block).abs());
                    }
                    for sample in block.samples.iter() {
                        let bend = (sample - swing * tail[1] + tail[0]).abs();
                        assert!(bend < 1e-3, "a step of {bend} in block {blocks}");
                        tail = [tail[1], *sample];
                    }
                } else {
                    tail = [block.samples[BLOCK - 2], block.samples[BLOCK - 1]];
                }
            }
        }
        assert_eq!(capture.lost(), 0);
        let waiting = capture.samples.slots() as u64;
        assert_eq!(device.given, capture.taken + waiting, "every frame was taken or waits");
        let Anchor::At(count) = &capture.anchor else { panic!("it counts") };
        let inside = capture.taken as f64 - count.position;
        assert!((0.0..300.0).contains(&inside), "{inside} frames are in the filter");
        assert!(blocks > 1800 * 50 - 20, "{blocks}");
        farthest
    }

    #[test]
    fn stamps_of_a_fast_clock_and_of_a_slow_one_with_jitter_stay_within_5_ms_for_half_an_hour() {
        let device = |rate, drift, jitter| Device {
            rate,
            drift,
            jitter,
            period: 480,
            given: 0,
            late: 0.0,
            chance: Chance::new(7),
        };
        let fast = half_an_hour(device(48_000.0, 100e-6, 0.0));
        let slow = half_an_hour(device(44_100.0, -200e-6, 0.003));
        eprintln!(
            "at most {:.3} ms off at 100 ppm fast, {:.3} ms at 200 ppm slow with 3 ms of jitter",
            fast * 1e3,
            slow * 1e3
        );
        assert!(fast < 0.005 && slow < 0.005, "{fast} and {slow} s");
    }

    #[test]
    fn lost_frames_start_a_new_count_where_they_end() {
        let mut device = Device {
            rate: 48_000.0,
            drift: 0.0,
            jitter: 0.0,
            period: 441,
            given: 0,
            late: 0.0,
            chance: Chance::new(1),
        };
        let (mut intake, mut capture) = session(48_000, 2, BLOCK, Timestamp::ZERO).unwrap();
        // Nobody takes anything for 3 s: the ring holds one.
        (0..327).for_each(|_| device.give(&mut intake, 2));
        assert!(capture.lost() > 90_000);
        let mut given = Vec::new();
        for _ in 0..100 {
            device.give(&mut intake, 2);
            given.extend(std::iter::from_fn(|| capture.next(|_, _| {})));
        }
        let anew = given.iter().rposition(|block| block.discontinuity).expect("a new count");
        assert!(given[..anew].iter().all(|block| block.time < Timestamp::from_millis(2100)));
        let after = &given[anew + 1..];
        assert!(after.len() > 25, "{} blocks after the gap", after.len());
        assert!(after.iter().all(|block| block.channels == 2 && early(block).abs() < 0.001));
        assert!(given.windows(2).all(|pair| pair[1].time >= pair[0].time + pair[0].duration()), "stamps never go back");
    }

    #[test]
    fn a_device_that_loses_sound_without_a_word_is_noticed_and_stamps_leap_once() {
        let chance = Chance::new(5);
        let mut device = Device { rate: 48_000.0, drift: 0.0, jitter: 0.001, period: 480, given: 0, late: 0.0, chance };
        let (mut intake, mut capture) = session(48_000, 1, BLOCK, Timestamp::ZERO).unwrap();
        for late in [0.0, 0.03, 0.0] {
            device.late = late;
            let mut given = Vec::new();
            for _ in 0..300 {
                device.give(&mut intake, 1);
                given.extend(std::iter::from_fn(|| capture.next(|_, _| {})));
            }
            let anew: Vec<_> = (0..given.len()).filter(|n| given[*n].discontinuity).collect();
            assert_eq!(anew.len(), 1, "{anew:?} at {late}");
            assert!(anew[0] < 20, "within 400 ms, not after {} blocks", anew[0]);
            // The filter still holds what came before.
            let after = &given[anew[0] + 2..];
            let farthest = after.iter().map(|block| early(block).abs()).fold(0.0, f64::max);
            assert!(after.len() > 100 && farthest < 0.002, "{farthest} s off at {late}");
            assert!(given.windows(2).all(|pair| pair[1].time >= pair[0].time + pair[0].duration()), "no way back");
        }
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_purity_from_44_1_khz() {
        let mut device = Device {
            rate: 44_100.0,
            drift: 0.0,
            jitter: 0.001,
            period: 441,
            given: 0,
            late: 0.0,
            chance: Chance::new(3),
        };
        let (mut intake, mut capture) = session(44_100, 1, 480, Timestamp::ZERO).unwrap();
        let mut sound = Vec::new();
        while sound.len() < 96_000 {
            device.give(&mut intake, 1);
            sound.extend(std::iter::from_fn(|| capture.next(|_, _| {})).flat_map(|block| block.samples.to_vec()));
        }
        let sound = &sound[48_000..];
        let tone = strength(sound, RATE, TONE);
        let harmonics: f64 = (2..=10).map(|n| strength(sound, RATE, TONE * f64::from(n)).powi(2)).sum();
        eprintln!("distortion {:.1} dB", 20.0 * (harmonics.sqrt() / tone).log10());
        assert!((tone - 0.5).abs() < 0.005 && harmonics.sqrt() / tone < 1e-3, "{tone}, {harmonics}");
    }
}
