//! The source `y4m-file`: raw video from a YUV4MPEG2 file, at the file's frame rate.

mod header;

use millstream_core::error::Kind;
use millstream_core::{Cx, Descriptor, Error, Format, Next, Pool, Result, Source, Timestamp, VideoFrame, Worker};

use crate::POOLED_ITEMS;
use crate::file::Input;
use crate::from_file::{Content, FromFile};
use header::Header;

pub use crate::file::Options;

/// The longest header of a file or frame in bytes; real ones have less than 200.
const MAX_LINE: usize = 1024;

/// Gives the frames of a YUV4MPEG2 file: 8-bit 4:2:0, 4:2:2, 4:4:4 or grey.
///
/// Frame n is given at the pipeline's start plus n periods, and is stamped so; where the file starts
/// again the count goes on. None is left out, however late it is. What comes out of a pipe later than a
/// second after the start counts from when it came.
#[derive(Debug)]
pub struct Y4mFile(FromFile<Frames>);

/// The frames of a file, and how far they were read.
#[derive(Debug)]
struct Frames {
    input: Input,
    header: Header,
    first_frame: u64,
    repeat: bool,
    /// Frames since the file started (again), and since the pipeline did.
    given: u64,
    count: u64,
    line: Vec<u8>,
    pool: Pool<u8>,
}

impl Y4mFile {
    /// Opens the file and, unless it is a pipe, reads its header.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be opened, is not YUV4MPEG2, or holds what we cannot read.
    pub fn new(options: Options) -> Result<Y4mFile> {
        FromFile::open(options).map(Y4mFile)
    }
}

impl Source<VideoFrame> for Y4mFile {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<VideoFrame>> {
        self.0.next(cx)
    }
}

impl Content for Frames {
    type Item = VideoFrame;

    fn begin(mut input: Input, options: &Options) -> Result<Frames> {
        let mut line = Vec::with_capacity(MAX_LINE);
        input.read_line(MAX_LINE, &mut line)?;
        let header = match line.strip_suffix(b"\n") {
            Some(text) => header::parse(text),
            None => header::parse(&line).and_then(|_| Err("the header has no end".to_owned())),
        };
        let header = header.map_err(|what| input.error(Kind::Config, what))?;
        let (first_frame, repeat) = (input.offset(), options.r#loop);
        Ok(Frames { header, first_frame, input, repeat, given: 0, count: 0, line, pool: Pool::new(POOLED_ITEMS) })
    }

    fn next(&mut self, start: Timestamp, cx: &mut Cx) -> Result<Next<VideoFrame>> {
        let time = start + self.header.rate.time_of(self.count);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        while !self.read_frame_header()? {
            if self.given == 0 {
                return Err(self.fatal("there is no frame in it".to_owned()));
            }
            if !self.repeat {
                return Ok(Next::End);
            }
            self.input.seek(self.first_frame)?;
            self.given = 0;
        }
        let frame = self.read_frame(time)?;
        self.given += 1;
        self.count += 1;
        Ok(Next::Item(frame))
    }
}

impl Frames {
    /// Reads the line before a frame; false at the end of the file.
    fn read_frame_header(&mut self) -> Result<bool> {
        self.input.read_line(MAX_LINE, &mut self.line)?;
        if self.line.is_empty() {
            return Ok(false);
        }
        let number = self.given + 1;
        match self.line.strip_prefix(b"FRAME") {
            // Parameters of single frames are about interlacing.
            Some([b'\n'] | [b' ', .., b'\n']) => Ok(true),
            _ if !self.line.ends_with(b"\n") && self.line.len() < MAX_LINE => {
                Err(self.fatal(format!("frame {number} is cut off in its header; the file is incomplete")))
            }
            _ => Err(self.fatal(format!("frame {number} does not start with `FRAME`; the file is damaged"))),
        }
    }

    fn read_frame(&mut self, time: Timestamp) -> Result<VideoFrame> {
        let Header { size, format, range, .. } = self.header;
        let whole = format.byte_len(size.0, size.1);
        // Asked before memory is taken, so that a header alone cannot make us take a gigabyte.
        if let Some(left) = self.input.left().filter(|left| *left < whole as u64) {
            return Err(self.cut_off(left as usize, whole));
        }
        let (input, mut read) = (&mut self.input, Ok(0));
        let mut frame = VideoFrame::fill(&mut self.pool, format, size, time, |planes| {
            read = planes.iter_mut().try_fold(0, |sum, plane| Ok::<_, Error>(sum + input.read(plane.data)?));
        });
        let read = read?;
        if read < whole {
            return Err(self.cut_off(read, whole));
        }
        frame.color.range = range;
        Ok(frame)
    }

    fn cut_off(&self, read: usize, whole: usize) -> Error {
        let number = self.given + 1;
        self.fatal(format!("frame {number} is cut off after {read} of {whole} bytes; the file is incomplete"))
    }

    fn fatal(&self, what: String) -> Error {
        self.input.error(Kind::Fatal, what)
    }
}

/// Describes `y4m-file`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("y4m-file", "Reads raw video from a YUV4MPEG2 file", Format::Video).knowing(
        Options::known,
        |options: Options, joined| {
            let source = Y4mFile::new(options)?;
            source.0.announce(joined);
            Ok(Worker::source(source))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::{Scratch, garbage};
    use crate::pace::tests::{cx, step};
    use millstream_core::units::FrameRate;
    use millstream_core::{PixelFormat, Range, Timestamp};
    use std::time::Duration;

    /// A file of `frames` frames of 5 x 3, each filled with its number.
    fn clip(layout: &str, bytes: usize, frames: u8) -> Vec<u8> {
        let mut file = format!("YUV4MPEG2 W5 H3 F30000:1001 Ip {layout}\n").into_bytes();
        for number in 0..frames {
            file.extend_from_slice(if number == 1 { b"FRAME Ip\n" } else { b"FRAME\n" });
            file.extend(std::iter::repeat_n(number, bytes));
        }
        file
    }

    fn open(file: &Scratch, repeat: bool) -> Result<Y4mFile> {
        Y4mFile::new(Options { path: file.0.clone(), r#loop: repeat })
    }

    #[test]
    fn every_layout_is_read_at_the_right_times() {
        let rate = FrameRate::new(30_000, 1001).unwrap();
        for (layout, format, bytes) in [
            ("C420mpeg2 XCOLORRANGE=FULL", PixelFormat::I420, 15 + 12),
            ("C422 XCOLORRANGE=FULL", PixelFormat::I422, 15 + 18),
            ("C444 XCOLORRANGE=FULL", PixelFormat::I444, 45),
            ("Cmono XCOLORRANGE=FULL", PixelFormat::Gray, 15),
        ] {
            let file = Scratch::new(&clip(layout, bytes, 30));
            let (mut cx, hand) = cx(Timestamp::from_millis(40), Duration::ZERO);
            let mut source = open(&file, false).unwrap();
            for number in 0..30 {
                let frame = step(&mut source, &mut cx, &hand).unwrap().unwrap();
                assert_eq!((frame.format(), frame.color.range), (format, Range::Full));
                assert_eq!(frame.time, Timestamp::from_millis(40) + rate.time_of(number));
                for plane in 0..format.planes() {
                    assert!(frame.plane(plane).iter().flatten().all(|sample| u64::from(*sample) == number));
                }
            }
            assert!(step(&mut source, &mut cx, &hand).unwrap().is_none());
            assert!(step(&mut source, &mut cx, &hand).unwrap().is_none());
        }
    }

    #[test]
    fn a_loop_starts_again_and_time_goes_on() {
        let file = Scratch::new(&clip("C420", 27, 3));
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
        let mut source = open(&file, true).unwrap();
        for number in 0..100 {
            let frame = step(&mut source, &mut cx, &hand).unwrap().unwrap();
            assert_eq!(u64::from(frame.plane(0).data[0]), number % 3);
            assert_eq!(frame.time, Timestamp::ZERO + source.0.content().header.rate.time_of(number));
        }
    }

    #[test]
    fn of_a_file_cut_off_anywhere_the_whole_frames_are_given() {
        let whole = clip("C420", 27, 3);
        let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for len in header..whole.len() {
            let file = Scratch::new(&whole[..len]);
            let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
            let mut source = open(&file, false).unwrap();
            let mut given = 0;
            let end = loop {
                match step(&mut source, &mut cx, &hand) {
                    Ok(Some(_)) => given += 1,
                    end => break end.map(drop),
                }
            };
            let ends = [header, header + 33, header + 33 + 36, whole.len()];
            assert_eq!(given + 1, ends.iter().filter(|end| **end <= len).count(), "{len}");
            let words = end.map_or_else(|error| error.to_string(), |()| String::new());
            match len {
                _ if len == header => assert!(words.contains("there is no frame in it"), "{words}"),
                _ if ends.contains(&len) => assert_eq!(words, ""),
                _ if len == whole.len() - 7 => {
                    assert!(
                        words.contains("frame 3 is cut off after 20 of 27 bytes; the file is incomplete"),
                        "{words}"
                    );
                }
                _ => assert!(words.contains("cut off") || words.contains("damaged"), "{words}"),
            }
        }
    }

    #[test]
    fn a_header_alone_takes_no_memory() {
        let file = Scratch::new(b"YUV4MPEG2 W16383 H16383 F30:1 C444\nFRAME\nx");
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
        let error = step(&mut open(&file, false).unwrap(), &mut cx, &hand).unwrap_err();
        assert!(error.to_string().contains("cut off after 1 of 805208067 bytes"), "{error}");
    }

    #[test]
    fn garbage_is_refused_and_never_panics() {
        for seed in 0..200 {
            let noise = garbage(seed, 3000);
            assert_eq!(open(&Scratch::new(&noise), true).unwrap_err().kind(), Kind::Config);
            let mut file = clip("C420", 27, 3);
            let place = seed as usize * 7 % file.len();
            file.splice(place..(place + 5).min(file.len()), noise[..9].iter().copied());
            let Ok(mut source) = open(&Scratch::new(&file), false) else { continue };
            let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
            for _ in 0..5 {
                let _ = step(&mut source, &mut cx, &hand);
            }
        }
        for endless in ["YUV4MPEG2 W5 H3 F30:1 ".repeat(1000), "\0".repeat(100_000), String::new()] {
            assert!(open(&Scratch::new(endless.as_bytes()), false).is_err());
        }
    }

    #[test]
    fn a_missing_file_is_named_with_where_it_was_looked_for() {
        let error = Y4mFile::new(Options { path: "no/such.y4m".into(), r#loop: false }).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().starts_with("cannot open no/such.y4m (looked in /"), "{error}");
    }
}
