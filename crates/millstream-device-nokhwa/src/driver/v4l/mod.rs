//! Cameras by Video4Linux2, through the crate `v4l`.

mod listing;
mod streaming;

use crate::mode::Encoding;

pub(super) use listing::list;
pub(super) use streaming::{open, prepare};

/// What the encodings are called here.
const FOURCCS: [(&[u8; 4], Encoding); 7] = [
    (b"MJPG", Encoding::Mjpeg),
    (b"JPEG", Encoding::Mjpeg),
    (b"YUYV", Encoding::Yuyv),
    (b"NV12", Encoding::Nv12),
    (b"YU12", Encoding::I420),
    (b"RGB3", Encoding::Rgb),
    (b"GREY", Encoding::Gray),
];
