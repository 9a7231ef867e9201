//! The two laws: a sample into eight bits, and back.

use millstream_core::Codec;

use crate::{PCMA, PCMU};

/// How eight bits stand for a sample: ITU-T G.711 (11/1988).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, of North America and Japan: table 2 of the recommendation.
    Mu,
    /// A-law, of everywhere else: table 1.
    A,
}

/// The bit that says "positive", in both laws.
const POSITIVE: u8 = 0x80;

/// What µ-law adds to a magnitude, so that each of its eight segments is a power of two:
/// half the first step of the second segment, and one.
const BIAS: u32 = 33;

/// The last decision value of µ-law that is reached, in fourteen-bit steps (8159 is its virtual one).
const MU_TOP: u32 = 8_158;

/// The largest magnitude of A-law, in thirteen-bit steps (4096 is its virtual decision value).
const A_TOP: u32 = 4_095;

/// What A-law turns over on the line, so that silence has edges: every second bit.
const EVEN_BITS: u8 = 0x55;

impl Law {
    /// The codec: [`PCMU`] or [`PCMA`].
    pub const fn codec(self) -> Codec {
        match self {
            Law::Mu => PCMU,
            Law::A => PCMA,
        }
    }

    /// The code of `sample`. What is beyond -1 and 1 is cut off, and what is no number is silence.
    pub fn compress(self, sample: f32) -> u8 {
        let sign = if sample < 0.0 { 0 } else { POSITIVE };
        // A cast rounds towards zero, saturates, and makes 0 of what is no number.
        match self {
            Law::Mu => {
                let biased = ((sample.abs() * 8_192.0) as u32).min(MU_TOP) + BIAS;
                let segment = biased.ilog2() - 5;
                let step = (biased >> (segment + 1)) & 0xF;
                // All bits but the sign are turned over on the line.
                sign | (!((segment << 4) | step) as u8 & 0x7F)
            }
            Law::A => {
                let halved = ((sample.abs() * 4_096.0) as u32).min(A_TOP) >> 1;
                // The first two segments have the same step, so their codes run on.
                let code = if halved < 32 {
                    halved
                } else {
                    let segment = halved.ilog2() - 3;
                    (segment << 4) | ((halved >> (segment - 1)) & 0xF)
                };
                (sign | code as u8) ^ EVEN_BITS
            }
        }
    }

    /// The sample that `code` stands for, from -1 to 1.
    pub fn expand(self, code: u8) -> f32 {
        let magnitude = match self {
            Law::Mu => {
                let (segment, step) = parts(!code);
                ((((step << 1) + BIAS) << segment) - BIAS) as f32 / 8_192.0
            }
            Law::A => {
                let (segment, step) = parts(code ^ EVEN_BITS);
                let doubled = (step << 1) + 1;
                let value = if segment == 0 { doubled } else { (doubled + 32) << (segment - 1) };
                value as f32 / 4_096.0
            }
        };
        let positive = match self {
            Law::Mu => code & POSITIVE != 0,
            Law::A => (code ^ EVEN_BITS) & POSITIVE != 0,
        };
        if positive { magnitude } else { -magnitude }
    }
}

/// The segment, 0 to 7, and the step in it, 0 to 15.
fn parts(code: u8) -> (u32, u32) {
    (u32::from((code >> 4) & 0x7), u32::from(code & 0xF))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a code stands in the tables of G.711: the code on the line, the decision value at which it begins,
    /// and the value it is decoded to.
    type Row = (u8, u32, u32);

    /// Table 2a/G.711, first and last of each segment, in steps of fourteen bits.
    const MU: [Row; 16] = [
        (0b1111_1111, 0, 0),
        (0b1111_0000, 29, 30),
        (0b1110_1111, 31, 33),
        (0b1110_0000, 91, 93),
        (0b1101_1111, 95, 99),
        (0b1101_0000, 215, 219),
        (0b1100_1111, 223, 231),
        (0b1100_0000, 463, 471),
        (0b1011_1111, 479, 495),
        (0b1011_0000, 959, 975),
        (0b1010_1111, 991, 1_023),
        (0b1010_0000, 1_951, 1_983),
        (0b1001_1111, 2_015, 2_079),
        (0b1001_0000, 3_935, 3_999),
        (0b1000_1111, 4_063, 4_191),
        (0b1000_0000, 7_903, 8_031),
    ];

    /// Table 1a/G.711, in steps of thirteen bits; on the line every second bit is turned over.
    const A: [Row; 12] = [
        (0b1000_0000, 0, 1),
        (0b1000_1111, 30, 31),
        (0b1001_0000, 32, 33),
        (0b1001_1111, 62, 63),
        (0b1010_0000, 64, 66),
        (0b1010_1111, 124, 126),
        (0b1011_0000, 128, 132),
        (0b1011_1111, 248, 252),
        (0b1100_0000, 256, 264),
        (0b1110_1111, 1_984, 2_016),
        (0b1111_0000, 2_048, 2_112),
        (0b1111_1111, 3_968, 4_032),
    ];

    #[test]
    fn codes_begin_and_decode_where_the_tables_of_g711_say() {
        let mu = MU.map(|(code, begins, value)| (Law::Mu, code, begins, value, 8_192.0));
        let a = A.map(|(code, begins, value)| (Law::A, code ^ EVEN_BITS, begins, value, 4_096.0));
        for (law, code, begins, value, full) in mu.into_iter().chain(a) {
            let words = format!("{law:?} {code:#010b}");
            assert_eq!(law.compress(begins as f32 / full), code, "{words} begins at {begins}");
            assert_eq!(law.compress(-(begins as f32 + 0.5) / full), code ^ POSITIVE, "{words}, negative");
            assert_eq!(law.expand(code), value as f32 / full, "{words}");
            assert_eq!(law.expand(code ^ POSITIVE), -(value as f32) / full, "{words}, negative");
            if begins > 0 {
                assert_ne!(law.compress((begins as f32 - 0.01) / full), code, "{words} before {begins}");
            }
        }
    }

    #[test]
    fn silence_and_the_extremes_have_the_codes_that_everybody_knows() {
        for (law, sample, code, sixteen_bits) in [
            (Law::Mu, 0.0, 0xFF, 0),
            (Law::Mu, 1.0, 0x80, 32_124),
            (Law::Mu, -1.0, 0x00, -32_124),
            (Law::A, 0.0, 0xD5, 8),
            (Law::A, 1.0, 0xAA, 32_256),
            (Law::A, -1.0, 0x2A, -32_256),
        ] {
            assert_eq!(law.compress(sample), code, "{law:?} {sample}");
            assert_eq!((law.expand(code) * 32_768.0) as i32, sixteen_bits, "{law:?} {code:#x}");
        }
    }

    #[test]
    fn every_code_comes_back_and_what_cannot_be_said_is_cut_off() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=u8::MAX {
                // µ-law has two zeros, and a number has one.
                let back = law.compress(law.expand(code));
                assert!(back == code || (law, code, back) == (Law::Mu, 0x7F, 0xFF), "{law:?} {code:#x}: {back:#x}");
            }
            assert_eq!(law.compress(f32::INFINITY), law.compress(1.0));
            assert_eq!(law.compress(-1e6), law.compress(-1.0));
            assert_eq!(law.compress(f32::NAN), law.compress(0.0));
        }
    }
}
