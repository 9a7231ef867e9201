//! What the samples of an I420 picture mean, changed in place: full range into limited, BT.709 into BT.601.

use millstream_core::PlaneMut;

/// Luma from 0..255 to 16..235 and chroma to 16..240 (ITU-R BT.601-7, section 2.5.3).
///
/// Products of 16 bits, and not a table: the compiler makes SIMD of them.
pub(crate) fn full_to_limited(planes: &mut [PlaneMut<'_>]) {
    let [y, u, v] = planes else { unreachable!("I420 has three planes") };
    for luma in y.data.iter_mut() {
        *luma = 16 + by_255(u16::from(*luma) * 219);
    }
    for chroma in u.data.iter_mut().chain(v.data.iter_mut()) {
        // 128 + (c - 128) * 224 / 255, with the constants put together: 128 * (255 - 224) = 3968.
        *chroma = by_255(u16::from(*chroma) * 224 + 3968);
    }
}

/// `value / 255`, rounded; exact below 65152.
fn by_255(value: u16) -> u8 {
    let value = value + 128;
    ((value + (value >> 8)) >> 8) as u8
}

/// Bits behind the point of the coefficients below.
const SHIFT: u32 = 14;

/// The luma weights of red and blue (ITU-R BT.709-6, item 3.2; BT.601-7, section 2.5.1).
const BT709: (f64, f64) = (0.2126, 0.0722);
const BT601: (f64, f64) = (0.299, 0.114);

/// What one unit of each chroma of BT.709 adds to (luma, Cb, Cr) of BT.601, at limited range.
struct Coefficients {
    cb: [i32; 3],
    cr: [i32; 3],
}

/// Both matrices multiplied: from BT.709 to RGB, from there to BT.601.
const COEFFICIENTS: Coefficients = {
    let (kr, kb) = BT709;
    let kg = 1.0 - kr - kb;
    // One unit of chroma in RGB.
    let cb = [0.0, -2.0 * (1.0 - kb) * kb / kg, 2.0 * (1.0 - kb)];
    let cr = [2.0 * (1.0 - kr), -2.0 * (1.0 - kr) * kr / kg, 0.0];
    Coefficients { cb: to_bt601(cb), cr: to_bt601(cr) }
};

const fn to_bt601([r, g, b]: [f64; 3]) -> [i32; 3] {
    let (kr, kb) = BT601;
    let luma = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (cb, cr) = ((b - luma) / (2.0 * (1.0 - kb)), (r - luma) / (2.0 * (1.0 - kr)));
    // At limited range a whole step of luma is 219 codes, and one of chroma 224.
    [fixed(luma * 219.0 / 224.0), fixed(cb), fixed(cr)]
}

const fn fixed(value: f64) -> i32 {
    let scaled = value * (1 << SHIFT) as f64;
    (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// BT.709 into BT.601 at limited range, without the detour over RGB and its clipping.
pub(crate) fn bt709_to_bt601(planes: &mut [PlaneMut<'_>]) {
    let [y, u, v] = planes else { unreachable!("I420 has three planes") };
    let chroma_rows = u.data.chunks_exact_mut(u.row).zip(v.data.chunks_exact_mut(v.row));
    for (luma_rows, (u, v)) in y.data.chunks_mut(y.row * 2).zip(chroma_rows) {
        for luma in luma_rows.chunks_exact_mut(y.row) {
            for (pair, (u, v)) in luma.chunks_mut(2).zip(u.iter().zip(v.iter())) {
                let more = mixed(0, *u, *v);
                for luma in pair {
                    *luma = (i32::from(*luma) + more).clamp(0, 255) as u8;
                }
            }
        }
        for (u, v) in u.iter_mut().zip(v) {
            (*u, *v) = ((128 + mixed(1, *u, *v)).clamp(0, 255) as u8, (128 + mixed(2, *u, *v)).clamp(0, 255) as u8);
        }
    }
}

/// What the chroma `u`, `v` adds to component `index`, rounded.
fn mixed(index: usize, u: u8, v: u8) -> i32 {
    let (cb, cr) = (i32::from(u) - 128, i32::from(v) - 128);
    (COEFFICIENTS.cb[index] * cb + COEFFICIENTS.cr[index] * cr + (1 << (SHIFT - 1))) >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_by_255_rounds_exactly() {
        assert!((0..65152u16).all(|value| u32::from(by_255(value)) == (u32::from(value) * 2 + 255) / 510));
    }
}
