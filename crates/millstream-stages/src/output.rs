//! Making and writing a file of media, with errors that say which file, and where in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use millstream_core::{Error, Result};

/// What is written to the disk at once: about a tenth of a 720p frame.
const WRITE_BEHIND: usize = 128 * 1024;

/// A file that is being written, and how far.
///
/// A file that was there keeps its content until something is written or [`flush`](Output::flush)ed:
/// a pipeline that cannot be built destroys nothing. One that cannot be written on, because its disk is
/// full, is cut back to the whole items in it: what it holds stays readable.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    file: File,
    /// What is not handed to the operating system yet.
    buffer: Vec<u8>,
    offset: u64,
    /// How much was handed over.
    handed: u64,
    /// Where whole items end that were not handed over.
    ends: Vec<u64>,
    /// Where the last whole item ends that was.
    kept: u64,
    /// Whether something that was written had to be taken back.
    cut: bool,
    begun: bool,
    /// Whether it is a file on a disk, and not a pipe or a device: only there can one go back.
    regular: bool,
}

impl Output {
    /// Opens `path`, relative to the working directory of the process, and makes it if need be.
    pub(crate) fn create(path: &Path) -> Result<Output> {
        let refused = |error| {
            let what = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                    format!("cannot write {}: there is no folder {}; make it first", path.display(), folder.display())
                }
                _ => format!("cannot write {}", path.display()),
            };
            let place = std::env::current_dir().unwrap_or_default();
            let looked = if path.is_relative() { format!(" (from {})", place.display()) } else { String::new() };
            Error::config(format!("{what}{looked}")).caused_by(error)
        };
        // Not truncated here; see the type.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(refused)?;
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let buffer = Vec::with_capacity(WRITE_BEHIND);
        let (path, cut, begun) = (path.to_owned(), false, false);
        Ok(Output { path, file, buffer, offset: 0, handed: 0, ends: Vec::new(), kept: 0, cut, begun, regular })
    }

    /// How many bytes were written.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether something that was written had to be taken back, because it could not be written on.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Writes `bytes` behind what was written before.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.begin()?;
        if self.buffer.len() + bytes.len() > WRITE_BEHIND {
            self.hand_over()?;
        }
        if bytes.len() >= WRITE_BEHIND {
            let written = write_all(&mut self.file, bytes, &mut self.handed);
            self.check(written)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Says that an item is whole: a header, a frame.
    pub(crate) fn end_item(&mut self) {
        self.ends.push(self.offset);
    }

    /// Replaces what was written at `offset` by `bytes`, if it is still there. Does nothing in a pipe,
    /// where what is written is gone.
    pub(crate) fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if !self.regular {
            return Ok(());
        }
        self.hand_over()?;
        if offset + bytes.len() as u64 > self.offset {
            return Ok(());
        }
        let result = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.write_all(bytes));
        let result = result.and_then(|()| self.file.seek(SeekFrom::Start(self.offset)));
        result.map(drop).map_err(|error| self.fatal("cannot go back to complete its header").caused_by(error))
    }

    /// Hands everything to the operating system: it survives us. What was written is whole.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.begin()?;
        self.end_item();
        self.hand_over()
    }

    fn hand_over(&mut self) -> Result<()> {
        let written = write_all(&mut self.file, &self.buffer, &mut self.handed);
        self.check(written)?;
        self.buffer.clear();
        self.kept = self.ends.last().copied().unwrap_or(self.kept);
        self.ends.clear();
        Ok(())
    }

    /// Cuts the file back to whole items if something could not be written, and says so.
    fn check(&mut self, written: io::Result<()>) -> Result<()> {
        let Err(error) = written else { return Ok(()) };
        let error = self.fatal("cannot write on").caused_by(error);
        let whole = self.ends.iter().rev().find(|end| **end <= self.handed);
        self.kept = whole.copied().unwrap_or(self.kept);
        if self.regular {
            // Taking away needs no room. Where it fails all the same, what is there is as good as it gets.
            let cut = self.file.set_len(self.kept).and_then(|()| self.file.seek(SeekFrom::Start(self.kept)));
            cut.map_or_else(|error| tracing::warn!("{}: cannot be cut back: {error}", self.path.display()), drop);
        }
        self.buffer.clear();
        self.ends.clear();
        (self.offset, self.handed, self.cut) = (self.kept, self.kept, true);
        Err(error)
    }

    /// An error about this file, at the byte that is written next.
    pub(crate) fn fatal(&self, what: impl std::fmt::Display) -> Error {
        Error::fatal(format!("{}: {what} (at byte {})", self.path.display(), self.offset))
    }

    fn begin(&mut self) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        if self.regular {
            let emptied = self.file.set_len(0);
            emptied.map_err(|error| self.fatal("cannot replace what it held").caused_by(error))?;
        }
        Ok(())
    }
}

/// Writes all of `bytes`, and adds to `count` what was written, though it be not all.
fn write_all(file: &mut File, bytes: &[u8], count: &mut u64) -> io::Result<()> {
    let mut left = bytes;
    while !left.is_empty() {
        match file.write(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                *count += written as u64;
                left = &left[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Drop for Output {
    /// What was written and not [flushed](Output::flush), because its pipeline was given up.
    fn drop(&mut self) {
        // Whoever drops it without a flush does not want to know.
        let _ = self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use millstream_core::error::Kind;

    #[test]
    fn what_a_file_held_stays_until_something_is_written() {
        let file = Scratch::new(b"something long that was there");
        let mut output = Output::create(&file.0).unwrap();
        assert_eq!(std::fs::read(&file.0).unwrap(), b"something long that was there");
        output.write(b"0123456789").unwrap();
        output.patch(2, b"ab").unwrap();
        output.write(b"!").unwrap();
        assert_eq!(output.offset(), 11);
        output.flush().unwrap();
        assert_eq!(std::fs::read(&file.0).unwrap(), b"01ab456789!");
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named_with_what_is_missing() {
        let error = Output::create(Path::new("no/such/a.wav")).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        let words = error.to_string();
        assert!(
            words.starts_with("cannot write no/such/a.wav: there is no folder no/such; make it first (from /"),
            "{words}"
        );
        let folder = std::env::temp_dir();
        let words = Output::create(&folder).unwrap_err().to_string();
        assert!(words.starts_with(&format!("cannot write {}: ", folder.display())), "{words}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_names_the_file() {
        let mut output = Output::create(Path::new("/dev/full")).unwrap();
        output.write(b"abc").unwrap();
        output.patch(0, b"a").unwrap();
        let error = output.flush().unwrap_err();
        assert_eq!(error.kind(), Kind::Fatal);
        assert!(error.to_string().starts_with("/dev/full: cannot write on (at byte 3): No space left"), "{error}");
    }
}
