//! What people write about a camera.

use millstream_core::device::Constraint;
use millstream_core::units::{FrameRate, Pixels};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of `camera`.
///
/// Width, height and rate are wished for as `getUserMedia` does: a value is preferred,
/// `{ exact = 1280 }` or `{ min = 640, max = 1280 }` is insisted on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The camera: an id that `millstream devices` lists, a path such as `/dev/video0`, or part of a name
    /// that only one camera has. If not given, the camera that fits best, and the first of equals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Width of the pictures in pixels, before they are rotated. If neither width nor height is given,
    /// 1280 x 720 is preferred.
    pub width: Constraint<Pixels>,
    /// Height of the pictures in pixels, before they are rotated.
    pub height: Constraint<Pixels>,
    /// Pictures per second. If not given, 30 is preferred.
    pub fps: Constraint<FrameRate>,
    /// The format in which the camera sends its pictures.
    pub format: Pictures,
    /// Rotates the pictures clockwise by 0, 90, 180 or 270 degrees.
    pub rotate: Rotate,
    /// Swaps left and right after the rotation, like a mirror.
    pub mirror: bool,
    /// The interface through which the camera is opened.
    pub through: Through,
}

/// How a camera sends its pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pictures {
    /// The format that fits best. Of equals, uncompressed up to 640 x 480 and MJPEG above, where uncompressed
    /// pictures do not fit through USB 2.
    #[default]
    Any,
    /// Each picture is a JPEG.
    Mjpeg,
    /// Uncompressed, 2 bytes a pixel.
    Yuyv,
    /// Uncompressed, 1.5 bytes a pixel.
    Nv12,
    /// Uncompressed, 3 bytes a pixel.
    Rgb,
}

/// Through what a camera is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Through {
    /// Video4Linux on Linux, and elsewhere the crate `nokhwa`.
    #[default]
    System,
    /// The crate `nokhwa`, also on Linux. It cannot stop waiting for a picture, so a camera that stalls
    /// recovers by itself or not at all, and it does not detect damaged pictures.
    Nokhwa,
}

/// Quarter turns clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(with = "i64", extend("enum" = [0, 90, 180, 270]))]
pub enum Rotate {
    /// As the camera sees it.
    #[default]
    None,
    /// 90 degrees.
    Quarter,
    /// 180 degrees.
    Half,
    /// 270 degrees.
    ThreeQuarters,
}

impl TryFrom<i64> for Rotate {
    type Error = String;
    fn try_from(degrees: i64) -> Result<Rotate, String> {
        match degrees {
            0 => Ok(Rotate::None),
            90 => Ok(Rotate::Quarter),
            180 => Ok(Rotate::Half),
            270 => Ok(Rotate::ThreeQuarters),
            other => Err(format!("a picture is turned by 0, 90, 180 or 270 degrees, not by {other}")),
        }
    }
}

impl From<Rotate> for i64 {
    fn from(rotate: Rotate) -> i64 {
        match rotate {
            Rotate::None => 0,
            Rotate::Quarter => 90,
            Rotate::Half => 180,
            Rotate::ThreeQuarters => 270,
        }
    }
}
