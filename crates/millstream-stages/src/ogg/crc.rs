//! The checksum of an Ogg page (RFC 3533, section 6): a CRC-32 that starts at 0, takes the highest
//! bit first, and is not inverted.

/// The generator polynomial.
const POLYNOMIAL: u32 = 0x04C1_1DB7;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc >> 31 == 1 { (crc << 1) ^ POLYNOMIAL } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The checksum of `bytes` behind what gave `crc`, 0 at the start.
pub(super) fn extend(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| (crc << 8) ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_check_value_of_its_parameters_in_any_pieces() {
        // "CRC-32/MPEG-2" starts at all ones and is 0x0376E6E7; started at 0 the same digits give this.
        assert_eq!(extend(0, b"123456789"), 0x89A1_897F);
        assert_eq!(extend(u32::MAX, b"123456789"), 0x0376_E6E7);
        assert_eq!(extend(extend(0, b"1234"), b"56789"), 0x89A1_897F);
    }
}
