//! The source `screen`: takes from its capturing thread what that has, and never waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Clock, Control, Cx, Error, Next, Result, Source, VideoFrame};

use super::capture;
use super::options::Options;
use super::slot::Slot;

/// Gives what a screen shows: I420, limited range, BT.601, of the size that the screen, the monitor
/// or the region has at that time.
///
/// A picture is stamped when it is asked for. Pictures are due at the pipeline's start plus n
/// periods; one that cannot be taken in time is left out. While a consumer wishes a
/// [pause](Control::Pause) none are taken. If the X server goes, the source has lost what it stands
/// on, says so once, and looks for the server after 0.25 s and then at least every second.
#[derive(Debug)]
pub struct Screen {
    slot: Arc<Slot>,
    opened: String,
}

/// How long opening may take: twice as long as a server may be silent.
const OPENS_WITHIN: Duration = Duration::from_secs(4);

impl Screen {
    /// Opens the screen that `options` say. Pictures are stamped by `clock`, the pipeline's.
    ///
    /// # Errors
    /// If there is no X server, it does not let us in or does not answer, or it has no such device
    /// or region.
    pub fn open(options: Options, clock: Clock) -> Result<Screen> {
        let slot = Arc::<Slot>::default();
        let (tell, opened) = sync_channel(1);
        let capturing = Arc::clone(&slot);
        // Nobody waits for its end: a server that hangs would hold up whoever does.
        let thread = thread::Builder::new().name("screen".to_owned()).spawn(move || {
            let run = || capture::run(&options, &clock, &capturing, &tell);
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                capturing.lose(Error::new(Kind::Panic, "the thread that captures the screen panicked"));
            }
        });
        thread.map_err(|error| Error::fatal("no thread to capture the screen").caused_by(error))?;
        let mut screen = Screen { slot, opened: String::new() };
        screen.opened = opened.recv_timeout(OPENS_WITHIN).map_err(|error| match error {
            RecvTimeoutError::Timeout => Error::lost("the X server does not answer; is it stopped, or the way to it?"),
            RecvTimeoutError::Disconnected => Error::new(Kind::Panic, "the thread that opens the screen panicked"),
        })??;
        Ok(screen)
    }

    /// What was opened and why, in a line.
    pub fn opened(&self) -> &str {
        &self.opened
    }
}

impl Source<VideoFrame> for Screen {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<VideoFrame>> {
        let mut state = self.slot.lock();
        if let Some(error) = state.lost.take() {
            return Err(error);
        }
        if let Some(frame) = state.frame.take() {
            return Ok(Next::Item(frame));
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        if state.start.is_none() {
            state.start = Some(cx.start());
            self.slot.changed.notify_all();
        }
        Ok(Next::Idle)
    }

    fn control(&mut self, wish: Control, _: &mut Cx) {
        if let Control::Pause(paused) = wish {
            self.slot.lock().paused = paused;
            self.slot.changed.notify_all();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.slot.lock().closed = true;
        self.slot.changed.notify_all();
    }
}
