//! Names that nobody guesses.

use std::hash::{BuildHasher, RandomState};

/// 128 bits in hexadecimal.
///
/// The standard library's hasher is SipHash under a key that the system's generator gave this
/// thread, and without the key its output is not to be told from chance. So no dependency is needed.
pub(super) fn random() -> String {
    let keyed = RandomState::new();
    format!("{:016x}{:016x}", keyed.hash_one(0_u8), keyed.hash_one(1_u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_long_and_do_not_repeat() {
        let names: std::collections::HashSet<_> = (0..10_000).map(|_| random()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.len() == 32));
    }
}
