//! Any pixel format into what encoders take.

use millstream_core::{Color, Error, Matrix, PixelFormat, Plane, PlaneMut, Pool, Range, Result, Timestamp, VideoFrame};
use yuv::{BufferStoreMut, YuvConversionMode, YuvError, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use crate::{POOLED_FRAMES, color, layout};

/// Makes pictures I420 of limited range in BT.601, which is what VP8 means (RFC 6386, section 9.2).
///
/// Each worker that needs one owns one: it holds the pool that the pictures come from.
#[derive(Debug)]
pub struct Converter {
    pool: Pool<u8>,
    chroma: Vec<u8>,
}

impl Converter {
    /// A converter that has converted nothing yet.
    pub fn new() -> Converter {
        Converter { pool: Pool::new(POOLED_FRAMES), chroma: Vec::new() }
    }

    /// `frame` as I420 of limited range in BT.601, of the same size, time and rotation.
    ///
    /// One that is so already is returned without a copy. Alpha is dropped; the colour of RGB is
    /// taken as sRGB at full range whatever [`VideoFrame::color`] says.
    ///
    /// # Errors
    /// A bad item if its pixel format is one that this version does not know.
    pub fn to_i420(&mut self, frame: &VideoFrame) -> Result<VideoFrame> {
        if frame.format() == PixelFormat::I420 && frame.color == Color::default() {
            return Ok(frame.clone());
        }
        let Converter { pool, chroma } = self;
        let size = (frame.width(), frame.height());
        let mut written = Ok(());
        let mut converted = VideoFrame::fill(pool, PixelFormat::I420, size, frame.time, |planes| {
            written = write(frame, planes, chroma);
        });
        written?;
        converted.rotation = frame.rotation;
        converted.time_is_estimated = frame.time_is_estimated;
        Ok(converted)
    }
}

impl Converter {
    /// A picture in memory that is not a frame's, such as a driver's, or a part of one, as I420 of limited
    /// range in BT.601: it saves the copy into a frame. `format` is a kind of RGB; alpha is dropped.
    ///
    /// # Errors
    /// A bad item if `pixels` are fewer than `size` says, or `format` is not a kind of RGB.
    pub fn from_rgb(
        &mut self,
        format: PixelFormat,
        pixels: Plane<'_>,
        size: (u32, u32),
        time: Timestamp,
    ) -> Result<VideoFrame> {
        let convert = rgb_to_i420(format).ok_or_else(|| Error::bad_item(format!("{format:?} is not a kind of RGB")))?;
        let mut written = Ok(());
        let converted = VideoFrame::fill(&mut self.pool, PixelFormat::I420, size, time, |planes| {
            written = from_rgb(pixels, size, planes, convert);
        });
        written.map(|()| converted)
    }
}

impl Default for Converter {
    fn default() -> Converter {
        Converter::new()
    }
}

fn write(frame: &VideoFrame, planes: &mut [PlaneMut<'_>], chroma: &mut Vec<u8>) -> Result<()> {
    let size = (frame.width(), frame.height());
    match frame.format() {
        PixelFormat::I420 => layout::from_i420(frame, planes),
        PixelFormat::I422 => layout::from_i422(frame, planes),
        PixelFormat::I444 => layout::from_i444(frame, planes),
        PixelFormat::Nv12 => layout::from_nv12(frame, planes),
        PixelFormat::Gray => layout::from_gray(frame, planes),
        PixelFormat::Yuyv => layout::from_yuyv(frame, planes, chroma).map_err(refused)?,
        other => {
            let no_way = || Error::bad_item(format!("no way from {other:?} to I420; convert it before"));
            return from_rgb(frame.plane(0), size, planes, rgb_to_i420(other).ok_or_else(no_way)?);
        }
    }
    if frame.color.range == Range::Full {
        color::full_to_limited(planes);
    }
    if frame.color.matrix == Matrix::Bt709 {
        color::bt709_to_bt601(planes);
    }
    Ok(())
}

/// One of the functions of the `yuv` crate from packed RGB.
type FromRgb = fn(
    &mut YuvPlanarImageMut<'_, u8>,
    &[u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Result<(), YuvError>;

/// How `format` is converted, if it is a kind of RGB.
fn rgb_to_i420(format: PixelFormat) -> Option<FromRgb> {
    match format {
        PixelFormat::Rgb => Some(yuv::rgb_to_yuv420),
        PixelFormat::Rgba => Some(yuv::rgba_to_yuv420),
        PixelFormat::Bgra => Some(yuv::bgra_to_yuv420),
        _ => None,
    }
}

fn from_rgb(rgb: Plane<'_>, size: (u32, u32), planes: &mut [PlaneMut<'_>], convert: FromRgb) -> Result<()> {
    convert(
        &mut planar(planes, size.0, size.1),
        rgb.data,
        rgb.stride as u32,
        YuvRange::Limited,
        YuvStandardMatrix::Bt601,
        YuvConversionMode::Balanced,
    )
    .map_err(refused)
}

/// Our planes as the `yuv` crate sees them.
fn planar<'a>(planes: &'a mut [PlaneMut<'_>], width: u32, height: u32) -> YuvPlanarImageMut<'a, u8> {
    let [y, u, v] = planes else { unreachable!("I420 has three planes") };
    YuvPlanarImageMut {
        y_stride: y.row as u32,
        y_plane: BufferStoreMut::Borrowed(y.data),
        u_stride: u.row as u32,
        u_plane: BufferStoreMut::Borrowed(u.data),
        v_stride: v.row as u32,
        v_plane: BufferStoreMut::Borrowed(v.data),
        width,
        height,
    }
}

fn refused(error: YuvError) -> Error {
    Error::bad_item("the picture's planes do not fit its size").caused_by(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::{Buffer, Rotation};

    const FORMATS: [PixelFormat; 9] = [
        PixelFormat::I420,
        PixelFormat::I422,
        PixelFormat::I444,
        PixelFormat::Nv12,
        PixelFormat::Yuyv,
        PixelFormat::Rgb,
        PixelFormat::Rgba,
        PixelFormat::Bgra,
        PixelFormat::Gray,
    ];

    fn frame(data: impl Into<Buffer<u8>>, format: PixelFormat, size: (u32, u32)) -> VideoFrame {
        VideoFrame::tight(data.into(), format, size, Timestamp::from_millis(7))
    }

    /// One colour everywhere, given as the bytes of each plane's unit.
    fn plain(format: PixelFormat, size: (u32, u32), units: [&[u8]; 3]) -> VideoFrame {
        let mut data = Vec::new();
        for (plane, unit) in units.iter().enumerate().take(format.planes()) {
            let (row, rows) = format.plane_size(plane, size.0, size.1);
            data.extend(unit.iter().copied().cycle().take(row * rows));
        }
        frame(data, format, size)
    }

    fn assert_all_near(frame: &VideoFrame, expected: [u8; 3]) {
        assert_eq!(frame.format(), PixelFormat::I420);
        assert_eq!(frame.color, Color::default());
        for (plane, expected) in expected.into_iter().enumerate() {
            for (y, row) in frame.plane(plane).iter().enumerate() {
                for (x, value) in row.iter().enumerate() {
                    let size = (frame.width(), frame.height());
                    assert!(
                        value.abs_diff(expected) <= 2,
                        "plane {plane} at {x},{y} of {size:?}: {value}, not {expected}"
                    );
                }
            }
        }
    }

    /// Sizes with every combination of odd sides, single rows and columns, and SIMD tails.
    fn sizes() -> impl Iterator<Item = (u32, u32)> {
        (1..=5).flat_map(|height| (1..=70).map(move |width| (width, height)))
    }

    #[test]
    fn known_colours_in_every_rgb_format_and_size() {
        // BT.601 limited range, ITU-R BT.601-7 table 3, rounded.
        let colours = [([255, 0, 0], [81, 90, 240]), ([0, 255, 0], [145, 54, 34]), ([0, 0, 255], [41, 240, 110])]
            .into_iter()
            .chain([([128, 128, 128], [126, 128, 128]), ([255, 255, 255], [235, 128, 128]), ([0; 3], [16, 128, 128])]);
        let mut converter = Converter::new();
        for ([r, g, b], expected) in colours {
            for size in sizes() {
                let units = [(PixelFormat::Rgb, vec![r, g, b]), (PixelFormat::Rgba, vec![r, g, b, 9])];
                for (format, unit) in units.into_iter().chain([(PixelFormat::Bgra, vec![b, g, r, 9])]) {
                    let frame = plain(format, size, [&unit, &[], &[]]);
                    assert_all_near(&converter.to_i420(&frame).unwrap(), expected);
                }
            }
        }
    }

    #[test]
    fn plain_yuv_stays_what_it_is_in_every_layout_and_size() {
        let mut converter = Converter::new();
        for size in sizes() {
            for (format, units) in [
                (PixelFormat::I422, [&[50u8][..], &[90], &[200]]),
                (PixelFormat::I444, [&[50], &[90], &[200]]),
                (PixelFormat::Nv12, [&[50], &[90, 200], &[]]),
                (PixelFormat::Yuyv, [&[50, 90, 50, 200], &[], &[]]),
            ] {
                assert_all_near(&converter.to_i420(&plain(format, size, units)).unwrap(), [50, 90, 200]);
            }
            let gray = plain(PixelFormat::Gray, size, [&[77], &[], &[]]);
            assert_all_near(&converter.to_i420(&gray).unwrap(), [77, 128, 128]);
        }
    }

    #[test]
    fn every_sample_of_yuyv_lands_where_it_belongs() {
        for (width, height) in sizes() {
            let (pairs, rows) = (width.div_ceil(2) as usize, height as usize);
            let data: Vec<u8> = (0..pairs * 4 * rows).map(|index| (index * 37 % 251) as u8).collect();
            let yuyv = frame(data.clone(), PixelFormat::Yuyv, (width, height));
            let i420 = Converter::new().to_i420(&yuyv).unwrap();
            let at = |row: usize, offset: usize| data[row * pairs * 4 + offset];
            for (y, row) in i420.plane(0).iter().enumerate() {
                let expected: Vec<u8> = (0..width as usize).map(|x| at(y, x * 2)).collect();
                assert_eq!(row, expected, "row {y} of {width}x{height}");
            }
            for (plane, offset) in [(1, 1), (2, 3)] {
                for (y, row) in i420.plane(plane).iter().enumerate() {
                    let below = (y * 2 + 1).min(rows - 1);
                    let mean = |x: usize| {
                        (u16::from(at(y * 2, x * 4 + offset)) + u16::from(at(below, x * 4 + offset))).div_ceil(2) as u8
                    };
                    let expected: Vec<u8> = (0..pairs).map(mean).collect();
                    assert_eq!(row, expected, "plane {plane} row {y} of {width}x{height}");
                }
            }
        }
    }

    #[test]
    fn full_range_becomes_limited() {
        let mut converter = Converter::new();
        for (full, limited) in
            [([0, 0, 255], [16, 16, 240]), ([255, 128, 128], [235, 128, 128]), ([128, 64, 192], [126, 72, 184])]
        {
            for format in [PixelFormat::I420, PixelFormat::I444] {
                let mut frame = plain(format, (5, 3), [&full[..1], &full[1..2], &full[2..]]);
                frame.color.range = Range::Full;
                assert_all_near(&converter.to_i420(&frame).unwrap(), limited);
            }
        }
    }

    #[test]
    fn bt709_becomes_bt601() {
        // Red, green and blue of limited range by ITU-R BT.709-6, and what they are in BT.601.
        for (hd, sd) in [
            ([63, 102, 240], [81, 90, 240]),
            ([173, 42, 26], [145, 54, 34]),
            ([32, 240, 118], [41, 240, 110]),
            ([126, 128, 128], [126, 128, 128]),
        ] {
            let mut frame = plain(PixelFormat::I420, (7, 3), [&hd[..1], &hd[1..2], &hd[2..]]);
            frame.color.matrix = Matrix::Bt709;
            assert_all_near(&Converter::new().to_i420(&frame).unwrap(), sd);
        }
    }

    #[test]
    fn i420_is_not_copied_and_time_and_rotation_stay() {
        let mut converter = Converter::new();
        for format in FORMATS {
            let mut frame = plain(format, (6, 4), [&[128], &[128], &[128]]);
            frame.rotation = Rotation::Clockwise90;
            let converted = converter.to_i420(&frame).unwrap();
            assert_eq!((converted.time, converted.rotation), (frame.time, frame.rotation));
            let shared = std::ptr::eq(converted.plane(0).data, frame.plane(0).data);
            assert_eq!(shared, format == PixelFormat::I420, "{format:?}");
        }
    }

    #[test]
    fn pixels_of_a_driver_are_converted_as_those_of_a_frame() {
        let data: Vec<u8> = (0..7 * 5 * 4).map(|index| (index * 37 % 251) as u8).collect();
        let bgra = frame(data.clone(), PixelFormat::Bgra, (7, 5));
        let mut converter = Converter::new();
        let pixels =
            |converter: &mut Converter, format, size| converter.from_rgb(format, bgra.plane(0), size, bgra.time);
        let (one, other) =
            (converter.to_i420(&bgra).unwrap(), pixels(&mut converter, PixelFormat::Bgra, (7, 5)).unwrap());
        assert_eq!(one.time, other.time);
        for plane in 0..3 {
            assert!(one.plane(plane).iter().eq(other.plane(plane).iter()));
        }
        assert!(pixels(&mut converter, PixelFormat::Bgra, (7, 6)).is_err(), "a row is missing");
        assert!(pixels(&mut converter, PixelFormat::Nv12, (7, 5)).is_err(), "it is no RGB");
    }

    #[test]
    fn one_buffer_serves_pictures_that_are_let_go() {
        let mut converter = Converter::new();
        let rgb = plain(PixelFormat::Rgb, (64, 64), [&[1, 2, 3], &[], &[]]);
        let place = converter.to_i420(&rgb).unwrap().plane(0).data.as_ptr();
        for _ in 0..100 {
            assert_eq!(converter.to_i420(&rgb).unwrap().plane(0).data.as_ptr(), place);
        }
    }
}
