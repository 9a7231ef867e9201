//! What went wrong while running, and what a stage that fails takes with it.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millstream_core::Error;
use millstream_core::error::Kind;

/// What ends when a stage fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Its own branch: those that it feeds get their end and finish, those that feed nobody else end too.
    /// Everything else goes on.
    #[default]
    EndBranch,
    /// The whole pipeline, as if it were told to stop.
    Stop,
}

impl OnFailure {
    /// The names people write.
    pub const NAMES: [&'static str; 2] = ["end-branch", "stop"];

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<OnFailure> {
        match name {
            "end-branch" => Some(OnFailure::EndBranch),
            "stop" => Some(OnFailure::Stop),
            _ => None,
        }
    }
}

/// Errors kept at most, of a pipeline whose parts come and go: all were logged when they happened.
const MOST: usize = 1_000;

/// Errors that ended stages.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

#[derive(Debug)]
struct Fault {
    /// The part that the stage is of.
    part: u64,
    /// Where it stands in the declaration.
    place: usize,
    error: Error,
}

impl Faults {
    pub(crate) fn report(&self, part: u64, place: usize, error: Error) {
        let mut faults = self.faults();
        if faults.len() < MOST {
            faults.push(Fault { part, place, error });
        }
    }

    /// Takes the error of the stage declared first, if there is any.
    pub(crate) fn take_first(&self) -> Option<Error> {
        let mut faults = self.faults();
        let first = faults.iter().enumerate().min_by_key(|(_, fault)| fault.place).map(|(index, _)| index)?;
        Some(faults.remove(first).error)
    }

    /// Takes all errors of `part`, and gives that of its stage declared first.
    pub(crate) fn take_first_of(&self, part: u64) -> Option<Error> {
        let mut faults = self.faults();
        let own = faults.extract_if(.., |fault| fault.part == part);
        own.min_by_key(|fault| fault.place).map(|fault| fault.error)
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic's words as an error.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Error {
    let words = payload
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "something that is not text".to_owned());
    Error::new(Kind::Panic, format!("panicked: {words}"))
}
