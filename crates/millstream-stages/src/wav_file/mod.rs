//! The source `wav-file`: raw sound from a RIFF WAVE file, at the file's sample rate.

mod header;
mod sample;

use millstream_core::error::Kind;
use millstream_core::known::{Known, SoundGiven, is_standard_input};
use millstream_core::{
    AudioFrame, Cx, Descriptor, Error, Format, Next, Pool, Result, Source, Timestamp, Worker, samples_to_time,
};

use crate::POOLED_ITEMS;
use crate::file::Input;
use crate::from_file::{Content, FromFile};
use header::Header;

pub use crate::file::Options;

/// Gives the sound of a WAVE file in blocks of 10 ms: PCM of 16, 24 or 32 bits or 32-bit float, 1
/// to 8 channels, at any rate; RF64 and BW64 too.
///
/// Sample n is stamped with the pipeline's start plus n divided by the rate, and a block is given at
/// the time of its first sample; where the file starts again the count goes on. Nothing is left
/// out, however late it is. The last block may be shorter. What comes out of a pipe later than a second
/// after the start counts from when it came.
#[derive(Debug)]
pub struct WavFile(FromFile<Blocks>);

/// The sound of a file, and how far it was read.
#[derive(Debug)]
struct Blocks {
    input: Input,
    header: Header,
    repeat: bool,
    /// Samples per channel given since the pipeline started.
    count: u64,
    /// The bytes of the block in the making.
    bytes: Vec<u8>,
    pool: Pool<f32>,
}

impl WavFile {
    /// Opens the file and, unless it is a pipe, reads up to its first sample.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be opened, is not a WAVE file, or holds what we cannot read.
    pub fn new(options: Options) -> Result<WavFile> {
        FromFile::open(options).map(WavFile)
    }
}

impl Source<AudioFrame> for WavFile {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        self.0.next(cx)
    }
}

impl Content for Blocks {
    type Item = AudioFrame;

    fn begin(mut input: Input, options: &Options) -> Result<Blocks> {
        let header = header::parse(&mut input)?;
        // Rates that no hundredth of a second divides get blocks that are a little shorter.
        let block = (header.rate / 100).max(1) as usize * header.frame_bytes();
        let (bytes, pool) = (vec![0; block], Pool::new(POOLED_ITEMS));
        Ok(Blocks { input, header, repeat: options.r#loop, count: 0, bytes, pool })
    }

    fn next(&mut self, start: Timestamp, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        let Header { encoding, rate, channels, .. } = self.header;
        let time = start + samples_to_time(self.count, rate);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        let filled = self.read_block()?;
        if filled == 0 {
            return if self.count == 0 { Err(self.fatal("there is no sound in it".to_owned())) } else { Ok(Next::End) };
        }
        let bytes = &self.bytes[..filled];
        let samples = self.pool.fill(filled / encoding.bytes(), |out| encoding.decode(bytes, out));
        let frame = AudioFrame::new(rate, channels, time, samples);
        self.count += frame.len() as u64;
        Ok(Next::Item(frame))
    }
}

impl Blocks {
    /// Reads up to a block of whole samples; how many bytes.
    fn read_block(&mut self) -> Result<usize> {
        let mut filled = 0;
        while filled < self.bytes.len() {
            let left = self.left_in_data();
            let wanted =
                left.map_or(usize::MAX, |left| left.try_into().unwrap_or(usize::MAX)).min(self.bytes.len() - filled);
            let read = self.input.read(&mut self.bytes[filled..filled + wanted])?;
            filled += read;
            if read < wanted {
                // The file has ended; a part of a sample is of no use.
                filled -= filled % self.header.frame_bytes();
                if let Some(whole) = self.header.len {
                    // What came before is given first, and the next call gets here again.
                    return if filled > 0 { Ok(filled) } else { Err(self.cut_off(whole)) };
                }
            }
            if read < wanted || left.is_some_and(|left| read as u64 == left) {
                if !self.repeat || self.is_empty() {
                    break;
                }
                self.input.seek(self.header.start)?;
            }
        }
        Ok(filled)
    }

    /// Bytes of samples that are still to come, where the header says how many there are.
    fn left_in_data(&self) -> Option<u64> {
        self.header.len.map(|len| self.header.start.saturating_add(len).saturating_sub(self.input.offset()))
    }

    /// Whether the file, read to its end, holds not even one sample.
    fn is_empty(&self) -> bool {
        self.input.offset() - self.header.start < self.header.frame_bytes() as u64
    }

    fn cut_off(&self, whole: u64) -> Error {
        let read = self.input.offset() - self.header.start;
        self.fatal(format!("the sound is cut off after {read} of {whole} bytes; the file is incomplete"))
    }

    fn fatal(&self, what: String) -> Error {
        self.input.error(Kind::Fatal, what)
    }
}

/// Describes `wav-file`.
pub fn descriptor() -> Descriptor {
    Descriptor::source("wav-file", "Reads raw sound from a WAVE file", Format::Audio).knowing(
        known,
        |options: Options, joined| {
            let source = WavFile::new(options)?;
            source.0.announce(joined);
            Ok(Worker::source(source))
        },
    )
}

/// Which sound it gives: what the header says, if there is a file whose header can be read at once.
fn known(options: &Options) -> Known {
    let known = options.known();
    // Of standard input, what was read once is gone, also where it is a file.
    let is_file =
        !is_standard_input(&options.path) && std::fs::metadata(&options.path).is_ok_and(|metadata| metadata.is_file());
    let header = || header::parse(&mut Input::open(&options.path).ok()?).ok();
    match is_file.then(header).flatten() {
        Some(Header { rate, channels, .. }) => known.gives(SoundGiven::always(rate, channels)),
        None => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::{Scratch, garbage};
    use crate::pace::tests::{cx, step};
    use millstream_core::Timestamp;
    use std::time::Duration;

    /// A `fmt ` chunk, one to be skipped, and `data` that claims to be `len` bytes.
    fn wav(tag: u16, bits: u16, rate: u32, channels: u16, len: u32, data: &[u8]) -> Vec<u8> {
        let block = channels * (bits / 8);
        let mut format = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
        format.extend_from_slice(&rate.to_le_bytes());
        format.extend_from_slice(&(rate.saturating_mul(u32::from(block))).to_le_bytes());
        format.extend([block.to_le_bytes(), bits.to_le_bytes()].concat());
        if tag == 0xFFFE {
            format.extend_from_slice(&[22, 0, bits as u8, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0]);
            format.extend_from_slice(&[0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
        }
        let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        file.extend_from_slice(&(format.len() as u32).to_le_bytes());
        file.extend(format);
        file.extend_from_slice(b"LIST\x03\0\0\0abc\0data");
        file.extend_from_slice(&len.to_le_bytes());
        file.extend_from_slice(data);
        file
    }

    /// A mono file of `samples` samples of 16 bits, each its own number.
    fn counting(samples: u16, rate: u32) -> Vec<u8> {
        let data: Vec<u8> = (0..samples).flat_map(u16::to_le_bytes).collect();
        wav(1, 16, rate, 1, data.len() as u32, &data)
    }

    fn open(file: &Scratch, repeat: bool) -> Result<WavFile> {
        WavFile::new(Options { path: file.0.clone(), r#loop: repeat })
    }

    /// All blocks and how they ended.
    fn play(bytes: &[u8]) -> (Vec<AudioFrame>, Result<()>) {
        let file = Scratch::new(bytes);
        let (mut cx, hand) = cx(Timestamp::from_millis(20), Duration::ZERO);
        let mut source = match open(&file, false) {
            Ok(source) => source,
            Err(error) => return (Vec::new(), Err(error)),
        };
        let mut blocks = Vec::new();
        loop {
            match step(&mut source, &mut cx, &hand) {
                Ok(Some(block)) => blocks.push(block),
                end => return (blocks, end.map(drop)),
            }
        }
    }

    fn numbers(blocks: &[AudioFrame]) -> Vec<u16> {
        blocks.iter().flat_map(|block| block.samples.iter()).map(|sample| (sample * 32_768.0) as i16 as u16).collect()
    }

    #[test]
    fn every_sample_is_given_once_at_its_time_at_any_rate() {
        for rate in [100, 8000, 11_025, 22_050, 44_100, 48_000, 96_000] {
            let (blocks, end) = play(&counting(30_000, rate));
            end.unwrap();
            let mut count = 0;
            for block in &blocks {
                assert_eq!(block.time, Timestamp::from_millis(20) + samples_to_time(count, rate));
                assert_eq!((block.rate, block.channels, block.discontinuity), (rate, 1, false));
                count += block.len() as u64;
            }
            let (last, whole) = blocks.split_last().unwrap();
            assert!(whole.iter().all(|block| block.len() as u32 == rate / 100) && last.len() as u32 <= rate / 100);
            assert!(numbers(&blocks).into_iter().eq(0..30_000), "{rate}");
        }
    }

    #[test]
    fn every_encoding_is_read() {
        let half = [&[0, 0x40][..], &[0, 0, 0x40], &[0, 0, 0, 0x40], &[0, 0, 0, 0x3F], &[0, 0, 0x40]];
        for ((tag, bits), half) in [(1, 16), (1, 24), (1, 32), (3, 32), (0xFFFE, 24)].into_iter().zip(half) {
            let data = half.repeat(960);
            let (blocks, end) = play(&wav(tag, bits, 48_000, 2, data.len() as u32, &data));
            end.unwrap();
            assert_eq!((blocks.len(), blocks[0].len(), blocks[0].channels), (1, 480, 2), "{tag} {bits}");
            assert!(blocks[0].samples.iter().all(|sample| *sample == 0.5), "{tag} {bits}");
        }
    }

    #[test]
    fn a_length_that_nobody_wrote_lasts_to_the_end() {
        for len in [0, u32::MAX] {
            let data: Vec<u8> = (0..1000u16).flat_map(u16::to_le_bytes).chain([7]).collect();
            let (blocks, end) = play(&wav(1, 16, 48_000, 1, len, &data));
            end.unwrap();
            assert!(numbers(&blocks).into_iter().eq(0..1000));
        }
    }

    #[test]
    fn a_placeholder_of_whoever_writes_into_a_pipe_lasts_to_the_end() {
        for len in [0x7FFF_F000, 0x8000_0000, 0x7FFF_FF00, u32::MAX] {
            let data: Vec<u8> = (0..1000u16).flat_map(u16::to_le_bytes).collect();
            let mut file = wav(1, 16, 48_000, 1, len, &data);
            file[4..8].copy_from_slice(&len.saturating_add(36).to_le_bytes());
            let (blocks, end) = play(&file);
            end.unwrap();
            assert!(numbers(&blocks).into_iter().eq(0..1000), "{len:x}");
        }
    }

    #[test]
    fn a_placeholder_rounded_down_to_whole_samples_lasts_to_the_end() {
        // As `sox -t wav -` writes it.
        for (bits, channels) in [(24, 1), (16, 3), (24, 4), (16, 5), (16, 6), (24, 7)] {
            let frame = u32::from(bits / 8 * channels);
            let data = vec![0; 1000 * frame as usize];
            let (blocks, end) = play(&wav(1, bits, 48_000, channels, 0x7FFF_F000 / frame * frame, &data));
            end.unwrap();
            assert_eq!(numbers(&blocks).len(), 1000 * usize::from(channels), "blocks of {frame} bytes");
        }
    }

    #[test]
    fn an_empty_data_chunk_is_believed_where_the_length_of_the_whole_tells() {
        let noise = b"LIST\x04\0\0\0INFO";
        let sized = |data: &[u8], riff: usize| {
            let mut file = wav(1, 16, 48_000, 1, 0, data);
            file[4..8].copy_from_slice(&(riff as u32).to_le_bytes());
            file
        };
        let header = sized(&[], 0).len();
        for (file, samples) in [
            // Honest: another chunk follows, or nothing.
            (sized(noise, header + noise.len() - 8), 0),
            (sized(&[], header - 8), 0),
            // A recorder that died, and one that wrote into a pipe.
            (sized(&[0; 20], header - 8), 10),
            (sized(&[0; 20], 0), 10),
            (sized(&[0; 20], u32::MAX as usize), 10),
        ] {
            let (blocks, end) = play(&file);
            assert_eq!(numbers(&blocks).len(), samples);
            match samples {
                0 => assert!(end.unwrap_err().to_string().contains("there is no sound in it")),
                _ => end.unwrap(),
            }
        }
    }

    #[test]
    fn rf64_and_bw64_are_read_with_their_lengths_of_64_bits() {
        let data: Vec<u8> = (0..1000u16).flat_map(u16::to_le_bytes).collect();
        for name in [b"RF64", b"BW64"] {
            for (wide, samples) in
                [(2000_u64, 1000), (1500, 750), (0, 1000), (u64::MAX, 1000), (u64::MAX - 1, 1000), (1 << 63, 1000)]
            {
                let mut file = wav(1, 16, 48_000, 1, u32::MAX, &data);
                file[..4].copy_from_slice(name);
                file[4..8].fill(0xFF);
                let mut sizes = b"ds64\x1C\0\0\0".to_vec();
                sizes.extend([(file.len() + 28).to_le_bytes(), wide.to_le_bytes(), 1000_u64.to_le_bytes()].concat());
                sizes.extend([0; 4]);
                file.splice(12..12, sizes);
                let (blocks, end) = play(&file);
                end.unwrap();
                assert!(numbers(&blocks).into_iter().eq(0..samples), "{wide}");
            }
        }
    }

    #[test]
    fn a_length_that_no_file_has_is_cut_off_in_words() {
        let mut file = wav(1, 16, 48_000, 1, u32::MAX, &[0; 2000]);
        file[..4].copy_from_slice(b"RF64");
        file.splice(12..12, [&b"ds64\x10\0\0\0"[..], &[0; 8], &i64::MAX.to_le_bytes()].concat());
        let (blocks, end) = play(&file);
        assert_eq!(numbers(&blocks).len(), 1000);
        assert!(end.unwrap_err().to_string().contains("the sound is cut off after 2000 of"));
    }

    #[test]
    fn a_loop_has_no_gap_and_stamps_go_on() {
        for len in [2000, 0] {
            let data: Vec<u8> = (0..1000u16).flat_map(u16::to_le_bytes).collect();
            let file = Scratch::new(&wav(1, 16, 48_000, 1, len, &data));
            let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
            let mut source = open(&file, true).unwrap();
            let mut all = Vec::new();
            for n in 0..100 {
                let block = step(&mut source, &mut cx, &hand).unwrap().unwrap();
                assert_eq!((block.time, block.len()), (Timestamp::from_millis(n * 10), 480));
                all.push(block);
            }
            assert!(numbers(&all).into_iter().eq((0..48_000).map(|n| n % 1000)));
        }
    }

    #[test]
    fn of_a_file_cut_off_the_whole_samples_are_given_first() {
        let whole = counting(1000, 48_000);
        let (blocks, end) = play(&whole[..whole.len() - 7]);
        assert!(numbers(&blocks).into_iter().eq(0..996));
        let words = end.unwrap_err().to_string();
        assert!(words.contains("the sound is cut off after 1993 of 2000 bytes; the file is incomplete"), "{words}");
        for len in 0..whole.len() - 2000 {
            assert_eq!(play(&whole[..len]).1.unwrap_err().kind(), Kind::Config, "{len}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_words() {
        for (file, words) in [
            (wav(1, 8, 48_000, 1, 4, &[0; 4]), "8 bits with format tag 1; what can be read is PCM of 16"),
            (wav(6, 16, 48_000, 1, 4, &[0; 4]), "format tag 6"),
            (wav(1, 16, 0, 1, 4, &[0; 4]), "0 samples in a second"),
            (wav(1, 16, u32::MAX, 1, 4, &[0; 4]), "1 to 768000"),
            (wav(1, 16, 48_000, 9, 18, &[0; 18]), "9 channels"),
            (wav(1, 16, 48_000, 0, 4, &[0; 4]), "0 channels"),
            (wav(1, 16, 48_000, 1, 0, &[]), "there is no sound in it"),
            (b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(), "come before the `fmt ` chunk"),
            ([&b"RIFF\0\0\0\0WAVE"[..], &b"junk\0\0\0\0".repeat(2000)].concat(), "a thousand chunks"),
            (b"YUV4MPEG2 W5 H3".to_vec(), "no WAVE file"),
        ] {
            let error = play(&file).1.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn garbage_never_panics_or_hangs() {
        for seed in 0..300 {
            let noise = garbage(seed, 2000);
            assert!(play(&noise).1.is_err());
            let mut file = counting(500, 48_000);
            let place = seed as usize % 60;
            file.splice(place..place + 4, noise[..4].iter().copied());
            let scratch = Scratch::new(&file);
            let Ok(mut source) = open(&scratch, true) else { continue };
            let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
            for _ in 0..5 {
                let _ = step(&mut source, &mut cx, &hand);
            }
        }
    }
}
