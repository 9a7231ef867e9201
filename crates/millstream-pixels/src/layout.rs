//! The layouts of YUV into that of I420, whatever the samples mean.

use millstream_core::{Plane, PlaneMut, VideoFrame};
use yuv::{BufferStoreMut, YuvError, YuvPackedImage, YuvPlanarImageMut};

/// What chroma is where there is no colour.
const NEUTRAL: u8 = 128;

pub(crate) fn from_i420(frame: &VideoFrame, planes: &mut [PlaneMut<'_>]) {
    for (index, plane) in planes.iter_mut().enumerate() {
        copy(frame.plane(index), plane);
    }
}

pub(crate) fn from_gray(frame: &VideoFrame, planes: &mut [PlaneMut<'_>]) {
    copy(frame.plane(0), &mut planes[0]);
    planes[1].data.fill(NEUTRAL);
    planes[2].data.fill(NEUTRAL);
}

pub(crate) fn from_i422(frame: &VideoFrame, planes: &mut [PlaneMut<'_>]) {
    copy(frame.plane(0), &mut planes[0]);
    for index in [1, 2] {
        for (out, (upper, lower)) in rows_of(&mut planes[index]).zip(row_pairs(frame.plane(index))) {
            mean_of_rows(upper, lower, out);
        }
    }
}

pub(crate) fn from_i444(frame: &VideoFrame, planes: &mut [PlaneMut<'_>]) {
    copy(frame.plane(0), &mut planes[0]);
    for index in [1, 2] {
        for (out, (upper, lower)) in rows_of(&mut planes[index]).zip(row_pairs(frame.plane(index))) {
            for (out, (upper, lower)) in out.iter_mut().zip(upper.chunks(2).zip(lower.chunks(2))) {
                // Where the width is odd, the last column stands for its missing neighbour.
                let sum = |pair: &[u8]| u16::from(pair[0]) + u16::from(pair[pair.len() - 1]);
                *out = ((sum(upper) + sum(lower) + 2) / 4) as u8;
            }
        }
    }
}

pub(crate) fn from_nv12(frame: &VideoFrame, planes: &mut [PlaneMut<'_>]) {
    copy(frame.plane(0), &mut planes[0]);
    let [_, u, v] = planes else { unreachable!("I420 has three planes") };
    for ((u, v), pairs) in rows_of(u).zip(rows_of(v)).zip(frame.plane(1).iter()) {
        for ((u, v), pair) in u.iter_mut().zip(v).zip(pairs.chunks_exact(2)) {
            (*u, *v) = (pair[0], pair[1]);
        }
    }
}

/// `chroma` is scratch: the chroma of two rows before their mean is taken.
///
/// The `yuv` crate has a function from YUYV to I420, but 0.8.20 takes chroma from one row of each
/// pair, and leaves the last row of an odd number unwritten. So it is asked for 4:2:2, one row at a
/// time, which stays in the first-level cache.
pub(crate) fn from_yuyv(frame: &VideoFrame, planes: &mut [PlaneMut<'_>], chroma: &mut Vec<u8>) -> Result<(), YuvError> {
    let [y, u, v] = planes else { unreachable!("I420 has three planes") };
    let (width, half) = (frame.width(), u.row);
    chroma.resize(half * 4, 0);
    let (upper_chroma, lower_chroma) = chroma.split_at_mut(half * 2);
    let mut luma = y.data.chunks_exact_mut(y.row);
    for ((u, v), (upper, lower)) in rows_of(u).zip(rows_of(v)).zip(row_pairs(frame.plane(0))) {
        if let Some(luma) = luma.next() {
            split_yuyv(upper, width, luma, upper_chroma)?;
        }
        match luma.next() {
            Some(luma) => split_yuyv(lower, width, luma, lower_chroma)?,
            None => lower_chroma.copy_from_slice(upper_chroma),
        }
        mean_of_rows(&upper_chroma[..half], &lower_chroma[..half], u);
        mean_of_rows(&upper_chroma[half..], &lower_chroma[half..], v);
    }
    Ok(())
}

/// One row of YUYV into luma, and chroma as all U and then all V.
fn split_yuyv(yuyv: &[u8], width: u32, luma: &mut [u8], chroma: &mut [u8]) -> Result<(), YuvError> {
    let half = chroma.len() / 2;
    let (u, v) = chroma.split_at_mut(half);
    let mut planar = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(luma),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: half as u32,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: half as u32,
        width,
        height: 1,
    };
    let packed = YuvPackedImage { yuy: yuyv, yuy_stride: yuyv.len() as u32, width, height: 1 };
    yuv::yuyv422_to_yuv422(&mut planar, &packed)
}

fn copy(from: Plane<'_>, to: &mut PlaneMut<'_>) {
    for (to, from) in rows_of(to).zip(from.iter()) {
        to.copy_from_slice(from);
    }
}

fn mean_of_rows(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    for (out, (upper, lower)) in out.iter_mut().zip(upper.iter().zip(lower)) {
        *out = (u16::from(*upper) + u16::from(*lower)).div_ceil(2) as u8;
    }
}

fn rows_of<'a>(plane: &'a mut PlaneMut<'_>) -> impl Iterator<Item = &'a mut [u8]> {
    plane.data.chunks_exact_mut(plane.row)
}

/// Rows two by two; where their number is odd, the last stands for its missing neighbour.
fn row_pairs(plane: Plane<'_>) -> impl Iterator<Item = (&[u8], &[u8])> {
    let row = move |index: usize| &plane.data[index * plane.stride..][..plane.row];
    (0..plane.rows).step_by(2).map(move |upper| (row(upper), row((upper + 1).min(plane.rows - 1))))
}
