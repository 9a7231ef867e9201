//! The thread that talks with the X server: paces, captures, converts, and comes back after a loss.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::units::FrameRate;
use millstream_core::{Clock, Error, PixelFormat, Plane, Result, Timestamp, VideoFrame};
use millstream_pixels::Converter;
use x11rb::connection::Connection;

use super::grab::Grab;
use super::options::Options;
use super::region::Region;
use super::server::{Server, gone};
use super::slot::Slot;
use super::{monitors, view};

/// How long a server that is gone is left alone: twice as long each time.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Opens the screen, tells `opened` how that went, and captures into `slot` until it is closed.
pub(crate) fn run(options: &Options, clock: &Clock, slot: &Slot, opened: &SyncSender<Result<String>>) {
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
    let mut converter = Converter::new();
    let Some(start) = slot.started() else { return };
    let mut pace = Pace { rate: options.fps, start, next: 0 };
    while slot.wait_until(clock, pace.due(clock.now())) {
        match view.capture(options, clock, &mut converter) {
            Ok(frame) => slot.give(frame),
            Err(error) => {
                let error = loss(error);
                tracing::warn!("the screen is lost: {error}");
                slot.lose(error);
                let Some(again) = reopen(options, clock, slot) else { return };
                view = again;
            }
        }
    }
}

/// What went wrong while running, as a loss: a screen that has become too small for the region may grow again.
fn loss(error: Error) -> Error {
    match error.kind() {
        Kind::Lost => error,
        _ => Error::lost("the screen cannot be captured any more").caused_by(error),
    }
}

/// The screen once it is back; `None` if nobody wants it any more.
fn reopen(options: &Options, clock: &Clock, slot: &Slot) -> Option<View> {
    let mut wait = BACK_OFF[0];
    while slot.wait_until(clock, clock.now() + wait) {
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

/// What is captured of which server.
struct View {
    server: Server,
    region: Region,
    grab: Grab,
}

impl View {
    fn open(options: &Options) -> Result<(View, String)> {
        let display = view::display(options)?;
        let server = Server::connect(&display)?;
        monitors::watch(&server)?;
        let (region, why) = view::find(&server, options)?;
        let grab = Grab::new(&server, region, options.cursor)?;
        if view::is_wayland() {
            tracing::warn!("{}", view::ON_WAYLAND);
        }
        let words =
            format!("captures {region} of the X server {display} at {} a second, {}: {why}", options.fps, grab.way());
        Ok((View { server, region, grab }, words))
    }

    /// The picture of now, which is its stamp.
    fn capture(&mut self, options: &Options, clock: &Clock, converter: &mut Converter) -> Result<VideoFrame> {
        let mut changed = false;
        while self.server.connection.poll_for_event().map_err(gone)?.is_some() {
            changed = true;
        }
        // The screen may change once more on the way. Where it never stops, it is as good as gone.
        for _ in 0..3 {
            if changed {
                let before = self.region;
                (self.region, _) = view::find(&self.server, options)?;
                if self.region != before {
                    tracing::info!("the screen has changed: {} instead of {before}", self.region);
                }
            }
            let time = clock.now();
            let (region, size) = (self.region, self.region.size());
            if let Some(pixels) = self.grab.picture(&self.server, region)? {
                let row = size.0 as usize * 4;
                let plane = Plane { data: pixels, stride: row, row, rows: size.1 as usize };
                return converter.from_rgb(PixelFormat::Bgra, plane, size, time);
            }
            changed = true;
        }
        Err(Error::lost("the screen does not have the region that it has just said it has"))
    }
}

/// When pictures are due: at multiples of a period from the start. What was missed is left out.
struct Pace {
    rate: FrameRate,
    start: Timestamp,
    next: u64,
}

impl Pace {
    /// When the next one is due, asked at `now`. One that is late by less than a period is due at once.
    fn due(&mut self, now: Timestamp) -> Timestamp {
        let elapsed = now.since(self.start).as_nanos() * u128::from(self.rate.numerator());
        let begun = elapsed / (u128::from(self.rate.denominator()) * 1_000_000_000);
        self.next = self.next.max(begun as u64);
        let due = self.start + self.rate.time_of(self.next);
        self.next += 1;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_due_at_multiples_of_a_period_and_missed_ones_are_left_out() {
        let at = |millis: u64| Timestamp::from_millis(1000 + millis);
        let mut pace = Pace { rate: FrameRate::new(10, 1).unwrap(), start: at(0), next: 0 };
        // On time, on time, late by less than a period, on time, late by three periods and a bit.
        for (now, due) in [(0, 0), (1, 100), (230, 200), (240, 300), (730, 700), (731, 800)] {
            assert_eq!(pace.due(at(now)), at(due), "asked at {now} ms");
        }
    }
}
