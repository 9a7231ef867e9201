//! Cameras by the crate `nokhwa`, which knows those of Linux, macOS and Windows.

use std::time::Duration;

use millstream_core::{Color, Error, Result};
use nokhwa::Camera;
use nokhwa::utils::{CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType};

use super::claim::Claim;
use super::{Driver, Raw, Trouble, credible, explained};
use crate::mode::{Encoding, Found, Mode};

/// Whether it can ask for `mode`: it knows few encodings, and rates of whole numbers.
pub(super) fn can(mode: &Mode) -> bool {
    format(mode).is_some()
}

fn format(mode: &Mode) -> Option<CameraFormat> {
    let format = match mode.encoding {
        Encoding::Mjpeg => FrameFormat::MJPEG,
        Encoding::Yuyv => FrameFormat::YUYV,
        Encoding::Nv12 => FrameFormat::NV12,
        Encoding::Rgb => FrameFormat::RAWRGB,
        Encoding::I420 | Encoding::Gray => return None,
    };
    let whole = mode.fps.denominator() == 1;
    whole.then(|| CameraFormat::new_from(mode.width, mode.height, format, mode.fps.numerator()))
}

pub(super) fn open(camera: &Found, mode: Mode) -> Result<(Box<dyn Driver>, Color)> {
    let place = camera.place.as_str();
    let failed = |error: nokhwa::NokhwaError| explained(place, code(&error.to_string()), &error.to_string());
    let refused = || Error::config(format!("nokhwa cannot ask for {mode}; leave out `through`"));
    let exact = format(&mode).ok_or_else(refused)?;
    // It looks at the state in which another program left the camera before it asks for anything, and
    // fails where it knows no name for that.
    #[cfg(target_os = "linux")]
    {
        let words = |error: std::io::Error| explained(place, error.raw_os_error(), &error.to_string());
        let device = v4l::Device::with_path(place).map_err(words)?;
        super::v4l::prepare(&device, place, mode)?;
    }
    let formats = [exact.format()];
    let requested = RequestedFormat::with_formats(RequestedFormatType::Exact(exact), &formats);
    let mut camera = Camera::new(index(place), requested).map_err(failed)?;
    camera.open_stream().map_err(failed)?;
    Ok((Box::new(Streaming { camera, _claim: Claim::new(place), place: place.to_owned() }), Color::default()))
}

/// What `nokhwa` calls the camera at `place`.
fn index(place: &str) -> CameraIndex {
    let number = place.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse();
    number.map_or_else(|_| CameraIndex::String(place.to_owned()), CameraIndex::Index)
}

/// A camera that sends.
struct Streaming {
    camera: Camera,
    /// Behind the camera, so that it stands until that is closed.
    _claim: Claim,
    place: String,
}

impl Driver for Streaming {
    fn next(&mut self, take: &mut dyn FnMut(Raw<'_>)) -> Result<(), Trouble> {
        match self.camera.frame() {
            Ok(frame) => {
                let age = frame.capture_timestamp().and_then(age);
                take(Raw { data: frame.buffer(), stride: 0, age: credible(age) });
                Ok(())
            }
            Err(error) => {
                let words = error.to_string();
                Err(match code(&words) {
                    Some(11 | 4) => Trouble::Nothing,
                    Some(5) => Trouble::Passing(words),
                    code => Trouble::Gone(explained(&self.place, code, &words)),
                })
            }
        }
    }
}

/// How long ago something was that `nokhwa` stamps with the time since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the stamp is compared with the clock that it was read from")]
fn age(stamp: Duration) -> Option<Duration> {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.checked_sub(stamp)
}

/// The system's error number, which `nokhwa` tells in words only.
fn code(words: &str) -> Option<i32> {
    let (_, rest) = words.split_once("(os error ")?;
    rest.split_once(')')?.0.parse().ok()
}

/// The cameras that `nokhwa` sees: on systems where there is nothing better.
#[cfg(not(target_os = "linux"))]
pub(super) fn list() -> Result<Vec<Found>> {
    use millstream_core::device::{Device, Kind};
    use millstream_core::units::FrameRate;

    let failed = |error: nokhwa::NokhwaError| Error::lost("the cameras cannot be listed").caused_by(error.to_string());
    let mut found = Vec::new();
    for (number, info) in nokhwa::query(nokhwa::utils::ApiBackend::Auto).map_err(failed)?.into_iter().enumerate() {
        let requested = RequestedFormat::with_formats(RequestedFormatType::None, &[]);
        let formats =
            Camera::new(info.index().clone(), requested).and_then(|mut camera| camera.compatible_camera_formats());
        let modes: Vec<Mode> = formats
            .unwrap_or_default()
            .iter()
            .filter_map(|format| {
                let encoding = match format.format() {
                    FrameFormat::MJPEG => Encoding::Mjpeg,
                    FrameFormat::YUYV => Encoding::Yuyv,
                    FrameFormat::NV12 => Encoding::Nv12,
                    FrameFormat::RAWRGB => Encoding::Rgb,
                    _ => return None,
                };
                let fps = FrameRate::new(format.frame_rate(), 1)?;
                Some(Mode { width: format.width(), height: format.height(), fps, encoding })
            })
            .collect();
        let place = info.index().as_string();
        let id = if info.misc().is_empty() { place.clone() } else { info.misc() };
        let device = Device {
            kind: Kind::Camera,
            id,
            name: info.human_name(),
            default: number == 0,
            modes: modes.iter().map(|mode| (*mode).into()).collect(),
            note: None,
        };
        found.push(Found { device, place, modes, shut: None });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::units::FrameRate;

    #[test]
    fn error_numbers_are_read_from_words() {
        assert_eq!(code("Failed to read: No such device (os error 19)"), Some(19));
        assert_eq!(code("Stream Not Started"), None);
    }

    #[test]
    fn only_what_it_can_ask_for_is_asked_for() {
        let mode = |encoding, fps| Mode { width: 640, height: 480, fps, encoding };
        assert!(can(&mode(Encoding::Mjpeg, FrameRate::THIRTY)));
        assert!(!can(&mode(Encoding::Gray, FrameRate::THIRTY)));
        assert!(!can(&mode(Encoding::Mjpeg, FrameRate::new(25, 2).unwrap())));
        assert_eq!(index("/dev/video12"), CameraIndex::Index(12));
    }
}
