//! The devices of a machine, as the plug-ins that open them list them, and the constraints by which one is chosen.

mod constraint;

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::options::{self, Problem, Table};
use crate::units::FrameRate;

pub use constraint::Constraint;

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// It captures pictures of what is in front of it.
    Camera,
    /// It captures sound.
    Microphone,
    /// It plays sound.
    Speaker,
    /// It shows pictures that can be captured.
    Screen,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Camera => "camera",
            Kind::Microphone => "microphone",
            Kind::Speaker => "speaker",
            Kind::Screen => "screen",
        })
    }
}

/// One device that is connected now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Device {
    /// What it is.
    pub kind: Kind,
    /// What a stage's `device` option calls it. As far as the system allows, it stays the same when the device is
    /// unplugged and plugged in again.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it is the default.
    pub default: bool,
    /// Its modes, best first.
    pub modes: Vec<Mode>,
    /// What else its user should know: "the sound that goes to Speakers", "in use", "not readable".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One mode of a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "media")]
#[non_exhaustive]
pub enum Mode {
    /// Pictures.
    Video {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Pictures per second, at most.
        fps: FrameRate,
        /// How its pixels are stored: `YUYV`, `MJPEG`, …
        format: String,
    },
    /// Sound.
    Audio {
        /// Samples per second and channel: the least and the most.
        rates: (u32, u32),
        /// Channels.
        channels: u16,
        /// How its samples are stored: `f32`, `i16`, …
        format: String,
    },
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mode::Video { width, height, fps, format } => write!(f, "{width}x{height} at {fps}, {format}"),
            Mode::Audio { rates: (least, most), channels, format } => {
                if least != most {
                    write!(f, "{least} to ")?;
                }
                write!(f, "{most} Hz, {channels} channel{}, {format}", if *channels == 1 { "" } else { "s" })
            }
        }
    }
}

/// The device and mode that a stage would use, given its options.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Choice {
    /// The device's id.
    pub device: String,
    /// The mode.
    pub mode: Mode,
    /// Why it was chosen, in a line.
    pub why: String,
}

/// The devices that a stage type opens.
pub struct Devices {
    kind: Kind,
    stage: &'static str,
    list: fn() -> Result<Vec<Device>>,
    choose: Box<Choose>,
}

/// Reads options and chooses by them, or returns everything that is wrong with them.
type Choose = dyn Fn(Table) -> Result<Result<Choice>, Vec<Problem>> + Send + Sync;

impl Devices {
    /// The devices of `kind`, which the stage type `stage` opens with the options `O`.
    ///
    /// `list` may take seconds, because it asks drivers; it leaves nothing open. `choose` returns the device and mode
    /// that a stage with these options would use, or why there is none.
    pub fn new<O: DeserializeOwned + JsonSchema + 'static>(
        kind: Kind,
        stage: &'static str,
        list: fn() -> Result<Vec<Device>>,
        choose: fn(&O) -> Result<Choice>,
    ) -> Devices {
        let choose = move |table| options::read::<O>(table).map(|options| choose(&options));
        Devices { kind, stage, list, choose: Box::new(choose) }
    }

    /// What these devices are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stage type that opens them.
    pub fn stage(&self) -> &'static str {
        self.stage
    }

    /// Those that are connected now.
    ///
    /// # Errors
    /// Why they cannot be listed, and what to do about it.
    pub fn list(&self) -> Result<Vec<Device>> {
        (self.list)()
    }

    /// The one that a stage with the options in `table` would use.
    ///
    /// # Errors
    /// The options that are wrong, or else why no device fits.
    pub fn choose(&self, table: Table) -> Result<Result<Choice>, Vec<Problem>> {
        (self.choose)(table)
    }
}

/// The device `id` of `devices`.
///
/// # Errors
/// If there is none; the error names those that there are.
pub fn find<'a>(devices: &'a [Device], id: &str) -> Result<&'a Device> {
    devices.iter().find(|device| device.id == id).ok_or_else(|| {
        let ids: Vec<&str> = devices.iter().map(|device| device.id.as_str()).collect();
        let near = options::nearest(id, ids.iter().copied());
        let hint = match (near, ids.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "there is none at all".to_owned(),
            (None, ids) => format!("there are: {}", ids.join(", ")),
        };
        Error::lost(format!("no device `{id}`; {hint} (`millstream devices` lists them)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str) -> Device {
        Device { kind: Kind::Camera, id: id.into(), name: id.into(), default: false, modes: Vec::new(), note: None }
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_with_those_that_are() {
        let devices = [device("usb-front"), device("usb-back")];
        assert_eq!(find(&devices, "usb-back").unwrap().id, "usb-back");
        let words = |id: &str, devices: &[Device]| find(devices, id).unwrap_err().to_string();
        assert!(words("usb-frnt", &devices).contains("did you mean `usb-front`?"));
        assert!(words("x", &devices).contains("there are: usb-front, usb-back"));
        assert!(words("x", &[]).contains("there is none at all"));
    }

    #[test]
    fn modes_are_said_as_people_say_them() {
        let video = Mode::Video { width: 1280, height: 720, fps: FrameRate::THIRTY, format: "MJPEG".into() };
        assert_eq!(video.to_string(), "1280x720 at 30, MJPEG");
        let audio = Mode::Audio { rates: (8000, 48_000), channels: 1, format: "f32".into() };
        assert_eq!(audio.to_string(), "8000 to 48000 Hz, 1 channel, f32");
    }
}
