//! The options of `screen`.

use millstream_core::units::FrameRate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::region::Region;

/// Options of `screen`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// A whole display, such as ":0" or ":0.1", or the name of a monitor of `$DISPLAY`, such as "HDMI-1". If not
    /// given, the primary monitor of `$DISPLAY`, or the whole display if none is primary.
    pub device: Option<String>,
    /// Captures only this part of the device, in pixels from its upper left corner: "1280x720+100+50".
    pub region: Option<Region>,
    /// Whether the pointer is drawn.
    pub cursor: bool,
    /// Pictures per second. A picture that cannot be captured in time is left out.
    pub fps: FrameRate,
}

impl Default for Options {
    fn default() -> Options {
        Options { device: None, region: None, cursor: true, fps: FrameRate::THIRTY }
    }
}
