//! The source: takes what the camera's thread gives, watches that it gives something, and opens the
//! camera again when it does not.

use std::time::Duration;

use millstream_core::device::Choice;
use millstream_core::{Clock, Color, Control, Cx, Error, Next, Result, Source, Timestamp, VideoFrame};

use crate::decode::Decoder;
use crate::mode::Mode;
use crate::options::Options;
use crate::session::{LeftBehind, Session};
use crate::slot::{Opened, Shot};

/// How long a camera may take to open at the start. Listing alone may take two seconds where one of
/// several does not answer.
const OPENS_WITHIN: Duration = Duration::from_secs(10);
/// How long a camera may take to its first picture: webcams measure light first, for a second or two.
const FIRST_PICTURE: Duration = Duration::from_secs(4);
/// A camera from which nothing came for this long, or ten periods, has stalled.
const STALLED: Duration = Duration::from_secs(1);
const STALLED_PERIODS: u64 = 10;
/// How long a lost camera is left alone before it is tried again: twice as long each time.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// Threads that a driver may hold at once. With as many it is not tried again before one comes back.
const HELD: usize = 3;
/// How far pictures are apart at least in their stamps. Frames of one RTP timestamp are one frame to a
/// receiver (RFC 3550, 5.1), and players and files such as Matroska count milliseconds.
const APART: Duration = Duration::from_millis(1);
/// How often it is said that pictures were damaged: once for all of this time, not for each.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// Gives the pictures of a camera: I420, limited range, BT.601, stamped with when they were captured.
///
/// The driver runs in a thread that nobody waits for. While nothing comes from it, [`Source::next`]
/// returns at once, and a camera that was lost is opened again: the same one, wherever it is plugged
/// in. A loss is one [`Lost`](millstream_core::error::Kind::Lost), which the runner counts. Damaged
/// pictures and errors of the driver are skipped and reported together, once a second, as a bad item.
///
/// While a consumer wishes a [pause](Control::Pause) the camera stays open, so that who comes next sees a
/// picture at once, and its pictures are let go unconverted.
pub struct Camera {
    options: Options,
    choice: Choice,
    clock: Clock,
    decoder: Decoder,
    state: State,
    left_behind: Vec<LeftBehind>,
    troubles: Troubles,
    paused: bool,
    last: Timestamp,
    /// Pictures that came faster than they were taken.
    dropped: u64,
}

enum State {
    /// Open, or about to be.
    Live(Live),
    /// Tried again at `retry`.
    Lost { retry: Timestamp, tries: u32 },
}

struct Live {
    session: Session,
    /// What it was asked for and what its samples mean, once it is open.
    format: Option<(Mode, Color)>,
    /// By when there must be news of it.
    deadline: Timestamp,
    tries: u32,
}

/// What has been lost and not come back: since when, and what was said of it last.
#[derive(Default)]
struct Troubles {
    lost: Option<(Timestamp, String)>,
    bad: u64,
    last: Option<Error>,
    said: Option<Timestamp>,
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Camera").field("choice", &self.choice).finish_non_exhaustive()
    }
}

impl Camera {
    /// Opens the camera that fits `options` best, and waits until it is open.
    ///
    /// # Errors
    /// Why it cannot be opened, and what to do about it: there is none, or none of that id or with such
    /// modes; it is not readable, in use, or does not answer.
    pub fn open(options: Options, clock: &Clock) -> Result<Camera> {
        let decoder = Decoder::new(options.rotate, options.mirror)?;
        let session = Session::start(options.clone(), clock.clone())?;
        let opened = session.slot().opened(OPENS_WITHIN).unwrap_or_else(|| {
            let words = format!("the camera does not open within {OPENS_WITHIN:?}; unplug it and plug it in again");
            Err(Error::lost(words))
        })?;
        let Opened { choice, mode, color } = opened;
        tracing::info!("{}", choice.why);
        // The same one ever after: another may look at something else.
        let options = Options { device: Some(choice.device.clone()), ..options };
        let deadline = clock.now() + FIRST_PICTURE;
        let state = State::Live(Live { session, format: Some((mode, color)), deadline, tries: 0 });
        let clock = clock.clone();
        Ok(Camera {
            options,
            choice,
            clock,
            decoder,
            state,
            left_behind: Vec::new(),
            troubles: Troubles::default(),
            paused: false,
            last: Timestamp::ZERO,
            dropped: 0,
        })
    }

    /// Which camera and which of its modes, and why.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    fn picture(&mut self, shot: &Shot, mode: &Mode, color: Color) -> Result<VideoFrame> {
        let size = (mode.width, mode.height);
        let mut frame = self.decoder.decode(&shot.data, mode.encoding, size, color, shot.time)?;
        frame.time = stamp(self.last, frame.time);
        self.last = frame.time;
        Ok(frame)
    }

    /// A picture has come: what was lost is back.
    fn back(&mut self, now: Timestamp, mode: &Mode) {
        if let Some((since, _)) = self.troubles.lost.take() {
            let gone = now.since(since).as_secs_f64();
            // As loud as the loss: whoever read of that waits for this.
            tracing::warn!("camera {} is back after {gone:.1} s: {mode}", self.choice.device);
        }
    }

    /// The camera is lost, or still: the error where it is new.
    fn lost(&mut self, now: Timestamp, error: Error, tries: u32) -> Option<Error> {
        let wait = BACK_OFF[0].saturating_mul(1 << tries.min(8)).min(BACK_OFF[1]);
        if let State::Live(live) = &self.state {
            self.left_behind.push(live.session.left_behind());
        }
        self.state = State::Lost { retry: now + wait, tries: tries + 1 };
        if self.troubles.lost.is_some() {
            self.not_back(error.to_string());
            return None;
        }
        tracing::warn!("camera {} is lost: {error}", self.choice.device);
        self.troubles.lost = Some((now, error.to_string()));
        // Whatever it is, the camera may come back.
        Some(Error::lost(error.to_string()))
    }

    /// Says why a camera that was lost is not back, where that is not what was said last.
    fn not_back(&mut self, words: String) {
        if let Some((_, said)) = &mut self.troubles.lost
            && *said != words
        {
            tracing::warn!("camera {} is not back yet: {words}", self.choice.device);
            *said = words;
        }
    }

    /// Counts what was bad, and says it if it is time to.
    fn bad(&mut self, now: Timestamp, count: u64, last: Error) -> Option<Error> {
        let troubles = &mut self.troubles;
        troubles.bad += count;
        troubles.last = Some(last);
        if troubles.said.is_some_and(|said| now.since(said) < SAID_EVERY) {
            return None;
        }
        troubles.said = Some(now);
        let last = troubles.last.take()?;
        let count = std::mem::take(&mut troubles.bad);
        if count == 1 {
            Some(last)
        } else {
            Some(Error::bad_item(format!("{count} pictures were damaged or missed, the last: {last}")))
        }
    }
}

/// What is said when no further thread is given to a driver.
fn held() -> String {
    format!(
        "its driver holds {HELD} threads and does not answer them; it is tried again when it lets one go: \
         unplug the camera and plug it in again, or start this program anew"
    )
}

/// When a picture behind one of `last` was captured, if its driver says at `time`: an age that it tells may
/// vary by more than a period.
fn stamp(last: Timestamp, time: Timestamp) -> Timestamp {
    time.max(last + APART)
}

impl Drop for Camera {
    fn drop(&mut self) {
        if self.dropped > 0 {
            tracing::info!("camera {}: {} pictures came faster than they were taken", self.choice.device, self.dropped);
        }
    }
}

/// What the camera's thread has given.
enum Given {
    Shot(Shot),
    Troubles(u64, String),
    Ended(Error),
    Nothing,
}

impl Source<VideoFrame> for Camera {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<VideoFrame>> {
        loop {
            let now = cx.now();
            let live = match &mut self.state {
                State::Lost { retry, .. } if now < *retry => return Ok(Next::Until(*retry)),
                State::Lost { retry, tries } => {
                    self.left_behind.retain(LeftBehind::is_held);
                    if self.left_behind.len() >= HELD {
                        *retry = now + BACK_OFF[1];
                        self.not_back(held());
                        continue;
                    }
                    let tries = *tries;
                    let session = Session::start(self.options.clone(), self.clock.clone())?;
                    let deadline = now + OPENS_WITHIN;
                    self.state = State::Live(Live { session, format: None, deadline, tries });
                    continue;
                }
                State::Live(live) => live,
            };
            let (given, opened) = live.session.slot().take(cx.waker(), |news| {
                let opened = news.opened.take();
                self.dropped += std::mem::take(&mut news.dropped);
                let given = match std::mem::take(&mut news.troubles) {
                    (0, _) => match news.shots.pop_front() {
                        Some(shot) => Given::Shot(shot),
                        None => news.ended.take().map_or(Given::Nothing, Given::Ended),
                    },
                    (count, words) => Given::Troubles(count, words),
                };
                (given, opened)
            });
            if let Some(opened) = opened {
                live.format = Some((opened.mode, opened.color));
                live.deadline = now + FIRST_PICTURE;
            }
            match given {
                Given::Shot(shot) => {
                    // A picture comes after the camera was opened.
                    let Some((mode, color)) = live.format else { continue };
                    let periods = mode.fps.time_of(STALLED_PERIODS);
                    live.deadline = now + STALLED.max(periods);
                    live.tries = 0;
                    self.back(now, &mode);
                    if self.paused {
                        continue;
                    }
                    match self.picture(&shot, &mode, color) {
                        Ok(frame) => return Ok(Next::Item(frame)),
                        Err(error) => {
                            if let Some(error) = self.bad(now, 1, error) {
                                return Err(error);
                            }
                        }
                    }
                }
                Given::Troubles(count, words) => {
                    if let Some(error) = self.bad(now, count, Error::bad_item(words)) {
                        return Err(error);
                    }
                }
                Given::Ended(error) => {
                    let tries = live.tries;
                    if let Some(error) = self.lost(now, error, tries) {
                        return Err(error);
                    }
                }
                Given::Nothing if now >= live.deadline => {
                    let tries = live.tries;
                    let error = Error::lost("no picture comes from it any more; it is opened anew");
                    if let Some(error) = self.lost(now, error, tries) {
                        return Err(error);
                    }
                }
                Given::Nothing => return Ok(Next::Until(live.deadline)),
            }
        }
    }

    fn control(&mut self, wish: Control, _: &mut Cx) {
        if let Control::Pause(paused) = wish {
            self.paused = paused;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Slot;
    use millstream_core::device;
    use millstream_core::units::FrameRate;
    use std::sync::Arc;

    #[test]
    fn a_driver_that_holds_threads_is_given_no_more_and_that_is_said() {
        let slots: Vec<Arc<Slot>> = (0..HELD).map(|_| Arc::default()).collect();
        let mode = device::Mode::Video { width: 16, height: 16, fps: FrameRate::THIRTY, format: String::new() };
        let mut camera = Camera {
            // None is called so, whatever this machine has.
            options: Options { device: Some("no such camera".into()), ..Options::default() },
            choice: Choice { device: String::new(), mode, why: String::new() },
            clock: Clock::manual().0,
            decoder: Decoder::new(crate::options::Rotate::None, false).unwrap(),
            state: State::Lost { retry: Timestamp::ZERO, tries: 1 },
            left_behind: slots.iter().map(LeftBehind::of).collect(),
            troubles: Troubles { lost: Some((Timestamp::ZERO, "stalled".into())), ..Troubles::default() },
            paused: false,
            last: Timestamp::ZERO,
            dropped: 0,
        };
        assert!(matches!(camera.next(&mut Cx::at(Timestamp::ZERO)), Ok(Next::Until(_))));
        assert!(matches!(camera.state, State::Lost { .. }));
        assert_eq!(camera.troubles.lost.as_ref().map(|(_, said)| said.as_str()), Some(held().as_str()));
        // One that is let go of makes room for another try.
        drop(slots);
        assert!(matches!(camera.next(&mut Cx::at(Timestamp::ZERO + BACK_OFF[1])), Ok(Next::Until(_))));
        assert!(camera.left_behind.len() < HELD);
    }

    #[test]
    fn no_two_pictures_have_one_stamp_whatever_ages_a_driver_tells() {
        // The third and those behind it are called older than the second.
        let told = [33, 66, 20, 53, 60, 133, 133].map(Timestamp::from_millis);
        let mut last = Timestamp::ZERO;
        let stamps = told.map(|time| {
            last = stamp(last, time);
            last
        });
        assert_eq!(stamps, [33, 66, 67, 68, 69, 133, 134].map(Timestamp::from_millis));
    }
}
