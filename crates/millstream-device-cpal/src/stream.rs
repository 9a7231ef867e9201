//! Streams of `cpal` in any sample format, made from and into `f32`.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::DeviceTrait;
use cpal::{BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig, SupportedStreamConfig};
use millstream_core::device::Kind;
use millstream_core::{Clock, Error, Result};

use crate::capture::Intake;
use crate::health::Health;
use crate::host::explained;
use crate::list::Found;
use crate::render::Playout;

/// How long a device may take to make a stream.
const MAKES_WITHIN: Duration = Duration::from_secs(5);

/// What a stream is made with.
pub(crate) struct Made {
    pub(crate) stream: cpal::Stream,
    pub(crate) health: Arc<Health>,
    pub(crate) period: Duration,
}

/// What `found` calls its own: the rate, channels and format that nothing converts.
pub(crate) fn native(found: &Found) -> Result<SupportedStreamConfig> {
    let input = found.listed.kind == Kind::Microphone;
    let native = if input { found.device.default_input_config() } else { found.device.default_output_config() };
    native.map_err(|error| explained(found.listed.kind, &error))
}

/// Frames of `millis` milliseconds, as far as the device says that it can have callbacks of so many.
pub(crate) fn period(config: &SupportedStreamConfig, millis: u32) -> u32 {
    let frames = config.sample_rate() * millis / 1000;
    match *config.buffer_size() {
        cpal::SupportedBufferSize::Range { min, max } if min <= max => frames.clamp(min, max),
        _ => frames,
    }
}

/// Records `found` into what `intake` makes: the channels that it has are given to it as they are.
pub(crate) fn record(
    found: &Found,
    config: &SupportedStreamConfig,
    frames: u32,
    clock: &Clock,
    intake: impl FnMut() -> Result<Intake>,
    channels: u16,
) -> Result<Made> {
    macro_rules! record {
        ($($format:ident: $sample:ty),+) => {
            match config.sample_format() {
                $(SampleFormat::$format => record_as::<$sample>(found, config, frames, clock, intake, channels),)+
                other => Err(unknown(other)),
            }
        };
    }
    record!(I8: i8, I16: i16, I24: cpal::I24, I32: i32, I64: i64, U8: u8, U16: u16, U24: cpal::U24, U32: u32, U64: u64, F32: f32, F64: f64)
}

/// Channels of what was played, as it is given back.
pub(crate) const PLAYED_CHANNELS: u16 = 2;

/// Plays on `found` what the first of `ends` gives. The second, if there is one, takes what was played, in
/// [`PLAYED_CHANNELS`] channels, each period with the time at which its first frame is heard.
pub(crate) fn play(
    found: &Found,
    config: &SupportedStreamConfig,
    frames: u32,
    clock: &Clock,
    ends: impl FnMut() -> Result<(Playout, Option<Intake>)>,
) -> Result<Made> {
    macro_rules! play {
        ($($format:ident: $sample:ty),+) => {
            match config.sample_format() {
                $(SampleFormat::$format => play_as::<$sample>(found, config, frames, clock, ends),)+
                other => Err(unknown(other)),
            }
        };
    }
    play!(I8: i8, I16: i16, I24: cpal::I24, I32: i32, I64: i64, U8: u8, U16: u16, U24: cpal::U24, U32: u32, U64: u64, F32: f32, F64: f64)
}

fn record_as<T: SizedSample>(
    found: &Found,
    config: &SupportedStreamConfig,
    frames: u32,
    clock: &Clock,
    mut intake: impl FnMut() -> Result<Intake>,
    channels: u16,
) -> Result<Made>
where
    f32: FromSample<T>,
{
    let from = usize::from(config.channels());
    made(found, config, frames, clock, |config, health, errors| {
        let (mut intake, clock, health) = (intake()?, clock.clone(), Arc::clone(health));
        let recorded = move |data: &[T], info: &cpal::InputCallbackInfo| {
            let now = clock.now();
            health.beat(now);
            let stamp = info.timestamp();
            let captured = now - stamp.callback.saturating_duration_since(stamp.capture);
            intake.put(data.len() / from, captured, in_channels(data, from, channels));
        };
        Ok(found.device.build_input_stream(config, recorded, errors, Some(MAKES_WITHIN)))
    })
}

fn play_as<T: SizedSample + FromSample<f32>>(
    found: &Found,
    config: &SupportedStreamConfig,
    frames: u32,
    clock: &Clock,
    mut ends: impl FnMut() -> Result<(Playout, Option<Intake>)>,
) -> Result<Made>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels());
    made(found, config, frames, clock, |config, health, errors| {
        let ((mut playout, mut played), clock, health) = (ends()?, clock.clone(), Arc::clone(health));
        let asked = move |data: &mut [T], info: &cpal::OutputCallbackInfo| {
            let now = clock.now();
            health.beat(now);
            let frames = data.len() / channels;
            let mut out = data.iter_mut();
            // Whole numbers cannot be louder than the loudest, and what is not a number is nothing.
            playout.fill(frames, |sample| {
                if let Some(out) = out.next() {
                    let sample = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
                    *out = T::from_sample(sample);
                }
            });
            if let Some(played) = &mut played {
                let stamp = info.timestamp();
                let audible = now + stamp.playback.saturating_duration_since(stamp.callback);
                played.put(frames, audible, in_channels(data, channels, PLAYED_CHANNELS));
            }
        };
        Ok(found.device.build_output_stream(config, asked, errors, Some(MAKES_WITHIN)))
    })
}

/// The samples of `data`, whose frames have `from` channels, in `to` channels: one is the mean of all, two are the
/// first two.
fn in_channels<T: SizedSample>(data: &[T], from: usize, to: u16) -> impl Iterator<Item = f32>
where
    f32: FromSample<T>,
{
    data.chunks_exact(from).flat_map(move |frame| {
        let mean = || frame.iter().map(|sample| f32::from_sample(*sample)).sum::<f32>() / from as f32;
        let side = move |channel: usize| f32::from_sample(frame[channel.min(from - 1)]);
        let mono = if to == 1 { mean() } else { 0.0 };
        (0..to).map(move |channel| if to == 1 { mono } else { side(usize::from(channel)) })
    })
}

/// Makes a stream with callbacks of `frames` frames, or as the device likes them if it cannot.
fn made(
    found: &Found,
    config: &SupportedStreamConfig,
    frames: u32,
    clock: &Clock,
    mut make: impl FnMut(StreamConfig, &Arc<Health>, Errors) -> Result<Result<cpal::Stream, cpal::Error>>,
) -> Result<Made> {
    let health = Arc::new(Health::since(clock.now()));
    let errors = || {
        let health = Arc::clone(&health);
        Box::new(move |error: cpal::Error| health.note(error.kind())) as Errors
    };
    let wish = StreamConfig { buffer_size: BufferSize::Fixed(frames), ..config.config() };
    let mut stream = make(wish, &health, errors())?;
    if stream.as_ref().is_err_and(|error| error.kind() == ErrorKind::UnsupportedConfig) {
        stream = make(StreamConfig { buffer_size: BufferSize::Default, ..wish }, &health, errors())?;
    }
    let stream = stream.map_err(|error| explained(found.listed.kind, &error))?;
    let period = Duration::from_secs_f64(f64::from(frames) / f64::from(config.sample_rate()));
    Ok(Made { stream, health, period })
}

/// A stream's error callback.
type Errors = Box<dyn FnMut(cpal::Error) + Send>;

fn unknown(format: SampleFormat) -> Error {
    Error::lost(format!("it gives samples as {format}, which nothing here reads; try another device"))
}
