//! How much faster or slower to go so that a device's clock and the pipeline's stay together.

/// The most that the speed is changed: 1000 ppm is 1.7 cents, a third of the least step in pitch that
/// listeners hear (Moore, "An Introduction to the Psychology of Hearing", 6), and ten times what a poor
/// crystal is off.
pub(crate) const MOST: f64 = 1e-3;

/// The loop's own frequency in rad/s. At 0.15 a clock that is 200 ppm off is never more than
/// 200e-6 / (0.15 e) = 0.5 ms away, and what jitters faster than once in 20 s has little hold.
const OMEGA: f64 = 0.15;
/// Seconds over which what is measured is smoothed, to keep the jitter of single callbacks out of the pitch.
const SMOOTHING: f64 = 0.5;

/// A slow proportional and integral loop, critically damped: seconds off in, a change of speed out.
#[derive(Debug, Default)]
pub(crate) struct Steer {
    smooth: Option<f64>,
    drift: f64,
}

impl Steer {
    /// The share by which to go faster, given that one is `off` seconds behind, `span` seconds after the
    /// call before; never more than [`MOST`].
    pub(crate) fn correct(&mut self, off: f64, span: f64) -> f64 {
        let weight = (span / SMOOTHING).min(1.0);
        let smooth = self.smooth.map_or(off, |smooth| smooth + weight * (off - smooth));
        self.smooth = Some(smooth);
        let faster = 2.0 * OMEGA * smooth + self.drift;
        // What cannot be followed is not summed up: it would overshoot by as much later.
        if faster.abs() < MOST {
            self.drift = (self.drift + OMEGA * OMEGA * smooth * span).clamp(-MOST, MOST);
        }
        faster.clamp(-MOST, MOST)
    }

    /// One is no longer behind, because one has leapt; the drift stays.
    pub(crate) fn leap(&mut self) {
        self.smooth = None;
    }

    /// Seconds behind, smoothed.
    pub(crate) fn off(&self) -> f64 {
        self.smooth.unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far a clock that is `drift` off gets away, in seconds, before a critically damped loop has caught it.
    fn farthest(drift: f64) -> f64 {
        drift / (OMEGA * std::f64::consts::E)
    }

    #[test]
    fn a_drift_is_found_and_never_gets_farther_than_the_theory_says() {
        let (mut steer, mut off, mut farthest_seen) = (Steer::default(), 0.0_f64, 0.0_f64);
        let (drift, span) = (200e-6, 0.01);
        let mut faster = 0.0;
        for _ in 0..30_000 {
            off += (drift - faster) * span;
            faster = steer.correct(off, span);
            farthest_seen = farthest_seen.max(off.abs());
        }
        assert!(farthest_seen < 1.1 * farthest(drift), "{farthest_seen} s, {} s expected", farthest(drift));
        assert!((faster - drift).abs() < 1e-9 && off.abs() < 1e-9, "{faster} and {off} s after 300 s");
    }

    #[test]
    fn what_cannot_be_followed_is_bounded_and_forgotten() {
        let mut steer = Steer::default();
        for _ in 0..1000 {
            assert!(steer.correct(5.0, 0.01).abs() <= MOST);
        }
        let settled = (0..3000).map(|_| steer.correct(0.0, 0.01)).last().unwrap();
        // What remains is what was summed up before it was known that it could not be followed.
        assert!(settled.abs() < MOST / 10.0, "{settled}");
    }
}
