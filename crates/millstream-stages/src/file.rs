//! Opening and reading a file of media, with errors that say which file, and where in it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use millstream_core::error::Kind;
use millstream_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of a source that reads a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The file. A relative path starts at the working directory of the process.
    pub path: PathBuf,
    /// Whether to start again at the end, for ever and without a gap.
    #[serde(default)]
    pub r#loop: bool,
}

/// What is read from the disk at once: about a tenth of a 720p frame.
const READ_AHEAD: usize = 128 * 1024;

/// A file that is being read, and how far.
#[derive(Debug)]
pub(crate) struct Input {
    path: PathBuf,
    reader: BufReader<File>,
    offset: u64,
}

impl Input {
    /// Opens `path`, relative to the working directory of the process.
    pub(crate) fn open(path: &Path) -> Result<Input> {
        let file = File::open(path).map_err(|error| {
            let place = std::env::current_dir().unwrap_or_default();
            let looked = if path.is_relative() { format!(" (looked in {})", place.display()) } else { String::new() };
            Error::config(format!("cannot open {}{looked}", path.display())).caused_by(error)
        })?;
        Ok(Input { path: path.to_owned(), reader: BufReader::with_capacity(READ_AHEAD, file), offset: 0 })
    }

    /// The byte that is read next.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes the file holds from here, where it is one that can tell.
    pub(crate) fn left(&self) -> Option<u64> {
        let metadata = self.reader.get_ref().metadata().ok()?;
        metadata.is_file().then(|| metadata.len().saturating_sub(self.offset))
    }

    /// Reads until `buffer` is full or the file ends; how much was read.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    self.offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(self.error(Kind::Fatal, "cannot read on").caused_by(error)),
            }
        }
        Ok(filled)
    }

    /// Reads one line with its end into `line`, or `limit` bytes of one that is longer. Empty at the
    /// end of the file.
    pub(crate) fn read_line(&mut self, limit: usize, line: &mut Vec<u8>) -> Result<()> {
        use std::io::BufRead;
        line.clear();
        let read = (&mut self.reader).take(limit as u64).read_until(b'\n', line);
        read.map_err(|error| self.error(Kind::Fatal, "cannot read on").caused_by(error))?;
        self.offset += line.len() as u64;
        Ok(())
    }

    /// Goes to byte `offset`.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<()> {
        self.reader
            .seek(SeekFrom::Start(offset))
            .map_err(|error| self.error(Kind::Fatal, "cannot go to another place in it").caused_by(error))?;
        self.offset = offset;
        Ok(())
    }

    /// An error about this file, at the byte that is read next.
    pub(crate) fn error(&self, kind: Kind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("{}: {what} (at byte {})", self.path.display(), self.offset))
    }
}

/// What reading fails with before a pipeline runs is a matter of its configuration.
pub(crate) fn as_config(error: Error) -> Error {
    match error.kind() {
        Kind::Config => error,
        _ => Error::config(error.to_string()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A file for one test, gone with it.
    pub(crate) struct Scratch(pub(crate) PathBuf);

    impl Scratch {
        pub(crate) fn new(bytes: &[u8]) -> Scratch {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("millstream-stages-{}-{count}", std::process::id()));
            std::fs::write(&path, bytes).expect("the temporary folder can be written");
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            // One that stays behind does no harm.
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// `len` random bytes (xorshift64).
    pub(crate) fn garbage(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        std::iter::repeat_with(byte).take(len).collect()
    }
}
