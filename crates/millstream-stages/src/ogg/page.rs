//! One page of Ogg (RFC 3533, section 6), read and written.

use millstream_core::Result;

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

/// How much is looked at together for the start of a page.
const SEARCHED: usize = 256;
/// How much is passed over in one call where there is no page: more than the longest has.
const MAX_LOST: u64 = 128 * 1024;

/// What was found where a page should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A page.
    Page,
    /// So many bytes that are no good page, and behind them perhaps one.
    Lost(u64),
    /// A page that the file ends in.
    CutOff,
    /// The end of the file.
    End,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A good page of so many bytes.
    Page(usize),
    /// No page, or one whose checksum is wrong.
    Damaged,
    /// What may be a page that the file ends in.
    CutOff,
    /// The end of the file.
    Nothing,
}

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
    /// Reads the next page. Where there should be one and is none, or a damaged one, it goes on to the next
    /// good one (RFC 3533, section 6, on `capture_pattern`), so that a call that finds [`Found::Lost`] is followed by one that
    /// finds that page.
    pub(crate) fn read(&mut self, input: &mut Input) -> Result<Found> {
        let start = input.offset();
        loop {
            match self.look(input)? {
                Look::Page(_) if input.offset() > start => return Ok(Found::Lost(input.offset() - start)),
                Look::Page(len) => {
                    input.consume(len);
                    return Ok(Found::Page);
                }
                Look::Nothing if input.offset() > start => return Ok(Found::Lost(input.offset() - start)),
                Look::Nothing => return Ok(Found::End),
                Look::CutOff if start == input.offset() && !is_another(input)? => return Ok(Found::CutOff),
                Look::CutOff | Look::Damaged => go_on(input)?,
            }
            if input.offset() - start > MAX_LOST {
                return Ok(Found::Lost(input.offset() - start));
            }
        }
    }

    /// Looks at the page that stands here, without passing over it.
    pub(crate) fn look(&mut self, input: &mut Input) -> Result<Look> {
        let there = input.peek(HEADER)?;
        if there.is_empty() {
            return Ok(Look::Nothing);
        }
        if there[..there.len().min(4)] != b"OggS"[..there.len().min(4)]
            || there.get(4).is_some_and(|version| *version != 0)
        {
            return Ok(Look::Damaged);
        }
        let Ok(mut header) = <[u8; HEADER]>::try_from(there) else { return Ok(Look::CutOff) };
        let segments = usize::from(header[26]);
        let table = input.peek(HEADER + segments)?.get(HEADER..).unwrap_or_default();
        if table.len() < segments {
            return Ok(Look::CutOff);
        }
        self.lacing.clear();
        self.lacing.extend_from_slice(table);
        let whole = HEADER + segments + self.lacing.iter().map(|len| usize::from(*len)).sum::<usize>();
        let there = input.peek(whole)?;
        if there.len() < whole {
            return Ok(Look::CutOff);
        }
        self.body.clear();
        self.body.extend_from_slice(&there[HEADER + segments..]);
        let long = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (claimed, flags) = (long(CRC_AT), header[5]);
        (self.continued, self.first, self.last) = (flags & CONTINUED != 0, flags & FIRST != 0, flags & LAST != 0);
        self.granule = u64::from(long(6)) | u64::from(long(10)) << 32;
        (self.serial, self.sequence) = (long(14), long(18));
        header[CRC_AT..CRC_AT + 4].fill(0);
        Ok(if self.crc(&header) == claimed { Look::Page(whole) } else { Look::Damaged })
    }

    /// The packets that start and end in it, and behind them the start of one that goes on in the next.
    pub(crate) fn whole_packets(&self) -> (impl Iterator<Item = &[u8]>, Option<&[u8]>) {
        let (mut from, mut at) = (0, 0);
        let mut ends: Vec<(usize, usize)> = Vec::new();
        let mut rest = self.continued;
        for len in &self.lacing {
            at += usize::from(*len);
            if *len < 255 {
                if !std::mem::take(&mut rest) {
                    ends.push((from, at));
                }
                from = at;
            }
        }
        let open = (from < at && !rest).then(|| &self.body[from..at]);
        (ends.into_iter().map(|(from, end)| &self.body[from..end]), open)
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

/// Passes over at least one byte, up to where a page may start or the file ends.
fn go_on(input: &mut Input) -> Result<()> {
    let there = input.peek(SEARCHED)?;
    let found = there.windows(4).skip(1).position(|bytes| bytes == b"OggS").map(|at| at + 1);
    // The first bytes of a page may be the last that are there.
    let count = found.unwrap_or(if there.len() < SEARCHED { there.len() } else { SEARCHED - 3 });
    input.consume(count);
    Ok(())
}

/// Whether what may be another page follows in a page that seems to be cut off: then its length is wrong.
fn is_another(input: &mut Input) -> Result<bool> {
    Ok(input.peek(MAX_LOST as usize)?.windows(4).skip(1).any(|bytes| bytes == b"OggS"))
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
            let found = page.read(&mut input).unwrap();
            (found, page, input.offset())
        };
        let (found, same, _) = read(&bytes);
        assert!(found == Found::Page && same.last && !same.first && !same.continued);
        assert_eq!((same.granule, same.serial, same.sequence, same.body), (1 << 40, 7, 3, page.body));
        let len = bytes.len() as u64;
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let found = read(&changed).0;
            assert!(matches!(found, Found::Lost(lost) if lost == len) || found == Found::CutOff, "{at} {found:?}");
            assert_eq!(read(&bytes[..at]).0, if at == 0 { Found::End } else { Found::CutOff });
            // The next good one is found behind it.
            changed.extend_from_slice(&bytes);
            assert_eq!(read(&changed).0, Found::Lost(len), "{at}");
            assert_eq!(read(&changed).2, len);
        }
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
