//! Pixel formats into one another, and pictures into other sizes, for encoders and stages.
//!
//! [`Converter`] makes any [`PixelFormat`](millstream_core::PixelFormat) what encoders take: I420 of
//! limited range in BT.601. [`Scaler`] makes an I420 picture larger or smaller, [`Turner`] turns
//! and mirrors one. All write into pooled frames and allocate nothing per frame once they have seen a size.
//!
//! What is not here: I420 back to RGB, and anything that is not in main memory.
//!
//! ```
//! use millstream_core::{PixelFormat, Timestamp, VideoFrame};
//! use millstream_pixels::{Converter, Scaler};
//!
//! let red = [255, 0, 0].repeat(64 * 48);
//! let frame = VideoFrame::tight(red.into(), PixelFormat::Rgb, (64, 48), Timestamp::ZERO);
//! let frame = Converter::new().to_i420(&frame)?;
//! let small = Scaler::new().scale(&frame, (32, 24))?;
//! assert_eq!((small.width(), small.plane(0).data[0]), (32, 81));
//! # Ok::<(), millstream_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod axis;
mod color;
mod converter;
mod layout;
mod scaler;
mod turner;

pub use converter::Converter;
pub use scaler::Scaler;
pub use turner::{Turn, Turner};

/// Frames of ours that may be under way at once before more are allocated: a short queue on either
/// side of an encoder and one picture in each of its ends.
const POOLED_FRAMES: usize = 8;
