//! What a test picture looks like: a background drawn once and copied, and what moves, drawn on it.
//!
//! From the top: the timecode strip, colour bars with a moving square, and the lower third with the
//! clock, which is also what flashes.

use millstream_core::{PixelFormat, PlaneMut, Utc};

use super::{Pattern, font};
use crate::timecode;

/// A colour as Y, Cb, Cr at limited range.
type Yuv = [u8; 3];

const BLACK: Yuv = [16, 128, 128];
const WHITE: Yuv = [235, 128, 128];
const DARK: Yuv = [60, 128, 128];
/// Bars of 75 % (SMPTE EG 1) in BT.601: white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [Yuv; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    BLACK,
];

/// How long the flash lasts in nanoseconds from the start of each second of UTC.
const FLASH: u64 = 100_000_000;
/// How long the square takes from one side to the other and back, in milliseconds.
const SWEEP: u64 = 4000;

#[derive(Debug)]
pub(super) struct Picture {
    pattern: Pattern,
    width: usize,
    height: usize,
    /// Where the lower third begins; even, so that it does for chroma too.
    lower: usize,
    /// The planes of I420, one behind the other.
    background: Vec<u8>,
}

impl Picture {
    pub(super) fn new((width, height): (u32, u32), pattern: Pattern) -> Picture {
        let mut picture = Picture {
            pattern,
            width: width as usize,
            height: height as usize,
            lower: even(height as usize * 2 / 3),
            background: vec![0; PixelFormat::I420.byte_len(width, height)],
        };
        let mut background = std::mem::take(&mut picture.background);
        picture.draw_background(&mut planes_of(&mut background, (width, height)));
        picture.background = background;
        picture
    }

    /// Draws picture number `count`, captured at `utc`, over everything that is in `planes`.
    pub(super) fn draw(&self, planes: &mut [PlaneMut<'_>], count: u64, utc: Utc) {
        let mut background = &self.background[..];
        for plane in planes.iter_mut() {
            let (this, rest) = background.split_at(plane.data.len());
            plane.data.copy_from_slice(this);
            background = rest;
        }
        match self.pattern {
            Pattern::Noise => noise(planes[0].data, count),
            Pattern::Bars => self.draw_square(planes, utc),
            Pattern::Flash => {
                self.draw_square(planes, utc);
                if utc.unix_nanos() % 1_000_000_000 < FLASH {
                    fill(planes, (0, self.lower), (self.width, self.height - self.lower), WHITE);
                }
            }
            Pattern::Black => (),
        }
        self.draw_clock(planes, utc);
        timecode::write(planes, utc.unix_millis() as u32);
    }

    fn draw_background(&self, planes: &mut [PlaneMut<'_>]) {
        let (width, height) = (self.width, self.height);
        fill(planes, (0, 0), (width, height), BLACK);
        if matches!(self.pattern, Pattern::Bars | Pattern::Flash) {
            for (index, bar) in BARS.into_iter().enumerate() {
                let edge = |index: usize| if index == BARS.len() { width } else { even(index * width / BARS.len()) };
                fill(planes, (edge(index), 0), (edge(index + 1) - edge(index), self.lower), bar);
            }
            fill(planes, (0, self.lower), (width, height - self.lower), DARK);
        }
    }

    /// A white square in a black one that wanders from side to side above the lower third.
    fn draw_square(&self, planes: &mut [PlaneMut<'_>], utc: Utc) {
        let side = even((self.lower / 4).min(self.width / 4));
        let phase = (utc.unix_nanos() / 1000 % (SWEEP * 1000)) as usize;
        let way = phase.min(SWEEP as usize * 1000 - phase);
        let x = (self.width - side) * way / (SWEEP as usize * 500);
        let (x, y) = (even(x), even(self.lower - side - self.lower / 16));
        let border = even(side / 8);
        fill(planes, (x, y), (side, side), BLACK);
        fill(planes, (x + border, y + border), (side - 2 * border, side - 2 * border), WHITE);
    }

    /// The time of day in UTC, as large as three quarters of the width and half of the lower third let it be.
    fn draw_clock(&self, planes: &mut [PlaneMut<'_>], utc: Utc) {
        let text = clock(utc);
        let lower = self.height - self.lower;
        // A dot of margin on all sides; the last character's gap is the one on the right.
        let (across, down) = (text.len() * font::ADVANCE + 1, font::HEIGHT + 2);
        let scale = (self.width * 3 / 4 / across).min(lower / 2 / down);
        if scale == 0 {
            return;
        }
        let size = (across * scale, down * scale);
        let (x, y) = (even((self.width - size.0) / 2), self.lower + even((lower - size.1) / 2));
        fill(planes, (x, y), size, BLACK);
        font::draw(&mut planes[0], &text, (x + scale, y + scale), scale);
    }
}

/// `HH:MM:SS.mmm`.
fn clock(utc: Utc) -> [u8; 12] {
    let millis = utc.unix_millis() % 86_400_000;
    let mut text = *b"00:00:00.000";
    let fields =
        [(0, 2, millis / 3_600_000), (3, 2, millis / 60_000 % 60), (6, 2, millis / 1000 % 60), (9, 3, millis % 1000)];
    for (start, digits, mut value) in fields {
        for place in (start..start + digits).rev() {
            text[place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    text
}

/// The even number at or below `pixels`: where a sample of chroma begins.
fn even(pixels: usize) -> usize {
    pixels & !1
}

/// Fills a rectangle whose corner is even; where a side is odd, chroma takes its last sample in.
fn fill(planes: &mut [PlaneMut<'_>], (x, y): (usize, usize), (width, height): (usize, usize), colour: Yuv) {
    for (index, (plane, value)) in planes.iter_mut().zip(colour).enumerate() {
        let shrink = |side: usize| if index == 0 { side } else { side.div_ceil(2) };
        let (x, y) = if index == 0 { (x, y) } else { (x / 2, y / 2) };
        for row in plane.data.chunks_exact_mut(plane.row).skip(y).take(shrink(height)) {
            row[x..x + shrink(width)].fill(value);
        }
    }
}

/// Grey noise from a seed (xorshift64*, Vigna 2016), eight samples at a time.
fn noise(luma: &mut [u8], seed: u64) {
    // Any odd seed will do; the golden ratio spreads neighbouring ones.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for samples in luma.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let bytes = state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes();
        for (sample, byte) in samples.iter_mut().zip(bytes) {
            // 32 to 159: within limited range.
            *sample = 32 + (byte >> 1);
        }
    }
}

/// The planes of a whole I420 picture in `data`.
fn planes_of(data: &mut [u8], (width, height): (u32, u32)) -> [PlaneMut<'_>; 3] {
    let mut rest = data;
    [0, 1, 2].map(|plane| {
        let (row, rows) = PixelFormat::I420.plane_size(plane, width, height);
        let (data, tail) = std::mem::take(&mut rest).split_at_mut(row * rows);
        rest = tail;
        PlaneMut { data, row, rows }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_the_time_of_day() {
        let shown = |millis: u64| String::from_utf8(clock(Utc::from_unix_nanos(millis * 1_000_000)).to_vec()).unwrap();
        assert_eq!(shown(1_717_763_696_789), "12:34:56.789");
        assert_eq!(shown(86_399_999), "23:59:59.999");
        assert_eq!(shown(86_400_000), "00:00:00.000");
    }
}
