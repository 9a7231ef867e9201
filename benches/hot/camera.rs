//! Pictures as cameras send them, and the decoder of `camera`.

use std::hint::black_box;

use millstream::core::{Buffer, Color, Timestamp};
use millstream::nokhwa::Rotate;
use millstream::nokhwa::decode::{Decoder, Encoding};
use turbojpeg::{Compressor, Subsamp, YuvImage};

use crate::pictures;

pub(crate) const SIZE: (u32, u32) = (1280, 720);
/// Bytes of a JPEG: what a webcam sends of a lit room.
const JPEG: usize = 45_000;

/// One picture through our decoder.
pub(crate) fn decoding(encoding: Encoding, data: Vec<u8>) -> impl FnMut() {
    let mut decoder = Decoder::new(Rotate::None, false).expect("libjpeg-turbo is built in");
    let data = Buffer::from(data);
    move || {
        let frame = decoder.decode(&data, encoding, SIZE, Color::default(), Timestamp::ZERO);
        drop(black_box(frame.expect("a good picture")));
    }
}

/// The test picture with a little noise in its luma, as a camera has.
fn picture() -> [Vec<u8>; 3] {
    let frame = pictures::pictures(1).remove(0);
    let mut planes = [0, 1, 2].map(|index| frame.plane(index).iter().flatten().copied().collect::<Vec<u8>>());
    let mut state = 1u32;
    for sample in &mut planes[0] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = sample.saturating_add((state >> 29) as u8);
    }
    planes
}

/// The picture as a JPEG of about [`JPEG`] bytes.
pub(crate) fn jpeg(subsamp: Subsamp) -> Vec<u8> {
    let [y, u, v] = picture();
    let chroma = |plane: Vec<u8>| match subsamp {
        // Each row twice.
        Subsamp::Sub2x1 => plane.chunks_exact(SIZE.0 as usize / 2).flat_map(|row| [row, row].concat()).collect(),
        _ => plane,
    };
    let pixels = [y, chroma(u), chroma(v)].concat();
    let at = |quality| {
        let mut compressor = Compressor::new().expect("libjpeg-turbo is built in");
        compressor.set_quality(quality).expect("1 to 100");
        let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
        let image = YuvImage { pixels: &pixels[..], width, align: 1, height, subsamp };
        compressor.compress_yuv_to_vec(image).expect("a good picture")
    };
    (1..=100).map(at).min_by_key(|jpeg| jpeg.len().abs_diff(JPEG)).expect("a hundred qualities")
}

pub(crate) fn yuyv() -> Vec<u8> {
    let [y, u, v] = picture();
    let half = SIZE.0 as usize / 2;
    let mut packed = Vec::with_capacity(y.len() * 2);
    for (row, luma) in y.chunks_exact(half * 2).enumerate() {
        let chroma = row / 2 * half;
        for (pair, (u, v)) in luma.chunks_exact(2).zip(u[chroma..].iter().zip(&v[chroma..])) {
            packed.extend([pair[0], *u, pair[1], *v]);
        }
    }
    packed
}

pub(crate) fn nv12() -> Vec<u8> {
    let [mut y, u, v] = picture();
    y.extend(u.iter().zip(&v).flat_map(|(u, v)| [*u, *v]));
    y
}
