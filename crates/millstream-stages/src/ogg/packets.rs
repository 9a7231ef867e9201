//! The packets of a file with one stream, put together from the segments of its pages (RFC 3533, section 5).

use millstream_core::error::Kind;
use millstream_core::{Error, Result};

use super::page::{Found, Look, Page};
use super::{MAX_PACKET, opus};
use crate::file::Input;

/// Reads a file packet by packet. Where pages are missing or damaged, it goes on with the next packet that is whole.
#[derive(Debug)]
pub(crate) struct Packets {
    input: Input,
    page: Page,
    /// Where the page starts.
    start: u64,
    /// The segment of the page that is taken next, and where it starts in the body.
    segment: usize,
    at: usize,
    packet: Vec<u8>,
    /// Whether the last segment left its packet open.
    open: bool,
    /// The stream and what its next page counts, once a page was read.
    expected: Option<(u32, u32)>,
    /// Whether the file starts in the middle of its stream.
    headless: bool,
    /// Whether what is missing before the next page has been told.
    told: bool,
    ended: bool,
}

/// How many pages are taken for missing: beyond, the numbers count something else.
const MAX_MISSING: u32 = 1 << 20;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// A packet.
    Packet,
    /// Something is missing before the next packet; why.
    Lost(String),
    /// The end of the stream.
    End,
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
    /// Reads the first page, which need not be the first of its stream.
    ///
    /// # Errors
    /// If there is none, or it is plainly not of a stream of Opus.
    pub(crate) fn new(input: Input) -> Result<Packets> {
        let mut packets = Packets {
            input,
            page: Page::default(),
            start: 0,
            segment: 0,
            at: 0,
            packet: Vec::new(),
            open: false,
            expected: None,
            headless: false,
            told: false,
            ended: false,
        };
        let found = match packets.page.read(&mut packets.input)? {
            // A capture that starts in the middle of a page.
            Found::Lost(_) => packets.page.read(&mut packets.input)?,
            found => found,
        };
        if found == Found::CutOff {
            return Err(packets.fatal("the first page is cut off; the file is incomplete"));
        }
        if found != Found::Page {
            return Err(packets.fatal("this is no Ogg file; `ffmpeg -i INPUT -c:a libopus OUTPUT.ogg` makes one"));
        }
        packets.headless = !packets.page.first;
        if packets.headless {
            let following = packets.following()?;
            if !opus::is_plausible(&packets.page, following.as_ref()) {
                return Err(packets.fatal("it starts in the middle of a stream that is not Opus"));
            }
        }
        packets.take_page(packets.page.continued);
        Ok(packets)
    }

    /// Whether the file starts in the middle of its stream.
    pub(crate) fn is_headless(&self) -> bool {
        self.headless
    }

    /// Reads the next packet.
    pub(crate) fn read(&mut self, too_long: TooLong) -> Result<Got> {
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
                    return Ok(Got::Packet);
                }
            }
            match self.next_page()? {
                Got::Packet if self.open => {}
                Got::Packet => self.packet.clear(),
                other => return Ok(other),
            }
        }
    }

    /// The packet that was read.
    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// How many samples of the stream came before the first packet that starts in this page, by what the page
    /// says; `None` if it does not say.
    pub(crate) fn position(&self) -> Option<u64> {
        let (mut whole, _) = self.page.whole_packets();
        let samples = whole.try_fold(0, |sum, packet| Some(sum + u64::from(opus::samples(packet)?)))?;
        self.page.granule.checked_sub(samples).filter(|_| self.page.granule != u64::MAX)
    }

    /// Where the next page starts; `None` if there are more packets in this one.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let whole = self.segment == self.page.lacing.len();
        whole.then_some(Mark { offset: self.input.offset(), expected: self.expected })
    }

    /// Where this page starts.
    pub(crate) fn mark_page(&self) -> Mark {
        Mark { offset: self.start, expected: self.expected.map(|(serial, next)| (serial, next.wrapping_sub(1))) }
    }

    /// Goes back to `mark`.
    pub(crate) fn go_to(&mut self, mark: Mark) -> Result<()> {
        self.page.clear();
        (self.segment, self.at, self.open, self.ended) = (0, 0, false, false);
        (self.expected, self.told) = (mark.expected, self.headless);
        self.input.seek(mark.offset)
    }

    /// An error about the file, at the byte that is read next.
    pub(crate) fn fatal(&self, what: impl std::fmt::Display) -> Error {
        self.input.error(Kind::Fatal, what)
    }

    /// An error about what is lost, at the byte that is read next.
    pub(crate) fn lost(&self, what: impl std::fmt::Display) -> Error {
        self.input.error(Kind::BadItem, what)
    }

    /// The page behind this one, if it stands there and is good.
    fn following(&mut self) -> Result<Option<Page>> {
        let mut page = Page::default();
        Ok(matches!(page.look(&mut self.input)?, Look::Page(_)).then_some(page))
    }

    /// Reads the next page: [`Got::Packet`] if it goes on where this one ends.
    fn next_page(&mut self) -> Result<Got> {
        let before = self.input.offset();
        let found = if self.ended { Found::End } else { self.page.read(&mut self.input)? };
        if found != Found::Page {
            self.page.clear();
            (self.segment, self.at) = (0, 0);
        }
        let open = std::mem::take(&mut self.open);
        match found {
            Found::End if open => Err(self.fatal("the last packet is cut off; the file is incomplete")),
            Found::End => self.end(),
            Found::CutOff => Err(self.fatal(format!("the page at byte {before} is cut off; the file is incomplete"))),
            Found::Lost(bytes) => {
                self.told = true;
                Ok(Got::Lost(format!("{bytes} bytes from byte {before} on are no good page")))
            }
            Found::Page => self.follow(before, open),
        }
    }

    /// Has a look at how a page that was read at `start` follows the one before, which left a packet `open`.
    fn follow(&mut self, start: u64, open: bool) -> Result<Got> {
        let Page { serial, sequence, first, continued, .. } = self.page;
        let expected = self.expected.unwrap_or((serial, sequence));
        let other = "belongs to another stream, and one stream can be read; `ffmpeg -i INPUT -map 0:a:0 -c copy OUTPUT.ogg` picks one";
        if first || expected.0 != serial {
            return Err(self.fatal(format!("the page at byte {start} {other}")));
        }
        self.start = start;
        let missing = sequence.wrapping_sub(expected.1);
        let follows = missing == 0 && continued == open;
        let told = std::mem::take(&mut self.told);
        // What starts before this page cannot be put together where something is missing.
        self.take_page(continued && !follows);
        self.open = open && follows;
        if follows || told {
            return Ok(Got::Packet);
        }
        Ok(Got::Lost(match missing {
            0 => format!("the page at byte {start} does not go on where the one before ended"),
            1..=MAX_MISSING => format!("{missing} pages are missing before byte {start}"),
            _ => format!("the page at byte {start} does not follow the one before"),
        }))
    }

    /// Starts to take packets of the page, but for the end of one that started before it where that is `orphaned`.
    fn take_page(&mut self, orphaned: bool) {
        (self.segment, self.at) = (0, 0);
        self.expected = Some((self.page.serial, self.page.sequence.wrapping_add(1)));
        self.ended = self.page.last;
        if !orphaned {
            return;
        }
        for len in &self.page.lacing {
            self.segment += 1;
            self.at += usize::from(*len);
            if *len < 255 {
                return;
            }
        }
        // All of it is the middle of that packet.
        self.told = true;
    }

    /// The end of the stream, which must be that of the file. What is no page is no sound: some
    /// programs leave tags there.
    fn end(&mut self) -> Result<Got> {
        if self.input.peek(4)? == b"OggS" {
            return Err(self.fatal("another stream follows the first (a chained file), and one can be read; `ffmpeg -i INPUT OUTPUT.ogg` joins them"));
        }
        Ok(Got::End)
    }
}
