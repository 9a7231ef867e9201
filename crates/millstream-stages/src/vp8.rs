//! What the first bytes of a VP8 frame say (RFC 6386, section 9.1).

/// Whether `frame` is a key frame: bit 0 of its first byte is 0.
pub(crate) fn is_key_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|byte| byte & 1 == 0)
}

/// Width and height in pixels, where `frame` is a key frame that says them.
pub(crate) fn size(frame: &[u8]) -> Option<(u32, u32)> {
    // The frame tag, the start code, then two times 14 bits and how far to scale up.
    let [tag, _, _, 0x9D, 0x01, 0x2A, a, b, c, d, ..] = *frame else { return None };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    let size = (side(a, b), side(c, d));
    (tag & 1 == 0 && size.0 > 0 && size.1 > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_say_their_size() {
        let key = [0xB0, 0x5A, 0, 0x9D, 0x01, 0x2A, 0x40, 0x41, 0xF0, 0x80, 7];
        assert_eq!((is_key_frame(&key), size(&key)), (true, Some((320, 240))));
        let mut delta = key;
        delta[0] |= 1;
        assert_eq!((is_key_frame(&delta), size(&delta)), (false, None));
        assert_eq!(size(&key[..9]), None);
        assert!(!is_key_frame(&[]));
    }
}
