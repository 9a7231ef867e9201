//! The stage `scale`: makes pictures larger or smaller.

use millstream_core::units::Pixels;
use millstream_core::{Control, Cx, Descriptor, Error, Format, MAX_DIMENSION, Out, Result, Stage, VideoFrame, Worker};
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
/// It answers [`Control::MaxSize`]: a larger picture is made to fit, with its aspect ratio and even sides.
#[derive(Debug)]
pub struct Scale {
    target: Target,
    /// The largest picture that a consumer asked for.
    limit: Option<(u32, u32)>,
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
        Ok(Scale { target, limit: None, converter: Converter::new(), scaler: Scaler::new() })
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

/// The largest even size of the aspect ratio of `size` that fits into `limit`, if `size` does not.
fn fit(size: (u32, u32), limit: (u32, u32)) -> (u32, u32) {
    let ((width, height), (most_width, most_height)) = (size, limit);
    if width <= most_width && height <= most_height {
        return size;
    }
    // Exact in 64 bits: sides are below 2^14, limits below 2^32.
    let wide = u64::from(width) * u64::from(most_height) > u64::from(height) * u64::from(most_width);
    let (part, whole) = if wide { (most_width, width) } else { (most_height, height) };
    let even = |side: u32| ((u64::from(side) * u64::from(part) / u64::from(whole)) as u32 & !1).max(2);
    (even(width), even(height))
}

impl Stage<VideoFrame, VideoFrame> for Scale {
    fn process(&mut self, frame: VideoFrame, out: &mut Out<VideoFrame>) -> Result<()> {
        let own = (frame.width(), frame.height());
        let size = self.target.size(own);
        let size = self.limit.map_or(size, |limit| fit(size, limit));
        if size == own {
            out.push(frame);
            return Ok(());
        }
        let frame = self.converter.to_i420(&frame)?;
        out.push(self.scaler.scale(&frame, size)?);
        Ok(())
    }

    fn control(&mut self, request: Control, _: &mut Cx) -> Option<Control> {
        match request {
            Control::MaxSize(limit) => self.limit = limit,
            other => return Some(other),
        }
        None
    }
}

/// Describes `scale`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage("scale", "Scales pictures to another size", Format::Video, Format::Video)
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
    fn a_limit_is_kept_with_the_aspect_ratio_until_it_is_withdrawn() {
        for (size, limit, fitted) in [
            ((1280, 720), (1280, 720), (1280, 720)),
            ((1280, 720), (640, 720), (640, 360)),
            ((1280, 720), (1280, 180), (320, 180)),
            ((720, 1280), (640, 640), (360, 640)),
            ((1280, 720), (1, 1), (2, 2)),
            ((16_383, 1), (100, 100), (100, 2)),
            ((64, 48), (u32::MAX, u32::MAX), (64, 48)),
        ] {
            assert_eq!(fit(size, limit), fitted, "{size:?} into {limit:?}");
        }
        let mut scale = Scale::new(options(64, 48)).unwrap();
        let mut out = Out::at(Timestamp::ZERO);
        let mut sizes = Vec::new();
        for limit in [None, Some((32, 32)), None] {
            assert_eq!(scale.control(Control::MaxSize(limit), &mut out), None);
            let data = vec![128; PixelFormat::I420.byte_len(128, 96)];
            let frame = VideoFrame::tight(data.into(), PixelFormat::I420, (128, 96), Timestamp::ZERO);
            scale.process(frame, &mut out).unwrap();
            sizes.extend(out.items().drain(..).map(|frame| (frame.width(), frame.height())));
        }
        assert_eq!(sizes, [(64, 48), (32, 24), (64, 48)]);
        assert_eq!(scale.control(Control::Pause(true), &mut out), Some(Control::Pause(true)));
    }

    #[test]
    fn no_size_at_all_is_refused() {
        let error = Scale::new(Options::default()).unwrap_err();
        assert_eq!(error.to_string(), "`scale` needs `width`, `height` or both");
    }
}
