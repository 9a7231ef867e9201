//! What the benches beside rivals share: processes that are watched and ended, the programs that they
//! run, and a browser.
//!
//! All of it is for Linux: processor time and memory of a process are read from `/proc`.

// Each bench takes in the whole folder and uses its part.
#![allow(dead_code)]
// A bench lives in real time.
#![allow(clippy::disallowed_methods)]

pub(crate) mod chromium;
pub(crate) mod ended;
pub(crate) mod gate;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod whep;

/// What went wrong, in words for people.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// Says what it is about before what went wrong.
pub(crate) fn at<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

/// Ends a bench: with its exit code, and what went wrong.
pub(crate) fn exit(result: Result<()>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// The subjects in the order of a round: each begins as often as the others, so that none is always
/// the one that comes after a certain other.
pub(crate) fn rotated<T>(subjects: &mut [T], round: u32) -> impl Iterator<Item = &mut T> {
    let by = round as usize % subjects.len().max(1);
    let (before, from) = subjects.split_at_mut(by);
    from.iter_mut().chain(before)
}

/// The version of a crate that this was built with.
pub(crate) fn crate_version(name: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
    let version = entry.and_then(|entry| entry.lines().find_map(|line| line.strip_prefix("version = ")));
    version.unwrap_or("unknown").trim_matches('"').to_owned()
}
