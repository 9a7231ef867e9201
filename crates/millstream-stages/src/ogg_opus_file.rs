//! The source `ogg-opus-file`: encoded sound from an Ogg file that holds Opus.

use millstream_core::{
    ByteRing, Codec, Cx, Descriptor, EncodedFrame, Format, Next, OPUS, Result, Source, Timestamp, Worker,
    samples_to_time,
};

use crate::file::Input;
use crate::from_file::{Content, FromFile};
use crate::ogg::opus;
use crate::ogg::packets::{Got, Mark, Packets, TooLong};

pub use crate::file::Options;

/// Bytes in a chunk of the ring that packets are copied into: some seconds at 64 kbit/s.
const CHUNK: usize = 16 * 1024;
/// Chunks in the ring; a packetizer lets go of a packet as soon as it has copied it.
const CHUNKS: usize = 8;

/// The longest gap that is kept where pages are missing, in samples: a minute. What counts more is not believed, and
/// the sound goes on at once.
const MAX_GAP: u64 = 60 * opus::RATE as u64;

/// Gives the packets of an Ogg file with one stream of Opus in mono or stereo.
///
/// A packet is given at the pipeline's start plus how long all packets before it last, counted in
/// samples at 48 kHz, and is stamped so; where the file starts again the count goes on. None is left
/// out, however late it is. What comes out of a pipe later than a second after the start counts from
/// when it came.
///
/// A file that starts in the middle of its stream, as a capture does, is read from its first whole packet
/// on. Where pages are missing or damaged it goes on with the next whole packet, at its time by what the
/// pages count; each such place is counted as a bad item.
///
/// The pre-skip is the delay of the encoder that made the file. Stamps say what an encoder took in
/// (that is what they say behind `opus-encoder` too), so it shifts none. Neither the trimmed end of a
/// file nor its output gain is applied: both are for decoders.
#[derive(Debug)]
pub struct OggOpusFile(FromFile<Sound>);

/// The sound of a file, and how far it was read.
#[derive(Debug)]
struct Sound {
    packets: Packets,
    /// Where the sound starts.
    start: Mark,
    repeat: bool,
    /// What is missing at the start, until it was told.
    lost: Option<String>,
    /// Whether a packet was read and is given next.
    pending: bool,
    /// Packets since the file started (again).
    given: u64,
    /// Samples at 48 kHz given since the pipeline started.
    samples: u64,
    /// Samples before the next packet, by what the file counts, and whether something is missing before it.
    position: Option<u64>,
    astray: bool,
    ring: ByteRing,
}

impl OggOpusFile {
    /// Opens the file and, unless it is a pipe, reads up to its first packet of sound.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be opened, or is not what this source reads.
    pub fn new(options: Options) -> Result<OggOpusFile> {
        FromFile::open(options).map(OggOpusFile)
    }
}

impl Source<EncodedFrame> for OggOpusFile {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        self.0.next(cx)
    }

    fn gives(&self) -> Option<Codec> {
        Some(OPUS)
    }
}

impl Content for Sound {
    type Item = EncodedFrame;

    fn begin(input: Input, options: &Options) -> Result<Sound> {
        let mut packets = Packets::new(input)?;
        let (start, lost) = find_sound(&mut packets)?;
        let ring = ByteRing::new(CHUNK, CHUNKS);
        let repeat = options.r#loop;
        Ok(Sound {
            packets,
            start,
            repeat,
            lost,
            pending: false,
            given: 0,
            samples: 0,
            position: None,
            astray: false,
            ring,
        })
    }

    fn next(&mut self, start: Timestamp, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        let time = start + samples_to_time(self.samples, opus::RATE);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        if let Some(lost) = self.lost.take() {
            return Err(self.packets.lost(lost));
        }
        if !self.pending {
            if !self.read()? {
                return Ok(Next::End);
            }
            self.pending = true;
            if self.pass_gap() > 0 {
                return self.next(start, cx);
            }
        }
        self.pending = false;
        let packet = self.packets.packet();
        let Some(samples) = opus::samples(packet) else {
            let (number, len) = (self.given + 1, packet.len());
            self.astray = true;
            return Err(self.packets.lost(format!("packet {number}, of {len} bytes, is no packet of Opus")));
        };
        let data = self.ring.copy(packet);
        self.given += 1;
        self.samples += u64::from(samples);
        self.position = self.position.and_then(|position| position.checked_add(samples.into()));
        let duration = samples_to_time(samples.into(), opus::RATE);
        Ok(Next::Item(EncodedFrame::new(OPUS, time, data).with_duration(duration)))
    }
}

impl Sound {
    /// Reads the next packet; false at the end of a file that is not repeated.
    fn read(&mut self) -> Result<bool> {
        loop {
            match self.packets.read(TooLong::Refuse)? {
                Got::Packet => return Ok(true),
                Got::Lost(what) => {
                    self.astray = true;
                    return Err(self.packets.lost(what));
                }
                Got::End if self.given == 0 => return Err(self.packets.fatal("there is no sound in it")),
                Got::End if !self.repeat => return Ok(false),
                Got::End => {
                    self.packets.go_to(self.start)?;
                    (self.given, self.position, self.astray) = (0, None, false);
                }
            }
        }
    }

    /// Counts what is missing before the packet that was just read as passed; how many samples.
    fn pass_gap(&mut self) -> u64 {
        if self.position.is_some() && !std::mem::take(&mut self.astray) {
            return 0;
        }
        let here = self.packets.position();
        let gap = self.position.zip(here).map_or(0, |(before, here)| here.saturating_sub(before));
        let gap = if gap > MAX_GAP { 0 } else { gap };
        (self.position, self.samples) = (here.or(self.position), self.samples + gap);
        gap
    }
}

/// Reads the two packets before the sound, each of which ends its page (RFC 7845, section 3), as far as they are
/// there: where the sound starts, and what is missing before it.
fn find_sound(packets: &mut Packets) -> Result<(Mark, Option<String>)> {
    if packets.is_headless() {
        return Ok((packets.mark_page(), Some("it starts in the middle of its stream".to_owned())));
    }
    if packets.read(TooLong::Refuse)? != Got::Packet {
        return Err(packets.fatal("there is no packet in it"));
    }
    opus::check_head(packets.packet()).map_err(|what| packets.fatal(what))?;
    if packets.mark().is_none() {
        return Err(packets.fatal("the packet `OpusHead` is not alone in its page; the file is damaged"));
    }
    // Tags may hold a picture of megabytes, and nobody here asks for it.
    match packets.read(TooLong::Cut)? {
        Got::Lost(what) => return Ok((packets.mark_page(), Some(what))),
        Got::Packet if packets.packet().starts_with(b"OpusTags") => {}
        _ => return Err(packets.fatal("the second packet is not `OpusTags`; the file is damaged")),
    }
    let start = packets.mark();
    let start = start.ok_or_else(|| packets.fatal("the sound starts in the page of the tags; the file is damaged"))?;
    Ok((start, None))
}

/// Describes `ogg-opus-file`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("ogg-opus-file", "Reads Opus from an Ogg file", Format::Encoded(OPUS)).knowing(
        Options::known,
        |options: Options, joined| {
            let source = OggOpusFile::new(options)?;
            source.0.announce(joined);
            Ok(Worker::source(source))
        },
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::file::tests::{Scratch, garbage};
    use crate::ogg::MAX_PACKET;
    use crate::ogg::page::Page;
    use crate::output::Output;
    use crate::pace::tests::{cx, step};
    use millstream_core::Role;
    use millstream_core::Timestamp;
    use millstream_core::error::Kind;
    use std::time::Duration;

    /// Pages by lacing and body: lacing says where packets end.
    fn pages(pages: &[Page]) -> Vec<u8> {
        let file = Scratch::new(b"");
        let mut output = Output::create(&file.0).unwrap();
        for page in pages {
            page.write(&mut output).unwrap();
        }
        output.flush().unwrap();
        std::fs::read(&file.0).unwrap()
    }

    fn page(sequence: u32, packets: &[&[u8]]) -> Page {
        let mut page = Page { serial: 9, sequence, first: sequence == 0, ..Page::default() };
        assert!(packets.iter().all(|packet| page.push(packet)));
        page
    }

    fn start() -> Vec<Page> {
        vec![page(0, &[&opus::head()]), page(1, &[&opus::tags()])]
    }

    /// CELT of 20 ms, 10 ms and 5 ms by turns, each packet ending in its number.
    fn packet(number: u8) -> [u8; 3] {
        [[31, 30, 29][usize::from(number % 3)] << 3, 0, number]
    }

    /// A file of four packets.
    pub(crate) fn example() -> Vec<u8> {
        clip(4)
    }

    /// `count` packets, three in a page.
    fn clip(count: u8) -> Vec<u8> {
        let mut all = start();
        for first in (0..count).step_by(3) {
            let packets: Vec<_> = (first..count.min(first + 3)).map(packet).collect();
            let packets: Vec<_> = packets.iter().map(|packet| &packet[..]).collect();
            all.push(page(all.len() as u32, &packets));
        }
        all.last_mut().unwrap().last = true;
        pages(&all)
    }

    /// Up to `limit` packets and how they ended.
    fn play(bytes: &[u8], repeat: bool, limit: usize) -> (Vec<EncodedFrame>, Result<()>) {
        let file = Scratch::new(bytes);
        let (mut cx, hand) = cx(Timestamp::from_millis(40), Duration::ZERO);
        let mut frames = Vec::new();
        let mut source = match OggOpusFile::new(Options { path: file.0.clone(), r#loop: repeat }) {
            Ok(source) => source,
            Err(error) => return (frames, Err(error)),
        };
        while frames.len() < limit {
            match step(&mut source, &mut cx, &hand) {
                Ok(Some(frame)) => frames.push(frame),
                end => return (frames, end.map(drop)),
            }
        }
        (frames, Ok(()))
    }

    #[test]
    fn every_packet_is_given_at_its_time_and_a_loop_goes_on() {
        for (repeat, count) in [(false, 9), (true, 100)] {
            let (frames, end) = play(&clip(9), repeat, 100);
            end.unwrap();
            assert_eq!(frames.len(), count);
            let mut time = Timestamp::from_millis(40);
            for (number, frame) in (0u8..).zip(&frames) {
                assert_eq!((&frame.data[..], frame.time), (&packet(number % 9)[..], time));
                assert_eq!(frame.duration, Duration::from_millis([20, 10, 5][usize::from(number % 3)]));
                assert_eq!((&frame.codec, frame.role), (&OPUS, Role::Start));
                time += frame.duration;
            }
        }
    }

    #[test]
    fn a_packet_may_go_over_pages_up_to_the_limit() {
        let long = |len: usize| {
            let bytes: Vec<u8> = (0..len).map(|at| if at == 0 { 31 << 3 } else { at as u8 }).collect();
            let mut all = start();
            for chunk in bytes.chunks(255 * 100) {
                let mut next = Page { serial: 9, sequence: all.len() as u32, ..Page::default() };
                next.continued = all.len() > 2;
                next.body.extend_from_slice(chunk);
                next.lacing = chunk.chunks(255).map(|segment| segment.len() as u8).collect();
                all.push(next);
            }
            (pages(&all), bytes)
        };
        let (file, bytes) = long(MAX_PACKET - 1);
        let (frames, end) = play(&file, false, 9);
        end.unwrap();
        assert_eq!((frames.len(), &frames[0].data[..]), (1, &bytes[..]));
        let error = play(&long(MAX_PACKET + 200).0, false, 9).1.unwrap_err().to_string();
        assert!(error.contains("a packet has more than 61440 bytes"), "{error}");
    }

    #[test]
    fn tags_of_any_length_are_passed_over() {
        let mut all = vec![page(0, &[&opus::head()])];
        for sequence in 1..6 {
            let mut tags = Page { serial: 9, sequence, continued: sequence > 1, ..Page::default() };
            tags.lacing = vec![255; 255];
            tags.body = vec![b'x'; 255 * 255];
            if sequence == 1 {
                tags.body[..8].copy_from_slice(b"OpusTags");
            }
            all.push(tags);
        }
        let mut end = page(6, &[&[1; 7]]);
        end.continued = true;
        all.extend([end, page(7, &[&packet(0)])]);
        let (frames, end) = play(&pages(&all), true, 5);
        end.unwrap();
        assert_eq!(frames[4].data[..], packet(0));
    }

    #[test]
    fn other_streams_are_refused_in_words() {
        let whole = clip(6);
        let chained = play(&[&whole[..], &whole].concat(), false, 99);
        assert_eq!(chained.0.len(), 6);
        assert!(chained.1.unwrap_err().to_string().contains("another stream follows the first (a chained file)"));
        let tagged = play(&[&whole[..], b"TAG of another kind"].concat(), false, 99);
        assert!(tagged.0.len() == 6 && tagged.1.is_ok());
        let mut beside = start();
        beside.insert(1, Page { serial: 10, ..page(0, &[b"\x01vorbis"]) });
        let mut gap = start();
        gap.push(page(3, &[&packet(0)]));
        let mut torn = start();
        torn.push(Page { continued: true, ..page(2, &[&packet(0)]) });
        let mut open = start();
        open.push(Page { serial: 9, sequence: 2, lacing: vec![255], body: vec![8; 255], ..Page::default() });
        let same_page = vec![page(0, &[&opus::head()]), page(1, &[&opus::tags(), &packet(0)])];
        for (all, words) in [
            (beside, "belongs to another stream, and one stream can be read"),
            (vec![page(0, &[b"\x01vorbis"])], "there is no Opus in it"),
            (vec![page(1, &[&opus::head()])], "it starts in the middle of a stream that is not Opus"),
            (vec![page(0, &[&opus::head()])], "the second packet is not `OpusTags`"),
            (same_page, "the sound starts in the page of the tags"),
            (start(), "there is no sound in it"),
            (gap, "1 pages are missing before byte"),
            (torn, "does not go on where the one before ended"),
            (open, "the last packet is cut off"),
            (start().into_iter().chain([page(2, &[&[]])]).collect(), "packet 1, of 0 bytes, is no packet of Opus"),
        ] {
            let error = play(&pages(&all), true, 9).1.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = play(b"RIFF", false, 1).1.unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("this is no Ogg file"), "{error}");
    }

    /// What a page of three packets lasts, in samples.
    const PAGE: u64 = 1680;

    /// `count` pages of three packets, which count what they hold from `start` on.
    fn counted(count: u8, start: u64) -> Vec<Vec<u8>> {
        let sound = (0..count).map(|number| {
            let packets = [0, 1, 2].map(|n| packet(3 * number + n));
            let packets = packets.each_ref().map(|packet| &packet[..]);
            let granule = start + (u64::from(number) + 1) * PAGE;
            Page { granule, last: number + 1 == count, ..page(u32::from(number) + 2, &packets) }
        });
        start_pages().chain(sound).map(|page| pages(&[page])).collect()
    }

    fn start_pages() -> impl Iterator<Item = Page> {
        start().into_iter()
    }

    /// The number and the time in milliseconds of each packet, counted from the start, and how many bad items there were.
    fn play_on(bytes: &[u8]) -> (Vec<(u8, u64)>, Vec<String>) {
        let file = Scratch::new(bytes);
        let (mut cx, hand) = cx(Timestamp::from_millis(40), Duration::ZERO);
        let mut source = OggOpusFile::new(Options { path: file.0.clone(), r#loop: false }).unwrap();
        let (mut given, mut bad) = (Vec::new(), Vec::new());
        loop {
            match step(&mut source, &mut cx, &hand) {
                Ok(Some(frame)) => {
                    assert!(frame.time <= cx.now(), "given before its time");
                    given.push((frame.data[2], (frame.time.as_nanos() / 1_000_000) - 40));
                }
                Ok(None) => return (given, bad),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::BadItem, "{error}");
                    bad.push(error.to_string());
                }
            }
        }
    }

    /// The packets of the pages `numbers`, and when each is due by what the pages count.
    fn due(numbers: impl IntoIterator<Item = u8>) -> Vec<(u8, u64)> {
        let packets = |page: u8| [(0, 0), (1, 20), (2, 30)].map(|(n, at)| (3 * page + n, 35 * u64::from(page) + at));
        numbers.into_iter().flat_map(packets).collect()
    }

    #[test]
    fn where_pages_are_missing_it_plays_on_in_time_and_says_so_once() {
        let all = counted(6, 312);
        for missing in [2..3, 3..4, 3..6, 6..7] {
            let kept: Vec<_> = all.iter().enumerate().filter(|(at, _)| !missing.contains(at)).collect();
            let bytes: Vec<u8> = kept.iter().flat_map(|(_, page)| (*page).clone()).collect();
            let (given, bad) = play_on(&bytes);
            let pages = kept.iter().skip(2).map(|(at, _)| *at as u8 - 2);
            // Where the first page of sound is missing, nothing says how long it was.
            let first = if missing.start == 2 { 35 } else { 0 };
            let expected: Vec<_> = due(pages).into_iter().map(|(number, time)| (number, time - first)).collect();
            assert_eq!(given, expected, "{missing:?}");
            assert_eq!(bad.len(), 1, "{bad:?}");
            assert!(bad[0].contains(&format!("{} pages are missing before byte", missing.len())), "{bad:?}");
        }
        // The page of the tags.
        let bytes: Vec<u8> = [&all[..1], &all[2..]].concat().concat();
        assert_eq!((play_on(&bytes).0, play_on(&bytes).1.len()), (due(0..6), 1));
    }

    #[test]
    fn a_changed_byte_costs_its_page_and_no_more() {
        let all = counted(4, 0);
        let place = all[..3].concat().len();
        for at in 0..all[3].len() {
            let mut bytes = all.concat();
            bytes[place + at] ^= 0x11;
            let (given, bad) = play_on(&bytes);
            assert_eq!((given, bad.len()), (due([0, 2, 3]), 1), "{at} {bad:?}");
            assert!(bad[0].contains(&format!("bytes from byte {place} on are no good page")), "{bad:?}");
        }
    }

    #[test]
    fn a_capture_that_starts_anywhere_plays_from_the_next_page_on() {
        let all = counted(4, 1_000_000);
        let ends: Vec<usize> = all
            .iter()
            .scan(0, |sum, page| {
                Some({
                    *sum += page.len();
                    *sum
                })
            })
            .collect();
        let bytes = all.concat();
        // In the middle of the tags, and in each page of sound but the last.
        for cut in ends[0] + 1..ends[4] {
            let first = ends.iter().position(|end| cut <= *end).unwrap() + 1 - 2;
            let expected: Vec<_> =
                due(first as u8..4).into_iter().map(|(n, time)| (n, time - 35 * first as u64)).collect();
            let (given, bad) = play_on(&bytes[cut..]);
            assert_eq!((given, bad.len()), (expected, 1), "{cut} {bad:?}");
            assert!(bad[0].contains("it starts in the middle of its stream"), "{bad:?}");
        }
        // A loop starts there again.
        let (frames, end) = play(&bytes[ends[2]..], true, 1);
        assert!(frames.is_empty() && end.unwrap_err().kind() == Kind::BadItem);
    }

    #[test]
    fn a_packet_that_started_on_a_missing_page_is_left_out() {
        let mut all = start();
        let mut first = Page { granule: 960, ..page(2, &[&[31 << 3, 0, 0]]) };
        first.lacing.push(255);
        first.body.extend_from_slice(&[31 << 3; 255]);
        let mut second = Page { serial: 9, sequence: 3, continued: true, granule: u64::MAX, ..Page::default() };
        second.lacing = vec![255];
        second.body = vec![1; 255];
        let mut third = Page { serial: 9, sequence: 4, continued: true, granule: 3 * 960, ..Page::default() };
        third.lacing = vec![1, 3];
        third.body = vec![9, 31 << 3, 0, 7];
        third.last = true;
        all.extend([first, third]);
        let (given, bad) = play_on(&pages(&all));
        assert_eq!((given, bad.len()), (vec![(0, 0), (7, 40)], 1), "{bad:?}");
        all.insert(3, second);
        let (given, bad) = play_on(&pages(&all));
        assert_eq!((given, bad.len()), (vec![(0, 0), (31 << 3, 20), (7, 40)], 0), "{bad:?}");
    }

    #[test]
    fn streams_that_start_in_the_middle_and_are_not_opus_are_refused() {
        let vorbis = |sequence, granule| Page { granule, ..page(sequence, &[&[0x54, 7, 7], &[0x22, 8, 8]]) };
        let words = play(&pages(&[vorbis(7, 10_000), vorbis(8, 11_024)]), false, 9).1.unwrap_err().to_string();
        assert!(words.contains("it starts in the middle of a stream that is not Opus"), "{words}");
    }

    #[test]
    fn a_count_that_leaps_by_an_hour_is_not_believed() {
        let mut all = counted(3, 0);
        let mut far = Page { granule: u64::MAX - 9, ..page(9, &[&packet(0)]) };
        far.last = true;
        all.truncate(4);
        all.push(pages(&[far]));
        let (given, bad) = play_on(&all.concat());
        assert_eq!((given.last(), bad.len()), (Some(&(0, 70)), 1));
    }

    #[test]
    fn garbage_never_panics_or_hangs() {
        for seed in 0..300 {
            let noise = garbage(seed, 3000);
            assert!(play(&noise, true, 20).1.is_err());
            // Behind the checksum of a page that says what it likes.
            let mut wild = page(2, &[&noise[..usize::from(noise[0])], &noise[..usize::from(noise[1])]]);
            wild.continued = noise[2] & 1 == 1;
            wild.granule = u64::from(noise[3]) << 56;
            let _ = play(&pages(&start().into_iter().chain([wild]).collect::<Vec<_>>()), true, 20);
            // Several that count to the largest number, and one that counts past it.
            let near = (0..4).map(|number: u8| {
                let sound = [0, 1, 2].map(|n| packet(3 * number + n));
                let granule = u64::MAX - u64::from(noise[usize::from(4 + number)]) * 20;
                Page { granule, ..page(2 + u32::from(number), &sound.each_ref().map(|packet| &packet[..])) }
            });
            let bytes = pages(&start().into_iter().chain(near).collect::<Vec<_>>());
            assert_eq!(play(&bytes, true, 20).0.len(), 20);
            let mut file = clip(9);
            let place = seed as usize * 7 % file.len();
            file.splice(place..(place + 5).min(file.len()), noise[..5].iter().copied());
            let _ = play(&file, true, 20);
        }
    }
}
