//! The screens that are there, and which one some options would choose.

use millstream_core::Result;
use millstream_core::device::{Choice, Device, Kind, Mode};
use millstream_core::units::FrameRate;

use super::monitors::{self, Monitor};
use super::options::Options;
use super::region::Region;
use super::server::Server;
use super::view;

/// How often most screens show a new picture, for one that does not say.
const USUAL_RATE: FrameRate = match FrameRate::new(60, 1) {
    Some(rate) => rate,
    None => FrameRate::THIRTY,
};

/// The screens of `$DISPLAY`: all of it, and each of its monitors.
pub(crate) fn list() -> Result<Vec<Device>> {
    let display = view::display(&Options::default())?;
    let server = Server::connect(&display)?;
    let monitors = monitors::list(&server)?;
    let primary = monitors.iter().position(|monitor| monitor.primary);
    let everything = Options { device: Some(display.clone()), ..Options::default() };
    let (region, _) = view::find(&server, &everything)?;
    let note = view::is_wayland().then(|| view::ON_WAYLAND.to_owned());
    let whole = Device {
        kind: Kind::Screen,
        id: display.clone(),
        name: format!("all of screen {} of the X server {display}", server.screen_number()),
        default: primary.is_none(),
        modes: vec![mode(region, monitors.iter().find_map(|monitor| monitor.rate).unwrap_or(USUAL_RATE))],
        note: note.clone(),
    };
    let parts = monitors.into_iter().enumerate().map(|(index, monitor)| part(monitor, primary == Some(index), &note));
    Ok(std::iter::once(whole).chain(parts).collect())
}

/// What a stage with `options` would capture.
pub(crate) fn choose(options: &Options) -> Result<Choice> {
    let display = view::display(options)?;
    let server = Server::connect(&display)?;
    let (region, why) = view::find(&server, options)?;
    let device = match &options.device {
        Some(device) => device.clone(),
        None => {
            let primary = monitors::list(&server)?.into_iter().find(|monitor| monitor.primary);
            primary.map_or(display, |monitor| monitor.name)
        }
    };
    Ok(Choice { device, mode: mode(region, options.fps), why })
}

fn part(monitor: Monitor, default: bool, note: &Option<String>) -> Device {
    Device {
        kind: Kind::Screen,
        name: format!("monitor {}, at {} of the screen", monitor.name, monitor.region),
        id: monitor.name,
        default,
        modes: vec![mode(monitor.region, monitor.rate.unwrap_or(USUAL_RATE))],
        note: note.clone(),
    }
}

fn mode(region: Region, fps: FrameRate) -> Mode {
    let (width, height) = region.size();
    Mode::Video { width, height, fps, format: "BGRX".to_owned() }
}
