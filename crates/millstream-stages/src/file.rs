//! Opening and reading a file of media, with errors that say which file, and where in it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use millstream_core::error::Kind;
use millstream_core::known::{Access, Known, is_standard_input};
use millstream_core::{Cx, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::path::called;
use crate::pipe::Pipe;

/// Options of a source that reads a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The file to read; it may be a pipe, and `-` is standard input. A relative path starts at the working directory.
    pub path: PathBuf,
    /// Whether to start again at the end, without a gap. A pipe cannot start again.
    #[serde(default)]
    pub r#loop: bool,
}

impl Options {
    /// What is known from them alone.
    pub(crate) fn known(&self) -> Known {
        Known::default().reads("path", &self.path)
    }
}

/// What is read at once: about a tenth of a 720p frame, and two pages of Ogg.
const READ_AHEAD: usize = 128 * 1024;

/// A file that is being read, and how far.
#[derive(Debug)]
pub(crate) struct Input {
    path: PathBuf,
    pipe: Pipe,
    _claim: Claim,
    /// What was read ahead lies in `at..end`.
    ahead: Vec<u8>,
    at: usize,
    end: usize,
    offset: u64,
    /// Where byte 0 stands: standard input may have been read before.
    base: u64,
}

impl Input {
    /// Opens `path`, relative to the working directory of the process. Waits for nobody: not for the writer
    /// of a pipe either.
    pub(crate) fn open(path: &Path) -> Result<Input> {
        let refused = |error: io::Error| {
            let place = std::env::current_dir().unwrap_or_default();
            let looked = if path.is_relative() { format!(" (looked in {})", place.display()) } else { String::new() };
            Error::config(format!("cannot open {}{looked}", called(path, Access::Read))).caused_by(error)
        };
        let mut file = open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        if metadata.is_dir() {
            return Err(Error::config(format!("{} is a folder; name a file in it", path.display())));
        }
        let claim = Claim::new(path, &metadata, Access::Read)?;
        let base = if metadata.is_file() { file.stream_position().map_err(refused)? } else { 0 };
        let pipe = Pipe::new(file);
        Ok(Input {
            path: path.to_owned(),
            pipe,
            _claim: claim,
            ahead: vec![0; READ_AHEAD],
            at: 0,
            end: 0,
            offset: 0,
            base,
        })
    }

    /// Whether it is a file on a disk: one that is there at once, knows its length, and can be read again.
    pub(crate) fn is_regular(&self) -> bool {
        self.pipe.regular
    }

    /// Stops waiting for data once the run of `cx` ends.
    pub(crate) fn heed(&mut self, cx: &Cx) {
        self.pipe.run.get_or_insert_with(|| cx.run().clone());
    }

    /// The byte that is read next.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes the file holds from here, where it is one that can tell.
    pub(crate) fn left(&self) -> Option<u64> {
        let metadata = self.pipe.file.metadata().ok()?;
        metadata.is_file().then(|| metadata.len().saturating_sub(self.base + self.offset))
    }

    /// The next `count` bytes, which are still to be read; fewer if the file ends. At most [`READ_AHEAD`].
    pub(crate) fn peek(&mut self, count: usize) -> Result<&[u8]> {
        while self.end - self.at < count.min(READ_AHEAD) {
            if self.read_ahead()? == 0 {
                break;
            }
        }
        let there = &self.ahead[self.at..self.end];
        Ok(&there[..there.len().min(count)])
    }

    /// Passes over `count` bytes that were [peeked](Input::peek) at.
    pub(crate) fn consume(&mut self, count: usize) {
        self.at += count;
        self.offset += count as u64;
        debug_assert!(self.at <= self.end, "only what was peeked at");
    }

    /// Reads until `buffer` is full or the file ends; how much was read.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let (there, rest) = (&self.ahead[self.at..self.end], &mut buffer[filled..]);
            let read = if !there.is_empty() {
                let read = there.len().min(rest.len());
                rest[..read].copy_from_slice(&there[..read]);
                self.at += read;
                read
            } else if rest.len() >= READ_AHEAD {
                self.pipe.read(rest).map_err(|error| self.unreadable(error))?
            } else if self.read_ahead()? > 0 {
                continue;
            } else {
                0
            };
            if read == 0 {
                break;
            }
            filled += read;
            self.offset += read as u64;
        }
        Ok(filled)
    }

    /// Reads one line with its end into `line`, or `limit` bytes of one that is longer. Empty at the
    /// end of the file.
    pub(crate) fn read_line(&mut self, limit: usize, line: &mut Vec<u8>) -> Result<()> {
        line.clear();
        while line.len() < limit && line.last() != Some(&b'\n') {
            if self.at == self.end && self.read_ahead()? == 0 {
                break;
            }
            let there = &self.ahead[self.at..self.end.min(self.at + limit - line.len())];
            let len = there.iter().position(|byte| *byte == b'\n').map_or(there.len(), |end| end + 1);
            line.extend_from_slice(&there[..len]);
            self.at += len;
            self.offset += len as u64;
        }
        Ok(())
    }

    /// Goes on to byte `offset`, or to the end where there are fewer.
    pub(crate) fn skip_to(&mut self, offset: u64) -> Result<()> {
        if self.is_regular() {
            return self.seek(offset);
        }
        while self.offset < offset {
            if self.at == self.end && self.read_ahead()? == 0 {
                break;
            }
            let skipped = (self.end - self.at).min((offset - self.offset).try_into().unwrap_or(usize::MAX));
            self.at += skipped;
            self.offset += skipped as u64;
        }
        Ok(())
    }

    /// Goes to byte `offset` of a file on a disk.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<()> {
        let sought = self.pipe.file.seek(SeekFrom::Start(self.base.saturating_add(offset)));
        sought.map_err(|error| self.error(Kind::Fatal, "cannot go to another place in it").caused_by(error))?;
        (self.at, self.end, self.offset) = (0, 0, offset);
        Ok(())
    }

    /// An error about this file, at the byte that is read next.
    pub(crate) fn error(&self, kind: Kind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("{}: {what} (at byte {})", called(&self.path, Access::Read), self.offset))
    }

    /// Reads what there is, behind what was read ahead before, where there is room; how much, 0 at the end.
    fn read_ahead(&mut self) -> Result<usize> {
        self.ahead.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        let read = self.pipe.read(&mut self.ahead[self.end..]).map_err(|error| self.unreadable(error))?;
        self.end += read;
        Ok(read)
    }

    fn unreadable(&self, error: io::Error) -> Error {
        self.error(Kind::Fatal, "cannot read on").caused_by(error)
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    if is_standard_input(path) {
        return std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
    }
    // A pipe without a writer would be waited for.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    std::fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    if is_standard_input(path) {
        return Err(io::Error::other("standard input can be read on Unix only"));
    }
    File::open(path)
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
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_folder_is_no_pipe() {
        let folder = std::env::temp_dir();
        let error = Input::open(&folder).unwrap_err();
        let words = format!("{} is a folder; name a file in it", folder.display());
        assert_eq!((error.kind(), error.to_string()), (Kind::Config, words));
    }

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

    #[test]
    fn the_standard_streams_are_called_so() {
        for (name, access, words) in [
            ("-", Access::Read, "standard input"),
            ("/dev/stdin", Access::Read, "standard input"),
            ("-", Access::Write, "standard output"),
            ("/dev/stdout", Access::Write, "standard output"),
            ("a/-", Access::Read, "a/-"),
        ] {
            assert_eq!(called(Path::new(name), access).to_string(), words);
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
