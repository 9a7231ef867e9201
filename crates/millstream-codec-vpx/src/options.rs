//! What can be chosen about `vp8-encoder`.

use millstream_core::units::{Bitrate, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of `vp8-encoder`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// The target bit rate, and the most that consumers may request. If not given, by size as in
    /// libwebrtc: "600 kbit/s" up to 320x240 pixels, "1.7 Mbit/s" up to 640x480, "2 Mbit/s" up to
    /// 960x540, "2.5 Mbit/s" above.
    pub bitrate: Option<Bitrate>,
    /// Threads of libvpx, 1 to 64. If not given: 1 up to 1280x960 pixels, where more cost much
    /// processor time and gain little; above that 3 on six cores or more, and 8 from 1920x1080 on nine cores.
    pub threads: Option<Threads>,
    /// The speed of libvpx: -1 (thorough) to -16 (fast) are fixed speeds; -6 if not given, as in
    /// libwebrtc. From 0 on, libvpx chooses the speed by its own clock, and two runs differ.
    pub cpu_used: CpuUsed,
    /// The longest time between key frames. If not given, key frames come only on request.
    pub key_frame_interval: Option<Span>,
    /// The finest quantizer, 0 to 63; 2 if not given.
    pub min_quantizer: Quantizer,
    /// The coarsest quantizer, 0 to 63; 56 if not given. A frame that reaches it exceeds the bit rate.
    pub max_quantizer: Quantizer,
}

impl Default for Options {
    /// libwebrtc's settings for a camera (M131, `libvpx_vp8_encoder.cc`).
    fn default() -> Options {
        Options {
            bitrate: None,
            threads: None,
            cpu_used: CpuUsed(-6),
            key_frame_interval: None,
            min_quantizer: Quantizer(2),
            max_quantizer: Quantizer(56),
        }
    }
}

impl Options {
    /// What is aimed at when pictures are `width` x `height` and nobody asks for less.
    pub(crate) fn most_bitrate(&self, (width, height): (u32, u32)) -> Bitrate {
        self.bitrate.unwrap_or(Bitrate::from_kbps(match u64::from(width) * u64::from(height) {
            0..=76_800 => 600,
            76_801..=307_200 => 1700,
            307_201..=518_400 => 2000,
            _ => 2500,
        }))
    }

    /// Threads for pictures of `width` x `height` on `cores` cores.
    pub(crate) fn threads_for(&self, (width, height): (u32, u32), cores: usize) -> u32 {
        let by_size = match u64::from(width) * u64::from(height) {
            2_073_600.. if cores > 8 => Threads(8),
            1_228_801.. if cores >= 6 => Threads(3),
            _ => Threads(1),
        };
        // At most 64.
        self.threads.unwrap_or(by_size).get() as u32
    }
}

/// A whole number in a range, refused outside of it.
macro_rules! whole {
    ($(#[$doc:meta])* $name:ident, $range:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[serde(try_from = "i64")]
        pub struct $name(i8);

        impl $name {
            /// `value`, if it is in range.
            pub fn new(value: i8) -> Option<$name> {
                $range.contains(&value).then_some($name(value))
            }

            /// The number.
            pub const fn get(self) -> i8 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = String;
            fn try_from(value: i64) -> Result<$name, String> {
                i8::try_from(value).ok().and_then($name::new).ok_or_else(|| {
                    format!("expected a whole number from {} to {}, found {value}", $range.start(), $range.end())
                })
            }
        }
    };
}

whole!(
    /// A number of threads: 1 to 64, the most libvpx takes.
    Threads,
    (1..=64)
);
whole!(
    /// A speed of libvpx (`VP8E_SET_CPUUSED`): -16 to 16.
    CpuUsed,
    (-16..=16)
);
whole!(
    /// A quantizer on libvpx's outer scale: 0 to 63.
    Quantizer,
    (0..=63)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_rate_follows_the_size_unless_given() {
        let kbps = |size| Options::default().most_bitrate(size).bps() / 1000;
        assert_eq!([(320, 240), (640, 360), (960, 540), (1280, 720)].map(kbps), [600, 1700, 2000, 2500]);
        let given = Options { bitrate: Some(Bitrate::from_kbps(900)), ..Options::default() };
        assert_eq!(given.most_bitrate((1280, 720)), Bitrate::from_kbps(900));
    }

    #[test]
    fn threads_come_with_pixels_and_cores() {
        let threads = |size, cores| Options::default().threads_for(size, cores);
        assert_eq!(threads((1280, 720), 64), 1);
        assert_eq!(threads((1920, 1080), 4), 1);
        assert_eq!(threads((1920, 1080), 6), 3);
        assert_eq!(threads((1920, 1080), 16), 8);
    }
}
