//! One page of Ogg (RFC 3533, section 6), read and written.

use millstream_core::error::Kind;
use millstream_core::{Error, Result};

use super::crc;
use crate::file::Input;
use crate::output::Output;

/// Bytes of a header before its table of segments.
const HEADER: usize = 27;
/// Where the checksum stands in it.
const CRC_AT: usize = 22;
/// The most segments in a page, each of at most 255 bytes.
pub(crate) const MAX_SEGMENTS: usize = 255;

/// The flags in a page's header.
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

/// A page, used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Whether it starts with the rest of a packet.
    pub(crate) continued: bool,
    /// Whether it is the first of its stream.
    pub(crate) first: bool,
    /// Whether it is the last of its stream.
    pub(crate) last: bool,
    /// Samples up to the end of the last packet that ends here.
    pub(crate) granule: u64,
    /// Which stream it belongs to.
    pub(crate) serial: u32,
    /// Counts the pages of the stream.
    pub(crate) sequence: u32,
    /// The length of each segment; a packet ends with the first that is shorter than 255.
    pub(crate) lacing: Vec<u8>,
    /// The segments, one behind the other.
    pub(crate) body: Vec<u8>,
}

impl Page {
    /// Reads the next page; false at the end of the file.
    pub(crate) fn read(&mut self, input: &mut Input) -> Result<bool> {
        let start = input.offset();
        let mut header = [0; HEADER];
        let read = input.read(&mut header)?;
        if read == 0 {
            return Ok(false);
        }
        if header[..read.min(4)] != b"OggS"[..read.min(4)] {
            return Err(wrong(
                input,
                format!("there should be a page at byte {start} and is none; the file is damaged"),
            ));
        }
        let cut_off = format!("the page at byte {start} is cut off; the file is incomplete");
        if read < HEADER {
            return Err(wrong(input, cut_off));
        }
        if header[4] != 0 {
            return Err(wrong(input, format!("the page at byte {start} is of version {}; there is only 0", header[4])));
        }
        self.lacing.resize(header[26].into(), 0);
        let segments = input.read(&mut self.lacing)?;
        self.body.resize(self.lacing.iter().map(|len| usize::from(*len)).sum(), 0);
        if segments < self.lacing.len() || input.read(&mut self.body)? < self.body.len() {
            return Err(wrong(input, cut_off));
        }
        let long = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (claimed, flags) = (long(CRC_AT), header[5]);
        (self.continued, self.first, self.last) = (flags & CONTINUED != 0, flags & FIRST != 0, flags & LAST != 0);
        self.granule = u64::from(long(6)) | u64::from(long(10)) << 32;
        (self.serial, self.sequence) = (long(14), long(18));
        header[CRC_AT..CRC_AT + 4].fill(0);
        if self.crc(&header) != claimed {
            return Err(wrong(
                input,
                format!("the checksum of the page at byte {start} is wrong; the file is damaged"),
            ));
        }
        Ok(true)
    }

    /// Writes it; at most [`MAX_SEGMENTS`] segments.
    pub(crate) fn write(&self, output: &mut Output) -> Result<()> {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(b"OggS");
        let flags = [(self.continued, CONTINUED), (self.first, FIRST), (self.last, LAST)];
        header[5] = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
        header[6..14].copy_from_slice(&self.granule.to_le_bytes());
        header[14..18].copy_from_slice(&self.serial.to_le_bytes());
        header[18..22].copy_from_slice(&self.sequence.to_le_bytes());
        header[26] = self.lacing.len() as u8;
        let crc = self.crc(&header);
        header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        output.write(&header)?;
        output.write(&self.lacing)?;
        output.write(&self.body)
    }

    /// Adds a whole packet, if there is room.
    pub(crate) fn push(&mut self, packet: &[u8]) -> bool {
        let whole = packet.len() / 255;
        let room = self.lacing.len() + whole < MAX_SEGMENTS;
        if room {
            self.lacing.extend(std::iter::repeat_n(255, whole));
            self.lacing.push((packet.len() % 255) as u8);
            self.body.extend_from_slice(packet);
        }
        room
    }

    /// Takes out all packets.
    pub(crate) fn clear(&mut self) {
        self.lacing.clear();
        self.body.clear();
    }

    /// The checksum, behind `header` whose own is zero.
    fn crc(&self, header: &[u8; HEADER]) -> u32 {
        [&header[..], &self.lacing, &self.body].into_iter().fold(0, crc::extend)
    }
}

fn wrong(input: &Input, what: String) -> Error {
    input.error(Kind::Fatal, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;

    #[test]
    fn what_is_written_is_read_and_every_changed_byte_is_noticed() {
        let file = Scratch::new(b"");
        let mut page = Page { last: true, granule: 1 << 40, serial: 7, sequence: 3, ..Page::default() };
        assert!(page.push(&[1; 510]) && page.push(&[]) && page.push(&[2; 3]));
        assert_eq!(page.lacing, [255, 255, 0, 0, 3]);
        let mut output = Output::create(&file.0).unwrap();
        page.write(&mut output).unwrap();
        output.flush().unwrap();
        let bytes = std::fs::read(&file.0).unwrap();
        let read = |bytes: &[u8]| {
            let file = Scratch::new(bytes);
            let (mut page, mut input) = (Page::default(), Input::open(&file.0).unwrap());
            page.read(&mut input).map(|there| (there, page))
        };
        let (there, same) = read(&bytes).unwrap();
        assert!(there && same.last && !same.first && !same.continued);
        assert_eq!((same.granule, same.serial, same.sequence, same.body), (1 << 40, 7, 3, page.body));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let error = read(&changed).unwrap_err().to_string();
            assert!(error.contains("page at byte 0") || error.contains("there should be a page"), "{at} {error}");
            assert!(at == 0 || read(&bytes[..at]).is_err());
        }
        assert!(!read(&[]).unwrap().0);
    }

    #[test]
    fn a_page_takes_no_more_than_255_segments() {
        let mut page = Page::default();
        for _ in 0..254 {
            assert!(page.push(&[0; 9]));
        }
        assert!(!page.push(&[0; 255]));
        assert!(page.push(&[0; 254]));
        assert!(!page.push(&[]));
        page.clear();
        assert!(page.push(&[0; super::super::MAX_PACKET]));
    }
}
