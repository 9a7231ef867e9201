//! I420 pictures into other sizes.

use millstream_core::{Error, MAX_DIMENSION, PixelFormat, Plane, PlaneMut, Pool, Result, VideoFrame};

use crate::POOLED_FRAMES;
use crate::axis::Axis;

/// What the weights of a column add up to: with 8 bits of sample the sum fits 16 bits, of which SSE2
/// multiplies eight at once.
const COLUMN_UNIT: u16 = 1 << 8;
/// What the weights of a row add up to: 16 bits of column and 14 of these fit 32.
const ROW_UNIT: u16 = 1 << 14;
/// Bits behind the point once both weights are in.
const SHIFT: u32 = 8 + 14;

/// Makes I420 pictures larger (bilinear) or smaller (mean of the area), each axis by itself.
///
/// Each worker that needs one owns one: it holds the pool that the pictures come from.
#[derive(Debug)]
pub struct Scaler {
    pool: Pool<u8>,
    planes: [Axes; 3],
    columns: Vec<u16>,
}

#[derive(Debug, Default)]
struct Axes {
    row: Axis,
    column: Axis,
}

impl Scaler {
    /// A scaler that has scaled nothing yet.
    pub fn new() -> Scaler {
        Scaler { pool: Pool::new(POOLED_FRAMES), planes: Default::default(), columns: Vec::new() }
    }

    /// `frame` at `size`, width and height each 1 to [`MAX_DIMENSION`] pixels; time, colour and
    /// rotation stay. One that has this size already is returned without a copy.
    ///
    /// # Errors
    /// A bad item if it is not [`PixelFormat::I420`], or if the size is out of range.
    pub fn scale(&mut self, frame: &VideoFrame, size: (u32, u32)) -> Result<VideoFrame> {
        if frame.format() != PixelFormat::I420 {
            let format = frame.format();
            return Err(Error::bad_item(format!("cannot scale {format:?}; convert it to I420 first")));
        }
        let in_range = |side| (1..=MAX_DIMENSION).contains(&side);
        if !in_range(size.0) || !in_range(size.1) {
            let (width, height) = size;
            return Err(Error::bad_item(format!("cannot scale to {width}x{height}; sides are 1 to {MAX_DIMENSION}")));
        }
        if size == (frame.width(), frame.height()) {
            return Ok(frame.clone());
        }
        let Scaler { pool, planes: axes, columns } = self;
        let mut scaled = VideoFrame::fill(pool, PixelFormat::I420, size, frame.time, |planes| {
            for (index, (plane, axes)) in planes.iter_mut().zip(axes).enumerate() {
                scale_plane(frame.plane(index), plane, axes, columns);
            }
        });
        scaled.color = frame.color;
        scaled.rotation = frame.rotation;
        scaled.time_is_estimated = frame.time_is_estimated;
        Ok(scaled)
    }
}

impl Default for Scaler {
    fn default() -> Scaler {
        Scaler::new()
    }
}

fn scale_plane(from: Plane<'_>, to: &mut PlaneMut<'_>, axes: &mut Axes, columns: &mut Vec<u16>) {
    if from.row == to.row * 2 && from.rows == to.rows * 2 {
        return halve(from, to);
    }
    axes.row.set(from.row, to.row, ROW_UNIT);
    axes.column.set(from.rows, to.rows, COLUMN_UNIT);
    // A row's last taps may lie beyond it; they weigh nothing.
    columns.resize(from.row + axes.row.taps(), 0);
    let column_weights = axes.column.weights().chunks_exact(axes.column.taps());
    let out_rows = to.data.chunks_exact_mut(to.row);
    for ((out, first), weights) in out_rows.zip(axes.column.starts()).zip(column_weights) {
        columns.fill(0);
        for (index, weight) in (*first as usize..).zip(weights).filter(|(_, weight)| **weight > 0) {
            let row = &from.data[index * from.stride..][..from.row];
            for (column, sample) in columns.iter_mut().zip(row) {
                *column += u16::from(*sample) * weight;
            }
        }
        match axes.row.taps() {
            _ if from.row == to.row => {
                for (out, column) in out.iter_mut().zip(columns.iter()) {
                    *out = ((u32::from(*column) + 128) >> 8) as u8;
                }
            }
            2 => weigh_row::<2>(columns, &axes.row, out),
            3 => weigh_row::<3>(columns, &axes.row, out),
            4 => weigh_row::<4>(columns, &axes.row, out),
            5 => weigh_row::<5>(columns, &axes.row, out),
            _ => weigh_long_row(columns, &axes.row, out),
        }
    }
}

/// The commonest case: half the size, by the mean of two by two.
fn halve(from: Plane<'_>, to: &mut PlaneMut<'_>) {
    for (index, out) in to.data.chunks_exact_mut(to.row).enumerate() {
        let upper = &from.data[2 * index * from.stride..][..from.row];
        let lower = &from.data[(2 * index + 1) * from.stride..][..from.row];
        for (out, (upper, lower)) in out.iter_mut().zip(upper.chunks_exact(2).zip(lower.chunks_exact(2))) {
            let sum = u16::from(upper[0]) + u16::from(upper[1]) + u16::from(lower[0]) + u16::from(lower[1]);
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

/// A row of few taps: their number is known to the compiler, which unrolls them.
fn weigh_row<const TAPS: usize>(columns: &[u16], axis: &Axis, out: &mut [u8]) {
    let (weights, _) = axis.weights().as_chunks::<TAPS>();
    for ((out, start), weights) in out.iter_mut().zip(axis.starts()).zip(weights) {
        let covered = &columns[*start as usize..*start as usize + TAPS];
        *out = weigh(covered, weights);
    }
}

fn weigh_long_row(columns: &[u16], axis: &Axis, out: &mut [u8]) {
    for ((out, start), weights) in out.iter_mut().zip(axis.starts()).zip(axis.weights().chunks_exact(axis.taps())) {
        *out = weigh(&columns[*start as usize..][..weights.len()], weights);
    }
}

fn weigh(columns: &[u16], weights: &[u16]) -> u8 {
    let products = columns.iter().zip(weights).map(|(column, weight)| u32::from(*column) * u32::from(*weight));
    ((products.sum::<u32>() + (1 << (SHIFT - 1))) >> SHIFT) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::Timestamp;

    fn picture((width, height): (u32, u32), luma: impl Fn(usize, usize) -> u8) -> VideoFrame {
        VideoFrame::fill(&mut Pool::new(1), PixelFormat::I420, (width, height), Timestamp::ZERO, |planes| {
            for (index, sample) in planes[0].data.iter_mut().enumerate() {
                *sample = luma(index % width as usize, index / width as usize);
            }
            planes[1].data.fill(90);
            planes[2].data.fill(200);
        })
    }

    #[test]
    fn a_plain_picture_stays_plain_at_every_size() {
        let mut scaler = Scaler::new();
        let sizes = [(1, 1), (1, 5), (2, 2), (3, 7), (16, 16), (17, 9), (64, 1), (33, 65)];
        for from in sizes {
            let frame = picture(from, |_, _| 255);
            for to in sizes {
                let scaled = scaler.scale(&frame, to).unwrap();
                assert_eq!((scaled.width(), scaled.height()), to);
                for (plane, value) in [255, 90, 200].into_iter().enumerate() {
                    assert!(scaled.plane(plane).iter().flatten().all(|sample| *sample == value), "{from:?} to {to:?}");
                }
            }
        }
    }

    #[test]
    fn half_the_size_is_the_mean_of_two_by_two() {
        let frame = picture((4, 2), |x, y| (x * 10 + y * 100) as u8);
        let scaled = Scaler::new().scale(&frame, (2, 1)).unwrap();
        assert_eq!(scaled.plane(0).iter().collect::<Vec<_>>(), [[55, 75]]);
    }

    #[test]
    fn smaller_is_the_mean_of_the_area_and_larger_lies_between() {
        let frame = picture((3, 1), |x, _| [0, 90, 240][x]);
        let mut scaler = Scaler::new();
        assert_eq!(scaler.scale(&frame, (1, 1)).unwrap().plane(0).iter().next(), Some(&[110][..]));
        assert_eq!(scaler.scale(&frame, (2, 1)).unwrap().plane(0).iter().next(), Some(&[30, 190][..]));
        assert_eq!(scaler.scale(&frame, (6, 1)).unwrap().plane(0).iter().next(), Some(&[0, 23, 68, 128, 203, 240][..]));
    }

    #[test]
    fn a_gradient_keeps_its_slope_and_ends_in_both_directions() {
        let frame = picture((256, 64), |x, _| x as u8);
        for width in [100, 255, 300, 512, 1000] {
            let scaled = Scaler::new().scale(&frame, (width, 37)).unwrap();
            for row in scaled.plane(0).iter() {
                for (x, sample) in row.iter().enumerate() {
                    let exact = ((x as f64 + 0.5) * 256.0 / f64::from(width) - 0.5).clamp(0.0, 255.0);
                    assert!((f64::from(*sample) - exact).abs() <= 1.0, "{x} of {width}: {sample}, not {exact}");
                }
            }
        }
    }

    #[test]
    fn the_same_size_is_not_copied_and_buffers_serve_again() {
        let frame = picture((64, 48), |x, y| (x ^ y) as u8);
        let mut scaler = Scaler::new();
        let same = scaler.scale(&frame, (64, 48)).unwrap();
        assert!(std::ptr::eq(same.plane(0).data, frame.plane(0).data));
        let place = scaler.scale(&frame, (50, 50)).unwrap().plane(0).data.as_ptr();
        for _ in 0..100 {
            assert_eq!(scaler.scale(&frame, (50, 50)).unwrap().plane(0).data.as_ptr(), place);
        }
    }

    #[test]
    fn what_is_not_i420_or_has_no_size_is_refused_in_words() {
        let gray = VideoFrame::tight(vec![0; 4].into(), PixelFormat::Gray, (2, 2), Timestamp::ZERO);
        let error = Scaler::new().scale(&gray, (1, 1)).unwrap_err();
        assert_eq!(error.to_string(), "cannot scale Gray; convert it to I420 first");
        let error = Scaler::new().scale(&picture((2, 2), |_, _| 0), (0, 1)).unwrap_err();
        assert_eq!(error.to_string(), "cannot scale to 0x1; sides are 1 to 16383");
    }
}
