//! Somebody who plays a sine without end.

use std::f64::consts::TAU;
use std::io::Write;
use std::process::{Child, Command, Stdio};

/// Plays until it is dropped.
pub(super) struct Voice(Child);

impl Voice {
    pub(super) fn start(sink: &str, hz: f64) -> Voice {
        let mut child = Command::new("paplay")
            .args(["--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=200"])
            .arg(format!("--device={sink}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("paplay runs");
        let mut input = child.stdin.take().expect("it was piped");
        std::thread::spawn(move || {
            // The pipe holds it up; it ends when nobody reads any more.
            for second in 0.. {
                let samples = (0..48_000_u64).map(|n| (hz * (second * 48_000 + n) as f64 / 48_000.0).fract() * TAU);
                let bytes: Vec<u8> =
                    samples.flat_map(|turn| ((turn.sin() * 0.5 * 32_767.0).round() as i16).to_le_bytes()).collect();
                if input.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        Voice(child)
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
