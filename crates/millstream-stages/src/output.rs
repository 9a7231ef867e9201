//! Making and writing a file of media, with errors that say which file, and where in it.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use millstream_core::{Error, Result};

/// What is written to the disk at once: about a tenth of a 720p frame.
const WRITE_BEHIND: usize = 128 * 1024;

/// A file that is being written, and how far.
///
/// A file that was there keeps its content until something is written or [`flush`](Output::flush)ed:
/// a pipeline that cannot be built destroys nothing.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    writer: BufWriter<File>,
    offset: u64,
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
        let writer = BufWriter::with_capacity(WRITE_BEHIND, file);
        Ok(Output { path: path.to_owned(), writer, offset: 0, begun: false, regular })
    }

    /// How many bytes were written.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Writes `bytes` behind what was written before.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.begin()?;
        self.writer.write_all(bytes).map_err(|error| self.fatal("cannot write on").caused_by(error))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Replaces what was written at `offset` by `bytes`. Does nothing in a pipe, where what is
    /// written is gone.
    pub(crate) fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if !self.regular {
            return Ok(());
        }
        // Seeking flushes what is buffered first.
        let end = self.offset;
        let result = self
            .writer
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.writer.write_all(bytes))
            .and_then(|()| self.writer.seek(SeekFrom::Start(end)));
        result.map(drop).map_err(|error| self.fatal("cannot go back to complete its header").caused_by(error))
    }

    /// Hands everything to the operating system: it survives us.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.begin()?;
        self.writer.flush().map_err(|error| self.fatal("cannot write on").caused_by(error))
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
            let emptied = self.writer.get_ref().set_len(0);
            emptied.map_err(|error| self.fatal("cannot replace what it held").caused_by(error))?;
        }
        Ok(())
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
    fn a_full_disk_ends_the_pipeline_and_names_the_file() {
        let mut output = Output::create(Path::new("/dev/full")).unwrap();
        output.write(b"abc").unwrap();
        output.patch(0, b"a").unwrap();
        let error = output.flush().unwrap_err();
        assert_eq!(error.kind(), Kind::Fatal);
        assert!(error.to_string().starts_with("/dev/full: cannot write on (at byte 3): No space left"), "{error}");
    }
}
