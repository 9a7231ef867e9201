//! An X server without a monitor, for a test: Xvfb.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::skipped;

/// An X server of a test's own, killed when dropped.
#[derive(Debug)]
pub struct Xvfb {
    child: Child,
    display: String,
    arguments: Vec<String>,
}

impl Xvfb {
    /// Starts one on a free display, with a screen of this size and further arguments; `None`, and the
    /// test is skipped, where it is not installed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start((width, height): (u32, u32), more: &[&str]) -> Option<Xvfb> {
        if Command::new("Xvfb").arg("-help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            skipped("Xvfb");
            return None;
        }
        // Without -noreset it would begin anew when its last client leaves.
        let mut arguments = vec!["-screen".to_owned(), "0".to_owned(), format!("{width}x{height}x24")];
        arguments.extend(["-nolisten", "tcp", "-noreset"].iter().chain(more).map(|argument| (*argument).to_owned()));
        let (child, display) = launch(&arguments, None);
        Some(Xvfb { child, display, arguments })
    }

    /// Its display, such as `:3`.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Sends it a signal, such as `STOP` or `CONT`.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same display, after it was killed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        self.kill();
        (self.child, _) = launch(&self.arguments, Some(&self.display));
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        self.kill();
        // Killed, it leaves them behind.
        let number = self.display.trim_start_matches(':');
        let _ = std::fs::remove_file(format!("/tmp/.X{number}-lock"));
        let _ = std::fs::remove_file(format!("/tmp/.X11-unix/X{number}"));
    }
}

/// Starts it, on a free display if none is given, and waits until it says that it can be connected with.
fn launch(arguments: &[String], display: Option<&str>) -> (Child, String) {
    let mut command = Command::new("Xvfb");
    command.args(display).args(["-displayfd", "1"]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Xvfb runs");
    let mut number = String::new();
    let said = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut number);
    assert!(said.is_ok_and(|length| length > 0), "Xvfb does not start: {command:?}");
    (child, format!(":{}", number.trim()))
}
