//! Time on a pipeline: one clock, capture stamps in nanoseconds on it, and its mapping to UTC.
//!
//! No stage asks the operating system for the time. It asks its [`Cx`](crate::Cx), which reads the
//! pipeline's [`Clock`]: the system's under the threads runner, a hand that the runner moves under
//! the stepped one.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A moment on a pipeline's clock: nanoseconds since the clock's zero.
///
/// Every item carries the moment of its *capture*. Subtraction saturates at zero, because "how long
/// ago" has no negative answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The clock's zero.
    pub const ZERO: Timestamp = Timestamp(0);

    /// `nanos` nanoseconds after the clock's zero.
    pub const fn from_nanos(nanos: u64) -> Timestamp {
        Timestamp(nanos)
    }

    /// `millis` milliseconds after the clock's zero.
    pub const fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis * 1_000_000)
    }

    /// Nanoseconds since the clock's zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This moment in ticks of a media clock of `rate` Hz, rounded to the nearest tick and not
    /// wrapped: RTP takes the low 32 bits (RFC 3550, section 5.1).
    pub const fn ticks(self, rate: u32) -> u64 {
        // Seconds and the rest of one apart: dividing 128 bits takes longer than the rest of a packet's header.
        const SECOND: u64 = 1_000_000_000;
        let (seconds, rest) = (self.0 / SECOND, self.0 % SECOND);
        seconds.wrapping_mul(rate as u64).wrapping_add((rest * rate as u64 + SECOND / 2) / SECOND)
    }

    /// The time since `earlier`, zero if it is not earlier.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(span.as_nanos() as u64))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.as_nanos() as u64))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0 as f64 / 1e9)
    }
}

/// A moment in UTC: nanoseconds since the Unix epoch, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(u64);

/// Seconds from the NTP epoch (1900) to the Unix epoch (1970): RFC 868.
const NTP_UNIX_OFFSET: u64 = 2_208_988_800;

impl Utc {
    /// `nanos` nanoseconds after the Unix epoch.
    pub const fn from_unix_nanos(nanos: u64) -> Utc {
        Utc(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// This moment as an NTP timestamp: seconds since 1900 in the upper 32 bits (modulo 2^32),
    /// their fraction in the lower 32 (RFC 5905, section 6). Sender reports and abs-capture-time
    /// are written in it.
    pub const fn ntp(self) -> u64 {
        let seconds = (self.0 / 1_000_000_000 + NTP_UNIX_OFFSET) & 0xFFFF_FFFF;
        let fraction = ((self.0 % 1_000_000_000) << 32) / 1_000_000_000;
        (seconds << 32) | fraction
    }
}

/// What a [`Clock`] reads: monotonic time since its zero.
///
/// Implement it to let a pipeline follow something else: a browser's `performance.now()`, a sound
/// card, a PTP clock.
pub trait Ticks: Send + Sync {
    /// The time since this clock's zero. Never goes back.
    fn now(&self) -> Timestamp;
}

/// The one clock of a pipeline, and its mapping to UTC. Cloning shares it.
///
/// The mapping is taken once, when the clock is made, and then stays: a step of the system's time
/// does not tear sender reports or capture stamps apart.
#[derive(Clone)]
pub struct Clock {
    ticks: Arc<dyn Ticks>,
    utc_at_zero: Utc,
}

impl Clock {
    /// A clock that reads `ticks` and maps its zero to `utc_at_zero`.
    pub fn new(ticks: impl Ticks + 'static, utc_at_zero: Utc) -> Clock {
        Clock { ticks: Arc::new(ticks), utc_at_zero }
    }

    /// The system's monotonic clock, zero now, mapped to the system's idea of UTC.
    #[cfg(not(target_arch = "wasm32"))]
    #[expect(clippy::disallowed_methods, reason = "the clock is where time comes from")]
    pub fn system() -> Clock {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Clock::new(SystemTicks(std::time::Instant::now()), Utc(unix.as_nanos() as u64))
    }

    /// A clock that stands still until its hand is moved; UTC starts at the Unix epoch.
    pub fn manual() -> (Clock, Hand) {
        let hand = Hand::default();
        (Clock::new(hand.clone(), Utc::default()), hand)
    }

    /// The same clock with its zero mapped to `utc`.
    #[must_use]
    pub fn with_utc_at_zero(mut self, utc: Utc) -> Clock {
        self.utc_at_zero = utc;
        self
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.ticks.now()
    }

    /// What `time` is in UTC.
    pub fn utc(&self, time: Timestamp) -> Utc {
        Utc(self.utc_at_zero.0.saturating_add(time.0))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// The hand of a [`Clock::manual`]: whoever holds it says what time it is.
#[derive(Clone, Debug, Default)]
pub struct Hand(Arc<AtomicU64>);

impl Hand {
    /// Moves the clock to `time`. A clock never goes back: an earlier time leaves it where it is.
    pub fn set(&self, time: Timestamp) {
        self.0.fetch_max(time.0, Ordering::AcqRel);
    }

    /// Moves the clock on by `span`.
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_nanos() as u64, Ordering::AcqRel);
    }
}

impl Ticks for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Acquire))
    }
}

#[cfg(not(target_arch = "wasm32"))]
struct SystemTicks(std::time::Instant);

#[cfg(not(target_arch = "wasm32"))]
impl Ticks for SystemTicks {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.elapsed().as_nanos() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_those_of_an_exact_division() {
        for rate in [1, 8000, 44_100, 48_000, 90_000, u32::MAX] {
            for nanos in [0, 5555, 5556, 999_999_999, 1_000_000_000, 33_333_333 * 12_345, u64::MAX / 7, u64::MAX] {
                let exact = (u128::from(nanos) * u128::from(rate) + 500_000_000) / 1_000_000_000;
                assert_eq!(Timestamp::from_nanos(nanos).ticks(rate), exact as u64, "{nanos} ns at {rate}");
            }
        }
    }

    #[test]
    fn ticks_round_to_the_nearest_and_do_not_drift() {
        let third_of_a_second = Timestamp::from_nanos(33_333_333);
        assert_eq!(third_of_a_second.ticks(90_000), 3000);
        assert_eq!(Timestamp::from_millis(3_600_000).ticks(90_000), 324_000_000);
    }

    #[test]
    fn ntp_counts_from_1900_in_32_32_fixed_point() {
        let half_past = Utc::from_unix_nanos(1_500_000_000);
        assert_eq!(half_past.ntp() >> 32, NTP_UNIX_OFFSET + 1);
        assert_eq!(half_past.ntp() & 0xFFFF_FFFF, 1 << 31);
    }

    #[test]
    fn a_manual_clock_moves_only_by_its_hand_and_never_back() {
        let (clock, hand) = Clock::manual();
        assert_eq!(clock.now(), Timestamp::ZERO);
        hand.set(Timestamp::from_millis(20));
        hand.set(Timestamp::from_millis(10));
        hand.advance(Duration::from_millis(5));
        assert_eq!(clock.now(), Timestamp::from_millis(25));
        assert_eq!(clock.utc(clock.now()).unix_millis(), 25);
    }
}
