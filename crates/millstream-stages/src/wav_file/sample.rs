//! How WAVE files store a sample, and what it is from -1 to 1.

/// How a sample is stored, always the lowest byte first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Int16,
    Int24,
    Int32,
    Float32,
}

impl Encoding {
    /// Bytes of one sample of one channel.
    pub(super) fn bytes(self) -> usize {
        match self {
            Encoding::Int16 => 2,
            Encoding::Int24 => 3,
            Encoding::Int32 | Encoding::Float32 => 4,
        }
    }

    /// Decodes the samples of `bytes` into `out`, which has room for exactly as many.
    pub(super) fn decode(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Encoding::Int16 => each(bytes, out, |bytes| f32::from(i16::from_le_bytes(bytes)) / 32_768.0),
            Encoding::Int24 => each(bytes, out, |[a, b, c]| int32([0, a, b, c])),
            Encoding::Int32 => each(bytes, out, int32),
            Encoding::Float32 => each(bytes, out, |bytes| {
                let sample = f32::from_le_bytes(bytes);
                // What is not a number would silence every mixer and encoder behind it for good.
                if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
            }),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    let (samples, _) = bytes.as_chunks::<N>();
    for (out, bytes) in out.iter_mut().zip(samples) {
        *out = decode(*bytes);
    }
}

fn int32(bytes: [u8; 4]) -> f32 {
    i32::from_le_bytes(bytes) as f32 / 2_147_483_648.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_scale_is_a_half_in_every_encoding() {
        for (encoding, bytes) in [
            (Encoding::Int16, [&[0x00, 0x40][..], &[0x00, 0x80]]),
            (Encoding::Int24, [&[0, 0, 0x40], &[0, 0, 0x80]]),
            (Encoding::Int32, [&[0, 0, 0, 0x40], &[0, 0, 0, 0x80]]),
            (Encoding::Float32, [&[0, 0, 0, 0x3F], &[0, 0, 0, 0xC0]]),
        ] {
            let mut out = [9.0; 2];
            encoding.decode(&bytes.concat(), &mut out);
            assert_eq!(out, [0.5, -1.0], "{encoding:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_silence() {
        let mut out = [9.0; 3];
        let bytes: Vec<u8> = [f32::NAN, f32::INFINITY, -7.0].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Encoding::Float32.decode(&bytes, &mut out);
        assert_eq!(out, [0.0, 1.0, -1.0]);
    }
}
