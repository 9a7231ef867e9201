//! Which files of this process are being read and written: none is written that another stage uses.
//!
//! A declared pipeline is refused before anything is opened; this is for stages that a program makes itself.

use std::fs::Metadata;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use millstream_core::known::Access;
use millstream_core::{Error, Result};

use crate::path::called;

/// All claims that hold, in no order.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    file: Id,
    access: Access,
    /// Whether it was emptied to be written: who opens it from then on reads what is new.
    begun: bool,
}

/// Device and inode, which all links to a file share.
type Id = (u64, u64);

/// The right to use one file, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Claim(Option<Held>);

impl Claim {
    /// Claims the open file of `metadata`, called `path`. What is no file on a disk is not claimed: a device
    /// does not mind.
    ///
    /// # Errors
    /// A wrong configuration if a stage reads or writes the file that this one would write, or is about to write
    /// the one that this one would read.
    pub(crate) fn new(path: &Path, metadata: &Metadata, access: Access) -> Result<Claim> {
        let Some(file) = id(metadata).filter(|_| metadata.is_file()) else { return Ok(Claim(None)) };
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let minds = |other: &&Held| match access {
            Access::Read => other.access == Access::Write && !other.begun,
            Access::Write => true,
        };
        let other = held.iter().filter(|other| other.file == file).find(minds);
        if let Some(other) = other {
            let path = called(path, access);
            return Err(Error::config(match (access, other.access) {
                (Access::Read, _) => format!("cannot read {path}: another stage writes this file; read another"),
                (_, Access::Read) => format!("cannot write {path}: another stage reads this file; write another"),
                _ => format!("cannot write {path}: another stage writes this file; write another"),
            }));
        }
        let claim = Held { file, access, begun: false };
        held.push(claim);
        Ok(Claim(Some(claim)))
    }

    /// Notes that what the file held is gone.
    pub(crate) fn begin(&mut self) {
        let Some(claim) = &mut self.0 else { return };
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.iter_mut().find(|held| *held == claim) {
            (held.begun, claim.begun) = (true, true);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(claim) = self.0 else { return };
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = held.iter().position(|held| *held == claim) {
            held.swap_remove(at);
        }
    }
}

#[cfg(unix)]
fn id(metadata: &Metadata) -> Option<Id> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn id(_: &Metadata) -> Option<Id> {
    None
}
