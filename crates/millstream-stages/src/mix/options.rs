//! What can be chosen about a mixer.

use std::time::Duration;

use millstream_core::units::{Decibels, Span};
use millstream_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RATE;

/// Options of `mix`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// How much louder each input is made, or quieter where it is below zero, in the order of the
    /// inputs; those without a value stay as they are.
    pub gain: Vec<Decibels>,
    /// Channels of the output, 1 or 2.
    #[schemars(range(min = 1, max = 2))]
    pub channels: u16,
    /// How long a block lasts, 1 ms to 100 ms.
    pub frame: Span,
    /// How long a block is waited for, counted from the capture of its first sample.
    pub patience: Span,
}

impl Default for Options {
    /// Stereo in blocks of 10 ms, each waited for as long as three packets of a call last.
    fn default() -> Options {
        Options { gain: Vec::new(), channels: 2, frame: Span::from_millis(10), patience: Span::from_millis(60) }
    }
}

impl Options {
    /// The samples in a block of one channel, if all is as it should be.
    pub(super) fn checked(&self) -> Result<usize> {
        let (channels, frame, patience) = (self.channels, self.frame, self.patience);
        if !(1..=2).contains(&channels) {
            return Err(Error::config(format!("`channels` is {channels}; a mixer gives 1 or 2")));
        }
        let nanos = frame.duration().as_nanos() * u128::from(RATE);
        let whole = nanos.is_multiple_of(1_000_000_000);
        if !whole || !(Duration::from_millis(1)..=Duration::from_millis(100)).contains(&frame.duration()) {
            return Err(Error::config(format!(
                "`frame` is {frame}; write 1 ms to 100 ms of whole samples at 48 kHz, such as 10 ms or 2.5 ms"
            )));
        }
        if patience < frame {
            return Err(Error::config(format!("`patience` is {patience}; a block of {frame} takes longer to come")));
        }
        Ok((nanos / 1_000_000_000) as usize)
    }
}
