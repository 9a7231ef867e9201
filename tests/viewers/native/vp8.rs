//! Reading VP8 from RTP: RFC 7741, written for this judge alone and apart from our packetizer.

/// What a packet of VP8 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payload<'a> {
    /// It is the first of a frame.
    pub(super) first: bool,
    /// The frame's number, 15 bits.
    pub(super) picture_id: Option<u16>,
    /// Its share of the frame.
    pub(super) data: &'a [u8],
}

/// Reads the payload descriptor (section 4.2); `None` where there is none.
pub(super) fn read(payload: &[u8]) -> Option<Payload<'_>> {
    let (head, mut rest) = payload.split_first()?;
    let first = head & 0x10 != 0 && head & 0x07 == 0;
    let mut picture_id = None;
    if head & 0x80 != 0 {
        let extended;
        (extended, rest) = rest.split_first().map(|(byte, rest)| (*byte, rest))?;
        if extended & 0x80 != 0 {
            let id = *rest.first()?;
            let long = id & 0x80 != 0;
            picture_id = Some(if long { u16::from(id & 0x7f) << 8 | u16::from(*rest.get(1)?) } else { id.into() });
            rest = rest.get(1 + usize::from(long)..)?;
        }
        // TL0PICIDX, and TID, Y and KEYIDX, which share a byte.
        let more = usize::from(extended & 0x40 != 0) + usize::from(extended & 0x30 != 0);
        rest = rest.get(more..)?;
    }
    Some(Payload { first, picture_id, data: rest })
}

/// Whether a decoder can start from `frame`: the lowest bit of the frame tag (RFC 6386, section 9.1).
pub(super) fn is_key(frame: &[u8]) -> bool {
    frame.first().is_some_and(|tag| tag & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_all_lengths_are_read() {
        let read = |bytes: &'static [u8]| read(bytes).map(|p| (p.first, p.picture_id, p.data));
        assert_eq!(read(&[0x10, 7]), Some((true, None, &[7][..])));
        assert_eq!(read(&[0x90, 0x80, 0x81, 0x02, 7]), Some((true, Some(0x102), &[7][..])));
        assert_eq!(read(&[0x80, 0x80, 0x05, 7]), Some((false, Some(5), &[7][..])));
        assert_eq!(read(&[0x90, 0xe0, 0x81, 0x02, 9, 9, 7]), Some((true, Some(0x102), &[7][..])));
        assert_eq!(read(&[0x90, 0x80]), None);
        assert!(is_key(&[0x10]) && !is_key(&[0x11]) && !is_key(&[]));
    }
}
