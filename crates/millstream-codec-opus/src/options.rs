//! What can be chosen about `opus-encoder`.

use std::time::Duration;

use millstream_core::units::{Bitrate, Percent, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of `opus-encoder`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// The target bit rate, and the most that consumers may request: "6 kbit/s" to "510 kbit/s".
    /// "64 kbit/s" for stereo and "32 kbit/s" for mono if not given, as in libwebrtc.
    pub bitrate: Option<Rate>,
    /// The kind of sound: "audio", "voip" or "low-delay".
    pub application: Application,
    /// How much effort libopus spends, 0 to 10; 9 if not given.
    pub complexity: Complexity,
    /// Whether packets carry a coarse copy of the packet before (in-band FEC). libopus writes it only
    /// while loss is expected, and only at bit rates that leave room for it.
    pub fec: bool,
    /// Whether almost nothing is sent in silence: packets of two bytes or less are left out
    /// (RFC 7587, section 3.1.3).
    pub dtx: bool,
    /// How much sound a packet holds: "2.5 ms", "5 ms", "10 ms", "20 ms", "40 ms" or "60 ms";
    /// "20 ms" if not given.
    pub frame: FrameLength,
    /// The expected packet loss, until a consumer reports the actual loss.
    pub expected_loss: Percent,
}

/// What libopus optimises for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Application {
    /// Faithful to the input: music and anything mixed.
    #[default]
    Audio,
    /// Speech that is easy to understand.
    Voip,
    /// The least delay, without the speech modes and FEC.
    LowDelay,
}

impl From<Application> for opus::Application {
    fn from(application: Application) -> opus::Application {
        match application {
            Application::Audio => opus::Application::Audio,
            Application::Voip => opus::Application::Voip,
            Application::LowDelay => opus::Application::LowDelay,
        }
    }
}

/// A bit rate that Opus can be asked for: 6 to 510 kbit/s (RFC 6716, section 2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "Bitrate")]
pub struct Rate(u32);

impl Rate {
    /// The lowest.
    pub const MIN: Rate = Rate(6_000);
    /// The highest.
    pub const MAX: Rate = Rate(510_000);

    /// The nearest rate that Opus can be asked for.
    pub fn nearest(rate: Bitrate) -> Rate {
        // In range after the clamp, so nothing is cut off.
        Rate(rate.bps().clamp(u64::from(Rate::MIN.0), u64::from(Rate::MAX.0)) as u32)
    }

    /// Bits per second.
    pub const fn bps(self) -> u32 {
        self.0
    }
}

impl TryFrom<Bitrate> for Rate {
    type Error = String;
    fn try_from(rate: Bitrate) -> Result<Rate, String> {
        let nearest = Rate::nearest(rate);
        let fits = u64::from(nearest.0) == rate.bps();
        fits.then_some(nearest).ok_or_else(|| format!("expected a bit rate from 6 kbit/s to 510 kbit/s, found {rate}"))
    }
}

/// How long libopus thinks: 0 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
pub struct Complexity(u8);

impl Complexity {
    /// `value`, if it is from 0 to 10.
    pub const fn new(value: u8) -> Option<Complexity> {
        if value <= 10 { Some(Complexity(value)) } else { None }
    }

    /// From 0 to 10.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Complexity {
    /// What libwebrtc uses on desktops.
    fn default() -> Complexity {
        Complexity(9)
    }
}

impl TryFrom<i64> for Complexity {
    type Error = String;
    fn try_from(value: i64) -> Result<Complexity, String> {
        let fits = u8::try_from(value).ok().and_then(Complexity::new);
        fits.ok_or_else(|| format!("expected a number from 0 (fast) to 10 (thorough), found {value}"))
    }
}

/// How much sound a packet holds: one of the lengths of RFC 6716, section 2.1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Span")]
pub struct FrameLength(Duration);

/// The lengths there are, in microseconds.
const LENGTHS: [u64; 6] = [2_500, 5_000, 10_000, 20_000, 40_000, 60_000];

impl FrameLength {
    /// `length`, if it is 2.5, 5, 10, 20, 40 or 60 ms.
    pub fn new(length: Duration) -> Option<FrameLength> {
        LENGTHS.contains(&(length.as_micros() as u64)).then_some(FrameLength(length))
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Samples of one channel at `rate` per second. Exact: Opus's rates are multiples of 400 Hz.
    pub(crate) const fn samples(self, rate: u32) -> usize {
        (self.0.as_micros() as u64 * rate as u64 / 1_000_000) as usize
    }
}

impl Default for FrameLength {
    /// 20 ms, what RFC 7587, section 3.1.1 suggests for most uses.
    fn default() -> FrameLength {
        FrameLength(Duration::from_millis(20))
    }
}

impl TryFrom<Span> for FrameLength {
    type Error = String;
    fn try_from(span: Span) -> Result<FrameLength, String> {
        FrameLength::new(span.duration()).ok_or_else(|| {
            format!(
                "expected \"2.5 ms\", \"5 ms\", \"10 ms\", \"20 ms\", \"40 ms\" or \"60 ms\", the frames that Opus has, \
                 found \"{span}\""
            )
        })
    }
}
