//! What a camera can be asked for: a size, a rate, and how its pictures are stored.

use std::fmt;

use millstream_core::PixelFormat;
use millstream_core::device::{self, Device};
use millstream_core::units::FrameRate;

use crate::options::Pictures;

/// How a camera stores its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Each a JPEG.
    Mjpeg,
    /// Packed 4:2:2.
    Yuyv,
    /// Luma, and behind it chroma in pairs.
    Nv12,
    /// Luma, and behind it both planes of chroma.
    I420,
    /// Packed RGB.
    Rgb,
    /// Luma alone.
    Gray,
}

impl Encoding {
    /// How its pixels lie in memory; a JPEG has none.
    pub(crate) fn pixels(self) -> Option<PixelFormat> {
        Some(match self {
            Encoding::Mjpeg => return None,
            Encoding::Yuyv => PixelFormat::Yuyv,
            Encoding::Nv12 => PixelFormat::Nv12,
            Encoding::I420 => PixelFormat::I420,
            Encoding::Rgb => PixelFormat::Rgb,
            Encoding::Gray => PixelFormat::Gray,
        })
    }

    /// Whether `wanted` lets it be.
    pub(crate) fn is(self, wanted: Pictures) -> bool {
        match wanted {
            Pictures::Any => true,
            Pictures::Mjpeg => self == Encoding::Mjpeg,
            Pictures::Yuyv => self == Encoding::Yuyv,
            Pictures::Nv12 => self == Encoding::Nv12,
            Pictures::Rgb => self == Encoding::Rgb,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encoding::Mjpeg => "MJPEG",
            Encoding::Yuyv => "YUYV",
            Encoding::Nv12 => "NV12",
            Encoding::I420 => "I420",
            Encoding::Rgb => "RGB",
            Encoding::Gray => "GRAY",
        })
    }
}

/// What a camera can be asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mode {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: FrameRate,
    pub(crate) encoding: Encoding,
}

impl From<Mode> for device::Mode {
    fn from(mode: Mode) -> device::Mode {
        let Mode { width, height, fps, encoding } = mode;
        device::Mode::Video { width, height, fps, format: encoding.to_string() }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        device::Mode::from(*self).fmt(f)
    }
}

/// A camera that is there.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// As people see it.
    pub(crate) device: Device,
    /// Where it is: `/dev/video0`, or elsewhere what `nokhwa` calls it.
    pub(crate) place: String,
    pub(crate) modes: Vec<Mode>,
    /// Why it cannot be opened, if that is known already.
    pub(crate) shut: Option<Shut>,
}

/// Why a camera cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    Unreadable,
    Silent,
}
