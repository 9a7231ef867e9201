//! The thread that talks with the system: paces, captures, converts, and comes back after a loss.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use millstream_core::units::FrameRate;
use millstream_core::{Buffer, Clock, Error, MAX_DIMENSION, PixelFormat, Result, Timestamp, VideoFrame};
use millstream_pixels::Converter;
use xcap::{Frame, Monitor, VideoRecorder};

use crate::channel::{Command, ToSource};
use crate::monitor;
use crate::options::Options;

/// How long a screen that is gone is left alone: twice as long each time.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Opens the screen, tells `opened` how that went, and captures until nobody commands anything any more.
pub(crate) fn run(
    options: &Options,
    clock: &Clock,
    opened: &SyncSender<Result<String>>,
    commands: &Receiver<Command>,
    to_source: &ToSource,
) {
    let (mut view, words) = match View::open(options) {
        Ok(opened) => opened,
        Err(error) => {
            // Whoever does not wait any more has said so already.
            let _ = opened.send(Err(error));
            return;
        }
    };
    if opened.send(Ok(words)).is_err() {
        return;
    }
    let Ok(Command::Start(start)) = commands.recv() else { return };
    let mut converter = Converter::new();
    let mut next = 0;
    loop {
        // What was missed is left out; what is late by less than a period is due at once.
        next = next.max(count(clock.now().since(start), options.fps));
        if !wait_until(start + options.fps.time_of(next), clock, commands) {
            return;
        }
        next += 1;
        match view.capture(clock, &mut converter) {
            Ok(frame) => frame.into_iter().for_each(|frame| to_source.frame(frame)),
            Err(error) => {
                to_source.loss(error);
                let Some(again) = reopen(options, clock, commands) else { return };
                view = again;
            }
        }
    }
}

/// How many whole periods have passed.
fn count(elapsed: Duration, rate: FrameRate) -> u64 {
    (elapsed.as_nanos() * u128::from(rate.numerator()) / (u128::from(rate.denominator()) * 1_000_000_000)) as u64
}

/// Waits until `time` has come and nobody commands a pause; whether pictures are still wanted.
fn wait_until(time: Timestamp, clock: &Clock, commands: &Receiver<Command>) -> bool {
    loop {
        match commands.recv_timeout(time.since(clock.now())) {
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
            Ok(Command::Pause(true)) => loop {
                match commands.recv() {
                    Ok(Command::Pause(false)) => break,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            },
            Ok(_) => {}
        }
    }
}

/// The screen once it is back; `None` if nobody wants it any more.
fn reopen(options: &Options, clock: &Clock, commands: &Receiver<Command>) -> Option<View> {
    let mut wait = BACK_OFF[0];
    while wait_until(clock.now() + wait, clock, commands) {
        match View::open(options) {
            Ok((view, words)) => {
                tracing::warn!("the screen is back: {words}");
                return Some(view);
            }
            Err(error) => tracing::debug!("the screen is not back: {error}"),
        }
        wait = (wait * 2).min(BACK_OFF[1]);
    }
    None
}

/// A monitor, and how its pictures come.
struct View {
    monitor: Monitor,
    pushed: Option<Pushed>,
}

/// Pictures that the system pushes.
struct Pushed {
    recorder: VideoRecorder,
    frames: Receiver<Frame>,
    /// The newest: a screen on which nothing moves pushes none.
    newest: Option<VideoFrame>,
}

impl View {
    fn open(options: &Options) -> Result<(View, String)> {
        let (monitor, choice) = monitor::find(options)?;
        let pushed = match options.recorder.unwrap_or_else(pushes_sparingly) {
            false => None,
            true => {
                let (recorder, frames) = monitor.video_recorder().map_err(monitor::refused)?;
                recorder.start().map_err(monitor::refused)?;
                Some(Pushed { recorder, frames, newest: None })
            }
        };
        let way = if pushed.is_some() { "as the system pushes them" } else { "each asked for" };
        let words = format!("captures {} at {}, {way}: {}", choice.device, choice.mode, choice.why);
        Ok((View { monitor, pushed }, words))
    }

    /// The picture of now; `None` if none has been pushed yet.
    fn capture(&mut self, clock: &Clock, converter: &mut Converter) -> Result<Option<VideoFrame>> {
        let time = clock.now();
        let Some(pushed) = &mut self.pushed else {
            let image = self.monitor.capture_image().map_err(monitor::refused)?;
            let frame = rgba(image.width(), image.height(), image.into_raw(), time)?;
            return converter.to_i420(&frame).map(Some);
        };
        if let Some(frame) = pushed.frames.try_iter().last() {
            let frame = rgba(frame.width, frame.height, frame.raw, time)?;
            pushed.newest = Some(converter.to_i420(&frame)?);
        }
        let mut newest = pushed.newest.clone();
        newest.iter_mut().for_each(|frame| frame.time = time);
        Ok(newest)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(pushed) = &self.pushed
            && let Err(error) = pushed.recorder.stop()
        {
            tracing::debug!("the recorder does not stop: {error}");
        }
    }
}

/// Whether the system pushes a picture when something has changed, rather than as many as it can.
fn pushes_sparingly() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("WAYLAND_DISPLAY")
}

fn rgba(width: u32, height: u32, pixels: Vec<u8>, time: Timestamp) -> Result<VideoFrame> {
    let fits = (1..=MAX_DIMENSION).contains(&width)
        && (1..=MAX_DIMENSION).contains(&height)
        && pixels.len() >= PixelFormat::Rgba.byte_len(width, height);
    if !fits {
        return Err(Error::lost(format!("the system gave {} bytes for a picture of {width}x{height}", pixels.len())));
    }
    Ok(VideoFrame::tight(Buffer::from(pixels), PixelFormat::Rgba, (width, height), time))
}
