//! The screen, from an X server: the source `screen` gives what a display shows, a monitor of it, or
//! a region, as I420.
//!
//! The server writes each picture into memory that it shares with us (MIT-SHM 1.2); where it cannot,
//! because it is old or on another machine, the picture comes through the socket, and the log says
//! so. A thread of its own talks with the server, so that one that hangs holds up nobody.
//!
//! What is not here: single windows, sound, and what Wayland programs show. Under Wayland an X
//! server (XWayland) knows the windows of X11 programs only. On systems other than Linux, whose way
//! of sharing memory this is, the crate registers nothing.
//!
#![cfg_attr(target_os = "linux", doc = "```no_run")]
#![cfg_attr(not(target_os = "linux"), doc = "```ignore")]
//! use millstream_core::Clock;
//! use millstream_device_x11::{Options, Screen};
//!
//! let options = Options { region: "1280x720+0+0".parse().ok(), ..Options::default() };
//! let screen = Screen::open(options, Clock::system())?;
//! println!("{}", screen.opened());
//! # Ok::<(), millstream_core::Error>(())
//! ```

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::{Options, Region, Screen, descriptor};

/// Adds `screen`, and the screens it can open, to what `registry` knows; on systems other than Linux,
/// nothing.
pub fn register(registry: &mut millstream_core::Registry) {
    #[cfg(target_os = "linux")]
    linux::register(registry);
    #[cfg(not(target_os = "linux"))]
    let _ = registry;
}
