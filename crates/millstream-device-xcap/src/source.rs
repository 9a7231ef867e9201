//! The source `screen-xcap`: takes from its capturing thread what that has, and never waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Clock, Control, Cx, Error, Next, Result, Source, VideoFrame};

use crate::capture;
use crate::channel::{Command, ToSource};
use crate::options::Options;

/// Gives what a monitor shows: I420, limited range, BT.601.
///
/// Pictures are due at the pipeline's start plus n periods, and stamped when they are taken; one that
/// cannot be taken in time is left out. While a consumer wishes a [pause](Control::Pause) there are
/// none. A screen that goes is lost once, and looked for after 0.25 s and then at least every second.
#[derive(Debug)]
pub struct Screen {
    commands: Sender<Command>,
    frames: Receiver<VideoFrame>,
    losses: Receiver<Error>,
    waker: Arc<Mutex<Option<Waker>>>,
    started: bool,
    opened: String,
}

/// How long opening may take. Wayland's portal may ask a person first.
const OPENS_WITHIN: Duration = Duration::from_secs(60);

impl Screen {
    /// Opens the monitor that `options` mean. Pictures are stamped by `clock`, the pipeline's.
    ///
    /// # Errors
    /// If there is no such monitor, or the system does not let us capture it.
    pub fn open(options: Options, clock: Clock) -> Result<Screen> {
        let (tell, opened) = sync_channel(1);
        // One picture under way: a consumer that is late gets the next.
        let (frames, (commands, received)) = (sync_channel(1), channel());
        let (lose, losses) = channel();
        let waker = Arc::<Mutex<Option<Waker>>>::default();
        let to_source = ToSource { frames: frames.0, losses: lose, waker: Arc::clone(&waker) };
        // Nobody waits for its end: a system that hangs would hold up whoever does.
        let thread = thread::Builder::new().name("screen-xcap".to_owned()).spawn(move || {
            let run = || capture::run(&options, &clock, &tell, &received, &to_source);
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                to_source.loss(Error::new(Kind::Panic, "the thread that captures the screen panicked"));
            }
        });
        thread.map_err(|error| Error::fatal("no thread to capture the screen").caused_by(error))?;
        let opened = opened.recv_timeout(OPENS_WITHIN).map_err(|error| match error {
            RecvTimeoutError::Timeout => Error::lost("the system has not opened the screen for a minute"),
            RecvTimeoutError::Disconnected => Error::new(Kind::Panic, "the thread that opens the screen panicked"),
        })??;
        Ok(Screen { commands, frames: frames.1, losses, waker, started: false, opened })
    }

    /// What was opened and why, in a line.
    pub fn opened(&self) -> &str {
        &self.opened
    }
}

impl Source<VideoFrame> for Screen {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<VideoFrame>> {
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        if !self.started {
            self.started = true;
            // A thread that is gone has said why.
            let _ = self.commands.send(Command::Start(cx.start()));
        }
        if let Ok(error) = self.losses.try_recv() {
            return Err(error);
        }
        Ok(self.frames.try_recv().map_or(Next::Idle, Next::Item))
    }

    fn control(&mut self, wish: Control, _: &mut Cx) {
        if let Control::Pause(paused) = wish {
            let _ = self.commands.send(Command::Pause(paused));
        }
    }
}
