//! The source `camera`: pictures of what is in front of a camera, whatever its driver does.
//!
//! | module | is |
//! |---|---|
//! | [`Options`] | what people write: which camera, what size and rate, turned how |
//! | [`Camera`] | the source: watches the camera, opens it again, makes I420 of what it gives |
//! | `choose` | which camera and which of its modes, as `getUserMedia` chooses |
//! | `session` | the thread in which a driver may block, fail, or hang for ever |
//! | `driver` | two ways to a camera: Video4Linux by the crate `v4l`, and the crate `nokhwa` |
//! | `rows` | what drivers have between the rows of a picture is left out |
//! | `decode` | JPEG, YUYV, NV12 and others into I420, turned and mirrored |
//!
//! A driver is never trusted. It has a thread of its own that nobody waits for; what goes wrong in it
//! is an item of news, and a camera that stopped, was unplugged or taken away is tried again until it
//! is back.
//!
//! What is not here: controls such as exposure and focus, cameras whose planes lie apart (V4L2's
//! multi-planar ones), and pictures that are not in main memory.
//!
//! ```no_run
//! use millstream_core::Clock;
//! use millstream_device_nokhwa::{Camera, Options};
//!
//! let options = Options { device: Some("C920".into()), ..Options::default() };
//! let camera = Camera::open(options, &Clock::system())?;
//! println!("{}", camera.choice().why);
//! # Ok::<(), millstream_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod camera;
mod choose;
#[doc(hidden)]
pub mod decode;
mod driver;
mod jpeg;
mod mode;
mod options;
mod rows;
mod session;
mod slot;

use millstream_core::device::{self, Devices};
use millstream_core::{Descriptor, Format, Registry, Worker};

pub use camera::Camera;
pub use options::{Options, Pictures, Rotate, Through};

/// Adds `camera`, and the cameras that it opens.
pub fn register(registry: &mut Registry) {
    registry.add(descriptor());
    registry.add_devices(Devices::new::<Options>(device::Kind::Camera, "camera", list, choose::preview));
}

/// Describes `camera`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("camera", "Captures pictures from a camera, and reopens it after a loss", Format::Video)
        .blocking()
        .build(|options: Options, joined| {
            let camera = Camera::open(options, joined.clock())?;
            joined.notice(camera.choice().why.clone());
            Ok(Worker::source(camera))
        })
}

fn list() -> millstream_core::Result<Vec<device::Device>> {
    let cameras = driver::list(Through::default())?;
    Ok(cameras.into_iter().map(|camera| camera.device).collect())
}
