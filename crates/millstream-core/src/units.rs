//! Quantities as people write them: `"1.5 Mbit/s"`, `"20 ms"`, `30`, `"440 Hz"`, `"5 %"`, `"-6 dB"`,
//! `"1200 B"`.
//!
//! A value that exists is in range; what is not is refused where it is read, with the range.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// Splits `"1.5 Mbit/s"` into 1.5 and `Mbit/s`.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let unit = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let value: f64 = text[..unit].parse().ok()?;
    value.is_finite().then(|| (value, text[unit..].trim()))
}

/// A quantity of text: how one is read, and what is said when it cannot be.
trait Quantity: Sized {
    const EXPECTED: &'static str;
    /// Reads a number with a unit; `""` is the unit of a bare number.
    fn parse(value: f64, unit: &str) -> Option<Self>;
    /// Reads what is not a number with a unit.
    fn parse_other(_text: &str) -> Option<Self> {
        None
    }
}

struct Reader<Q>(std::marker::PhantomData<Q>);

impl<Q: Quantity> Visitor<'_> for Reader<Q> {
    type Value = Q;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Q::EXPECTED)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        Q::parse_other(text)
            .or_else(|| split(text).and_then(|(value, unit)| Q::parse(value, unit)))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Q, E> {
        Q::parse(value as f64, "").ok_or_else(|| E::invalid_value(de::Unexpected::Signed(value), &self))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Q, E> {
        Q::parse(value as f64, "").ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Q, E> {
        Q::parse(value, "").ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &self))
    }
}

macro_rules! quantity {
    ($name:ident, $schema:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Reader::<$name>(std::marker::PhantomData))
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                $name::parse_other(text)
                    .or_else(|| split(text).and_then(|(value, unit)| $name::parse(value, unit)))
                    .ok_or_else(|| format!("`{text}` is not {}", $name::EXPECTED))
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

fn text_schema(what: &str) -> Schema {
    json_schema!({ "type": "string", "description": what })
}

fn number_or_text_schema(what: &str) -> Schema {
    json_schema!({ "type": ["number", "string"], "description": what })
}

/// Writes `value` with the largest of `units` that does not make it smaller than 1.
fn with_unit(f: &mut fmt::Formatter<'_>, value: f64, units: &[(f64, &str)]) -> fmt::Result {
    let (scale, unit) = units.iter().rev().find(|(scale, _)| value >= *scale).unwrap_or(&units[0]);
    write!(f, "{} {unit}", value / scale)
}

/// Bits per second, 1 bit/s to 100 Gbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitrate(u64);

impl Bitrate {
    /// 100 Gbit/s, more than anything here: no limit.
    pub const MAX: Bitrate = Bitrate(100_000_000_000);
    /// `bps` bits per second; 0 counts as 1.
    pub const fn from_bps(bps: u64) -> Bitrate {
        Bitrate(if bps == 0 { 1 } else { bps })
    }
    /// `kbps` thousand bits per second.
    pub const fn from_kbps(kbps: u64) -> Bitrate {
        Bitrate::from_bps(kbps * 1000)
    }
    /// Bits per second.
    pub const fn bps(self) -> u64 {
        self.0
    }
}

impl Quantity for Bitrate {
    const EXPECTED: &'static str = "a bit rate such as \"800 kbit/s\" or \"1.5 Mbit/s\", at most 100 Gbit/s";
    fn parse(value: f64, unit: &str) -> Option<Bitrate> {
        let scale = match unit {
            "bit/s" | "bps" => 1.0,
            "kbit/s" | "kbps" => 1e3,
            "Mbit/s" | "Mbps" => 1e6,
            "Gbit/s" | "Gbps" => 1e9,
            _ => return None,
        };
        let bps = (value * scale).round();
        (1.0..=1e11).contains(&bps).then_some(Bitrate(bps as u64))
    }
}

quantity!(Bitrate, text_schema("a bit rate: \"800 kbit/s\", \"1.5 Mbit/s\""));

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_unit(f, self.0 as f64, &[(1.0, "bit/s"), (1e3, "kbit/s"), (1e6, "Mbit/s"), (1e9, "Gbit/s")])
    }
}

/// A span of time, 0 to 1 day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Span {
        Span(Duration::from_millis(millis))
    }
    /// `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Span {
        Span(Duration::from_micros(micros))
    }
    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Quantity for Span {
    const EXPECTED: &'static str = "a duration such as \"20 ms\" or \"1.5 s\", at most 24 h";
    fn parse(value: f64, unit: &str) -> Option<Span> {
        let scale = match unit {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let seconds = value * scale;
        (0.0..=86_400.0).contains(&seconds).then(|| Span(Duration::from_nanos((seconds * 1e9).round() as u64)))
    }
}

quantity!(Span, text_schema("a duration: \"20 ms\", \"1.5 s\""));

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_unit(f, self.0.as_micros() as f64, &[(1.0, "us"), (1e3, "ms"), (1e6, "s")])
    }
}

/// Pictures per second as a fraction, more than 0 and at most 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// `numerator / denominator` pictures per second, if that is more than 0 and at most 1000.
    pub const fn new(numerator: u32, denominator: u32) -> Option<FrameRate> {
        if numerator == 0 || denominator == 0 || numerator as u64 > 1000 * denominator as u64 {
            return None;
        }
        Some(FrameRate { numerator, denominator })
    }
    /// 1000 pictures per second.
    pub const MAX: FrameRate = FrameRate { numerator: 1000, denominator: 1 };
    /// 30 pictures per second.
    pub const THIRTY: FrameRate = FrameRate { numerator: 30, denominator: 1 };
    /// Above the line.
    pub const fn numerator(self) -> u32 {
        self.numerator
    }
    /// Below the line.
    pub const fn denominator(self) -> u32 {
        self.denominator
    }
    /// Pictures per second, rounded to what a double can hold.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
    /// When the picture after `count` others is due, counted from the first: exact to the nanosecond.
    pub const fn time_of(self, count: u64) -> Duration {
        let nanos = count as u128 * self.denominator as u128 * 1_000_000_000 / self.numerator as u128;
        Duration::from_nanos(nanos as u64)
    }
}

impl From<FrameRate> for f64 {
    fn from(rate: FrameRate) -> f64 {
        rate.as_f64()
    }
}

impl Quantity for FrameRate {
    const EXPECTED: &'static str = "a frame rate such as 30, 29.97 or \"30000/1001\", more than 0 and at most 1000";
    fn parse(value: f64, unit: &str) -> Option<FrameRate> {
        if !matches!(unit, "" | "fps") || !(0.0..=1000.0).contains(&value) {
            return None;
        }
        if value.fract() == 0.0 {
            return FrameRate::new(value as u32, 1);
        }
        // 29.97 means 30000/1001, and so on: the rates of NTSC (SMPTE 170M).
        let ntsc = (value * 1.001).round();
        if (value - ntsc / 1.001).abs() < 0.004 {
            return FrameRate::new(ntsc as u32 * 1000, 1001);
        }
        FrameRate::new((value * 1000.0).round() as u32, 1000)
    }
    fn parse_other(text: &str) -> Option<FrameRate> {
        let (numerator, denominator) = text.split_once(['/', ':'])?;
        FrameRate::new(numerator.trim().parse().ok()?, denominator.trim().parse().ok()?)
    }
}

quantity!(FrameRate, number_or_text_schema("pictures per second: 30, 29.97, \"30000/1001\""));

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

/// Cycles per second, 1 Hz to 24 kHz: what 48 kHz sound can carry.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Frequency(f64);

impl Frequency {
    /// `hz` cycles per second, if sound at 48 kHz can carry it.
    pub fn from_hz(hz: f64) -> Option<Frequency> {
        (1.0..=24_000.0).contains(&hz).then_some(Frequency(hz))
    }
    /// Cycles per second.
    pub fn hz(self) -> f64 {
        self.0
    }
}

impl Quantity for Frequency {
    const EXPECTED: &'static str = "a frequency such as 440, \"440 Hz\" or \"1 kHz\", 1 Hz to 24 kHz";
    fn parse(value: f64, unit: &str) -> Option<Frequency> {
        match unit {
            "" | "Hz" => Frequency::from_hz(value),
            "kHz" => Frequency::from_hz(value * 1e3),
            _ => None,
        }
    }
}

quantity!(Frequency, number_or_text_schema("a frequency: 440, \"440 Hz\", \"1 kHz\""));

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_unit(f, self.0, &[(1.0, "Hz"), (1e3, "kHz")])
    }
}

/// Samples per second and channel, 1 kHz to 768 kHz; 48 kHz unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub struct SampleRate(u32);

impl SampleRate {
    /// `hz` samples per second, if there may be as many.
    pub fn from_hz(hz: u32) -> Option<SampleRate> {
        (1000..=768_000).contains(&hz).then_some(SampleRate(hz))
    }
    /// Samples per second.
    pub fn hz(self) -> u32 {
        self.0
    }
}

impl Default for SampleRate {
    fn default() -> SampleRate {
        SampleRate(48_000)
    }
}

impl Quantity for SampleRate {
    const EXPECTED: &'static str = "a sample rate such as 48000, \"48 kHz\" or \"44.1 kHz\", 1 kHz to 768 kHz";
    fn parse(value: f64, unit: &str) -> Option<SampleRate> {
        let hz = match unit {
            "" | "Hz" => value,
            "kHz" => (value * 1e6).round() / 1e3,
            _ => return None,
        };
        (hz.fract() == 0.0 && (0.0..=1e6).contains(&hz)).then(|| SampleRate::from_hz(hz as u32))?
    }
}

quantity!(SampleRate, number_or_text_schema("a sample rate: 48000, \"44.1 kHz\""));

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_unit(f, self.0.into(), &[(1.0, "Hz"), (1e3, "kHz")])
    }
}

/// A share, 0 % to 100 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// `value` per cent, if that is from 0 to 100.
    pub fn new(value: f64) -> Option<Percent> {
        (0.0..=100.0).contains(&value).then_some(Percent(value))
    }
    /// From 0 to 1.
    pub fn share(self) -> f64 {
        self.0 / 100.0
    }
    /// From 0 to 100.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Quantity for Percent {
    const EXPECTED: &'static str = "a share such as \"5 %\" or 5, from 0 to 100";
    fn parse(value: f64, unit: &str) -> Option<Percent> {
        matches!(unit, "" | "%").then(|| Percent::new(value)).flatten()
    }
}

quantity!(Percent, number_or_text_schema("a share: \"5 %\", 5"));

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A ratio of amplitudes, -120 dB to 60 dB: from below the quietest step of 16 bits to what makes a
/// whisper clip.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Decibels(f64);

impl Decibels {
    /// `value` decibels, if that is from -120 to 60.
    pub fn new(value: f64) -> Option<Decibels> {
        (-120.0..=60.0).contains(&value).then_some(Decibels(value))
    }
    /// How many.
    pub fn value(self) -> f64 {
        self.0
    }
    /// What to multiply samples by: 1 for 0 dB, about a half for -6 dB.
    pub fn factor(self) -> f64 {
        10f64.powf(self.0 / 20.0)
    }
}

impl Quantity for Decibels {
    const EXPECTED: &'static str = "a gain such as \"-6 dB\" or 3, from -120 dB to 60 dB";
    fn parse(value: f64, unit: &str) -> Option<Decibels> {
        matches!(unit, "" | "dB").then(|| Decibels::new(value)).flatten()
    }
}

quantity!(Decibels, number_or_text_schema("a gain: \"-6 dB\", 3"));

impl fmt::Display for Decibels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dB", self.0)
    }
}

/// A number of bytes, 1 B to 1 TB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// `bytes` bytes; 0 counts as 1.
    pub const fn from_bytes(bytes: u64) -> ByteSize {
        ByteSize(if bytes == 0 { 1 } else { bytes })
    }
    /// How many bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl Quantity for ByteSize {
    const EXPECTED: &'static str = "a size such as \"1200 B\", \"64 kB\" or \"1 MB\"";
    fn parse(value: f64, unit: &str) -> Option<ByteSize> {
        let scale = match unit {
            "B" => 1.0,
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            _ => return None,
        };
        let bytes = (value * scale).round();
        (1.0..=1e12).contains(&bytes).then_some(ByteSize(bytes as u64))
    }
}

quantity!(ByteSize, text_schema("a size: \"1200 B\", \"64 kB\""));

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_unit(f, self.0 as f64, &[(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")])
    }
}

/// One side of a picture in pixels, 1 to [`MAX_DIMENSION`](crate::MAX_DIMENSION).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pixels(u32);

impl Pixels {
    /// `count` pixels, if a picture can have as many.
    pub const fn new(count: u32) -> Option<Pixels> {
        if count >= 1 && count <= crate::MAX_DIMENSION { Some(Pixels(count)) } else { None }
    }
    /// How many.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl From<Pixels> for f64 {
    fn from(pixels: Pixels) -> f64 {
        f64::from(pixels.get())
    }
}

impl Quantity for Pixels {
    const EXPECTED: &'static str = "a number of pixels from 1 to 16383";
    fn parse(value: f64, unit: &str) -> Option<Pixels> {
        let whole = value.fract() == 0.0 && (1.0..=f64::from(crate::MAX_DIMENSION)).contains(&value);
        (matches!(unit, "" | "px") && whole).then_some(Pixels(value as u32))
    }
}

quantity!(Pixels, json_schema!({ "type": "integer", "minimum": 1, "maximum": 16383, "description": "pixels" }));

impl fmt::Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_read_and_write_as_people_do() {
        let rate: Bitrate = "1.5 Mbit/s".parse().unwrap();
        assert_eq!((rate.bps(), rate.to_string().as_str()), (1_500_000, "1.5 Mbit/s"));
        assert_eq!("800kbit/s".parse::<Bitrate>().unwrap().bps(), 800_000);
        for wrong in ["800 kB", "800", "-1 kbit/s", "0 bit/s", "1000 Gbit/s", "fast", ""] {
            assert!(wrong.parse::<Bitrate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_exact() {
        assert_eq!("2.5 ms".parse::<Span>().unwrap().duration(), Duration::from_micros(2500));
        assert_eq!(Span::from_millis(20).to_string(), "20 ms");
        assert!("20".parse::<Span>().is_err());
        assert!("-1 s".parse::<Span>().is_err());
    }

    #[test]
    fn frame_rates_are_fractions_and_their_times_do_not_drift() {
        let ntsc: FrameRate = "29.97".parse().unwrap();
        assert_eq!((ntsc.numerator(), ntsc.denominator()), (30_000, 1001));
        assert_eq!(ntsc, "30000/1001".parse().unwrap());
        assert_eq!(ntsc.time_of(30_000), Duration::from_secs(1001));
        assert_eq!("12.5".parse::<FrameRate>().unwrap().as_f64(), 12.5);
        assert!("0".parse::<FrameRate>().is_err());
        assert!("1001".parse::<FrameRate>().is_err());
    }

    #[test]
    fn decibels_read_and_write_as_people_do() {
        for (text, factor) in [("0 dB", 1.0), ("-20dB", 0.1), (" 6.0206 dB", 2.0), ("-40", 0.01), ("+20 dB", 10.0)] {
            let decibels: Decibels = text.parse().unwrap();
            assert!((decibels.factor() - factor).abs() < 1e-5, "{text}");
        }
        assert_eq!("-6.5 dB".parse::<Decibels>().unwrap().to_string(), "-6.5 dB");
        for wrong in ["", "dB", "loud", "61 dB", "-121", "NaN dB", "inf", "3 dBm", "1+2"] {
            let error = wrong.parse::<Decibels>().unwrap_err();
            assert_eq!(error, format!("`{wrong}` is not a gain such as \"-6 dB\" or 3, from -120 dB to 60 dB"));
        }
    }

    #[test]
    fn sides_of_a_picture_stay_in_range() {
        assert!("0".parse::<Pixels>().is_err());
        assert!("16384".parse::<Pixels>().is_err());
        assert_eq!("720".parse::<Pixels>().unwrap().get(), 720);
    }
}
