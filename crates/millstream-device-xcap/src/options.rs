//! The options of `screen-xcap`.

use millstream_core::units::FrameRate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of `screen-xcap`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// A monitor, by its name: "HDMI-1". Not given: the primary one, or the first.
    pub device: Option<String>,
    /// Pictures per second. One that cannot be taken in time is left out.
    pub fps: FrameRate,
    /// Whether the system is asked to push pictures (`true`), or for each one. Not given: `true`, but on
    /// X11, where it would push as many as it can.
    pub recorder: Option<bool>,
}

impl Default for Options {
    fn default() -> Options {
        Options { device: None, fps: FrameRate::THIRTY, recorder: None }
    }
}
