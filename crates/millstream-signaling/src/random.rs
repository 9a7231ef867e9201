//! Names that cannot be guessed: of sessions, of their states, and tokens.

use tokio_rustls::rustls::crypto::ring;

/// 128 bits of the system's generator, in hexadecimal: as it is in a URL, too.
///
/// # Panics
/// If the system has no randomness to give: no name would be safe.
pub(crate) fn name() -> String {
    let mut bytes = [0_u8; 16];
    ring::default_provider().secure_random.fill(&mut bytes).expect("the system's generator works");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_long_and_do_not_repeat() {
        let names: std::collections::HashSet<_> = (0..10_000).map(|_| name()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
