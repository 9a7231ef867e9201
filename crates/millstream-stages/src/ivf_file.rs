//! The source `ivf-file`: encoded video from an IVF file, at the file's times.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{
    ByteRing, Codec, Cx, Descriptor, EncodedFrame, Error, Format, Next, Result, Role, Source, Timestamp, VP8, Worker,
};

use crate::file::Input;
use crate::from_file::{Content, FromFile};
use crate::ivf::{self, FRAME_HEADER, Header};
use crate::vp8;

pub use crate::file::Options;

/// Bytes in a chunk of the ring that frames are read into: some seconds at 1 Mbit/s.
const CHUNK: usize = 512 * 1024;
/// Chunks in the ring; a packetizer lets go of a frame as soon as it has copied it.
const CHUNKS: usize = 8;
/// The longest frame that is believed, in bytes: twenty raw pictures of 1080p. A pipe does not tell how much
/// comes, and the header of a frame alone must not take gigabytes.
const MAX_FRAME: u32 = 64 << 20;
/// The least that a file lasts where it is given again and again: one of a single frame may have
/// ticks of a nanosecond.
const SHORTEST_FRAME: Duration = Duration::from_millis(1);

/// Gives the frames of an IVF file that holds VP8.
///
/// A frame is given at the pipeline's start plus its time in the file, counted from that of the
/// first frame, and is stamped so. Where the file starts again, its first frame follows the last one
/// by the mean distance of its frames. None is left out, however late it is, but for empty ones: they
/// stand for pictures that the encoder dropped. What comes out of a pipe later than a second after the
/// start counts from when it came. A wish for a key frame has no answer.
#[derive(Debug)]
pub struct IvfFile(FromFile<Frames>);

/// The frames of a file, and how far they were read.
#[derive(Debug)]
struct Frames {
    input: Input,
    header: Header,
    repeat: bool,
    /// The frame that is given next, once its header was read.
    pending: Option<Pending>,
    round: Round,
    /// How long all rounds before this one lasted.
    before: Duration,
    /// What the last key frame said; the header of the file before the first.
    size: (u32, u32),
    ring: ByteRing,
}

/// What the header of a frame says.
#[derive(Clone, Copy, Debug)]
struct Pending {
    len: u32,
    /// Since the first frame of the file.
    time: Duration,
}

/// What was read since the file started (again).
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    frames: u64,
    first: u64,
    last: u64,
}

impl IvfFile {
    /// Opens the file and, unless it is a pipe, reads its header.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be opened, is not IVF, or holds anything but VP8.
    pub fn new(options: Options) -> Result<IvfFile> {
        FromFile::open(options).map(IvfFile)
    }
}

impl Source<EncodedFrame> for IvfFile {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        self.0.next(cx)
    }

    fn gives(&self) -> Option<Codec> {
        Some(VP8)
    }
}

impl Content for Frames {
    type Item = EncodedFrame;

    fn begin(mut input: Input, options: &Options) -> Result<Frames> {
        let mut bytes = [0; ivf::HEADER];
        let read = input.read(&mut bytes)?;
        let header = match Header::parse(&bytes) {
            Ok(_) if read < bytes.len() => Err("the file ends in its header".to_owned()),
            Ok(header) if &header.fourcc != b"VP80" => Err(format!(
                "the codec is `{}`; what can be read is `VP80`, VP8: `ffmpeg -i INPUT -c:v libvpx OUTPUT.ivf` makes it",
                header.fourcc.escape_ascii()
            )),
            other => other,
        };
        let header = header.map_err(|what| input.error(Kind::Config, what))?;
        Ok(Frames {
            input,
            header,
            repeat: options.r#loop,
            pending: None,
            round: Round::default(),
            before: Duration::ZERO,
            size: (header.size.0.into(), header.size.1.into()),
            ring: ByteRing::new(CHUNK, CHUNKS),
        })
    }

    fn next(&mut self, start: Timestamp, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        let pending = match self.pending {
            Some(pending) => pending,
            None => match self.find_frame()? {
                Some(pending) => *self.pending.insert(pending),
                None => return Ok(Next::End),
            },
        };
        let time = start + self.before.saturating_add(pending.time);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        self.pending = None;
        self.read_frame(pending.len, time).map(Next::Item)
    }
}

impl Frames {
    /// The header of the next frame that is not empty; `None` at the end of a file that is not repeated.
    fn find_frame(&mut self) -> Result<Option<Pending>> {
        loop {
            match self.read_frame_header()? {
                Some(Pending { len: 0, .. }) => self.round.frames -= 1,
                Some(pending) => return Ok(Some(pending)),
                None if self.round.frames == 0 => return Err(self.fatal("there is no frame in it".to_owned())),
                None if !self.repeat => return Ok(None),
                None => self.start_again()?,
            }
        }
    }

    /// `None` at the end of the file.
    fn read_frame_header(&mut self) -> Result<Option<Pending>> {
        let mut bytes = [0; FRAME_HEADER];
        let read = self.input.read(&mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.round.frames += 1;
        let number = self.round.frames;
        if read < bytes.len() {
            return Err(self.fatal(format!("frame {number} is cut off in its header; the file is incomplete")));
        }
        let [a, b, c, d, ticks @ ..] = bytes;
        let (len, ticks) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(ticks));
        // Asked before memory is taken, so that a header alone cannot make us take gigabytes.
        if let Some(left) = self.input.left().filter(|left| *left < u64::from(len)) {
            return Err(self.cut_off(left, len));
        }
        if len > MAX_FRAME {
            return Err(self.fatal(format!("frame {number} claims to have {len} bytes; the file is damaged")));
        }
        if len > 0 {
            if number == 1 {
                self.round.first = ticks;
            } else if ticks < self.round.last {
                let last = self.round.last;
                return Err(self.fatal(format!(
                    "frame {number} is at tick {ticks}, before the last one at {last}; the file is damaged"
                )));
            }
            self.round.last = ticks;
        }
        Ok(Some(Pending { len, time: self.header.tick.times(ticks.saturating_sub(self.round.first)) }))
    }

    fn start_again(&mut self) -> Result<()> {
        let Round { frames, first, last } = self.round;
        // One tick where there is one frame: then a tick is the period, or nobody knows.
        let mean = (last - first).checked_div(frames - 1).unwrap_or(1);
        let round = self.header.tick.times((last - first).saturating_add(mean));
        self.before = self.before.saturating_add(round.max(SHORTEST_FRAME));
        self.round = Round::default();
        self.input.seek(ivf::HEADER as u64)
    }

    fn read_frame(&mut self, len: u32, time: Timestamp) -> Result<EncodedFrame> {
        let (input, mut read) = (&mut self.input, Ok(0));
        let data = self.ring.fill(len as usize, |out| {
            out.resize(len as usize, 0);
            read = input.read(out);
        });
        let read = read?;
        if read < len as usize {
            return Err(self.cut_off(read as u64, len));
        }
        self.size = vp8::size(&data).unwrap_or(self.size);
        let role = if vp8::is_key_frame(&data) { Role::Start } else { Role::Reference };
        // The file does not say how long a frame lasts.
        Ok(EncodedFrame::new(VP8, time, data).with_role(role).with_size(self.size))
    }

    fn cut_off(&self, read: u64, whole: u32) -> Error {
        let number = self.round.frames;
        self.fatal(format!("frame {number} is cut off after {read} of {whole} bytes; the file is incomplete"))
    }

    fn fatal(&self, what: String) -> Error {
        self.input.error(Kind::Fatal, what)
    }
}

/// Describes `ivf-file`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("ivf-file", "Reads VP8 from an IVF file", Format::Encoded(VP8)).knowing(
        Options::known,
        |options: Options, joined| {
            let source = IvfFile::new(options)?;
            source.0.announce(joined);
            Ok(Worker::source(source))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::{Scratch, garbage};
    use crate::ivf::Tick;
    use crate::pace::tests::{cx, step};

    /// A file of frames at `ticks` of 1/25 s, the first and each tenth a key frame, each ending in its number.
    fn clip(fourcc: &[u8; 4], ticks: &[u64]) -> Vec<u8> {
        let tick = Tick { numerator: 1, denominator: 25 };
        let mut file = Header { fourcc: *fourcc, size: (64, 48), tick }.to_bytes().to_vec();
        for (number, ticks) in (0u8..).zip(ticks) {
            let mut frame = vec![u8::from(number % 10 != 0), 0, 0, 0x9D, 0x01, 0x2A, 32, 0, 24, 0];
            frame.push(number);
            file.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            file.extend_from_slice(&ticks.to_le_bytes());
            file.extend(frame);
        }
        file
    }

    fn open(file: &Scratch, repeat: bool) -> Result<IvfFile> {
        IvfFile::new(Options { path: file.0.clone(), r#loop: repeat })
    }

    /// Up to `limit` frames and how they ended.
    fn play(bytes: &[u8], repeat: bool, limit: usize) -> (Vec<EncodedFrame>, Result<()>) {
        let file = Scratch::new(bytes);
        let (mut cx, hand) = cx(Timestamp::from_millis(40), Duration::ZERO);
        let mut frames = Vec::new();
        let mut source = match open(&file, repeat) {
            Ok(source) => source,
            Err(error) => return (frames, Err(error)),
        };
        while frames.len() < limit {
            match step(&mut source, &mut cx, &hand) {
                Ok(Some(frame)) => frames.push(frame),
                end => return (frames, end.map(drop)),
            }
        }
        (frames, Ok(()))
    }

    #[test]
    fn every_frame_is_given_at_its_time_with_its_role_and_size() {
        let (frames, end) = play(&clip(b"VP80", &[7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18]), false, 99);
        end.unwrap();
        let millis: Vec<_> = frames.iter().map(|frame| frame.time.as_nanos() / 1_000_000).collect();
        assert_eq!(millis, [40, 80, 160, 200, 240, 280, 320, 360, 400, 440, 480]);
        for (number, frame) in frames.iter().enumerate() {
            let role = if number % 10 == 0 { Role::Start } else { Role::Reference };
            assert_eq!((frame.role, frame.size, frame.data[10]), (role, Some((32, 24)), number as u8));
        }
    }

    #[test]
    fn a_loop_has_no_gap_and_time_goes_on() {
        let (frames, end) = play(&clip(b"VP80", &[5, 6, 7]), true, 100);
        end.unwrap();
        for (number, frame) in frames.iter().enumerate() {
            assert_eq!(
                (frame.time, frame.data[10]),
                (Timestamp::from_millis(40 + 40 * number as u64), number as u8 % 3)
            );
        }
        let (frames, _) = play(&clip(b"VP80", &[5]), true, 3);
        assert_eq!(frames[2].time, Timestamp::from_millis(120));
    }

    #[test]
    fn frames_that_the_encoder_dropped_are_left_out() {
        let mut file = clip(b"VP80", &[0, 2]);
        let second = ivf::HEADER + FRAME_HEADER + 11;
        file.splice(second..second, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let (frames, end) = play(&file, false, 99);
        end.unwrap();
        assert_eq!((frames.len(), frames[1].time), (2, Timestamp::from_millis(120)));
        let (_, end) = play(&file[..ivf::HEADER], true, 99);
        assert!(end.unwrap_err().to_string().contains("there is no frame in it"));
        file.truncate(ivf::HEADER);
        file.extend([0; 10 * FRAME_HEADER]);
        assert!(play(&file, true, 99).1.unwrap_err().to_string().contains("there is no frame in it"));
    }

    #[test]
    fn of_a_file_cut_off_anywhere_the_whole_frames_are_given() {
        let whole = clip(b"VP80", &[0, 1, 2]);
        for len in 0..whole.len() {
            let (frames, end) = play(&whole[..len], false, 99);
            assert_eq!(frames.len(), len.saturating_sub(ivf::HEADER) / 23, "{len}");
            let words = end.map_or_else(|error| error.to_string(), |()| String::new());
            match len {
                0..32 => assert!(words.contains("no IVF file") || words.contains("header"), "{len} {words}"),
                32 => assert!(words.contains("there is no frame in it"), "{words}"),
                55 | 78 => assert_eq!(words, ""),
                _ => assert!(words.contains("is cut off") && words.contains("the file is incomplete"), "{words}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_words() {
        let error = play(&clip(b"VP90", &[0]), false, 1).1.unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("the codec is `VP90`; what can be read is `VP80`"), "{error}");
        let error = play(&clip(b"VP80", &[5, 4]), false, 9).1.unwrap_err().to_string();
        assert!(error.contains("frame 2 is at tick 4, before the last one at 5"), "{error}");
        let mut huge = clip(b"VP80", &[0]);
        huge[ivf::HEADER + 3] = 0xFF;
        let error = play(&huge, false, 9).1.unwrap_err().to_string();
        assert!(error.contains("frame 1 is cut off after 11 of 4278190091 bytes"), "{error}");
    }

    #[test]
    fn garbage_is_refused_and_never_panics_or_hangs() {
        for seed in 0..300 {
            let noise = garbage(seed, 3000);
            assert_eq!(open(&Scratch::new(&noise), true).unwrap_err().kind(), Kind::Config);
            let mut file = clip(b"VP80", &[0, 1, 2, 3]);
            let place = seed as usize * 7 % file.len();
            file.splice(place..(place + 5).min(file.len()), noise[..5 + seed as usize % 3].iter().copied());
            let _ = play(&file, true, 20);
        }
    }
}
