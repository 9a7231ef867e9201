//! The sink `y4m-writer`: raw video into a YUV4MPEG2 file.

use std::path::PathBuf;

use millstream_core::units::FrameRate;
use millstream_core::{Cx, Descriptor, Format, PixelFormat, Range, Result, Sink, Timestamp, VideoFrame, Worker};
use millstream_pixels::Converter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::output::{self, Output};

/// Options of `y4m-writer`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The file to write; it may be a pipe, and `-` is standard output. An existing file is replaced. A relative path
    /// starts at the working directory.
    pub path: PathBuf,
    /// Frame rate of the file. To keep time, frames of the input are written twice or left out.
    #[serde(default = "thirty")]
    pub fps: FrameRate,
}

fn thirty() -> FrameRate {
    FrameRate::THIRTY
}

/// Writes pictures at a fixed rate: I420, I422, I444 and grey as they are, others as I420.
///
/// Each picture goes to the frame whose time is nearest to its own, counted from the first picture. A
/// frame for which none came shows the last one again; of two pictures for one frame, the first stays.
/// Rotation and the matrix of the colours have no place in the file. What is dropped on the way here is
/// missing in the file: join it over a link that waits.
#[derive(Debug)]
pub struct Y4mWriter {
    output: Output,
    rate: FrameRate,
    converter: Converter,
    begun: Option<Begun>,
}

/// What is known once the first picture has come.
#[derive(Debug)]
struct Begun {
    first: Timestamp,
    layout: Layout,
    /// How many frames were written.
    frames: u64,
    /// The picture in the last of them.
    last: VideoFrame,
}

/// What holds for all frames of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    size: (u32, u32),
    format: PixelFormat,
    range: Range,
}

impl Y4mWriter {
    /// Opens the file; what it held stays until the first picture comes.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be written.
    pub fn new(options: &Options) -> Result<Y4mWriter> {
        let output = Output::create(&options.path)?;
        Ok(Y4mWriter { output, rate: options.fps, converter: Converter::new(), begun: None })
    }

    /// The picture as the file can hold it.
    fn fit(&mut self, frame: VideoFrame) -> Result<VideoFrame> {
        let own = Layout::of(&frame);
        let direct = match &self.begun {
            Some(begun) if begun.layout.size != own.size => {
                let ((width, height), (old_width, old_height)) = (own.size, begun.layout.size);
                return Err(self.output.fatal(format!(
                    "pictures were {old_width}x{old_height} and are now {width}x{height}, and a y4m file holds one size; put a `scale` before this stage"
                )));
            }
            Some(begun) => begun.layout == own,
            None => own.name().is_some(),
        };
        if direct {
            return Ok(frame);
        }
        let frame = self.converter.to_i420(&frame)?;
        match &self.begun {
            Some(begun) if begun.layout != Layout::of(&frame) => Err(self.output.fatal(format!(
                "pictures were {} and are now {}, and a y4m file holds one format; let their source keep to one",
                begun.layout.words(),
                own.words()
            ))),
            _ => Ok(frame),
        }
    }

    fn write_header(&mut self, layout: Layout) -> Result<()> {
        let Layout { size: (width, height), range, .. } = layout;
        let (numerator, denominator) = (self.rate.numerator(), self.rate.denominator());
        let layout = layout.name().unwrap_or("420jpeg");
        let range = match range {
            Range::Limited => "LIMITED",
            Range::Full => "FULL",
        };
        let header =
            format!("YUV4MPEG2 W{width} H{height} F{numerator}:{denominator} Ip A1:1 C{layout} XCOLORRANGE={range}\n");
        self.output.write(header.as_bytes())?;
        // There from the first on: what is cut back for want of room is a file of this kind at least.
        self.output.flush()
    }
}

impl Layout {
    fn of(frame: &VideoFrame) -> Layout {
        Layout { size: (frame.width(), frame.height()), format: frame.format(), range: frame.color.range }
    }

    /// What the header calls the format; `None` for those that it cannot hold.
    fn name(self) -> Option<&'static str> {
        match self.format {
            PixelFormat::I420 => Some("420jpeg"),
            PixelFormat::I422 => Some("422"),
            PixelFormat::I444 => Some("444"),
            PixelFormat::Gray => Some("mono"),
            _ => None,
        }
    }

    fn words(self) -> String {
        let range = match self.range {
            Range::Limited => "limited",
            Range::Full => "full",
        };
        format!("{:?} of {range} range", self.format)
    }
}

/// The frame nearest to `nanos` after the first.
fn slot(rate: FrameRate, nanos: u128) -> u64 {
    let period = u128::from(rate.denominator()) * 1_000_000_000;
    ((nanos * u128::from(rate.numerator()) + period / 2) / period) as u64
}

fn write(output: &mut Output, frame: &VideoFrame) -> Result<()> {
    output.write(b"FRAME\n")?;
    (0..frame.format().planes()).flat_map(|plane| frame.plane(plane).iter()).try_for_each(|row| output.write(row))?;
    output.end_item();
    Ok(())
}

impl Sink<VideoFrame> for Y4mWriter {
    fn consume(&mut self, frame: VideoFrame, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        let frame = self.fit(frame)?;
        let Some(begun) = &mut self.begun else {
            let layout = Layout::of(&frame);
            self.write_header(layout)?;
            write(&mut self.output, &frame)?;
            self.begun = Some(Begun { first: frame.time, layout, frames: 1, last: frame });
            return Ok(());
        };
        let slot = slot(self.rate, frame.time.since(begun.first).as_nanos());
        if slot < begun.frames {
            return Ok(());
        }
        while begun.frames < slot {
            write(&mut self.output, &begun.last)?;
            begun.frames += 1;
        }
        write(&mut self.output, &frame)?;
        begun.frames += 1;
        begun.last = frame;
        Ok(())
    }

    fn finish(&mut self, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        self.output.flush()
    }
}

/// Describes `y4m-writer`.
pub fn descriptor() -> Descriptor {
    Descriptor::sink("y4m-writer", "Writes raw video into a YUV4MPEG2 file", Format::Video).knowing(
        |options: &Options| output::known(&options.path),
        |options: Options, joined| {
            let writer = Y4mWriter::new(&options)?;
            writer.output.announce(joined);
            Ok(Worker::sink(writer))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use millstream_core::error::Kind;

    fn frame(format: PixelFormat, size: (u32, u32), millis: u64) -> VideoFrame {
        let data = vec![millis as u8; format.byte_len(size.0, size.1)];
        VideoFrame::tight(data.into(), format, size, Timestamp::from_millis(millis))
    }

    /// What stands in the file: its header and the rest.
    fn written(fps: FrameRate, frames: Vec<VideoFrame>) -> (String, Vec<u8>, Result<()>) {
        let file = Scratch::new(b"what was there");
        let mut writer = Y4mWriter::new(&Options { path: file.0.clone(), fps }).unwrap();
        let mut cx = Cx::at(Timestamp::ZERO);
        let result = frames.into_iter().try_for_each(|frame| writer.consume(frame, &mut cx));
        writer.finish(&mut cx).unwrap();
        let bytes = std::fs::read(&file.0).unwrap();
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end..].to_vec(), result)
    }

    #[test]
    fn every_layout_is_written_and_others_as_i420() {
        for (format, name, bytes) in [
            (PixelFormat::I420, "420jpeg", 27),
            (PixelFormat::I422, "422", 33),
            (PixelFormat::I444, "444", 45),
            (PixelFormat::Gray, "mono", 15),
            (PixelFormat::Rgb, "420jpeg", 27),
            (PixelFormat::Nv12, "420jpeg", 27),
        ] {
            let rate = FrameRate::new(30_000, 1001).unwrap();
            let (header, body, result) = written(rate, vec![frame(format, (5, 3), 7), frame(format, (5, 3), 40)]);
            result.unwrap();
            assert_eq!(header, format!("YUV4MPEG2 W5 H3 F30000:1001 Ip A1:1 C{name} XCOLORRANGE=LIMITED\n"));
            assert_eq!(body.len(), 2 * (6 + bytes));
            assert!(body.starts_with(b"FRAME\n") && (format == PixelFormat::Rgb || body[6] == 7));
        }
    }

    #[test]
    fn pictures_go_where_their_time_is() {
        let times = [100, 138, 141, 180, 300, 301, 250, 340];
        let frames = times.map(|millis| frame(PixelFormat::Gray, (1, 1), millis)).into();
        let (_, body, result) = written(FrameRate::new(25, 1).unwrap(), frames);
        result.unwrap();
        let shown: Vec<_> = body.chunks(7).map(|frame| frame[6]).collect();
        // 141 and 301 come second, 250 too late; from 180 to 300 two are missing.
        assert_eq!(shown, [100, 138, 180, 180, 180, 300u64 as u8, 340u64 as u8]);
    }

    #[test]
    fn rates_are_kept_over_an_hour() {
        let rate = FrameRate::new(30_000, 1001).unwrap();
        for count in [0, 1, 29, 30, 107_892] {
            assert_eq!(slot(rate, rate.time_of(count).as_nanos()), count);
        }
    }

    #[test]
    fn another_size_or_format_is_refused_in_words() {
        let i420 = |size| frame(PixelFormat::I420, size, 0);
        for (second, words) in [
            (i420((8, 6)), "pictures were 4x2 and are now 8x6, and a y4m file holds one size; put a `scale` before"),
            (frame(PixelFormat::Rgb, (4, 2), 0), ""),
        ] {
            let error = written(FrameRate::THIRTY, vec![i420((4, 2)), second]).2;
            match error {
                Ok(()) => assert_eq!(words, ""),
                Err(error) => assert!(error.kind() == Kind::Fatal && error.to_string().contains(words), "{error}"),
            }
        }
        let frames = vec![frame(PixelFormat::I444, (4, 2), 0), i420((4, 2))];
        let error = written(FrameRate::THIRTY, frames).2.unwrap_err().to_string();
        assert!(error.contains("were I444 of limited range and are now I420 of limited range"), "{error}");
    }

    #[test]
    fn without_a_picture_the_file_is_empty() {
        assert_eq!(written(FrameRate::THIRTY, vec![]).0, "");
    }
}
