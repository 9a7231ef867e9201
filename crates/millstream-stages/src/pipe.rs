//! Reading and writing what may not be ready: a pipe, a terminal, a socket. Whoever waits looks every
//! 20 ms whether the end has come, so that nothing here holds a pipeline.
//!
//! It waits in `poll`, and never in `read` or `write`: the other side may be another program's standard
//! stream, whose flags are not ours to change. Where there is no `poll`, reading and writing wait by themselves.

use std::fs::File;
use std::io::{self, Read, Write};

use millstream_core::Run;

/// How often somebody who waits looks whether the end has come.
#[cfg(unix)]
const LOOK: rustix::time::Timespec = rustix::time::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// How many looks after the end a reader of ours may take to make room, all in all: half a second.
const LAST_LOOKS: u32 = 25;
/// What a pipe takes at once without waiting when it says that it has room (`PIPE_BUF`, pipe(7)).
const ROOM: usize = 4096;

/// An open file, pipe or device.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) file: File,
    /// Whether it is a file on a disk, which is always ready.
    pub(crate) regular: bool,
    /// Whose end is looked out for.
    pub(crate) run: Option<Run>,
    /// Looks for room since the end.
    looks: u32,
}

/// What one waits for.
#[derive(Clone, Copy)]
enum For {
    Data,
    Room,
}

impl Pipe {
    pub(crate) fn new(file: File) -> Pipe {
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Pipe { file, regular, run: None, looks: 0 }
    }

    fn stopping(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_stopping)
    }

    /// Whether a write would not wait.
    pub(crate) fn has_room(&self) -> bool {
        self.regular || self.look(For::Room, false).unwrap_or(true)
    }

    #[cfg(unix)]
    fn look(&self, what: For, patient: bool) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, poll};
        let flags = match what {
            For::Data => PollFlags::IN,
            For::Room => PollFlags::OUT,
        };
        let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut [PollFd::new(&self.file, flags)], Some(if patient { &LOOK } else { &now })) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    fn look(&self, _: For, _: bool) -> io::Result<bool> {
        Ok(true)
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.regular {
                while !self.look(For::Data, true)? {
                    if self.stopping() {
                        return Err(io::Error::other("the pipeline ends"));
                    }
                }
            }
            match self.file.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                done => return done,
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.regular {
            return self.file.write(bytes);
        }
        loop {
            while !self.look(For::Room, true)? {
                self.looks += u32::from(self.stopping());
                if self.looks > LAST_LOOKS {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads on"));
                }
            }
            match self.file.write(&bytes[..bytes.len().min(ROOM)]) {
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(io::Error::new(io::ErrorKind::BrokenPipe, "whoever read it has gone"));
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits as long as between two looks: for what no `poll` tells, such as a reader of a pipe with a name.
#[cfg(unix)]
pub(crate) fn wait_a_look() {
    // An error, or a signal, only makes it shorter.
    let _ = rustix::event::poll(&mut [], Some(&LOOK));
}

#[cfg(all(test, unix))]
pub(crate) mod tests {
    use crate::file::tests::Scratch;
    use crate::output::Output;
    use millstream_core::{Clock, Cx, Run, Upstream};
    use std::io::Read as _;
    use std::path::Path;
    use std::sync::mpsc;
    use std::task::Waker;
    use std::time::Duration;

    /// Makes a pipe with a name.
    pub(crate) fn make(path: &Path) {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    fn pipe() -> Scratch {
        let file = Scratch::new(b"");
        std::fs::remove_file(&file.0).unwrap();
        make(&file.0);
        file
    }

    fn cx(run: &Run) -> Cx {
        Cx::new(Clock::system(), Waker::noop().clone(), Upstream::default(), run.clone())
    }

    #[test]
    fn a_pipe_is_written_once_somebody_reads_it_and_never_gone_back_in() {
        let file = pipe();
        let path = file.0.clone();
        let mut output = Output::create(&path).unwrap();
        assert!(!output.is_ready() && !output.is_open());
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            std::fs::File::open(path).unwrap().read_to_end(&mut all).unwrap();
            all
        });
        let bytes: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        output.write(&bytes).unwrap();
        output.patch(4, b"back").unwrap();
        output.flush().unwrap();
        drop(output);
        assert_eq!(reader.join().unwrap(), bytes);
    }

    #[test]
    fn a_writer_without_a_reader_and_one_whose_reader_sleeps_end_with_the_pipeline() {
        for reads in [false, true] {
            let file = pipe();
            let mut output = Output::create(&file.0).unwrap();
            let reader = reads.then(|| {
                use std::os::unix::fs::OpenOptionsExt as _;
                let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
                std::fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(&file.0).unwrap()
            });
            let run = Run::default();
            output.heed(&cx(&run));
            let (tell, told) = mpsc::channel();
            std::thread::spawn(move || {
                // More than a pipe holds.
                let _ = tell.send(output.write(&[0; 1 << 20]));
            });
            assert!(told.recv_timeout(Duration::from_millis(120)).is_err(), "it waits");
            run.stop();
            let end = told.recv_timeout(Duration::from_secs(2)).expect("it ends");
            match reads {
                true => {
                    let error = end.unwrap_err().to_string();
                    assert!(error.contains("cannot write on (at byte 0): nobody reads on"), "{error}");
                }
                // Nothing that anybody waits for was lost.
                false => end.unwrap(),
            }
            drop(reader);
        }
    }

    #[test]
    fn who_comes_to_read_after_the_end_gets_no_half() {
        let file = pipe();
        let mut output = Output::create(&file.0).unwrap();
        let run = Run::default();
        output.heed(&cx(&run));
        run.stop();
        output.write(b"the head").unwrap();
        let reader = std::thread::spawn({
            let path = file.0.clone();
            move || {
                let mut all = Vec::new();
                std::fs::File::open(path).unwrap().read_to_end(&mut all).unwrap();
                all
            }
        });
        while !output.is_ready() {
            super::wait_a_look();
        }
        output.write(b"the rest").unwrap();
        output.flush().unwrap();
        assert_eq!(output.offset(), 0);
        drop(output);
        assert_eq!(reader.join().unwrap(), b"");
    }

    #[test]
    fn a_reader_that_is_slow_is_not_waited_for_anew_with_each_write() {
        let file = pipe();
        let mut output = Output::create(&file.0).unwrap();
        let run = Run::default();
        output.heed(&cx(&run));
        let reader = std::thread::spawn({
            let path = file.0.clone();
            move || {
                let (mut reader, mut all) = (std::fs::File::open(path).unwrap(), 0);
                // Room for one write every 100 ms.
                while let Ok(read @ 1..) = reader.read(&mut [0; 4096]) {
                    all += read;
                    (0..5).for_each(|_| super::wait_a_look());
                }
                all
            }
        });
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = tell.send(output.write(&[0; 1 << 20]));
        });
        assert!(told.recv_timeout(Duration::from_millis(120)).is_err(), "it waits");
        run.stop();
        // All of it would take 19 seconds more.
        let error = told.recv_timeout(Duration::from_secs(5)).expect("it ends").unwrap_err().to_string();
        assert!(error.contains("nobody reads on"), "{error}");
        drop(reader);
    }

    #[test]
    fn a_reader_that_goes_is_told_of() {
        let file = pipe();
        let mut output = Output::create(&file.0).unwrap();
        let reader = std::thread::spawn({
            let path = file.0.clone();
            move || std::fs::File::open(path).map(drop)
        });
        output.flush().unwrap();
        reader.join().unwrap().unwrap();
        let error = output.write(&[0; 1 << 20]).unwrap_err().to_string();
        assert!(error.contains("whoever read it has gone"), "{error}");
    }
}
