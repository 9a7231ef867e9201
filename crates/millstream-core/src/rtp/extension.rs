//! Header extensions of packets that were received.
//!
//! Whatever form they arrive in, [`RtpPackets`](super::RtpPackets) hold them in the two-byte form of RFC 8285,
//! section 4.3, which can hold everything that the one-byte form can: identifier, length, value.

use bytes::{BufMut, BytesMut};

/// Appends a header extension to `data`. `id` is what the session description calls it, 1 to 255 (RFC 8285,
/// section 4.3). A value longer than 255 bytes, which no packet can carry, and the identifier 0, which means
/// padding, are left out.
pub fn write_extension(data: &mut BytesMut, id: u8, value: &[u8]) {
    let Ok(length) = u8::try_from(value.len()) else { return };
    if id != 0 {
        data.put_slice(&[id, length]);
        data.put_slice(value);
    }
}

/// The header extensions of one packet: identifier and value of each.
#[derive(Clone, Debug)]
pub struct Extensions<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[id, length], rest) = self.0.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(length.into())?;
        self.0 = rest;
        Some((id, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_half_an_element_ends_it() {
        let mut data = BytesMut::new();
        write_extension(&mut data, 3, &[1, 2, 3]);
        write_extension(&mut data, 0, &[9]);
        write_extension(&mut data, 255, &[]);
        write_extension(&mut data, 4, &[7; 256]);
        write_extension(&mut data, 14, &[7; 255]);
        let all: Vec<_> = Extensions(&data).map(|(id, value)| (id, value.len())).collect();
        assert_eq!(all, [(3, 3), (255, 0), (14, 255)]);
        for end in 0..data.len() {
            assert!(Extensions(&data[..end]).count() < 3, "{end}");
        }
    }
}
