//! The chunks of a RIFF WAVE file before its samples: how these are stored, and where they lie.
//!
//! By "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991),
//! WAVEFORMATEXTENSIBLE, and for RF64 and BW64, which count in 64 bits, EBU Tech 3306 and ITU-R BS.2088.

use millstream_core::error::Kind;
use millstream_core::{Error, Result};

use super::sample::Encoding;
use crate::file::Input;

/// Chunks that are skipped before the file is given up: real ones have less than ten.
const MAX_CHUNKS: usize = 1000;
/// The highest sample rate that is taken for one, in Hz; the highest in use is 768 kHz.
const MAX_RATE: u32 = 768_000;
/// The most channels that are read: 7.1.
const MAX_CHANNELS: u16 = 8;
/// What programs that write into a pipe leave as the length, since they cannot come back to write it: FFmpeg
/// and mpg123, SoX and espeak, arecord (with and without a limit), and the largest number with a sign. Some, such as
/// SoX, round it down to whole samples of all channels.
const PLACEHOLDERS: [u32; 5] = [u32::MAX, 0x7FFF_F000, 0x8000_0000, 0x7FFF_FF00, i32::MAX as u32];

/// What the chunks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) encoding: Encoding,
    /// Samples per second and channel.
    pub(super) rate: u32,
    pub(super) channels: u16,
    /// Where the samples start, in bytes.
    pub(super) start: u64,
    /// How many bytes of samples there are; `None` where whoever wrote the file did not know.
    pub(super) len: Option<u64>,
}

impl Header {
    /// Bytes of one sample of all channels.
    pub(super) fn frame_bytes(&self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }
}

/// Reads up to the first sample, or says what is wrong.
pub(super) fn parse(input: &mut Input) -> Result<Header> {
    let riff: [u8; 12] = read(input, "this is no WAVE file; `ffmpeg -i INPUT OUTPUT.wav` makes one")?;
    if !matches!(&riff[..4], b"RIFF" | b"RF64" | b"BW64") || &riff[8..] != b"WAVE" {
        return Err(wrong(input, "this is no WAVE file; `ffmpeg -i INPUT OUTPUT.wav` makes one"));
    }
    let (mut format, mut lengths) = (None, Lengths { riff: number(&riff[4..]), wide: None });
    for _ in 0..MAX_CHUNKS {
        let chunk: [u8; 8] = read(input, "the file ends before its samples; there is no `data` chunk")?;
        let (start, len) = (input.offset(), number(&chunk[4..]));
        match (&chunk[..4], format) {
            (b"fmt ", _) => format = Some(parse_format(input, len)?),
            // Sizes of the whole and of the samples; what follows is of no use to us.
            (b"ds64", _) if len >= 16 && &riff[..4] != b"RIFF" => {
                let sizes: [u8; 16] = read(input, "the `ds64` chunk is cut off")?;
                let [.., a, b, c, d, e, f, g, h] = sizes;
                lengths.wide = Some(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
            }
            (b"data", Some((encoding, rate, channels))) => {
                let mut header = Header { encoding, rate, channels, start, len: None };
                let frame = header.frame_bytes() as u64;
                header.len = lengths.of_data(len, frame, input).map(|len| len / frame * frame);
                return Ok(header);
            }
            (b"data", None) => {
                return Err(wrong(input, "the samples come before the `fmt ` chunk that says what they are"));
            }
            _ => {}
        }
        // Odd chunks are padded by a byte.
        input.skip_to(start + u64::from(len) + u64::from(len & 1))?;
    }
    Err(wrong(input, "there are a thousand chunks and no samples"))
}

/// The lengths that stand before the samples.
struct Lengths {
    /// Of all that follows.
    riff: u32,
    /// Of the samples, in 64 bits.
    wide: Option<u64>,
}

impl Lengths {
    /// How many bytes of samples, `frame` for one of all channels, there are in a chunk that says `len` and starts
    /// where `input` is; `None` where whoever wrote the file did not know.
    fn of_data(&self, len: u32, frame: u64, input: &Input) -> Option<u64> {
        match (len, self.wide) {
            // No file is longer than the largest number with a sign.
            (u32::MAX, Some(wide)) => Some(wide).filter(|wide| (1..=i64::MAX as u64).contains(wide)),
            (0, _) => self.is_honest(input).then_some(0),
            (len, _) => {
                let len = u64::from(len);
                let is = |placeholder: u64| len == placeholder || len == placeholder / frame * frame;
                (!PLACEHOLDERS.into_iter().map(u64::from).any(is)).then_some(len)
            }
        }
    }

    /// Whether the length of the whole tells that there is no sample: something stands behind the empty chunk, or
    /// the file ends there. A recorder that died left what it had begun with.
    fn is_honest(&self, input: &Input) -> bool {
        let (end, here) = (u64::from(self.riff) + 8, input.offset());
        // That of the whole is a little more than that of the samples, also where nobody knew.
        let known = (1..0x7FFF_F000).contains(&self.riff);
        known && (end > here || input.left() == Some(0))
    }
}

fn parse_format(input: &mut Input, len: u32) -> Result<(Encoding, u32, u16)> {
    let cut_off = "the `fmt ` chunk is cut off";
    if len < 16 {
        return Err(wrong(input, format!("the `fmt ` chunk has {len} bytes; it needs 16")));
    }
    let basic: [u8; 16] = read(input, cut_off)?;
    let word = |at: usize| u16::from_le_bytes([basic[at], basic[at + 1]]);
    let (mut tag, channels, block, bits) = (word(0), word(2), word(12), word(14));
    let rate = u32::from_le_bytes([basic[4], basic[5], basic[6], basic[7]]);
    if tag == 0xFFFE && len >= 40 {
        // Behind the size of the extension, valid bits and the speakers stands a GUID whose first
        // two bytes are a tag as above.
        let extension: [u8; 24] = read(input, cut_off)?;
        tag = u16::from_le_bytes([extension[8], extension[9]]);
    }
    let encoding = match (tag, bits) {
        (1, 16) => Encoding::Int16,
        (1, 24) => Encoding::Int24,
        (1, 32) => Encoding::Int32,
        (3, 32) => Encoding::Float32,
        _ => {
            let what = format!(
                "samples of {bits} bits with format tag {tag}; what can be read is PCM of 16, 24 or 32 bits and 32-bit float"
            );
            return Err(wrong(input, what));
        }
    };
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(wrong(input, format!("{channels} channels; what can be read is 1 to {MAX_CHANNELS}")));
    }
    if !(1..=MAX_RATE).contains(&rate) {
        return Err(wrong(input, format!("{rate} samples in a second; what can be read is 1 to {MAX_RATE}")));
    }
    if usize::from(block) != encoding.bytes() * usize::from(channels) {
        return Err(wrong(input, format!("{block} bytes for {channels} channels of {bits} bits do not fit together")));
    }
    Ok((encoding, rate, channels))
}

/// A number of 32 bits at the start of `bytes`.
fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn read<const N: usize>(input: &mut Input, missing: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match input.read(&mut bytes)? {
        read if read == N => Ok(bytes),
        _ => Err(wrong(input, missing)),
    }
}

fn wrong(input: &Input, what: impl std::fmt::Display) -> Error {
    input.error(Kind::Config, what)
}
