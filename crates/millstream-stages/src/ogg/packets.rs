//! The packets of a file with one stream, put together from the segments of its pages (RFC 3533, section 5).

use millstream_core::error::Kind;
use millstream_core::{Error, Result};

use super::MAX_PACKET;
use super::page::Page;
use crate::file::Input;

/// Reads a file packet by packet.
#[derive(Debug)]
pub(crate) struct Packets {
    input: Input,
    page: Page,
    /// The segment of the page that is taken next, and where it starts in the body.
    segment: usize,
    at: usize,
    packet: Vec<u8>,
    /// Whether the last segment left its packet open.
    open: bool,
    /// The stream and what its next page counts, once a page was read.
    expected: Option<(u32, u32)>,
    ended: bool,
}

/// What becomes of a packet of more than [`MAX_PACKET`] bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooLong {
    /// It is an error.
    Refuse,
    /// Its start is given, and the rest passed over.
    Cut,
}

/// A place between two pages to come back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    offset: u64,
    expected: Option<(u32, u32)>,
}

impl Packets {
    pub(crate) fn new(input: Input) -> Packets {
        Packets {
            input,
            page: Page::default(),
            segment: 0,
            at: 0,
            packet: Vec::new(),
            open: false,
            expected: None,
            ended: false,
        }
    }

    /// Reads the next packet; false at the end of the file.
    pub(crate) fn read(&mut self, too_long: TooLong) -> Result<bool> {
        self.packet.clear();
        loop {
            while let Some(&len) = self.page.lacing.get(self.segment) {
                let end = self.at + usize::from(len);
                let room = MAX_PACKET - self.packet.len();
                if usize::from(len) > room && too_long == TooLong::Refuse {
                    return Err(self.fatal(format!("a packet has more than {MAX_PACKET} bytes; the file is damaged")));
                }
                self.packet.extend_from_slice(&self.page.body[self.at..end.min(self.at + room)]);
                (self.at, self.open) = (end, len == 255);
                self.segment += 1;
                if !self.open {
                    return Ok(true);
                }
            }
            if !self.next_page()? {
                return Ok(false);
            }
        }
    }

    /// The packet that was read.
    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Where the next page starts; `None` if there are more packets in this one.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let whole = self.segment == self.page.lacing.len();
        whole.then_some(Mark { offset: self.input.offset(), expected: self.expected })
    }

    /// Goes back to `mark`.
    pub(crate) fn go_to(&mut self, mark: Mark) -> Result<()> {
        self.page.clear();
        (self.segment, self.at, self.open, self.ended) = (0, 0, false, false);
        self.expected = mark.expected;
        self.input.seek(mark.offset)
    }

    /// An error about the file, at the byte that is read next.
    pub(crate) fn fatal(&self, what: impl std::fmt::Display) -> Error {
        self.input.error(Kind::Fatal, what)
    }

    fn next_page(&mut self) -> Result<bool> {
        let start = self.input.offset();
        if self.ended || !self.page.read(&mut self.input)? {
            self.page.clear();
            (self.segment, self.at) = (0, 0);
            return if self.open {
                Err(self.fatal("the last packet is cut off; the file is incomplete"))
            } else {
                self.end()
            };
        }
        (self.segment, self.at) = (0, 0);
        let Page { serial, sequence, first, continued, last, .. } = self.page;
        let problem = match self.expected {
            None if !first => Some("does not start a stream; the file is damaged"),
            Some(_) if first => Some(
                "starts another stream beside the first, and one stream can be read; `ffmpeg -i INPUT -map 0:a:0 -c copy OUTPUT.ogg` picks one",
            ),
            Some((stream, _)) if stream != serial => Some("belongs to another stream; the file is damaged"),
            Some((_, next)) if next != sequence => Some("does not follow the one before; pages are missing"),
            _ if continued != self.open => Some("does not go on where the one before ended; pages are missing"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(self.fatal(format!("the page at byte {start} {problem}")));
        }
        self.expected = Some((serial, sequence.wrapping_add(1)));
        self.ended = last;
        Ok(true)
    }

    /// The end of the stream, which must be that of the file. What is no page is no sound: some
    /// programs leave tags there.
    fn end(&mut self) -> Result<bool> {
        let start = self.input.offset();
        let mut magic = [0; 4];
        self.input.read(&mut magic)?;
        self.input.seek(start)?;
        if &magic == b"OggS" {
            return Err(self.fatal("another stream follows the first (a chained file), and one can be read; `ffmpeg -i INPUT OUTPUT.ogg` joins them"));
        }
        Ok(false)
    }
}
