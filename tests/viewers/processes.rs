//! Processes, as the kernel tells of them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// How many threads `id` has.
pub(crate) fn threads(id: u32) -> usize {
    count(&format!("/proc/{id}/task"))
}

/// How many sockets and files `id` has open.
pub(crate) fn descriptors(id: u32) -> usize {
    count(&format!("/proc/{id}/fd"))
}

/// How many bytes of `id` are in RAM.
pub(crate) fn resident(id: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) * 1024
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Every process whose command line holds `words`, and all that these started.
pub(crate) fn family(words: &str) -> BTreeSet<u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<u32> = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let says = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(words)
    };
    let mut family: BTreeSet<u32> = all.iter().copied().filter(says).collect();
    loop {
        let known = family.len();
        family.extend(
            all.iter().filter(|id| parent(**id).is_some_and(|parent| family.contains(&parent))).collect::<Vec<_>>(),
        );
        if family.len() == known {
            return family;
        }
    }
}

fn parent(id: u32) -> Option<u32> {
    // The name in brackets may hold spaces; behind it are the state and the parent.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Sends `signal` ("STOP", "CONT") to all of `family`.
pub(crate) fn signal(family: &BTreeSet<u32>, signal: &str) {
    let ids = family.iter().map(ToString::to_string);
    let status = Command::new("kill").arg(format!("-{signal}")).args(ids).status().expect("kill is there");
    assert!(status.success(), "kill -{signal} {family:?}");
}
