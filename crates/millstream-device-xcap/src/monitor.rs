//! The monitors there are, and which one some options mean.

use millstream_core::device::{Choice, Device, Kind, Mode, find as find_device};
use millstream_core::units::FrameRate;
use millstream_core::{Error, MAX_DIMENSION, Result};
use xcap::{Monitor, XCapError};

use crate::options::Options;

/// How often most monitors show a new picture in a second, for one that does not say.
const USUAL_RATE: u32 = 60;

/// What is said when the system has something against it.
pub(crate) fn refused(error: XCapError) -> Error {
    let hint = match cfg!(target_os = "linux") {
        true => "; there must be an X server (DISPLAY) or a Wayland session with a portal for screen casts",
        false => "; look into the system's settings for who may record the screen",
    };
    Error::lost(format!("the screen cannot be captured{hint}")).caused_by(error)
}

/// The monitor that `options` mean, and why it is that.
pub(crate) fn find(options: &Options) -> Result<(Monitor, Choice)> {
    let monitors = Monitor::all().map_err(refused)?;
    let devices: Vec<Device> = monitors.iter().map(device).collect::<Result<_>>()?;
    let (device, why) = match &options.device {
        Some(id) => (find_device(&devices, id)?, format!("`device` says {id}")),
        None => {
            let primary = devices.iter().find(|device| device.default);
            let why =
                if primary.is_some() { "it is the primary monitor" } else { "it is the first, and none is primary" };
            let nothing = || Error::lost("there is no monitor; plug one in, or log in to a desktop");
            (primary.or(devices.first()).ok_or_else(nothing)?, why.to_owned())
        }
    };
    let at = devices.iter().position(|other| other.id == device.id).expect("it was found among them");
    let Mode::Video { width, height, ref format, .. } = device.modes[0] else {
        unreachable!("a monitor shows pictures")
    };
    let mode = Mode::Video { width, height, fps: options.fps, format: format.clone() };
    Ok((monitors[at].clone(), Choice { device: device.id.clone(), mode, why }))
}

pub(crate) fn list() -> Result<Vec<Device>> {
    Monitor::all().map_err(refused)?.iter().map(device).collect()
}

pub(crate) fn choose(options: &Options) -> Result<Choice> {
    find(options).map(|(_, choice)| choice)
}

fn device(monitor: &Monitor) -> Result<Device> {
    let id = monitor.name().map_err(refused)?;
    let side = |side: u32| side.clamp(1, MAX_DIMENSION);
    let rate = monitor.frequency().ok().map(|hz| hz.round() as u32).and_then(|hz| FrameRate::new(hz, 1));
    let mode = Mode::Video {
        width: side(monitor.width().map_err(refused)?),
        height: side(monitor.height().map_err(refused)?),
        fps: rate.or(FrameRate::new(USUAL_RATE, 1)).unwrap_or(FrameRate::THIRTY),
        format: "RGBA".to_owned(),
    };
    Ok(Device {
        kind: Kind::Screen,
        name: format!("monitor {}", monitor.friendly_name().unwrap_or_else(|_| id.clone())),
        id,
        default: monitor.is_primary().unwrap_or(false),
        modes: vec![mode],
        note: None,
    })
}
