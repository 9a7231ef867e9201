//! Somebody who records a source.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Samples in a second.
const RATE: usize = 48_000;
/// How long a recording may stand still: a null sink sleeps for up to 2 s, and a busy machine longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A recording that goes on until it is dropped: one channel at 48 kHz.
pub struct Recording {
    child: Child,
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

#[derive(Default)]
struct Heard {
    samples: Vec<f32>,
    ended: bool,
}

impl Recording {
    pub(super) fn start(source: &str) -> Recording {
        Recording::new(source, true)
    }

    /// One that keeps nothing.
    pub(super) fn forgetful(source: &str) -> Recording {
        Recording::new(source, false)
    }

    fn new(source: &str, keeps: bool) -> Recording {
        let mut child = Command::new("parec")
            .args(["--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=10"])
            .arg(format!("--device={source}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("parec runs");
        let mut output = child.stdout.take().expect("it was piped");
        let heard: Arc<(Mutex<Heard>, Condvar)> = Arc::default();
        let ear = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut rest = Vec::new();
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if !keeps {
                    continue;
                }
                rest.extend_from_slice(&bytes[..count]);
                let samples =
                    rest.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0);
                locked(&ear).samples.extend(samples);
                rest.drain(..rest.len() / 2 * 2);
                ear.1.notify_all();
            }
            locked(&ear).ended = true;
            ear.1.notify_all();
        });
        Recording { child, heard }
    }

    /// How much was heard.
    pub fn length(&self) -> Duration {
        Duration::from_micros(locked(&self.heard).samples.len() as u64 * 1_000_000 / RATE as u64)
    }

    /// All that was heard up to now.
    pub fn heard(&self) -> Vec<f32> {
        locked(&self.heard).samples.clone()
    }

    /// What is heard in `span` from here on; less if the server dies.
    ///
    /// # Panics
    /// If nothing more comes for 20 s: the server hangs, or the source does not exist.
    pub fn take(&self, span: Duration) -> Vec<f32> {
        let (heard, more) = &*self.heard;
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let from = heard.samples.len();
        let to = from + (span.as_secs_f64() * RATE as f64) as usize;
        while heard.samples.len() < to && !heard.ended {
            let waited;
            (heard, waited) = more.wait_timeout(heard, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            assert!(!waited.timed_out(), "nothing was recorded for {PATIENCE:?}");
        }
        heard.samples[from..to.min(heard.samples.len())].to_vec()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn locked(heard: &(Mutex<Heard>, Condvar)) -> MutexGuard<'_, Heard> {
    heard.0.lock().unwrap_or_else(PoisonError::into_inner)
}
