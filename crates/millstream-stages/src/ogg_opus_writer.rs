//! The sink `ogg-opus-writer`: encoded sound into an Ogg file that holds Opus (RFC 7845).

use std::path::PathBuf;

use millstream_core::{Codec, Cx, Descriptor, EncodedFrame, Error, Format, OPUS, Result, Sink, Timestamp, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ogg::page::Page;
use crate::ogg::{MAX_PACKET, opus};
use crate::output::{self, Output};

/// Samples in a page before it is written: a second, so that no more is lost with us.
const PAGE_SAMPLES: u64 = opus::RATE as u64;
/// How much may be lacking to a gap of a whole frame, in samples: 1 ms, because stamps from a
/// network are not exact.
const TOLERANCE: u64 = 48;

/// Options of `ogg-opus-writer`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The file to write; it may be a pipe, and `-` is standard output. An existing file is replaced. A relative path
    /// starts at the working directory.
    pub path: PathBuf,
}

/// Writes packets of Opus as they are, one page for each second.
///
/// Where packets are missing by their times (an encoder that sends none in silence, or a loss), empty
/// ones are written in their place, which a decoder fills by itself: pages of Ogg Opus count only
/// packets that are there (RFC 7845, section 4.1). The head says two channels and a pre-skip of 312
/// samples, what libopus needs by default. What is dropped on the way here is missing in the file: join
/// it over a link that waits.
#[derive(Debug)]
pub struct OggOpusWriter {
    output: Output,
    page: Page,
    /// Samples in the page.
    in_page: u64,
    begun: Option<Begun>,
}

/// What is known once the first packet has come.
#[derive(Clone, Copy, Debug)]
struct Begun {
    first: Timestamp,
    /// Samples up to the end of the last packet.
    samples: u64,
    /// The first byte of the last packet.
    toc: u8,
}

impl OggOpusWriter {
    /// Opens the file; what it held stays until the first packet comes.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be written.
    pub fn new(options: &Options) -> Result<OggOpusWriter> {
        Ok(OggOpusWriter { output: Output::create(&options.path)?, page: Page::default(), in_page: 0, begun: None })
    }

    /// Writes what stands before the sound, for a first packet captured at `first`.
    fn begin(&mut self, first: Timestamp, toc: u8, cx: &Cx) -> Result<Begun> {
        // Streams in one file need numbers of their own, and somebody may join files: the time in
        // microseconds repeats every 71 minutes.
        self.page.serial = (cx.utc(first).unix_nanos() / 1000) as u32;
        self.page.first = true;
        for packet in [&opus::head()[..], &opus::tags()] {
            assert!(self.page.push(packet), "an empty page takes every packet");
            self.write_page(0)?;
        }
        Ok(Begun { first, samples: 0, toc })
    }

    /// Writes empty packets up to `until` as far as whole frames of the last kind go.
    fn fill(&mut self, begun: &mut Begun, until: u64) -> Result<()> {
        let frame = opus::frame_samples(begun.toc);
        // Mode, bandwidth and channels as before, one frame without content.
        let empty = [begun.toc & !3];
        while begun.samples + u64::from(frame) <= until + TOLERANCE {
            self.push(begun, &empty, frame)?;
        }
        Ok(())
    }

    fn push(&mut self, begun: &mut Begun, packet: &[u8], samples: u32) -> Result<()> {
        // A page is written when the next packet comes: the last one has to say that it is the last.
        if self.in_page + u64::from(samples) > PAGE_SAMPLES {
            self.write_page(begun.samples)?;
        }
        if !self.page.push(packet) {
            self.write_page(begun.samples)?;
            assert!(self.page.push(packet), "an empty page takes every packet");
        }
        self.in_page += u64::from(samples);
        begun.samples += u64::from(samples);
        begun.toc = packet[0];
        Ok(())
    }

    fn write_page(&mut self, granule: u64) -> Result<()> {
        if self.page.lacing.is_empty() {
            return Ok(());
        }
        self.page.granule = granule;
        self.page.write(&mut self.output)?;
        self.page.clear();
        self.page.first = false;
        self.page.sequence = self.page.sequence.wrapping_add(1);
        self.in_page = 0;
        self.output.flush()
    }
}

impl Sink<EncodedFrame> for OggOpusWriter {
    fn consume(&mut self, frame: EncodedFrame, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        frame.require(&OPUS)?;
        let len = frame.data.len();
        let samples = opus::samples(&frame.data).filter(|_| len <= MAX_PACKET);
        let samples = samples.ok_or_else(|| Error::bad_item(format!("{len} bytes that are no packet of Opus")))?;
        let mut begun = match self.begun {
            Some(begun) => begun,
            None => self.begin(frame.time, frame.data[0], cx)?,
        };
        let due = (Timestamp::ZERO + frame.time.since(begun.first)).ticks(opus::RATE);
        self.fill(&mut begun, due)?;
        self.push(&mut begun, &frame.data, samples)?;
        self.begun = Some(begun);
        Ok(())
    }

    fn finish(&mut self, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        if let Some(mut begun) = self.begun {
            // A stream that ends within what a player leaves out would be invalid (section 4.5).
            while begun.samples < opus::PRE_SKIP.into() {
                let end = begun.samples + u64::from(opus::frame_samples(begun.toc));
                self.fill(&mut begun, end)?;
            }
            self.page.last = true;
            self.write_page(begun.samples)?;
        }
        self.output.flush()
    }

    fn takes(&self) -> Option<Codec> {
        Some(OPUS)
    }
}

/// Describes `ogg-opus-writer`.
pub fn descriptor() -> Descriptor {
    Descriptor::sink("ogg-opus-writer", "Writes Opus into an Ogg file", Format::Encoded(OPUS)).knowing(
        |options: &Options| output::known(&options.path),
        |options: Options, joined| {
            let writer = OggOpusWriter::new(&options)?;
            writer.output.announce(joined);
            Ok(Worker::sink(writer))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Input;
    use crate::file::tests::Scratch;
    use crate::ogg::page::Found;

    /// CELT of 20 ms.
    const TOC: u8 = 31 << 3;

    fn frame(time: u64, data: Vec<u8>) -> EncodedFrame {
        EncodedFrame::new(OPUS, Timestamp::from_millis(time), data)
    }

    fn written(frames: Vec<EncodedFrame>) -> (Vec<Page>, Vec<Error>) {
        let file = Scratch::new(b"what was there");
        let mut writer = OggOpusWriter::new(&Options { path: file.0.clone() }).unwrap();
        let mut cx = Cx::at(Timestamp::ZERO);
        let errors = frames.into_iter().filter_map(|frame| writer.consume(frame, &mut cx).err()).collect();
        writer.finish(&mut cx).unwrap();
        let (mut input, mut pages) = (Input::open(&file.0).unwrap(), Vec::new());
        loop {
            let mut page = Page::default();
            if page.read(&mut input).unwrap() == Found::End {
                return (pages, errors);
            }
            pages.push(page);
        }
    }

    #[test]
    fn there_is_a_page_for_each_second_and_the_last_says_so() {
        for count in [1, 50, 51, 120] {
            let frames = (0..count).map(|n| frame(1000 + n * 20, vec![TOC, n as u8])).collect();
            let (pages, errors) = written(frames);
            assert!(errors.is_empty());
            let sound = &pages[2..];
            assert_eq!(sound.len() as u64, count.div_ceil(50));
            assert!(
                (0..).zip(&pages).all(|(n, page)| (page.sequence, page.first, page.serial) == (n, n == 0, 1_000_000))
            );
            assert!(pages.iter().rev().enumerate().all(|(back, page)| page.last == (back == 0)));
            let ends: Vec<_> = (1..=sound.len() as u64).map(|page| (page * 50).min(count) * 960).collect();
            assert_eq!(sound.iter().map(|page| page.granule).collect::<Vec<_>>(), ends);
            assert_eq!((&pages[0].body[..], &pages[1].body[..]), (&opus::head()[..], &opus::tags()[..]));
        }
    }

    #[test]
    fn silence_that_was_not_sent_is_filled_with_empty_packets() {
        let times = [0, 20, 99, 119, 121, 140, 155];
        let (pages, _) = written(times.map(|time| frame(time, vec![TOC | 1, 1, 1])).into());
        // 40 ms each: what comes before the last one has ended is written behind it.
        let lens = [3, 3, 1, 3, 3, 3, 3, 3];
        assert_eq!(pages[2].lacing, lens);
        assert_eq!(pages[2].granule, 7 * 1920 + 960);
        assert_eq!(pages[2].body[6], TOC);
    }

    #[test]
    fn large_packets_get_pages_of_their_own_and_what_is_none_is_refused() {
        let large = |time| frame(time, [vec![TOC], vec![0; 30_000]].concat());
        let (pages, errors) =
            written(vec![large(0), frame(20, vec![]), large(20), large(40), frame(60, vec![TOC; 61_441])]);
        assert_eq!(pages.len(), 4);
        assert_eq!(pages[3].granule, 3 * 960);
        let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["0 bytes that are no packet of Opus", "61441 bytes that are no packet of Opus"]);
        assert_eq!(written(vec![]).0.len(), 0);
        // One packet of 2.5 ms is shorter than the pre-skip.
        let pages = written(vec![frame(0, vec![16 << 3, 7])]).0;
        assert_eq!((pages.len(), &pages[2].lacing[..], pages[2].granule), (3, &[2, 1, 1][..], 360));
    }
}
