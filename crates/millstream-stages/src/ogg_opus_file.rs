//! The source `ogg-opus-file`: encoded sound from an Ogg file that holds Opus.

use millstream_core::error::Kind;
use millstream_core::{
    ByteRing, Codec, Cx, Descriptor, EncodedFrame, Error, Format, Layer, Next, OPUS, Result, Role, Source, Worker,
    samples_to_time,
};

use crate::file::{Input, as_config};
use crate::ogg::opus;
use crate::ogg::packets::{Mark, Packets, TooLong};

pub use crate::file::Options;

/// Bytes in a chunk of the ring that packets are copied into: some seconds at 64 kbit/s.
const CHUNK: usize = 16 * 1024;
/// Chunks in the ring; a packetizer lets go of a packet as soon as it has copied it.
const CHUNKS: usize = 8;

/// Gives the packets of an Ogg file with one stream of Opus in mono or stereo.
///
/// A packet is given at the pipeline's start plus how long all packets before it last, counted in
/// samples at 48 kHz, and is stamped so; where the file starts again the count goes on. None is left
/// out, however late it is.
///
/// The pre-skip is the delay of the encoder that made the file. Stamps say what an encoder took in
/// (that is what they say behind `opus-encoder` too), so it shifts none. Neither the trimmed end of a
/// file nor its output gain is applied: both are for decoders.
#[derive(Debug)]
pub struct OggOpusFile {
    packets: Packets,
    /// Where the sound starts.
    sound: Mark,
    repeat: bool,
    /// Packets since the file started (again).
    given: u64,
    /// Samples at 48 kHz given since the pipeline started.
    samples: u64,
    ring: ByteRing,
}

impl OggOpusFile {
    /// Opens the file and reads up to its first packet of sound.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be opened, or is not what this source reads.
    pub fn new(options: Options) -> Result<OggOpusFile> {
        let mut input = Input::open(&options.path)?;
        let mut magic = [0; 4];
        let read = input.read(&mut magic).map_err(as_config)?;
        if read < magic.len() || &magic != b"OggS" {
            let what = "this is no Ogg file; `ffmpeg -i INPUT -c:a libopus OUTPUT.ogg` makes one";
            return Err(input.error(Kind::Config, what));
        }
        input.seek(0).map_err(as_config)?;
        let mut packets = Packets::new(input);
        let sound = find_sound(&mut packets).map_err(as_config)?;
        let ring = ByteRing::new(CHUNK, CHUNKS);
        Ok(OggOpusFile { packets, sound, repeat: options.r#loop, given: 0, samples: 0, ring })
    }

    /// Reads the next packet; false at the end of a file that is not repeated.
    fn read(&mut self) -> Result<bool> {
        while !self.packets.read(TooLong::Refuse)? {
            if self.given == 0 {
                return Err(self.packets.fatal("there is no sound in it"));
            }
            if !self.repeat {
                return Ok(false);
            }
            self.packets.go_to(self.sound)?;
            self.given = 0;
        }
        self.given += 1;
        Ok(true)
    }
}

/// Reads the two packets before the sound, each of which ends its page (RFC 7845, section 3).
fn find_sound(packets: &mut Packets) -> Result<Mark> {
    if !packets.read(TooLong::Refuse)? {
        return Err(packets.fatal("there is no packet in it"));
    }
    opus::check_head(packets.packet()).map_err(|what| packets.fatal(what))?;
    if packets.mark().is_none() {
        return Err(packets.fatal("the packet `OpusHead` is not alone in its page; the file is damaged"));
    }
    // Tags may hold a picture of megabytes, and nobody here asks for it.
    if !packets.read(TooLong::Cut)? || !packets.packet().starts_with(b"OpusTags") {
        return Err(packets.fatal("the second packet is not `OpusTags`; the file is damaged"));
    }
    packets.mark().ok_or_else(|| packets.fatal("the sound starts in the page of the tags; the file is damaged"))
}

impl Source<EncodedFrame> for OggOpusFile {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        let time = cx.start() + samples_to_time(self.samples, opus::RATE);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        if !self.read()? {
            return Ok(Next::End);
        }
        let packet = self.packets.packet();
        let samples = opus::samples(packet).ok_or_else(|| damaged(&self.packets, self.given))?;
        let data = self.ring.copy(packet);
        self.samples += u64::from(samples);
        let duration = samples_to_time(samples.into(), opus::RATE);
        let (role, layer) = (Role::Start, Layer::default());
        Ok(Next::Item(EncodedFrame { time, duration, codec: OPUS, role, layer, size: None, data }))
    }

    fn gives(&self) -> Option<Codec> {
        Some(OPUS)
    }
}

fn damaged(packets: &Packets, number: u64) -> Error {
    let len = packets.packet().len();
    packets.fatal(format!("packet {number}, of {len} bytes, is no packet of Opus; the file is damaged"))
}

/// Describes `ogg-opus-file`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("ogg-opus-file", "Gives Opus from an Ogg file", Format::Encoded(OPUS))
        .build(|options: Options, _| Ok(Worker::source(OggOpusFile::new(options)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::{Scratch, garbage};
    use crate::ogg::MAX_PACKET;
    use crate::ogg::page::Page;
    use crate::output::Output;
    use crate::pace::tests::{cx, step};
    use millstream_core::Timestamp;
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
                assert_eq!((frame.codec, frame.role), (OPUS, Role::Start));
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
            (beside, "starts another stream beside the first, and one stream can be read"),
            (vec![page(0, &[b"\x01vorbis"])], "there is no Opus in it"),
            (vec![page(1, &[&opus::head()])], "does not start a stream"),
            (vec![page(0, &[&opus::head()])], "the second packet is not `OpusTags`"),
            (same_page, "the sound starts in the page of the tags"),
            (start(), "there is no sound in it"),
            (gap, "pages are missing"),
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

    #[test]
    fn a_changed_byte_is_found_with_its_page() {
        let whole = clip(6);
        let second = whole.len() - (27 + 3 + 9);
        for at in second..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let (frames, end) = play(&changed, false, 99);
            let words = end.unwrap_err().to_string();
            assert!(frames.len() == 3 && words.contains(&format!("byte {second}")), "{at} {words}");
        }
        for len in 0..whole.len() {
            let (frames, end) = play(&whole[..len], false, 99);
            assert!(frames.len() <= 3 && (end.is_err() || len == second), "{len}");
        }
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
            let mut file = clip(9);
            let place = seed as usize * 7 % file.len();
            file.splice(place..(place + 5).min(file.len()), noise[..5].iter().copied());
            let _ = play(&file, true, 20);
        }
    }
}
