//! Which cameras this program has open, so that it does not send people to look for another.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A place for each camera that is open.
static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn places() -> MutexGuard<'static, Vec<String>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stands for a camera that is open here; forgotten with one that will not close.
pub(super) struct Claim(String);

impl Claim {
    /// Says that the camera at `place` is open here.
    pub(super) fn new(place: &str) -> Claim {
        places().push(place.to_owned());
        Claim(place.to_owned())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut places = places();
        if let Some(index) = places.iter().position(|place| *place == self.0) {
            places.swap_remove(index);
        }
    }
}

/// Whether the camera at `place` is open here.
pub(super) fn is_ours(place: &str) -> bool {
    places().iter().any(|ours| ours == place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_ours_until_the_last_that_has_it_open_is_closed() {
        let [first, second] = [Claim::new("/dev/here"), Claim::new("/dev/here")];
        drop(first);
        assert!(is_ours("/dev/here") && !is_ours("/dev/there"));
        drop(second);
        assert!(!is_ours("/dev/here"));
    }
}
