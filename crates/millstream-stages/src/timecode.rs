//! The timecode strip: the capture time of a picture, burned in so that a machine reads it after
//! encoding and transport.
//!
//! The first 16 rows hold 42 cells from the left, each `min(16, 2 * floor(width / 84))` pixels wide,
//! luma 235 for 1 and 16 for 0 with neutral chroma: a 1 and a 0 to calibrate by, 32 bits of
//! milliseconds since the Unix epoch modulo 2^32 (most significant first), and the XOR of their
//! four bytes.

use millstream_core::{Plane, PlaneMut};

/// Rows of the strip.
pub const HEIGHT: usize = 16;
/// The narrowest picture that has a strip, in pixels.
pub const MIN_WIDTH: usize = 84;
const CELLS: usize = 42;
/// Luma between the two calibration cells below which there is no strip: half of what was written.
const MIN_CONTRAST: u32 = 110;

/// Writes `millis` into the planes of an I420 picture of limited range. Does nothing to one that is
/// too small, less than [`MIN_WIDTH`] wide or [`HEIGHT`] high.
pub fn write(planes: &mut [PlaneMut<'_>], millis: u32) {
    let [luma, chroma @ ..] = planes else { return };
    let Some(width) = cell_width(luma.row, luma.rows) else { return };
    let bits = bits_of(millis);
    for row in luma.data.chunks_exact_mut(luma.row).take(HEIGHT) {
        for (index, cell) in row.chunks_exact_mut(width).take(CELLS).enumerate() {
            cell.fill(if (bits >> (CELLS - 1 - index)) & 1 == 1 { 235 } else { 16 });
        }
    }
    for plane in chroma {
        for row in plane.data.chunks_exact_mut(plane.row).take(HEIGHT / 2) {
            row[..CELLS * width / 2].fill(128);
        }
    }
}

/// Reads the milliseconds from a plane of luma, or `None` where there is no strip or it is damaged.
pub fn read(luma: Plane<'_>) -> Option<u32> {
    let width = cell_width(luma.row, luma.rows)?;
    let (one, zero) = (cell(luma, width, 0), cell(luma, width, 1));
    if one < zero + MIN_CONTRAST {
        return None;
    }
    let threshold = (one + zero) / 2;
    let bits = (0..CELLS).fold(0, |bits, index| (bits << 1) | u64::from(cell(luma, width, index) > threshold));
    let millis = (bits >> 8) as u32;
    (bits == bits_of(millis)).then_some(millis)
}

/// All cells, the first in bit 41.
fn bits_of(millis: u32) -> u64 {
    let check = millis.to_be_bytes().into_iter().fold(0, |check, byte| check ^ byte);
    (0b10 << 40) | (u64::from(millis) << 8) | u64::from(check)
}

/// Pixels in a cell of a picture of this size, if it has a strip.
fn cell_width(width: usize, height: usize) -> Option<usize> {
    (width >= MIN_WIDTH && height >= HEIGHT).then(|| (2 * (width / MIN_WIDTH)).min(16))
}

/// The mean luma of the middle of a cell: its edges are where an encoder smears.
fn cell(luma: Plane<'_>, width: usize, index: usize) -> u32 {
    let margin = width / 4;
    let columns = index * width + margin..(index + 1) * width - margin;
    let mut sum = 0;
    for row in luma.iter().take(HEIGHT * 3 / 4).skip(HEIGHT / 4) {
        sum += row[columns.clone()].iter().map(|sample| u32::from(*sample)).sum::<u32>();
    }
    sum / (columns.len() * HEIGHT / 2) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::{PixelFormat, Pool, Timestamp, VideoFrame};

    fn picture(size: (u32, u32), write: impl FnOnce(&mut [PlaneMut<'_>])) -> VideoFrame {
        VideoFrame::fill(&mut Pool::new(1), PixelFormat::I420, size, Timestamp::ZERO, |planes| {
            planes.iter_mut().for_each(|plane| plane.data.fill(77));
            write(planes);
        })
    }

    #[test]
    fn what_is_written_is_read_at_every_width() {
        for width in (84..700u32).chain([1280, 1920, 16383]) {
            let millis = width.wrapping_mul(0x9E37_79B9);
            let frame = picture((width, 16), |planes| write(planes, millis));
            assert_eq!(read(frame.plane(0)), Some(millis), "{width}");
        }
    }

    #[test]
    fn cells_lie_where_the_sheet_says() {
        let frame = picture((1280, 720), |planes| write(planes, 0x8000_0001));
        let row = frame.plane(0).iter().nth(15).unwrap();
        assert_eq!((row[0], row[15], row[16], row[31]), (235, 235, 16, 16));
        assert_eq!((row[32], row[33 * 16], row[34 * 16], row[41 * 16], row[42 * 16]), (235, 235, 235, 235, 77));
        assert_eq!(frame.plane(0).iter().nth(16).unwrap()[0], 77);
        assert_eq!(frame.plane(1).iter().nth(7).unwrap()[335..337], [128, 77]);
    }

    #[test]
    fn damage_noise_and_small_pictures_are_not_read() {
        let flipped = picture((640, 64), |planes| {
            write(planes, 12345);
            for row in planes[0].data.chunks_exact_mut(640).take(16) {
                for sample in &mut row[14 * 20..14 * 21] {
                    *sample = 251 - *sample;
                }
            }
        });
        assert_eq!(read(flipped.plane(0)), None);
        assert_eq!(read(picture((640, 64), |_| ()).plane(0)), None);
        for size in [(83, 100), (100, 15), (1, 1)] {
            assert_eq!(read(picture(size, |planes| write(planes, 1)).plane(0)), None);
        }
    }
}
