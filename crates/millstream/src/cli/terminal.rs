//! What is written where: results to standard output, the log and the status to standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

/// The status line while there is one: the log is written above it.
static STATUS: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Says a line on standard output. Whoever stopped reading does not want it.
pub(super) fn say(line: &str) {
    above_status(|| {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    });
}

/// Says a line on standard error.
pub(super) fn say_error(line: &str) {
    above_status(|| {
        let _ = writeln!(io::stderr().lock(), "{line}");
    });
}

/// Whether people watch standard error.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether colours are wanted on standard error (the convention of no-color.org).
pub(super) fn error_is_coloured() -> bool {
    is_watched() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A status line that is cut where the terminal ends.
pub(super) fn status_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").expect("the template is good");
    ProgressBar::new_spinner().with_style(style)
}

/// Shows `bar` as the status line, or none any more.
pub(super) fn set_status(bar: Option<ProgressBar>) {
    let before = std::mem::replace(&mut *STATUS.lock().unwrap_or_else(PoisonError::into_inner), bar);
    if let Some(before) = before {
        before.finish_and_clear();
    }
}

/// Writes the status line anew, if it is shown.
pub(super) fn show_status(line: impl FnOnce() -> String) {
    if let Some(bar) = &*STATUS.lock().unwrap_or_else(PoisonError::into_inner) {
        bar.set_message(line());
    }
}

fn above_status(write: impl FnOnce()) {
    match &*STATUS.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Where the log is written: above the status line.
pub(super) fn log() -> impl Write {
    Log
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = Ok(0);
        above_status(|| written = io::stderr().lock().write(bytes));
        written
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
