//! Two ways to a camera: Video4Linux by the crate `v4l`, and the crate `nokhwa`.
//!
//! `v4l` is what Linux has where nothing else is said, because of what was seen of `nokhwa` 0.10.11: it
//! waits for a picture without end and holds the camera meanwhile, so one that stalls can never be
//! opened again; it does not say how long a JPEG is, nor that the driver called a picture damaged; and
//! where the driver refuses to stop, it panics while it panics, which ends the process.

mod claim;
#[cfg(target_os = "linux")]
mod known;
mod nokhwa;
#[cfg(target_os = "linux")]
mod v4l;

use std::time::Duration;

use millstream_core::{Color, Error, Result};

use crate::mode::{Found, Mode};
use crate::options::Through;

/// A camera that gives pictures.
pub(crate) trait Driver {
    /// Waits for the next picture and shows it to `take`. One that can returns with
    /// [`Trouble::Nothing`] after a tenth of a second.
    fn next(&mut self, take: &mut dyn FnMut(Raw<'_>)) -> Result<(), Trouble>;
}

/// A picture as it lies in the driver's memory.
pub(crate) struct Raw<'a> {
    pub(crate) data: &'a [u8],
    /// How far its rows begin apart, in bytes; 0 where the driver does not say so, or it has none.
    pub(crate) stride: usize,
    /// How long ago it was captured.
    pub(crate) age: Duration,
}

/// Why there is no picture.
pub(crate) enum Trouble {
    /// None has come yet.
    Nothing,
    /// Something went wrong that may pass.
    Passing(String),
    /// The camera is gone, or will not go on.
    Gone(Error),
}

/// The cameras that are there. Each is asked in a thread of its own, so that one that does not answer
/// holds nobody up for long.
pub(crate) fn list(through: Through) -> Result<Vec<Found>> {
    #[cfg(target_os = "linux")]
    return Ok(v4l::list(through));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = through;
        nokhwa::list()
    }
}

/// Opens `camera`, asks it for exactly `mode`, and starts it; also what its samples mean.
pub(crate) fn open(through: Through, camera: &Found, mode: Mode) -> Result<(Box<dyn Driver>, Color)> {
    #[cfg(target_os = "linux")]
    if through == Through::System {
        return v4l::open(camera, mode);
    }
    let _ = through;
    nokhwa::open(camera, mode)
}

/// What an age that a driver tells is worth: one of half a second and more is of another clock.
fn credible(age: Option<Duration>) -> Duration {
    age.filter(|age| *age < Duration::from_millis(500)).unwrap_or_default()
}

/// What the system's error number `code` means for the camera at `place`; `words` are the system's.
fn explained(place: &str, code: Option<i32>, words: &str) -> Error {
    match code {
        Some(1 | 13) => unreadable(place),
        Some(16) if claim::is_ours(place) => Error::lost(format!(
            "{place} is in use by this program itself; if another stage has it, let that one give to both; if not, \
             its driver does not let go: unplug it and plug it in again"
        )),
        Some(16) => Error::lost(format!("{place} is in use by another program; `fuser -v {place}` says which")),
        Some(2 | 6 | 19) => Error::lost(format!("{place} is gone; was it unplugged?")),
        _ => Error::lost(format!("{place} fails: {words}")),
    }
}

/// What is said of a camera that this user must not read.
pub(crate) fn unreadable(place: &str) -> Error {
    Error::config(format!(
        "{place} is not readable for you; join its group, `sudo usermod -aG video $USER`, and log in anew"
    ))
}
