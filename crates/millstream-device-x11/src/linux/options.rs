//! The options of `screen`.

use millstream_core::units::FrameRate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::region::Region;

/// Options of `screen`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// A display such as ":0" or ":0.1", all of it, or a monitor of `$DISPLAY` by its name, such as
    /// "HDMI-1". Not given: the primary monitor of `$DISPLAY`, or all of it where none is primary.
    pub device: Option<String>,
    /// Only this part of the device, in pixels from its upper left corner: "1280x720+100+50".
    pub region: Option<Region>,
    /// Whether the pointer is drawn.
    pub cursor: bool,
    /// Pictures per second. One that cannot be taken in time is left out.
    pub fps: FrameRate,
}

impl Default for Options {
    fn default() -> Options {
        Options { device: None, region: None, cursor: true, fps: FrameRate::THIRTY }
    }
}
