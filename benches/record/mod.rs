//! Raw measurements as files: every value of every round is a row of `docs/measurements/NAME.csv`.
//!
//! A bench takes this in with `mod record;` and `#[path]`:
//! ```text
//! let mut record = Record::create("latency")?;
//! record.version("chromium", "156.0.1")?;
//! record.row(1, "720p30", "millstream", "p50_ms", 16.4)?;
//! ```
//! A round is what was measured close together, so that a drift of the machine hits all of it: the
//! subjects of one round are compared with each other, never with those of another. Names are words
//! joined by `_`, which tables show as spaces; a metric ends in its unit. Tables in the documentation
//! are made from these files by `script/bench tables`, see [`tables`].

// Each target takes in the whole folder and uses its part; a bench has no tests.
#![allow(dead_code, unused_imports)]

pub(crate) mod machine;
pub(crate) mod marker;
pub(crate) mod rows;
pub(crate) mod statistics;
pub(crate) mod tables;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file of measurements that is being written.
pub(crate) struct Record {
    file: File,
    path: PathBuf,
    /// Whether the rows have begun, behind which nothing more is said of them.
    begun: bool,
}

impl Record {
    /// Begins `docs/measurements/NAME.csv` anew, with what is known of the machine and the commit.
    ///
    /// `MILLSTREAM_MEASUREMENTS` names another folder: for a try whose figures nobody keeps.
    pub(crate) fn create(name: &str) -> io::Result<Record> {
        let folder = std::env::var_os("MILLSTREAM_MEASUREMENTS")
            .map_or_else(|| repository().join("docs/measurements"), PathBuf::from);
        fs::create_dir_all(&folder)?;
        Record::create_at(&folder.join(name).with_extension("csv"))
    }

    fn create_at(path: &Path) -> io::Result<Record> {
        let mut record = Record { file: File::create(path)?, path: path.to_path_buf(), begun: false };
        for (key, value) in machine::facts() {
            record.version(key, &value)?;
        }
        Ok(record)
    }

    /// Says of something that was involved which version it had, or what else one must know of it.
    ///
    /// # Panics
    /// When a row stands already.
    pub(crate) fn version(&mut self, what: &str, version: &str) -> io::Result<()> {
        assert!(!self.begun, "what holds for all rows stands above them");
        writeln!(self.file, "# {what}: {}", version.trim().replace('\n', " "))
    }

    /// Writes one raw value. It is in the file when this returns, so that a crash loses nothing.
    ///
    /// # Panics
    /// When a name holds a space or a comma.
    pub(crate) fn row(&mut self, round: u32, case: &str, subject: &str, metric: &str, value: f64) -> io::Result<()> {
        if !self.begun {
            writeln!(self.file, "{}", rows::HEADER)?;
            self.begun = true;
        }
        for name in [case, subject, metric] {
            assert!(marker::is_name(name), "`{name}` is no name: words joined by `_`, without space or comma");
        }
        writeln!(self.file, "{round},{case},{subject},{metric},{value}")
    }

    /// Where it is written, to tell people.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let path = std::env::temp_dir().join(format!("millstream-record-{}.csv", std::process::id()));
        let mut record = Record::create_at(&path).expect("a place to write");
        record.version("libvpx", "1.12\n").expect("room");
        record.row(1, "720p", "ours", "encode_us", 7100.25).expect("room");
        record.row(1, "720p", "bare", "encode_us", 7000.0).expect("room");
        let read = rows::Measurements::read(&path).expect("it is what is written");
        fs::remove_file(path).expect("it is there");
        assert_eq!(read.fact("libvpx"), Some("1.12"));
        assert!(read.fact("commit").is_some() && read.fact("machine").is_some());
        let values: Vec<_> = read.rows.iter().map(|row| (row.round, row.subject.as_str(), row.value)).collect();
        assert_eq!(values, [(1, "ours", 7100.25), (1, "bare", 7000.0)]);
    }
}
