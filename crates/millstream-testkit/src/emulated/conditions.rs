//! How good a network is.

use std::num::NonZeroUsize;
use std::time::Duration;

use millstream_core::units::{Bitrate, Percent};

/// How good a network is. By default it is perfect.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Bits of payload that pass in a second; everything passes at once if not given. Items that come faster wait.
    pub rate: Option<Bitrate>,
    /// How many items wait at the most for the rate, the one that is being sent included; more are dropped.
    /// Without it the queue has no end.
    pub queue: Option<NonZeroUsize>,
    /// How long an item travels once it was sent.
    pub delay: Duration,
    /// How much longer it travels at the most; each time as likely as any other. Items do not overtake each other by it.
    pub jitter: Duration,
    /// The share of items that are lost, after they were sent.
    pub loss: Percent,
    /// The share of items that travel without delay and jitter, and so overtake what is on its way: the
    /// `reorder` of tc-netem(8). Without a delay there is nothing to overtake.
    pub reorder: Percent,
    /// The share of items that arrive twice.
    pub duplicate: Percent,
}
