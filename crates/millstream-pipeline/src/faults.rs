//! What went wrong while running: the first error in the order of declaration is the pipeline's.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use millstream_core::Error;
use millstream_core::error::Kind;

/// Errors that ended stages, each with its stage's place in the declaration.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<(usize, Error)>>);

impl Faults {
    pub(crate) fn report(&self, place: usize, error: Error) {
        tracing::error!("{error}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((place, error));
    }

    /// The error of the stage declared first, if there is any.
    pub(crate) fn take_first(&self) -> Option<Error> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = faults.iter().enumerate().min_by_key(|(_, (place, _))| *place).map(|(index, _)| index)?;
        Some(faults.swap_remove(first).1)
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
