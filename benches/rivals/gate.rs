//! A source that gives while it is told to, as all senders here do: `go` and `stop` on standard input,
//! `count` prints how many frames there were.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use millstream::core::{Control, Cx, Next, Source};

use super::{Result, at};

/// How soon a source sees that it may go on.
const LOOK: Duration = Duration::from_millis(50);

/// What a sender is told, and what it has done. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    open: Arc<AtomicBool>,
    frames: Arc<AtomicU64>,
}

impl Gate {
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a frame.
    pub(crate) fn count(&self) {
        self.frames.fetch_add(1, Ordering::Relaxed);
    }

    /// Obeys standard input until it ends.
    pub(crate) fn obey(&self) -> Result<()> {
        for line in std::io::stdin().lock().lines() {
            match line.map_err(at("standard input"))?.as_str() {
                "go" => self.open.store(true, Ordering::Relaxed),
                "stop" => self.open.store(false, Ordering::Relaxed),
                "count" => println!("{{\"frames\":{}}}", self.frames.load(Ordering::Relaxed)),
                other => return Err(format!("go, stop or count, not `{other}`")),
            }
        }
        Ok(())
    }
}

/// `source` behind a gate.
pub(crate) struct Gated<S> {
    source: S,
    gate: Gate,
    paused: bool,
}

impl<S> Gated<S> {
    pub(crate) fn new(source: S, gate: Gate) -> Gated<S> {
        Gated { source, gate, paused: false }
    }
}

impl<T, S: Source<T>> Source<T> for Gated<S> {
    fn next(&mut self, cx: &mut Cx) -> millstream::core::Result<Next<T>> {
        if self.paused == self.gate.is_open() {
            self.paused = !self.paused;
            self.source.control(Control::Pause(self.paused), cx);
        }
        if self.paused {
            return Ok(Next::Until(cx.now() + LOOK));
        }
        let next = self.source.next(cx);
        if let Ok(Next::Item(_)) = next {
            self.gate.count();
        }
        next
    }

    fn control(&mut self, wish: Control, cx: &mut Cx) {
        self.source.control(wish, cx);
    }
}
