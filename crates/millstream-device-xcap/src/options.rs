//! The options of `screen-xcap`.

use millstream_core::units::FrameRate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of `screen-xcap`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The name of a monitor, such as "HDMI-1". If not given, the primary monitor, or the first.
    pub device: Option<String>,
    /// Pictures per second. A picture that cannot be captured in time is left out.
    pub fps: FrameRate,
    /// Whether the system pushes pictures (`true`) or is asked for each one. If not given, `true`, except on
    /// X11, which would push as many as it can.
    pub recorder: Option<bool>,
}

impl Default for Options {
    fn default() -> Options {
        Options { device: None, fps: FrameRate::THIRTY, recorder: None }
    }
}
