//! Which bit rate an audience's encoder is asked for, from what its viewers can take.

use millstream_core::Control;
use millstream_core::units::Bitrate;

/// Whether the encoder follows what viewers can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adapt {
    /// It keeps its own bit rate; a viewer who cannot take it loses whole groups of pictures.
    #[default]
    None,
    /// It follows the slowest viewer that can take [`TOLERABLE`] or more, and so everybody sees what
    /// that one can.
    Slowest,
}

/// A viewer who can take less than this is not followed: it would spoil the picture for all. It is
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_who_is_not_hopeless_sets_the_rate() {
        let kbps = |kbps| Some(Control::Bitrate(Some(Bitrate::from_kbps(kbps))));
        let mut limit = Limit::default();
        let mut follow = |kbps: &[u64]| limit.follow(kbps.iter().map(|kbps| Bitrate::from_kbps(*kbps)));
        assert_eq!(follow(&[]), None, "as before");
        assert_eq!(follow(&[2000, 1000, 90]), kbps(850));
        assert_eq!(follow(&[3000, 1000]), None, "as before");
        assert_eq!(follow(&[3000]), kbps(2550));
        assert_eq!(follow(&[90]), Some(Control::Bitrate(None)), "nobody is left to follow");
        assert_eq!(follow(&[149]), None);
    }
}
