//! Which bit rate an audience requests of its encoder, from what its viewers can take.

use millstream_core::Control;
use millstream_core::units::Bitrate;

/// Whether the encoder follows what viewers can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BitratePolicy {
    /// The encoder keeps its own bit rate. A viewer that cannot take it loses whole groups of pictures.
    #[default]
    Fixed,
    /// The encoder follows the slowest viewer that can take [`TOLERABLE`] or more, so all viewers get the quality
    /// that this one can take.
    Slowest,
}

/// The encoder does not follow a viewer that can take less than this: it would spoil the picture for all. It is
/// the least at which libwebrtc sends 640x360 (its simulcast table).
pub const TOLERABLE: Bitrate = Bitrate::from_kbps(150);

/// The part of an estimate that goes to the pictures: the rest is headers (5 % at 1200 bytes a
/// packet), sound, and a reserve for what is sent again.
const SHARE: f64 = 0.85;

/// Remembers what was asked for, so that only changes are asked.
#[derive(Debug, Default)]
pub(crate) struct Limit(Option<Bitrate>);

impl Limit {
    /// What to ask for now that viewers estimate `estimates`, if it is something else than before.
    pub(crate) fn follow(&mut self, estimates: impl Iterator<Item = Bitrate>) -> Option<Control> {
        let slowest = estimates.filter(|rate| *rate >= TOLERABLE).min();
        let limit = slowest.map(|rate| Bitrate::from_bps((rate.bps() as f64 * SHARE) as u64));
        if limit == self.0 {
            return None;
        }
        self.0 = limit;
        Some(Control::Bitrate(limit))
    }
}

/// A viewer that loses a larger share of the sound is not followed: error correction in Opus restores single
/// packets, not rows of them, and costs all viewers quality.
const TOLERABLE_LOSS: f32 = 0.2;

/// Remembers which loss the encoder was told to expect, so that only changes are asked.
#[derive(Debug, Default)]
pub(crate) struct ExpectedLoss(Option<u8>);

impl ExpectedLoss {
    /// What to ask for now that viewers lose `losses`, shares from 0 to 1, if it is something else than before.
    pub(crate) fn follow(&mut self, losses: impl Iterator<Item = f32>) -> Option<Control> {
        let most = losses.filter(|loss| *loss <= TOLERABLE_LOSS).max_by(f32::total_cmp);
        // In whole percent: libopus tells no finer shares apart.
        let percent = most.map(|loss| (loss * 100.0).round() as u8);
        if percent == self.0 {
            return None;
        }
        self.0 = percent;
        Some(Control::Loss(percent.map(|percent| f32::from(percent) / 100.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_tolerable_viewer_sets_the_rate() {
        let kbps = |kbps| Some(Control::Bitrate(Some(Bitrate::from_kbps(kbps))));
        let mut limit = Limit::default();
        let mut follow = |kbps: &[u64]| limit.follow(kbps.iter().map(|kbps| Bitrate::from_kbps(*kbps)));
        assert_eq!(follow(&[]), None, "as before");
        assert_eq!(follow(&[2000, 1000, 90]), kbps(850));
        assert_eq!(follow(&[3000, 1000]), None, "as before");
        assert_eq!(follow(&[3000]), kbps(2550));
        assert_eq!(follow(&[90]), Some(Control::Bitrate(None)), "no tolerable viewer is left");
        assert_eq!(follow(&[149]), None);
    }

    #[test]
    fn the_highest_tolerable_loss_is_expected_and_only_changes_are_asked() {
        let mut expected = ExpectedLoss::default();
        let mut follow = |losses: &[f32]| expected.follow(losses.iter().copied());
        assert_eq!(follow(&[]), None, "as before");
        assert_eq!(follow(&[0.0, 0.049, 0.5, f32::NAN]), Some(Control::Loss(Some(0.05))));
        assert_eq!(follow(&[0.051]), None, "as before, in whole percent");
        assert_eq!(follow(&[0.0]), Some(Control::Loss(Some(0.0))));
        assert_eq!(follow(&[0.9]), Some(Control::Loss(None)), "no tolerable viewer is left");
    }
}
