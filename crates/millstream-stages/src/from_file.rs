//! A source that reads a file: its header at once where that is there at once, and otherwise when it is
//! first asked, so that what does not need it starts meanwhile.

use std::time::Duration;

use millstream_core::known::Access;
use millstream_core::{Cx, Error, Joined, Next, Result, Timestamp};

use crate::file::{Input, Options, as_config};
use crate::path::called;

/// A pipe whose header comes within this counts from the pipeline's start, as files do: two that one
/// program writes stay in step. What comes later counts from when it came.
const PROMPT: Duration = Duration::from_secs(1);

/// What stands in a file, from its header on.
pub(crate) trait Content: Sized {
    /// What it is given as.
    type Item;

    /// Reads the header.
    fn begin(input: Input, options: &Options) -> Result<Self>;

    /// The next item, or when it is due, counted from `start`.
    fn next(&mut self, start: Timestamp, cx: &mut Cx) -> Result<Next<Self::Item>>;
}

/// A file of `C`, opened.
#[derive(Debug)]
pub(crate) struct FromFile<C> {
    options: Options,
    /// Until the header is read.
    unread: Option<Input>,
    content: Option<C>,
    waits: bool,
    /// How long after the start of the pipeline its own start is.
    after: Duration,
}

impl<C: Content> FromFile<C> {
    /// Opens the file, and reads its header if it is one on a disk.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be opened, if its header is wrong, or if a pipe is to be read again.
    pub(crate) fn open(options: Options) -> Result<FromFile<C>> {
        let input = Input::open(&options.path)?;
        let waits = !input.is_regular();
        if waits && options.r#loop {
            let path = called(&options.path, Access::Read);
            return Err(Error::config(format!("{path} is a pipe and cannot be read again; leave out `loop`")));
        }
        let (unread, content) = match waits {
            true => (Some(input), None),
            false => (None, Some(C::begin(input, &options).map_err(as_config)?)),
        };
        Ok(FromFile { options, unread, content, waits, after: Duration::ZERO })
    }

    /// Tells whoever runs it when it waits for another program.
    pub(crate) fn announce(&self, joined: &mut Joined<'_>) {
        if self.waits {
            let path = called(&self.options.path, Access::Read);
            joined.notice(format!("reads {path}, and starts when something comes there"));
        }
    }

    /// The next item, or when it is due. The end, if the pipeline ends while it waits.
    pub(crate) fn next(&mut self, cx: &mut Cx) -> Result<Next<C::Item>> {
        match self.advance(cx) {
            Err(_) if self.waits && cx.stopping() => Ok(Next::End),
            other => other,
        }
    }

    /// What was read of the file, if its header was.
    #[cfg(test)]
    pub(crate) fn content(&self) -> &C {
        self.content.as_ref().expect("its header was read")
    }

    fn advance(&mut self, cx: &mut Cx) -> Result<Next<C::Item>> {
        if let Some(mut input) = self.unread.take() {
            input.heed(cx);
            self.content = Some(C::begin(input, &self.options)?);
            let after = cx.now().since(cx.start());
            self.after = if after > PROMPT { after } else { Duration::ZERO };
        }
        match &mut self.content {
            Some(content) => content.next(cx.start() + self.after, cx),
            // Its header was wrong, which has been said.
            None => Ok(Next::End),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use crate::ogg_opus_file::OggOpusFile;
    use crate::wav_file::WavFile;
    use crate::y4m_file::Y4mFile;
    use crate::{ivf_file::IvfFile, pipe};
    use millstream_core::{Clock, Item, Run, Source, Upstream};
    use std::io::Write;
    use std::path::Path;
    use std::sync::mpsc;
    use std::task::Waker;

    /// A pipe with a name, in the place of `file`.
    fn pipe(file: &Scratch) {
        std::fs::remove_file(&file.0).unwrap();
        pipe::tests::make(&file.0);
    }

    fn options(path: &Path) -> Options {
        Options { path: path.to_owned(), r#loop: false }
    }

    /// A pipeline's view of a source on a thread of its own: everything it gives, and how it ended.
    fn run<T: Item>(source: Result<impl Source<T> + 'static>) -> (Run, mpsc::Receiver<(usize, Result<()>)>) {
        let run = Run::default();
        let clock = Clock::system();
        run.start(clock.now());
        let mut cx = Cx::new(clock, Waker::noop().clone(), Upstream::default(), run.clone());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut items = 0;
            let end = source.and_then(|mut source| {
                loop {
                    match source.next(&mut cx)? {
                        Next::Item(_) => items += 1,
                        Next::End => return Ok(()),
                        _ => std::thread::yield_now(),
                    }
                }
            });
            // Whoever does not wait for it has failed already.
            let _ = tell.send((items, end));
        });
        (run, told)
    }

    fn stops_within_100_ms<T: Item>(open: impl Fn(Options) -> Result<Box<dyn Source<T>>>, bytes: &[u8]) {
        // All of them are late on a machine that is busy with others, and not one on one that is not.
        let mut fastest = Duration::MAX;
        // Nobody writes; somebody opens and writes nothing; somebody stops after so many bytes.
        for written in [None, Some(0), Some(1), Some(bytes.len() / 2), Some(bytes.len() - 1)] {
            let file = Scratch::new(b"");
            pipe(&file);
            let (run, told) = run(open(options(&file.0)));
            let writer = written.map(|len| {
                let mut writer = std::fs::OpenOptions::new().write(true).open(&file.0).unwrap();
                writer.write_all(&bytes[..len]).unwrap();
                writer
            });
            // It waits, or it would have ended.
            assert!(told.recv_timeout(Duration::from_millis(120)).is_err(), "{written:?}");
            let clock = Clock::system();
            let before = clock.now();
            run.stop();
            let (_, end) = told.recv_timeout(Duration::from_secs(10)).expect("it ends");
            end.unwrap();
            fastest = fastest.min(clock.now().since(before));
            drop(writer);
        }
        assert!(fastest <= Duration::from_millis(100), "{fastest:?}");
        let file = Scratch::new(b"");
        pipe(&file);
        let (_run, told) = run(open(options(&file.0)));
        std::fs::OpenOptions::new().write(true).open(&file.0).unwrap().write_all(bytes).unwrap();
        let (items, end) = told.recv_timeout(Duration::from_secs(10)).expect("it ends with its writer");
        end.unwrap();
        let whole = Scratch::new(bytes);
        let (_run, told) = run(open(options(&whole.0)));
        assert_eq!(told.recv().unwrap().0, items, "as many as of a file");
    }

    #[test]
    fn a_source_that_reads_a_pipe_starts_at_once_and_stops_within_100_ms() {
        let y4m = [b"YUV4MPEG2 W4 H2 F50:1\n", &b"FRAME\n012345678901"[..], b"FRAME\n012345678901"].concat();
        stops_within_100_ms(|options| Ok(Box::new(Y4mFile::new(options)?)), &y4m);
        let mut wav = b"RIFF\xFF\xFF\xFF\xFFWAVEJUNK\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0data\xFF\xFF\xFF\xFF".to_vec();
        wav.extend([7; 400]);
        stops_within_100_ms(|options| Ok(Box::new(WavFile::new(options)?)), &wav);
        let mut ivf = b"DKIF\0\0\x20\0VP80\x04\0\x02\0\x32\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        for tick in [0, 1] {
            ivf.extend([&[3, 0, 0, 0, tick, 0, 0, 0, 0, 0, 0, 0][..], &[1, 2, 3]].concat());
        }
        stops_within_100_ms(|options| Ok(Box::new(IvfFile::new(options)?)), &ivf);
        let ogg = crate::ogg_opus_file::tests::example();
        stops_within_100_ms(|options| Ok(Box::new(OggOpusFile::new(options)?)), &ogg);
    }

    #[test]
    fn a_pipe_cannot_be_played_again_and_again() {
        let file = Scratch::new(b"");
        pipe(&file);
        let error = WavFile::new(Options { r#loop: true, ..options(&file.0) }).unwrap_err().to_string();
        assert!(error.contains("is a pipe and cannot be read again; leave out `loop`"), "{error}");
    }
}
