//! VP8 by libvpx: the stage `vp8-encoder` takes pictures of any format and gives VP8 frames.
//!
//! What is not here: VP9, decoding, scaling, and dropping frames. libvpx itself is not here either:
//! the system's is loaded when the first encoder is made, so that building needs no header and a
//! program without video needs no library.
//!
//! | system | install |
//! |---|---|
//! | Debian 12, Ubuntu 22.04 | `apt-get install libvpx7` |
//! | Debian 13, Ubuntu 24.04 | `apt-get install libvpx9` |
//! | Fedora | `dnf install libvpx` |
//! | macOS | `brew install libvpx` |
//!
//! The environment variable `MILLSTREAM_LIBVPX` may name a library file instead. Versions 1.8 to
//! 1.17 are known, and any other is refused, because the layout of its structs is not.
//!
//! ```
//! use millstream_codec_vpx::{Encoder, Options};
//! use millstream_core::{Out, PixelFormat, Pool, Role, Stage, Timestamp, VideoFrame};
//!
//! # if millstream_codec_vpx::version().is_err() { return Ok(()) }
//! let mut encoder = Encoder::new(Options::default())?;
//! let gray = VideoFrame::fill(&mut Pool::new(1), PixelFormat::I420, (640, 360), Timestamp::ZERO, |planes| {
//!     planes.iter_mut().for_each(|plane| plane.data.fill(128));
//! });
//! let mut out = Out::at(Timestamp::ZERO);
//! encoder.process(gray, &mut out)?;
//! assert_eq!(out.items()[0].role, Role::Start);
//! # Ok::<(), millstream_core::Error>(())
//! ```

mod encoder;
mod ffi;
mod options;
mod pace;

use millstream_core::{Descriptor, Format, Registry, Result, VP8, Worker};

pub use encoder::Encoder;
pub use options::{CpuUsed, Options, Quantizer, Threads};

/// Adds `vp8-encoder` to what `registry` knows.
pub fn register(registry: &mut Registry) {
    registry.add(descriptor());
}

/// The stage type `vp8-encoder`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage("vp8-encoder", "Encodes pictures as VP8, in real time", Format::Video, Format::Encoded(VP8))
        .build(|options: Options, _| Ok(Worker::stage(Encoder::new(options)?)))
}

/// The version of libvpx, as it says itself, or why there is none: `v1.12.0`.
pub fn version() -> Result<String> {
    Ok(ffi::Library::load()?.version().to_owned())
}
