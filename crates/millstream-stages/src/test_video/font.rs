//! Digits, colon and point of 5 x 7 dots, drawn as luma at any whole scale.

use millstream_core::PlaneMut;

/// Dots across a character and the gap behind it.
pub(super) const ADVANCE: usize = 6;
/// Dots in a character from top to bottom.
pub(super) const HEIGHT: usize = 7;

/// Rows of each of `0123456789:.`, the leftmost dot in bit 4.
const GLYPHS: [[u8; HEIGHT]; 12] = [
    [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
    [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
    [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
    [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
    [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
    [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
    [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
    [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
    [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
    [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
    [0b00000, 0b00100, 0b00100, 0b00000, 0b00100, 0b00100, 0b00000],
    [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100],
];

/// Draws `text` in white with its top left corner at `x`, `y`, each dot `scale` pixels wide and
/// high. Other characters than digits, colon and point are left blank. It must fit.
pub(super) fn draw(luma: &mut PlaneMut<'_>, text: &[u8], (x, y): (usize, usize), scale: usize) {
    for (row, line) in luma.data.chunks_exact_mut(luma.row).skip(y).take(HEIGHT * scale).enumerate() {
        for (index, character) in text.iter().enumerate() {
            let Some(glyph) = glyph(*character) else { continue };
            let left = x + index * ADVANCE * scale;
            for dot in (0..5).filter(|dot| (glyph[row / scale] >> (4 - dot)) & 1 == 1) {
                line[left + dot * scale..][..scale].fill(235);
            }
        }
    }
}

fn glyph(character: u8) -> Option<&'static [u8; HEIGHT]> {
    match character {
        b'0'..=b'9' => Some(&GLYPHS[usize::from(character - b'0')]),
        b':' => Some(&GLYPHS[10]),
        b'.' => Some(&GLYPHS[11]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seven_looks_like_a_seven_at_scale_two() {
        let mut data = vec![b' '; 10 * 14];
        draw(&mut PlaneMut { data: &mut data, row: 10, rows: 14 }, b"7", (0, 0), 2);
        let shown: Vec<String> = data
            .chunks(20)
            .map(|lines| lines[..10].iter().step_by(2).map(|dot| if *dot == 235 { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(shown, ["#####", "....#", "...#.", "..#..", ".#...", ".#...", ".#..."]);
    }
}
