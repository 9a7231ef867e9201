//! Nothing that a bench starts outlives it, not even when it is interrupted.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On Ctrl-C and SIGTERM ends what runs, and then this process.
pub(crate) fn on_interrupt() {
    let handled = ctrlc::set_handler(|| {
        for process in running().drain(..) {
            kill(process);
        }
        eprintln!("interrupted; what is measured so far stands in the file");
        std::process::exit(130);
    });
    handled.expect("it is set once");
}

/// Notes a process.
pub(crate) fn note(process: u32) {
    running().push(process);
}

/// Forgets a process that has ended, whose number another may get.
pub(crate) fn forget(process: u32) {
    running().retain(|other| *other != process);
}

/// Ends a process that was noted.
pub(crate) fn end(process: u32) {
    kill(process);
    forget(process);
}

fn kill(process: u32) {
    let _ = Command::new("kill").arg(process.to_string()).status();
}
