//! What can be chosen about `vp8-vpx-encode`.

use millstream_core::units::Bitrate;
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of `vp8-vpx-encode`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// The target bit rate, averaged over seconds; "2.5 Mbit/s" if not given. It cannot change while the encoder runs.
    pub bitrate: Option<Bitrate>,
}

impl Options {
    /// In thousand bits per second, as libvpx counts; it refuses 0 and multiplies by 1000 in 32 bits.
    pub(crate) fn kbps(&self) -> u32 {
        (self.bitrate.unwrap_or(Bitrate::from_kbps(2500)).bps() / 1000).clamp(1, 1_000_000) as u32
    }
}
