//! The rows of a picture without what some drivers have between them.

use millstream_core::{Buffer, PixelFormat, Pool};

/// A copy of the picture in `data`: `size` pixels stored as `format`, in rows that begin `stride` bytes
/// apart; without a format it is a JPEG, which has none. A row that is not there as a whole is left out,
/// so what is short stays short and is refused where it is decoded.
pub(crate) fn tight(
    pool: &mut Pool<u8>,
    data: &[u8],
    format: Option<PixelFormat>,
    size: (u32, u32),
    stride: usize,
) -> Buffer<u8> {
    let padded = |format: &PixelFormat| stride > format.plane_size(0, size.0, size.1).0;
    let Some(format) = format.filter(padded) else { return pool.collect(data.iter().copied()) };
    let (mut rest, mut planes) = (data, Vec::with_capacity(format.planes()));
    for plane in 0..format.planes() {
        let (row, rows) = format.plane_size(plane, size.0, size.1);
        // Nobody needs what is behind the last row.
        let whole = ((rest.len() + stride - row) / stride).min(rows);
        planes.push((rest, row, whole));
        rest = rest.get(stride * rows..).unwrap_or_default();
    }
    pool.fill(planes.iter().map(|(_, row, whole)| row * whole).sum(), |mut out| {
        for (data, row, whole) in planes {
            let (tight, others) = out.split_at_mut(row * whole);
            for (to, from) in tight.chunks_exact_mut(row).zip(data.chunks(stride)) {
                to.copy_from_slice(&from[..row]);
            }
            out = others;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Decoder, Encoding};
    use crate::options::Rotate;
    use millstream_core::{Color, Timestamp, error};

    /// Rows of `row` bytes of `value`, each with two of padding behind it.
    fn padded(row: usize, rows: usize, value: u8) -> Vec<u8> {
        [vec![value; row], vec![0xEE; 2]].concat().repeat(rows)
    }

    #[test]
    fn padding_goes_and_chroma_of_an_odd_width_is_whole() {
        let mut pool = Pool::new(1);
        let yuyv = tight(&mut pool, &padded(8, 3, 7), Some(PixelFormat::Yuyv), (4, 3), 10);
        assert_eq!(yuyv[..], [7; 24]);
        // Luma of 5 in rows of 8, so that chroma of 6 has its two of padding.
        let luma = [vec![1; 5], vec![0xEE; 3]].concat().repeat(3);
        let nv12 = [luma, padded(6, 2, 2)].concat();
        let nv12 = tight(&mut pool, &nv12, Some(PixelFormat::Nv12), (5, 3), 8);
        assert_eq!(nv12[..], [vec![1; 15], vec![2; 12]].concat());
        assert_eq!(tight(&mut pool, &[1, 2, 3], None, (4, 3), 0)[..], [1, 2, 3]);
    }

    #[test]
    fn a_short_picture_is_refused_and_not_filled_up_with_the_last_one() {
        let (mut pool, mut decoder) = (Pool::new(1), Decoder::new(Rotate::None, false).unwrap());
        for (encoding, row, rows) in [(Encoding::Yuyv, 32, 16), (Encoding::Nv12, 16, 24), (Encoding::Rgb, 48, 16)] {
            let whole = padded(row, rows, 0x90);
            let mut decoded = |data: &[u8]| {
                let picture = tight(&mut pool, data, encoding.pixels(), (16, 16), row + 2);
                decoder.decode(&picture, encoding, (16, 16), Color::default(), Timestamp::ZERO)
            };
            decoded(&whole).expect("it is whole");
            decoded(&whole[..whole.len() - 2]).expect("nothing but padding is missing");
            // Down to as many bytes as the picture would have without padding, and below.
            for missing in [3, row + 2, 2 * rows, whole.len() / 2, whole.len()] {
                let error = decoded(&whole[..whole.len() - missing]).unwrap_err();
                assert_eq!(error.kind(), error::Kind::BadItem, "{encoding}, {missing} bytes missing: {error}");
            }
        }
    }
}
