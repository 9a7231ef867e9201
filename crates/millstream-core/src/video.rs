//! Raw pictures: planes with stride, colour, rotation, and storage that stays open for more than memory.

use crate::pool::{Buffer, Pool};
use crate::time::Timestamp;

/// How a picture's samples lie in its planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Three planes Y, U, V; chroma at half width and half height, rounded up. What encoders take.
    I420,
    /// Three planes Y, U, V; chroma at half width, rounded up.
    I422,
    /// Three planes Y, U, V at full size.
    I444,
    /// Two planes: Y, and U and V interleaved at half width and half height, rounded up.
    Nv12,
    /// One plane of Y U Y V quadruples, two pixels each; odd widths round up.
    Yuyv,
    /// One plane of R G B triples.
    Rgb,
    /// One plane of R G B A quadruples.
    Rgba,
    /// One plane of B G R A quadruples.
    Bgra,
    /// One plane of luma.
    Gray,
}

impl PixelFormat {
    /// How many planes it has.
    pub const fn planes(self) -> usize {
        match self {
            PixelFormat::I420 | PixelFormat::I422 | PixelFormat::I444 => 3,
            PixelFormat::Nv12 => 2,
            _ => 1,
        }
    }

    /// Bytes in a row and rows of `plane` in a picture of `width` x `height`.
    pub const fn plane_size(self, plane: usize, width: u32, height: u32) -> (usize, usize) {
        let (width, height) = (width as usize, height as usize);
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        match (self, plane) {
            (PixelFormat::I420 | PixelFormat::I422 | PixelFormat::I444 | PixelFormat::Nv12 | PixelFormat::Gray, 0) => {
                (width, height)
            }
            (PixelFormat::I420, _) => (half_width, half_height),
            (PixelFormat::I422, _) => (half_width, height),
            (PixelFormat::I444, _) => (width, height),
            (PixelFormat::Nv12, _) => (half_width * 2, half_height),
            (PixelFormat::Yuyv, _) => (half_width * 4, height),
            (PixelFormat::Rgb, _) => (width * 3, height),
            (PixelFormat::Rgba | PixelFormat::Bgra, _) => (width * 4, height),
            (PixelFormat::Gray, _) => (width, height),
        }
    }

    /// Bytes of a whole picture of `width` x `height` without padding.
    pub const fn byte_len(self, width: u32, height: u32) -> usize {
        let mut total = 0;
        let mut plane = 0;
        while plane < self.planes() {
            let (row, rows) = self.plane_size(plane, width, height);
            total += row * rows;
            plane += 1;
        }
        total
    }
}

/// The matrix between RGB and YUV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Matrix {
    /// BT.601: what VP8 uses (RFC 6386, section 9.2), and the default.
    #[default]
    Bt601,
    /// BT.709.
    Bt709,
}

/// The range of luma and chroma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240.
    #[default]
    Limited,
    /// 0 to 255, as in JPEG.
    Full,
}

/// How YUV samples mean colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Color {
    /// The matrix between RGB and YUV.
    pub matrix: Matrix,
    /// The range of luma and chroma.
    pub range: Range,
}

/// How far a picture must be turned clockwise to stand upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// It stands upright.
    #[default]
    None,
    /// 90 degrees clockwise.
    Clockwise90,
    /// 180 degrees.
    Clockwise180,
    /// 270 degrees clockwise.
    Clockwise270,
}

/// Where the samples are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Storage {
    /// In memory, all planes in one buffer.
    Cpu(CpuPlanes),
}

/// Up to four planes in one buffer.
#[derive(Clone, Debug)]
pub struct CpuPlanes {
    data: Buffer<u8>,
    layout: [PlaneLayout; 4],
}

/// Where a plane starts and how far apart its rows are, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneLayout {
    /// Offset of the first row.
    pub offset: usize,
    /// Distance from one row to the next, at least the bytes in a row.
    pub stride: usize,
}

/// One raw picture. Cloning counts a reference.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VideoFrame {
    /// When it was captured.
    pub time: Timestamp,
    /// Whether `time` is only estimated from when it arrived: no sender report has arrived yet.
    pub time_is_estimated: bool,
    /// How its samples mean colours.
    pub color: Color,
    /// How far it must be turned to stand upright.
    pub rotation: Rotation,
    format: PixelFormat,
    width: u32,
    height: u32,
    storage: Storage,
}

/// The largest width and height of a picture: what the 14 bits of a VP8 key frame can hold (RFC 6386, section 9.1).
pub const MAX_DIMENSION: u32 = 16383;

/// A plane to read.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// From the first sample of the first row on.
    pub data: &'a [u8],
    /// Distance from one row to the next in bytes.
    pub stride: usize,
    /// Bytes of a row that are pixels; the rest of the stride is padding.
    pub row: usize,
    /// How many rows.
    pub rows: usize,
}

impl<'a> Plane<'a> {
    /// The rows, from the top, without padding.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.data.chunks(self.stride.max(1)).take(self.rows).map(move |line| &line[..self.row])
    }
}

/// A plane to write; its rows lie without padding.
#[derive(Debug)]
pub struct PlaneMut<'a> {
    /// All rows, one behind the other.
    pub data: &'a mut [u8],
    /// Bytes in a row, which is also the distance to the next.
    pub row: usize,
    /// How many rows.
    pub rows: usize,
}

impl VideoFrame {
    /// A picture of `width` x `height`, both 1 to [`MAX_DIMENSION`]. `write` gets the planes of `format`, without
    /// padding, and fills all of them.
    ///
    /// # Panics
    /// If a side is 0 or too long: sizes are checked where they enter.
    pub fn fill(
        pool: &mut Pool<u8>,
        format: PixelFormat,
        (width, height): (u32, u32),
        time: Timestamp,
        write: impl FnOnce(&mut [PlaneMut<'_>]),
    ) -> VideoFrame {
        assert!((1..=MAX_DIMENSION).contains(&width) && (1..=MAX_DIMENSION).contains(&height), "{width}x{height}");
        let data = pool.fill(format.byte_len(width, height), |all| {
            let mut rest = all;
            let mut planes = [const { None }; 4];
            for (index, slot) in planes.iter_mut().enumerate().take(format.planes()) {
                let (row, rows) = format.plane_size(index, width, height);
                let (data, tail) = rest.split_at_mut(row * rows);
                rest = tail;
                *slot = Some(PlaneMut { data, row, rows });
            }
            let empty = || PlaneMut { data: &mut [], row: 0, rows: 0 };
            let mut planes = planes.map(|plane| plane.unwrap_or_else(empty));
            write(&mut planes[..format.planes()]);
        });
        VideoFrame::tight(data, format, (width, height), time)
    }

    /// A picture whose planes lie one behind the other in `data` without padding.
    ///
    /// # Panics
    /// If `data` is shorter than [`PixelFormat::byte_len`].
    pub fn tight(data: Buffer<u8>, format: PixelFormat, (width, height): (u32, u32), time: Timestamp) -> VideoFrame {
        assert!(data.len() >= format.byte_len(width, height), "{} bytes for {width}x{height} {format:?}", data.len());
        let mut layout = [PlaneLayout::default(); 4];
        let mut offset = 0;
        for (index, plane) in layout.iter_mut().enumerate().take(format.planes()) {
            let (row, rows) = format.plane_size(index, width, height);
            *plane = PlaneLayout { offset, stride: row };
            offset += row * rows;
        }
        VideoFrame {
            time,
            time_is_estimated: false,
            color: Color::default(),
            rotation: Rotation::None,
            format,
            width,
            height,
            storage: Storage::Cpu(CpuPlanes { data, layout }),
        }
    }

    /// The same picture, whose time is only estimated if `estimated`.
    #[must_use]
    pub fn with_estimated_time(mut self, estimated: bool) -> VideoFrame {
        self.time_is_estimated = estimated;
        self
    }

    /// How its samples lie.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Where its samples are.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Plane `index`, from 0.
    ///
    /// # Panics
    /// If the format has no such plane.
    pub fn plane(&self, index: usize) -> Plane<'_> {
        assert!(index < self.format.planes(), "{:?} has no plane {index}", self.format);
        let Storage::Cpu(planes) = &self.storage;
        let (row, rows) = self.format.plane_size(index, self.width, self.height);
        let PlaneLayout { offset, stride } = planes.layout[index];
        Plane { data: &planes.data[offset..], stride, row, rows }
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.format.byte_len(self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_round_chroma_up() {
        assert_eq!(PixelFormat::I420.byte_len(3, 3), 9 + 4 + 4);
        assert_eq!(PixelFormat::Nv12.byte_len(3, 3), 9 + 8);
        assert_eq!(PixelFormat::Yuyv.byte_len(3, 1), 8);
        assert_eq!(PixelFormat::I420.byte_len(1, 1), 3);
    }

    #[test]
    fn what_is_written_into_a_plane_is_read_from_it() {
        let mut pool = Pool::new(1);
        let frame = VideoFrame::fill(&mut pool, PixelFormat::I420, (4, 2), Timestamp::ZERO, |planes| {
            for (value, plane) in planes.iter_mut().enumerate() {
                plane.data.fill(value as u8);
            }
        });
        assert_eq!(frame.plane(1).iter().collect::<Vec<_>>(), [[1, 1]]);
        assert_eq!(frame.plane(2).iter().collect::<Vec<_>>(), [[2, 2]]);
        assert_eq!(frame.plane(0).iter().count(), 2);
    }
}
