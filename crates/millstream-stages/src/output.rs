//! Making and writing a file of media, with errors that say which file, and where in it.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use millstream_core::known::{Access, Known, is_standard_output};
use millstream_core::{Cx, Error, Joined, Result, Run};

use crate::claim::Claim;
use crate::path::called;
use crate::pipe::Pipe;

/// What is written to the disk at once: about a tenth of a 720p frame.
const WRITE_BEHIND: usize = 128 * 1024;

/// A file that is being written, and how far.
///
/// A file that was there keeps its content until something is written or [`flush`](Output::flush)ed:
/// a pipeline that cannot be built destroys nothing. One that cannot be written on, because its disk is
/// full, is cut back to the whole items in it: what it holds stays readable. A pipe with a name is opened once
/// somebody reads it, and is waited for when something is to be written; where the pipeline is stopped before anybody
/// does, nothing is.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    /// None while nobody reads the pipe.
    file: Option<Pipe>,
    claim: Option<Claim>,
    run: Option<Run>,
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
    /// Whether the pipeline was stopped before anybody read it.
    unread: bool,
    /// Whether it is a file on a disk, and not a pipe or a device: only there can one go back.
    regular: bool,
}

/// What is known of a sink that writes to `path`, from its options alone.
pub(crate) fn known(path: &Path) -> Known {
    Known::default().writes("path", path)
}

impl Output {
    /// Opens `path`, relative to the working directory of the process, and makes it if need be; `-` is standard
    /// output, which was opened by somebody else: it is neither emptied nor gone back in.
    pub(crate) fn create(path: &Path) -> Result<Output> {
        let refused = |error| {
            let what = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                    format!("cannot write {}: there is no folder {}; make it first", path.display(), folder.display())
                }
                _ => format!("cannot write {}", called(path, Access::Write)),
            };
            let place = std::env::current_dir().unwrap_or_default();
            let looked = if path.is_relative() { format!(" (from {})", place.display()) } else { String::new() };
            Error::config(format!("{what}{looked}")).caused_by(error)
        };
        let mut output = Output {
            path: path.to_owned(),
            file: None,
            claim: None,
            run: None,
            buffer: Vec::with_capacity(WRITE_BEHIND),
            offset: 0,
            handed: 0,
            ends: Vec::new(),
            kept: 0,
            cut: false,
            begun: false,
            unread: false,
            regular: false,
        };
        let Some(file) = open(path).map_err(refused)? else { return Ok(output) };
        let metadata = file.metadata().map_err(refused)?;
        output.claim = Some(Claim::new(path, &metadata, Access::Write)?);
        output.regular = metadata.is_file() && !is_standard_output(path);
        output.file = Some(Pipe::new(file));
        Ok(output)
    }

    /// Stops waiting for a reader once the run of `cx` ends.
    pub(crate) fn heed(&mut self, cx: &Cx) {
        let run = self.run.get_or_insert_with(|| cx.run().clone());
        if let Some(file) = self.file.as_mut().filter(|file| file.run.is_none()) {
            file.run = Some(run.clone());
        }
    }

    /// Tells whoever runs it when it waits for another program.
    pub(crate) fn announce(&self, joined: &mut Joined<'_>) {
        if self.file.is_none() {
            joined
                .notice(format!("writes {}, and waits until somebody reads there", called(&self.path, Access::Write)));
        }
    }

    /// Whether something can be written without waiting for a reader.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.reopen() && self.file.as_ref().is_some_and(Pipe::has_room)
    }

    /// Whether somebody was there to write to.
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_some()
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
        if !self.begin()? {
            return Ok(());
        }
        if self.buffer.len() + bytes.len() > WRITE_BEHIND {
            self.hand_over()?;
        }
        if bytes.len() >= WRITE_BEHIND {
            let written = self.write_all(bytes);
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
        let Some(Pipe { file, .. }) = &mut self.file else { return Ok(()) };
        let result = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes));
        let result = result.and_then(|()| file.seek(SeekFrom::Start(self.offset)));
        result.map(drop).map_err(|error| self.fatal("cannot go back to complete its header").caused_by(error))
    }

    /// Hands everything to the operating system: it survives us. What was written is whole.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if !self.begin()? {
            return Ok(());
        }
        self.end_item();
        self.hand_over()
    }

    fn hand_over(&mut self) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let written = self.write_all(&buffer);
        self.buffer = buffer;
        self.check(written)?;
        self.buffer.clear();
        self.kept = self.ends.last().copied().unwrap_or(self.kept);
        self.ends.clear();
        Ok(())
    }

    /// Writes all of `bytes`, and counts what was written, though it be not all.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut left = bytes;
        while !left.is_empty() {
            match file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.handed += written as u64;
                    left = &left[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Cuts the file back to whole items if something could not be written, and says so.
    fn check(&mut self, written: io::Result<()>) -> Result<()> {
        let Err(error) = written else { return Ok(()) };
        let error = self.fatal("cannot write on").caused_by(error);
        let whole = self.ends.iter().rev().find(|end| **end <= self.handed);
        self.kept = whole.copied().unwrap_or(self.kept);
        if let Some(Pipe { file, .. }) = self.file.as_mut().filter(|_| self.regular) {
            // Taking away needs no room. Where it fails all the same, what is there is as good as it gets.
            let cut = file.set_len(self.kept).and_then(|()| file.seek(SeekFrom::Start(self.kept)));
            cut.map_or_else(
                |error| tracing::warn!("{}: cannot be cut back: {error}", called(&self.path, Access::Write)),
                drop,
            );
        }
        self.buffer.clear();
        self.ends.clear();
        (self.offset, self.handed, self.cut) = (self.kept, self.kept, true);
        Err(error)
    }

    /// An error about this file, at the byte that is written next.
    pub(crate) fn fatal(&self, what: impl std::fmt::Display) -> Error {
        Error::fatal(format!("{}: {what} (at byte {})", called(&self.path, Access::Write), self.offset))
    }

    /// Waits until somebody reads; a file is emptied. False if nobody did before the pipeline was stopped.
    fn begin(&mut self) -> Result<bool> {
        if self.begun || self.unread {
            return Ok(self.begun);
        }
        while !self.reopen() {
            if self.run.as_ref().is_some_and(Run::is_stopping) {
                tracing::info!("{}: nobody has read it", called(&self.path, Access::Write));
                self.unread = true;
                return Ok(false);
            }
            wait();
        }
        self.begun = true;
        if let Some(Pipe { file, .. }) = self.file.as_ref().filter(|_| self.regular) {
            self.claim.iter_mut().for_each(Claim::begin);
            let emptied = file.set_len(0);
            emptied.map_err(|error| self.fatal("cannot replace what it held").caused_by(error))?;
        }
        Ok(true)
    }

    /// Opens a pipe if somebody reads it now; whether it is open.
    fn reopen(&mut self) -> bool {
        if self.file.is_none()
            && let Ok(Some(file)) = open(&self.path)
        {
            self.file.insert(Pipe::new(file)).run.clone_from(&self.run);
        }
        self.file.is_some()
    }
}

impl Drop for Output {
    /// What was written and not [flushed](Output::flush), because its pipeline was given up.
    fn drop(&mut self) {
        // Whoever drops it without a flush does not want to know.
        let _ = self.hand_over();
    }
}

/// None if it is a pipe that nobody reads.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<Option<File>> {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
    if is_standard_output(path) {
        return io::stdout().as_fd().try_clone_to_owned().map(|file| Some(File::from(file)));
    }
    // Not truncated here; see the type. A pipe without a reader would be waited for.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).custom_flags(nonblocking);
    match options.open(path) {
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
                && std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) =>
        {
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<Option<File>> {
    if is_standard_output(path) {
        return Err(io::Error::other("standard output can be written on Unix only"));
    }
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).map(Some)
}

#[cfg(unix)]
fn wait() {
    crate::pipe::wait_a_look();
}

#[cfg(not(unix))]
fn wait() {}

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
    #[cfg(unix)]
    fn a_file_that_is_read_is_not_written_however_it_is_called() {
        use crate::file::Input;
        let file = Scratch::new(b"an input");
        let (link, hard) = (file.0.with_extension("link"), file.0.with_extension("hard"));
        std::os::unix::fs::symlink(&file.0, &link).unwrap();
        std::fs::hard_link(&file.0, &hard).unwrap();
        let input = Input::open(&file.0).unwrap();
        for path in [&file.0, &link, &hard] {
            let error = Output::create(path).unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.to_string().contains("another stage reads this file"), "{error}");
        }
        drop(input);
        let mut output = Output::create(&link).unwrap();
        for path in [&file.0, &link, &hard] {
            assert!(Output::create(path).unwrap_err().to_string().contains("another stage writes this file"));
            assert!(Input::open(path).unwrap_err().to_string().contains("another stage writes this file"));
        }
        assert_eq!(std::fs::read(&file.0).unwrap(), b"an input");
        output.write(b"new").unwrap();
        // What is being written may be looked at.
        Input::open(&hard).unwrap();
        drop(output);
        Output::create(&file.0).unwrap();
        for path in [link, hard] {
            std::fs::remove_file(path).unwrap();
        }
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
