//! The container IVF: a header of 32 bytes, then frames with 12 bytes before each.
//!
//! There is no standard; this is what libvpx (`ivfenc.c`, `ivfdec.c`) and FFmpeg write and read.

use std::time::Duration;

/// Bytes of the header of a file.
pub(crate) const HEADER: usize = 32;
/// Bytes before a frame: its length and its time.
pub(crate) const FRAME_HEADER: usize = 12;
/// Where the header holds how long the file lasts, in ticks. libvpx counts frames there and reads
/// it nowhere; FFmpeg writes and believes ticks.
pub(crate) const LENGTH_AT: u64 = 24;

/// What the header of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// What is in it, such as `VP80`.
    pub(crate) fourcc: [u8; 4],
    /// Width and height in pixels.
    pub(crate) size: (u16, u16),
    pub(crate) tick: Tick,
}

/// The length of one tick in seconds, as a fraction above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

impl Tick {
    /// How long `count` ticks last, rounded down to nanoseconds, 584 years at most.
    pub(crate) fn times(self, count: u64) -> Duration {
        let nanos = u128::from(count) * u128::from(self.numerator) * 1_000_000_000 / u128::from(self.denominator);
        Duration::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
    }
}

impl Header {
    /// Reads a header, or says what is wrong.
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Result<Header, String> {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if &bytes[..4] != b"DKIF" {
            return Err("this is no IVF file; `ffmpeg -i INPUT -c:v libvpx OUTPUT.ivf` makes one".to_owned());
        }
        if (word(4), word(6)) != (0, HEADER as u16) {
            return Err(format!(
                "version {} with a header of {} bytes; what can be read is version 0",
                word(4),
                word(6)
            ));
        }
        let tick = Tick { numerator: long(20), denominator: long(16) };
        if tick.numerator == 0 || tick.denominator == 0 {
            let Tick { numerator, denominator } = tick;
            return Err(format!("the header says that a tick lasts {numerator}/{denominator} s; the file is damaged"));
        }
        Ok(Header { fourcc: [bytes[8], bytes[9], bytes[10], bytes[11]], size: (word(12), word(14)), tick })
    }

    /// The header of a file whose length is not known yet.
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(b"DKIF");
        bytes[6..8].copy_from_slice(&(HEADER as u16).to_le_bytes());
        bytes[8..12].copy_from_slice(&self.fourcc);
        bytes[12..14].copy_from_slice(&self.size.0.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.size.1.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.tick.denominator.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.tick.numerator.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let tick = Tick { numerator: 1001, denominator: 30_000 };
        let header = Header { fourcc: *b"VP80", size: (1280, 720), tick };
        assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
        assert_eq!(tick.times(30_000), Duration::from_secs(1001));
        assert_eq!(Tick { numerator: u32::MAX, denominator: 1 }.times(u64::MAX), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn wrong_headers_are_refused_in_words() {
        let header = Header { fourcc: *b"VP80", size: (1, 1), tick: Tick { numerator: 1, denominator: 30 } };
        for (at, words) in [(0, "no IVF file"), (4, "version 1"), (16, "1/0 s"), (20, "0/30 s")] {
            let mut bytes = header.to_bytes();
            bytes[at] = u8::from(at == 4);
            let error = Header::parse(&bytes).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
