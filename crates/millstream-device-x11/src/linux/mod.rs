//! All of it, for the one system that it is for.

mod capture;
mod cursor;
mod devices;
mod grab;
mod memory;
mod monitors;
mod options;
mod region;
mod server;
mod slot;
mod source;
mod view;

use millstream_core::device::{Devices, Kind};
use millstream_core::{Descriptor, Format, Registry, Worker};

pub use options::Options;
pub use region::Region;
pub use source::Screen;

pub(crate) fn register(registry: &mut Registry) {
    registry.add(descriptor());
    registry.add_devices(Devices::new::<Options>(Kind::Screen, "screen", devices::list, devices::choose));
}

/// The stage type `screen`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("screen", "Captures a screen of an X server", Format::Video).blocking().build(
        |options: Options, joined| {
            let screen = Screen::open(options, joined.clock().clone())?;
            joined.notice(screen.opened());
            Ok(Worker::source(screen))
        },
    )
}
