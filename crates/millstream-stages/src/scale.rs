//! The stage `scale`: makes pictures larger or smaller.

use millstream_core::units::Pixels;
use millstream_core::{Descriptor, Error, Format, MAX_DIMENSION, Out, Result, Stage, VideoFrame, Worker};
use millstream_pixels::{Converter, Scaler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of `scale`: at least one of them. Width and height are those of the picture as it is
/// stored, before any rotation that its frames ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Width in pixels. Without it, it follows from the height and the aspect ratio of the input, rounded to an even number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Pixels>,
    /// Height in pixels. Without it, it follows from the width and the aspect ratio of the input, rounded to an even number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Pixels>,
}

/// Gives every picture in one size, as I420; one that has it already passes as it is, in any format.
///
/// Wishes pass on to whoever makes the pictures.
#[derive(Debug)]
pub struct Scale {
    target: Target,
    converter: Converter,
    scaler: Scaler,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Target {
    Both(u32, u32),
    Width(u32),
    Height(u32),
}

impl Scale {
    /// A scaler that has scaled nothing yet.
    ///
    /// # Errors
    /// A wrong configuration if there is neither width nor height.
    pub fn new(options: Options) -> Result<Scale> {
        let target = match (options.width.map(Pixels::get), options.height.map(Pixels::get)) {
            (Some(width), Some(height)) => Target::Both(width, height),
            (Some(width), None) => Target::Width(width),
            (None, Some(height)) => Target::Height(height),
            (None, None) => return Err(Error::config("`scale` needs `width`, `height` or both")),
        };
        Ok(Scale { target, converter: Converter::new(), scaler: Scaler::new() })
    }
}

impl Target {
    /// The size that a picture of `width` x `height` gets.
    fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        match self {
            Target::Both(width, height) => (width, height),
            Target::Width(wanted) if wanted == width => (width, height),
            Target::Height(wanted) if wanted == height => (width, height),
            Target::Width(wanted) => (wanted, follow(wanted, width, height)),
            Target::Height(wanted) => (follow(wanted, height, width), wanted),
        }
    }
}

/// The even number nearest to `other * wanted / side`, as far as a picture can be that long.
fn follow(wanted: u32, side: u32, other: u32) -> u32 {
    let half = (u64::from(other) * u64::from(wanted) + u64::from(side)) / (2 * u64::from(side));
    (half * 2).clamp(2, u64::from(MAX_DIMENSION) - 1) as u32
}

impl Stage<VideoFrame, VideoFrame> for Scale {
    fn process(&mut self, frame: VideoFrame, out: &mut Out<VideoFrame>) -> Result<()> {
        let own = (frame.width(), frame.height());
        let size = self.target.size(own);
        if size == own {
            out.push(frame);
            return Ok(());
        }
        let frame = self.converter.to_i420(&frame)?;
        out.push(self.scaler.scale(&frame, size)?);
        Ok(())
    }
}

/// Describes `scale`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage("scale", "Makes pictures larger or smaller", Format::Video, Format::Video)
        .build(|options: Options, _| Ok(Worker::stage(Scale::new(options)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::{Color, PixelFormat, Timestamp};

    fn options(width: u32, height: u32) -> Options {
        Options { width: Pixels::new(width), height: Pixels::new(height) }
    }

    fn scaled(options: Options, format: PixelFormat, size: (u32, u32)) -> VideoFrame {
        let data = vec![128; format.byte_len(size.0, size.1)];
        let mut out = Out::at(Timestamp::ZERO);
        let frame = VideoFrame::tight(data.into(), format, size, Timestamp::from_millis(9));
        Scale::new(options).unwrap().process(frame, &mut out).unwrap();
        assert_eq!(out.items().len(), 1);
        out.items().pop_front().unwrap()
    }

    #[test]
    fn the_side_that_is_not_given_follows_the_aspect_ratio() {
        for (wanted, from, to) in [
            ((640, 0), (1280, 720), (640, 360)),
            ((0, 360), (1280, 720), (640, 360)),
            ((640, 0), (1366, 768), (640, 360)),
            ((0, 100), (100, 7), (1428, 100)),
            ((1, 0), (1000, 1), (1, 2)),
            ((300, 200), (64, 48), (300, 200)),
            ((0, 16383), (16383, 1), (16382, 16383)),
        ] {
            let Scale { target, .. } = Scale::new(options(wanted.0, wanted.1)).unwrap();
            assert_eq!(target.size(from), to);
        }
    }

    #[test]
    fn any_format_comes_out_as_i420_of_the_size() {
        for format in [PixelFormat::I420, PixelFormat::Rgb, PixelFormat::Yuyv, PixelFormat::Gray] {
            let frame = scaled(options(32, 0), format, (64, 48));
            assert_eq!((frame.format(), frame.width(), frame.height()), (PixelFormat::I420, 32, 24));
            assert_eq!((frame.time, frame.color), (Timestamp::from_millis(9), Color::default()));
        }
    }

    #[test]
    fn what_has_the_size_passes_as_it_is() {
        assert_eq!(scaled(options(64, 48), PixelFormat::Rgb, (64, 48)).format(), PixelFormat::Rgb);
        assert_eq!(scaled(options(63, 0), PixelFormat::Rgb, (63, 47)).height(), 47);
    }

    #[test]
    fn no_size_at_all_is_refused() {
        let error = Scale::new(Options::default()).unwrap_err();
        assert_eq!(error.to_string(), "`scale` needs `width`, `height` or both");
    }
}
