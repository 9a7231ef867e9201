//! The sink `wav-writer`: raw sound into a RIFF WAVE file.

use std::path::PathBuf;
use std::time::Duration;

use millstream_core::{AudioFrame, Cx, Descriptor, Error, Format as Kind, Result, Sink, Timestamp, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::output::{self, Output};

/// The most bytes of samples that the 32 bits of a RIFF header can say, with room for the header
/// itself; 2^32 - 1 means that nobody knows.
const MAX_DATA: u64 = u32::MAX as u64 - 128;
/// How far a block may be from where the one before ended before silence is put between, where it
/// does not say that sound is missing: stamps of devices waver by less.
const TOLERANCE: Duration = Duration::from_millis(10);

/// Options of `wav-writer`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The file to write; it may be a pipe, and `-` is standard output. An existing file is replaced. A relative path
    /// starts at the working directory.
    pub path: PathBuf,
    /// How samples are stored.
    #[serde(default)]
    pub format: Format,
}

/// How samples are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// Integers of 16 bits. Samples beyond full scale are clipped.
    #[default]
    S16,
    /// Floats of 32 bits, unchanged.
    F32,
}

/// Writes blocks of sound one behind the other, at the rate and with the channels of the first.
///
/// Where a block says that sound before it is missing, or starts more than 10 ms after the end of the
/// one before, silence is written between, so that the time is right. The lengths in the header are
/// completed at the end; until then they say "unknown", as in a pipe, and the file plays as well. What
/// is dropped on the way here becomes silence in the file: join it over a link that waits.
#[derive(Debug)]
pub struct WavWriter {
    output: Output,
    format: Format,
    begun: Option<Begun>,
    bytes: Vec<u8>,
    limit: u64,
}

/// What is known once the first block has come.
#[derive(Clone, Copy, Debug)]
struct Begun {
    first: Timestamp,
    rate: u32,
    channels: u16,
    /// Samples of each channel that were written.
    samples: u64,
    /// Where the samples start, in bytes.
    start: u64,
}

impl WavWriter {
    /// Opens the file; what it held stays until the first block comes.
    ///
    /// # Errors
    /// A wrong configuration if it cannot be written.
    pub fn new(options: &Options) -> Result<WavWriter> {
        let output = Output::create(&options.path)?;
        Ok(WavWriter { output, format: options.format, begun: None, bytes: Vec::new(), limit: MAX_DATA })
    }

    /// Writes the header, with lengths that say "unknown".
    fn begin(&mut self, block: &AudioFrame) -> Result<Begun> {
        let AudioFrame { rate, channels, time, .. } = *block;
        let frame = (self.format.bytes() as u16).checked_mul(channels).ok_or_else(|| {
            Error::bad_item(format!("{channels} channels; a WAVE file counts the bytes of all of them in 16 bits"))
        })?;
        let mut header = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt ".to_vec();
        // Whatever is not PCM has an extension, here an empty one, and a chunk `fact`.
        let (len, tag): (u32, u16) = match self.format {
            Format::S16 => (16, 1),
            Format::F32 => (18, 3),
        };
        header.extend_from_slice(&len.to_le_bytes());
        header.extend_from_slice(&tag.to_le_bytes());
        header.extend_from_slice(&channels.to_le_bytes());
        header.extend_from_slice(&rate.to_le_bytes());
        header.extend_from_slice(&rate.saturating_mul(frame.into()).to_le_bytes());
        header.extend_from_slice(&frame.to_le_bytes());
        header.extend_from_slice(&(self.format.bytes() as u16 * 8).to_le_bytes());
        if self.format == Format::F32 {
            header.extend_from_slice(b"\0\0fact\x04\0\0\0\xFF\xFF\xFF\xFF");
        }
        header.extend_from_slice(b"data\xFF\xFF\xFF\xFF");
        self.output.write(&header)?;
        // There from the first on: what is cut back for want of room is a file of this kind at least.
        self.output.flush()?;
        Ok(Begun { first: time, rate, channels, samples: 0, start: header.len() as u64 })
    }

    /// Samples of silence between what was written and `block`.
    fn gap(begun: &Begun, block: &AudioFrame) -> u64 {
        let due = (Timestamp::ZERO + block.time.since(begun.first)).ticks(begun.rate);
        let gap = due.saturating_sub(begun.samples);
        let tolerated = (Timestamp::ZERO + TOLERANCE).ticks(begun.rate);
        if block.discontinuity || gap > tolerated { gap } else { 0 }
    }

    /// Whether `more` samples still fit.
    fn has_room(&self, begun: &Begun, more: u64) -> bool {
        let frame = self.format.bytes() as u64 * u64::from(begun.channels);
        begun.samples.saturating_add(more).saturating_mul(frame) <= self.limit
    }

    /// The file ends here, for the reason given.
    fn close(&mut self, why: &str) -> Result<()> {
        self.complete()?;
        self.output.flush()?;
        Err(self.output.fatal(why))
    }

    fn write_silence(&mut self, begun: &mut Begun, samples: u64) -> Result<()> {
        let frame = self.format.bytes() * usize::from(begun.channels);
        let mut left = samples;
        // Zero bytes are silence in both formats; a second at once.
        self.bytes.clear();
        self.bytes.resize(frame * left.min(begun.rate.into()) as usize, 0);
        while left > 0 {
            let now = left.min(begun.rate.into());
            self.output.write(&self.bytes[..now as usize * frame])?;
            left -= now;
            begun.samples += now;
        }
        Ok(())
    }

    /// Writes the lengths into the header, as far as they are known.
    fn complete(&mut self) -> Result<()> {
        let Some(Begun { channels, start, .. }) = self.begun else { return Ok(()) };
        // There is nothing to complete in a file that was cut back to nothing.
        let Some(data) = self.output.offset().checked_sub(start) else { return Ok(()) };
        let samples = data / (self.format.bytes() as u64 * u64::from(channels));
        // `has_room` saw to it that both fit.
        let data = data as u32;
        let riff = (self.output.offset() - 8) as u32;
        self.output.patch(4, &riff.to_le_bytes())?;
        self.output.patch(start - 4, &data.to_le_bytes())?;
        if self.format == Format::F32 {
            self.output.patch(start - 12, &(samples as u32).to_le_bytes())?;
        }
        Ok(())
    }
}

impl Format {
    /// Bytes of a sample of one channel.
    fn bytes(self) -> usize {
        match self {
            Format::S16 => 2,
            Format::F32 => 4,
        }
    }

    fn encode(self, samples: &[f32], bytes: &mut Vec<u8>) {
        bytes.clear();
        match self {
            // The scale of `wav-file`: what it read from 16 bits is written back as it was. What is
            // not a number becomes 0.
            Format::S16 => {
                bytes.extend(samples.iter().flat_map(|sample| ((sample * 32_768.0).round() as i16).to_le_bytes()))
            }
            Format::F32 => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        }
    }
}

impl Sink<AudioFrame> for WavWriter {
    fn consume(&mut self, block: AudioFrame, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        let (rate, channels) = (block.rate, block.channels);
        if rate == 0 || channels == 0 || !block.samples.len().is_multiple_of(channels.into()) {
            let samples = block.samples.len();
            return Err(Error::bad_item(format!("{samples} samples in {channels} channels at {rate} Hz are no sound")));
        }
        let mut begun = match self.begun {
            Some(begun) => begun,
            None => self.begin(&block)?,
        };
        if (begun.rate, begun.channels) != (rate, channels) {
            let Begun { rate: old_rate, channels: old_channels, .. } = begun;
            return self.close(&format!(
                "sound was {old_rate} Hz with {old_channels} channels and is now {rate} Hz with {channels}, and a WAVE file holds one kind; let its source keep to one"
            ));
        }
        let gap = WavWriter::gap(&begun, &block);
        if !self.has_room(&begun, gap.saturating_add(block.len() as u64)) {
            return self.close(
                "a WAVE file holds 4 GiB and this one is full; record in several files, or as Opus with `ogg-opus-writer`",
            );
        }
        self.write_silence(&mut begun, gap)?;
        self.format.encode(&block.samples, &mut self.bytes);
        self.output.write(&self.bytes)?;
        self.output.end_item();
        begun.samples += block.len() as u64;
        self.begun = Some(begun);
        Ok(())
    }

    fn finish(&mut self, cx: &mut Cx) -> Result<()> {
        self.output.heed(cx);
        let flushed = self.output.flush();
        self.complete()?;
        flushed
    }
}

/// Describes `wav-writer`.
pub fn descriptor() -> Descriptor {
    Descriptor::sink("wav-writer", "Writes raw sound into a WAVE file", Kind::Audio).knowing(
        |options: &Options| output::known(&options.path),
        |options: Options, joined| {
            let writer = WavWriter::new(&options)?;
            writer.output.announce(joined);
            Ok(Worker::sink(writer))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use crate::pace::tests::{cx, step};
    use crate::wav_file::{self, WavFile};
    use millstream_core::error::Kind as ErrorKind;

    fn block(time: Duration, samples: Vec<f32>, channels: u16) -> AudioFrame {
        AudioFrame::new(48_000, channels, Timestamp::ZERO + time, samples)
    }

    fn writer(file: &Scratch, format: Format) -> WavWriter {
        WavWriter::new(&Options { path: file.0.clone(), format }).unwrap()
    }

    /// What `wav-file` reads from what was written.
    fn read(file: &Scratch) -> Vec<f32> {
        let mut source = WavFile::new(wav_file::Options { path: file.0.clone(), r#loop: false }).unwrap();
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
        let mut all = Vec::new();
        while let Some(block) = step(&mut source, &mut cx, &hand).unwrap() {
            all.extend_from_slice(&block.samples);
        }
        all
    }

    #[test]
    fn what_is_written_is_read_before_and_after_the_end() {
        for (format, header, exact) in [(Format::S16, 44, 1.0 / 65_536.0), (Format::F32, 58, 0.0)] {
            let file = Scratch::new(b"what was there");
            let mut writer = writer(&file, format);
            let samples: Vec<f32> = (0..960).map(|n| (n as f32 / 480.0) - 1.0).collect();
            writer.consume(block(Duration::ZERO, samples.clone(), 2), &mut Cx::at(Timestamp::ZERO)).unwrap();
            writer.output.flush().unwrap();
            let near =
                |read: &[f32]| read.len() == 960 && read.iter().zip(&samples).all(|(a, b)| (a - b).abs() <= exact);
            assert!(near(&read(&file)));
            writer.finish(&mut Cx::at(Timestamp::ZERO)).unwrap();
            assert!(near(&read(&file)));
            let bytes = std::fs::read(&file.0).unwrap();
            let data = 960 * format.bytes();
            assert_eq!(bytes.len(), header + data);
            assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes());
            assert_eq!(bytes[header - 4..header], (data as u32).to_le_bytes());
            if format == Format::F32 {
                assert_eq!(bytes[header - 12..header - 8], 480u32.to_le_bytes());
            }
        }
    }

    #[test]
    fn missing_sound_is_silence_and_wavering_stamps_are_not() {
        let file = Scratch::new(b"");
        let mut writer = writer(&file, Format::S16);
        let mut cx = Cx::at(Timestamp::ZERO);
        let mut give = |millis, discontinuity| {
            let block = block(Duration::from_millis(millis), vec![0.5; 480], 1).with_discontinuity(discontinuity);
            writer.consume(block, &mut cx).unwrap();
        };
        // 20 and 30 ms are right; 45 wavers by 5 ms; before 55 ms 5 ms are missing by its own words, and
        // before 80 ms 15 ms are; 81 ms overlaps and is written behind; then 2 s of silence.
        for (millis, discontinuity) in
            [(20, true), (30, false), (45, false), (55, true), (80, false), (81, true), (2100, false)]
        {
            give(millis, discontinuity);
        }
        writer.finish(&mut cx).unwrap();
        let samples = read(&file);
        let mut runs: Vec<(bool, usize)> = Vec::new();
        for sample in samples {
            match runs.last_mut() {
                Some((loud, count)) if *loud == (sample != 0.0) => *count += 1,
                _ => runs.push((sample != 0.0, 1)),
            }
        }
        let expected = [(true, 30), (false, 5), (true, 10), (false, 15), (true, 20), (false, 2000), (true, 10)];
        assert_eq!(runs, expected.map(|(loud, millis)| (loud, millis * 48)));
    }

    #[test]
    fn what_is_too_loud_is_clipped() {
        let mut bytes = Vec::new();
        Format::S16.encode(&[2.0, -2.0, 1.0, f32::NAN, 0.5], &mut bytes);
        assert_eq!(bytes, [[0xFF, 0x7F], [0, 0x80], [0xFF, 0x7F], [0, 0], [0, 0x40]].concat());
    }

    #[test]
    fn more_than_4_gib_are_refused_and_what_came_before_is_readable() {
        let file = Scratch::new(b"");
        let mut writer = writer(&file, Format::S16);
        assert_eq!(writer.limit, 4_294_967_167);
        writer.limit = 2000;
        let mut cx = Cx::at(Timestamp::ZERO);
        writer.consume(block(Duration::ZERO, vec![0.5; 960], 2), &mut cx).unwrap();
        let error = writer.consume(block(Duration::from_millis(10), vec![0.5; 960], 2), &mut cx).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fatal);
        assert!(
            error.to_string().contains("a WAVE file holds 4 GiB and this one is full; record in several"),
            "{error}"
        );
        assert_eq!(read(&file).len(), 960);
        assert_eq!(std::fs::read(&file.0).unwrap()[40..44], 1920u32.to_le_bytes());
    }

    #[test]
    fn another_rate_is_refused_in_words() {
        let file = Scratch::new(b"");
        let mut writer = writer(&file, Format::F32);
        let mut cx = Cx::at(Timestamp::ZERO);
        writer.consume(block(Duration::ZERO, vec![0.0; 480], 1), &mut cx).unwrap();
        let error = writer.consume(block(Duration::ZERO, vec![0.0; 960], 2), &mut cx).unwrap_err();
        assert!(error.to_string().contains("sound was 48000 Hz with 1 channels and is now 48000 Hz with 2"), "{error}");
        let error = writer.consume(block(Duration::ZERO, vec![0.0; 3], 2), &mut cx).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadItem);
    }
}
