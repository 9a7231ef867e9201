//! The sound systems to ask, and that a sound server is asked by one client of `cpal` as long as it lives.
//!
//! A [`Host`] of a sound server is a connection, and one that is dropped while the server lives leaves a thread, three
//! descriptors and the connection behind (see `pulse.rs`): after 64 of them PulseAudio lets nobody in any more.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use cpal::{ErrorKind, Host, HostId};
use millstream_core::device::Kind;
use millstream_core::{Error, Result};

use crate::quiet;

/// The sound server's. It is replaced once the server has gone, and its connection has ended by itself.
static SERVER: Mutex<Option<Arc<Host>>> = Mutex::new(None);

/// Asks the sound system `id`, or the default one, and once more where the server that was asked before has gone.
///
/// # Errors
/// What the sound system says, for a device of `kind`; or that it does not answer.
pub(crate) fn ask<T>(kind: Kind, id: Option<HostId>, question: impl Fn(&Host) -> Result<T, cpal::Error>) -> Result<T> {
    let asked = host(kind, id)?;
    let mut said = question(&asked);
    if said.as_ref().is_err_and(|error| error.kind() == ErrorKind::StreamInvalidated) {
        forget(&asked);
        said = question(&*host(kind, id)?);
    }
    said.map_err(|error| explained(kind, &error))
}

/// The sound system `id`, or the default one: the sound server's, where there is one.
fn host(kind: Kind, id: Option<HostId>) -> Result<Arc<Host>> {
    let _quiet = quiet::quiet();
    // Systems without sound servers do not know the name.
    let server = HostId::from_str("pulseaudio").ok();
    if let Some(server) = server.filter(|server| id.is_none_or(|id| id == *server)) {
        #[cfg(feature = "pulseaudio")]
        crate::pulse::is_not_stuck()?;
        match kept(server) {
            Err(error) if id.is_some() => return Err(explained(kind, &error)),
            Err(_) => {}
            Ok(host) => return Ok(host),
        }
    }
    match id {
        Some(id) => cpal::host_from_id(id).map(Arc::new).map_err(|error| explained(kind, &error)),
        None => Ok(Arc::new(cpal::default_host())),
    }
}

fn kept(server: HostId) -> Result<Arc<Host>, cpal::Error> {
    let mut kept = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(host) = &*kept {
        return Ok(Arc::clone(host));
    }
    let host = Arc::new(cpal::host_from_id(server)?);
    *kept = Some(Arc::clone(&host));
    Ok(host)
}

/// Connects anew the next time, unless somebody else did so already.
fn forget(gone: &Arc<Host>) {
    let mut kept = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, gone)) {
        *kept = None;
    }
}

/// What an error of the sound system means, and what to do.
pub(crate) fn explained(kind: Kind, error: &cpal::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::HostUnavailable => {
            "there is no sound server; start PipeWire or PulseAudio (`systemctl --user start pipewire-pulse`)"
        }
        ErrorKind::DeviceBusy => "another program has it; close that, or find it with `fuser -v /dev/snd/*`",
        ErrorKind::PermissionDenied => "it may not be opened; join the group `audio` (`sudo usermod -aG audio $USER`)",
        ErrorKind::DeviceNotAvailable => "it is gone; plug it in again, or see `millstream devices`",
        ErrorKind::StreamInvalidated => "the sound server has gone",
        ErrorKind::UnsupportedConfig => "it does not do what it says it does; try another, see `millstream devices`",
        _ => "it failed",
    };
    Error::lost(format!("{kind}: {hint}")).caused_by(error.clone())
}
