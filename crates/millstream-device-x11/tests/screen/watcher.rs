//! Takes pictures from a screen, as a runner would.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use millstream_core::{Clock, Cx, Next, Result, Run, Source, Upstream, VideoFrame};
use millstream_device_x11::{Options, Screen};

/// How long a test waits for what must come, on a machine however slow.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Watcher {
    pub(crate) screen: Screen,
    pub(crate) cx: Cx,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Watcher {
    pub(crate) fn open(options: Options) -> Result<Watcher> {
        let clock = Clock::system();
        let screen = Screen::open(options, clock.clone())?;
        let run = Run::default();
        run.start(clock.now());
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        Ok(Watcher { screen, cx: Cx::new(clock, waker, Upstream::default(), run) })
    }

    /// The next picture, or what went wrong.
    pub(crate) fn next(&mut self) -> Result<VideoFrame> {
        let deadline = self.cx.now() + PATIENCE;
        loop {
            match self.screen.next(&mut self.cx)? {
                Next::Item(frame) => return Ok(frame),
                Next::Idle => thread::park_timeout(Duration::from_millis(100)),
                other => panic!("{other:?}"),
            }
            assert!(self.cx.now() < deadline, "no picture for {PATIENCE:?}");
        }
    }

    /// The first picture that `fits`.
    pub(crate) fn until(&mut self, fits: impl Fn(&VideoFrame) -> bool) -> VideoFrame {
        let deadline = self.cx.now() + PATIENCE;
        loop {
            if let Ok(frame) = self.next()
                && fits(&frame)
            {
                return frame;
            }
            assert!(self.cx.now() < deadline, "no such picture for {PATIENCE:?}");
        }
    }
}

/// All of `display`, without the pointer.
pub(crate) fn plain(display: &str) -> Options {
    Options { device: Some(display.to_owned()), cursor: false, ..Options::default() }
}
