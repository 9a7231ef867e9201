//! Screens by the crate `xcap`: the source `screen-xcap` gives what a monitor shows, on Wayland, macOS,
//! Windows and X11.
//!
//! Where the system pushes pictures (Wayland's portal, macOS, Windows) its recorder is used; an X server
//! is asked for each picture. On X11 use `screen` instead, which shares the server's memory.
//!
//! What is not here: regions, the pointer where the system does not draw it, and windows. It is empty
//! unless the feature `xcap` is on, because the bindings below need much when they are built.

#![forbid(unsafe_code)]
#![cfg(feature = "xcap")]

mod capture;
mod channel;
mod monitor;
mod options;
mod source;

use millstream_core::device::{Devices, Kind};
use millstream_core::{Descriptor, Format, Registry, Worker};

pub use options::Options;
pub use source::Screen;

/// Adds `screen-xcap`, and the monitors it can open, to what `registry` knows.
pub fn register(registry: &mut Registry) {
    registry.add(descriptor());
    registry.add_devices(Devices::new::<Options>(Kind::Screen, "screen-xcap", monitor::list, monitor::choose));
}

/// The stage type `screen-xcap`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("screen-xcap", "Captures a monitor, with the xcap crate", Format::Video).blocking().build(
        |options: Options, joined| {
            let screen = Screen::open(options, joined.clock().clone())?;
            joined.notice(screen.opened());
            Ok(Worker::source(screen))
        },
    )
}
