//! What one must know of a machine and a commit to judge a figure.

use std::fs;
use std::process::Command;

/// The comment lines that open every file of measurements.
pub(crate) fn facts() -> Vec<(&'static str, String)> {
    vec![
        ("command", command()),
        ("date", run("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("machine", machine()),
        ("load", load()),
        ("commit", commit()),
        ("rustc", run("rustc", &["--version"])),
    ]
}

/// What to type to get the file again: `script/bench` says what it was called with.
fn command() -> String {
    std::env::var("MILLSTREAM_BENCH_COMMAND").unwrap_or_else(|_| {
        let name = std::env::args().next().unwrap_or_default();
        // cargo names the binary after the target and a hash.
        let name = name.rsplit('/').next().and_then(|file| file.rsplit_once('-')).map_or("", |(name, _)| name);
        format!("cargo bench --bench {name}")
    })
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpus, memory, system) = (read("/proc/cpuinfo"), read("/proc/meminfo"), read("/etc/os-release"));
    let model = after(&cpus, "model name", ':').unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kib = after(&memory, "MemTotal", ':').and_then(|size| size.trim_end_matches(" kB").parse::<u64>().ok());
    let gib = kib.unwrap_or(0).div_ceil(1024 * 1024);
    let system = after(&system, "PRETTY_NAME", '=').unwrap_or("unknown system").trim_matches('"');
    format!("{model}, {cores} cores, {gib} GiB, {system}, kernel {}", run("uname", &["-r"]))
}

/// The three load averages when the run began: above 0.5 the figures were taken beside other work.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The commit; with `+changes` when what is measured differs from it. Measurements and words do not count.
fn commit() -> String {
    let commit = run("git", &["rev-parse", "--short=10", "HEAD"]);
    let changes = run("git", &["status", "--porcelain", "--", ".", ":!docs", ":!*.md"]);
    if changes.is_empty() { commit } else { commit + "+changes" }
}

/// The value of the first line that begins with `key`.
fn after<'a>(text: &'a str, key: &str, separator: char) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(separator)?.1.trim())
}

fn run(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).current_dir(super::repository()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default()
}
