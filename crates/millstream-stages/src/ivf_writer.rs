//! The sink `ivf-writer`: encoded video into an IVF file.

use std::path::PathBuf;
use std::time::Duration;

use millstream_core::{
    Codec, Control, Cx, Descriptor, EncodedFrame, Error, Format, Layers, Result, Role, Sink, Timestamp, VP8, Worker,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ivf::{Header, LENGTH_AT, Tick};
use crate::output::{self, Output};

/// Ticks in a second: the clock of RTP video (RFC 7741), in which the usual frame rates are whole.
const RATE: u32 = 90_000;
/// How long to wait for a key frame before another is asked for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Options of `ivf-writer`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The file to write; it may be a pipe, and `-` is standard output. An existing file is replaced. A relative path
    /// starts at the working directory.
    pub path: PathBuf,
}

/// Writes VP8 frames as they are, with their times in ticks of 1/90000 s, counted from the first.
///
/// A file starts with a key frame: until one comes, frames are dropped and one is wished for. A
/// frame that is not later than the one before is written one tick after it. The length in the
/// header is completed at the end; a file without it plays as well. What is dropped on the way here
/// is missing in the file: join it over a link that waits.
#[derive(Debug)]
pub struct IvfWriter {
    output: Output,
    begun: Option<Begun>,
    asked: Option<Timestamp>,
}

/// What is known once the first key frame has come.
#[derive(Clone, Copy, Debug)]
struct Begun {
    first: Timestamp,
    frames: u64,
    /// The tick of the last frame.
    last: u64,
}

impl IvfWriter {
    /// Opens the file; what it held stays until the first frame comes.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be written.
    pub fn new(options: &Options) -> Result<IvfWriter> {
        Ok(IvfWriter { output: Output::create(&options.path)?, begun: None, asked: None })
    }

    /// Writes the header if `frame` is a key frame, or wishes for one.
    fn begin(&mut self, frame: &EncodedFrame, cx: &Cx) -> Result<Option<Begun>> {
        if frame.role != Role::Start {
            if self.asked.is_none_or(|asked| frame.time.since(asked) >= PATIENCE) {
                self.asked = Some(frame.time);
                cx.ask(Control::KeyFrame(Layers::ALL));
            }
            return Ok(None);
        }
        let (width, height) = frame.size.unwrap_or_default();
        let side = |side: u32| u16::try_from(side).unwrap_or(0);
        let tick = Tick { numerator: 1, denominator: RATE };
        let header = Header { fourcc: *b"VP80", size: (side(width), side(height)), tick };
        self.output.write(&header.to_bytes())?;
        // There from the first on: what is cut back for want of room is a file of this kind at least.
        self.output.flush()?;
        Ok(Some(Begun { first: frame.time, frames: 0, last: 0 }))
    }
}

impl Sink<EncodedFrame> for IvfWriter {
    fn consume(&mut self, frame: EncodedFrame, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        frame.require(&VP8)?;
        let Some(mut begun) = self.begun.map_or_else(|| self.begin(&frame, cx), |begun| Ok(Some(begun)))? else {
            return Ok(());
        };
        let len = u32::try_from(frame.data.len())
            .map_err(|_| Error::bad_item(format!("a frame of {} bytes; IVF holds 4 GiB", frame.data.len())))?;
        let due = Timestamp::ZERO + frame.time.since(begun.first);
        let tick = due.ticks(RATE).max(if begun.frames == 0 { 0 } else { begun.last + 1 });
        begun = Begun { frames: begun.frames + 1, last: tick, ..begun };
        self.begun = Some(begun);
        self.output.write(&len.to_le_bytes())?;
        self.output.write(&tick.to_le_bytes())?;
        self.output.write(&frame.data)?;
        self.output.end_item();
        Ok(())
    }

    fn finish(&mut self, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        let flushed = self.output.flush();
        // Of a file that was cut short it stays unknown.
        if let Some(Begun { frames, last, .. }) = self.begun.filter(|_| !self.output.is_cut()) {
            // The last frame is taken to last as long as the mean of the others.
            let length = last + last.checked_div(frames - 1).unwrap_or(0);
            // 13 hours fit; of what is longer, it stays unknown.
            let length = u32::try_from(length).unwrap_or(0);
            self.output.patch(LENGTH_AT, &length.to_le_bytes())?;
        }
        flushed
    }

    fn takes(&self) -> Option<Codec> {
        Some(VP8)
    }
}

/// Describes `ivf-writer`.
pub fn descriptor() -> Descriptor {
    Descriptor::sink("ivf-writer", "Writes VP8 into an IVF file", Format::Encoded(VP8)).knowing(
        |options: &Options| output::known(&options.path),
        |options: Options, joined| {
            let writer = IvfWriter::new(&options)?;
            writer.output.announce(joined);
            Ok(Worker::sink(writer))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;

    fn frame(millis: u64, key: bool) -> EncodedFrame {
        let role = if key { Role::Start } else { Role::Reference };
        let data = vec![u8::from(!key), 0, 0, millis as u8];
        let time = Timestamp::from_millis(millis);
        EncodedFrame::new(VP8, time, data).with_role(role).with_size((320, 240))
    }

    #[test]
    fn a_file_starts_with_a_key_frame_that_is_asked_for() {
        let file = Scratch::new(b"");
        let mut writer = IvfWriter::new(&Options { path: file.0.clone() }).unwrap();
        let mut cx = Cx::at(Timestamp::ZERO);
        let mut asked = Vec::new();
        for millis in (0..=2000).step_by(250) {
            writer.consume(frame(millis, false), &mut cx).unwrap();
            if let Some(wishes) = cx.upstream().take() {
                assert!(wishes.iter().eq([Control::KeyFrame(Layers::ALL)]));
                asked.push(millis);
            }
        }
        assert_eq!(asked, [0, 1000, 2000]);
        for (millis, key) in [(2100, true), (2140, false), (2140, false), (2180, false)] {
            writer.consume(frame(millis, key), &mut cx).unwrap();
        }
        writer.finish(&mut cx).unwrap();
        let bytes = std::fs::read(&file.0).unwrap();
        let header = Header::parse(bytes[..32].try_into().unwrap()).unwrap();
        assert_eq!((header.fourcc, header.size), (*b"VP80", (320, 240)));
        assert_eq!(bytes.len(), 32 + 4 * 16);
        assert_eq!(bytes[24..28], 9600u32.to_le_bytes());
        let ticks: Vec<_> =
            bytes[32..].chunks(16).map(|frame| u64::from_le_bytes(frame[4..12].try_into().unwrap())).collect();
        assert_eq!(ticks, [0, 3600, 3601, 7200]);
        assert_eq!(bytes[32..36], 4u32.to_le_bytes());
        assert_eq!(bytes[44..48], [0, 0, 0, 2100u64 as u8]);
    }

    #[test]
    fn without_a_key_frame_the_file_is_empty() {
        let file = Scratch::new(b"what was there");
        let mut writer = IvfWriter::new(&Options { path: file.0.clone() }).unwrap();
        let mut cx = Cx::at(Timestamp::ZERO);
        writer.consume(frame(0, false), &mut cx).unwrap();
        writer.finish(&mut cx).unwrap();
        assert_eq!(std::fs::read(&file.0).unwrap(), b"");
    }
}
