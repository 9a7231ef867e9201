//! What a stream's callbacks say about themselves: atomics, since they may neither wait nor allocate.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use cpal::ErrorKind;
use millstream_core::Timestamp;

/// Errors after which a stream is given up, whatever they are: a dead server makes ALSA call 140,000 times a second.
const MOST_ERRORS: u32 = 20;
/// A stream is dead if nothing is heard of it for so long, or for so many periods.
const SILENT: Duration = Duration::from_millis(500);
const SILENT_PERIODS: u32 = 10;
/// In its first seconds it may be silent for as long: a server that slept asks once, and then not for up to 2 s.
const BEGINS_WITHIN: Duration = Duration::from_secs(3);

/// What the callbacks of a stream said.
#[derive(Debug, Default)]
pub(crate) struct Health {
    last: AtomicU64,
    since: Timestamp,
    errors: AtomicU32,
    xruns: AtomicU32,
    gone: AtomicBool,
    invalid: AtomicBool,
}

impl Health {
    /// What the callbacks of a stream that is made at `now` will say.
    pub(crate) fn since(now: Timestamp) -> Health {
        Health { last: AtomicU64::new(now.as_nanos()), since: now, ..Health::default() }
    }

    /// The data callback was called.
    pub(crate) fn beat(&self, now: Timestamp) {
        self.last.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// The error callback was called.
    pub(crate) fn note(&self, kind: ErrorKind) {
        match kind {
            ErrorKind::Xrun => drop(self.xruns.fetch_add(1, Ordering::Relaxed)),
            ErrorKind::RealtimeDenied => {}
            ErrorKind::DeviceNotAvailable | ErrorKind::DeviceChanged => self.gone.store(true, Ordering::Relaxed),
            ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable => self.invalid.store(true, Ordering::Relaxed),
            _ => drop(self.errors.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// How often the device ran out of room or sound, as the system says.
    pub(crate) fn xruns(&self) -> u32 {
        self.xruns.load(Ordering::Relaxed)
    }

    /// Whether the stream is dead at `now`, and of what.
    pub(crate) fn is_dead(&self, now: Timestamp, period: Duration) -> Option<String> {
        if self.invalid.load(Ordering::Relaxed) {
            return Some("the sound server has gone".to_owned());
        }
        if self.gone.load(Ordering::Relaxed) {
            return Some("it was unplugged".to_owned());
        }
        let errors = self.errors.load(Ordering::Relaxed);
        if errors >= MOST_ERRORS {
            return Some(format!("its driver failed {errors} times"));
        }
        let silent = now.since(Timestamp::from_nanos(self.last.load(Ordering::Relaxed)));
        let begins = now.since(self.since) < BEGINS_WITHIN;
        let most = if begins { BEGINS_WITHIN } else { SILENT.max(period * SILENT_PERIODS) };
        (silent > most).then(|| format!("nothing was heard of it for {} ms", silent.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_dies_of_silence_of_its_server_and_of_many_errors_but_not_of_one() {
        let period = Duration::from_millis(10);
        let at = Timestamp::from_millis;
        let fresh = || {
            let health = Health::since(at(0));
            health.beat(at(10));
            assert_eq!(health.is_dead(at(2999), period), None, "it may take its time at first");
            health.beat(at(5000));
            health
        };
        let health = fresh();
        assert_eq!(health.is_dead(at(5500), period), None);
        assert!(health.is_dead(at(5501), period).unwrap().contains("501 ms"));
        assert_eq!(health.is_dead(at(5900), Duration::from_millis(100)), None);
        (0..100).for_each(|_| health.note(ErrorKind::Xrun));
        health.note(ErrorKind::BackendError);
        assert_eq!((health.is_dead(at(5001), period), health.xruns()), (None, 100));
        (0..20).for_each(|_| health.note(ErrorKind::BackendError));
        assert!(health.is_dead(at(5001), period).unwrap().contains("21 times"));
        let health = fresh();
        health.note(ErrorKind::StreamInvalidated);
        assert!(health.is_dead(at(5001), period).unwrap().contains("server"));
    }
}
