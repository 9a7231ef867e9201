//! What went wrong while running, and what a stage that fails takes with it.

use std::any::Any;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use millstream_core::Error;
use millstream_core::error::Kind;

/// What a runner does when a stage fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OnFailure {
    /// The part of the pipeline that the stage is in ends: what it feeds finishes, and what feeds only it ends. If it
    /// was [attached](crate::Running::attach), everything that was attached with it ends. The rest goes on.
    #[default]
    Part,
    /// The whole pipeline stops.
    Stop,
    /// A stage that lost what it depends on ([`Kind::Lost`]) is called again after 100 ms, then after twice as long
    /// each time, at most 5 s, or as soon as it uses its waker. What comes meanwhile waits in its link, whose policy
    /// applies; a stage that runs in its producer's thread does not get it. Afterwards encoded video begins with a key
    /// frame, which the runner asks for. After any other error the part ends, as with [`Part`](OnFailure::Part).
    Retry,
}

impl OnFailure {
    /// The names people write.
    pub const NAMES: [&'static str; 3] = ["part", "stop", "retry"];

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<OnFailure> {
        let index = OnFailure::NAMES.iter().position(|known| *known == name)?;
        Some([OnFailure::Part, OnFailure::Stop, OnFailure::Retry][index])
    }
}

/// The [`OnFailure`] of one stage, which may be set after the stage was added.
#[derive(Debug, Default)]
pub(crate) struct FailurePolicy(AtomicU8);

impl FailurePolicy {
    pub(crate) fn set(&self, policy: OnFailure) {
        self.0.store(policy as u8, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> OnFailure {
        match self.0.load(Ordering::Relaxed) {
            1 => OnFailure::Stop,
            2 => OnFailure::Retry,
            _ => OnFailure::Part,
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
