//! The chunks of a RIFF WAVE file before its samples: how these are stored, and where they lie.
//!
//! By "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991) and
//! WAVEFORMATEXTENSIBLE.

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
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(wrong(input, "this is no WAVE file; `ffmpeg -i INPUT OUTPUT.wav` makes one"));
    }
    let mut format = None;
    for _ in 0..MAX_CHUNKS {
        let chunk: [u8; 8] = read(input, "the file ends before its samples; there is no `data` chunk")?;
        let len = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        match (&chunk[..4], format) {
            (b"fmt ", _) => {
                let start = input.offset();
                format = Some(parse_format(input, len)?);
                skip(input, start, len)?;
            }
            (b"data", Some((encoding, rate, channels))) => {
                let mut header = Header { encoding, rate, channels, start: input.offset(), len: None };
                let whole = u64::from(len) / header.frame_bytes() as u64 * header.frame_bytes() as u64;
                // Whoever writes into a pipe cannot come back to write the length: FFmpeg leaves
                // 2^32 - 1, others 0.
                header.len = (len != 0 && len != u32::MAX).then_some(whole);
                return Ok(header);
            }
            (b"data", None) => {
                return Err(wrong(input, "the samples come before the `fmt ` chunk that says what they are"));
            }
            _ => skip(input, input.offset(), len)?,
        }
    }
    Err(wrong(input, "there are a thousand chunks and no samples"))
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

/// Goes behind the chunk of `len` bytes that starts at `start`; odd ones are padded by a byte.
fn skip(input: &mut Input, start: u64, len: u32) -> Result<()> {
    input.seek(start + u64::from(len) + u64::from(len & 1))
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
