//! How a test says that it could not run.

use std::fs::OpenOptions;
use std::io::Write;

/// The file into which skipped tests write their names, if the runner of the tests set one.
const SKIPS: &str = "MILLSTREAM_SKIPS";

/// Says that the calling test is skipped because `missing` is missing, and counts it as skipped.
///
/// The test harness knows no skip at run time; `script/test` names a file in the environment
/// variable `MILLSTREAM_SKIPS`, takes its lines off the number of passed tests, and shows them.
pub fn skipped(missing: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {missing}\n", thread.name().unwrap_or("a test"));
    eprint!("skipped {line}");
    if let Some(path) = std::env::var_os(SKIPS)
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path)
    {
        // A lost line would count a skipped test as passed: better to fail.
        file.write_all(line.as_bytes()).expect("the file of skipped tests can be written");
    }
}
