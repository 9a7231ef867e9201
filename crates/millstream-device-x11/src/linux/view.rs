//! What of a display is captured, as the options say it.

use millstream_core::options::nearest;
use millstream_core::{Error, Result};
use x11rb::protocol::xproto::ConnectionExt as _;

use super::monitors;
use super::options::Options;
use super::region::Region;
use super::server::{Server, gone};

/// The display to connect with: the device's, or else `$DISPLAY`.
pub(crate) fn display(options: &Options) -> Result<String> {
    if let Some(display) = options.device.as_ref().filter(|device| is_display(device)) {
        return Ok(display.clone());
    }
    std::env::var("DISPLAY").ok().filter(|display| !display.is_empty()).ok_or_else(|| no_display(is_wayland()))
}

/// Whether this is a session of Wayland, whose programs an X server does not know.
pub(crate) fn is_wayland() -> bool {
    std::env::var_os("WAYLAND_DISPLAY").is_some_and(|display| !display.is_empty())
}

/// What is said of a screen in a session of Wayland.
pub(crate) const ON_WAYLAND: &str =
    "Wayland: only the windows of X11 programs are seen; `screen-xcap` (feature `xcap`) sees all";

/// What of the screen is captured, and why that, in words.
pub(crate) fn find(server: &Server, options: &Options) -> Result<(Region, String)> {
    let (whole, why) = match &options.device {
        Some(device) if !is_display(device) => monitor(server, device)?,
        Some(device) => (screen(server)?, format!("`device` says {device}")),
        None => match monitors::list(server)?.into_iter().find(|monitor| monitor.primary) {
            Some(monitor) => (monitor.region, format!("{} is the primary monitor", monitor.name)),
            None => (screen(server)?, "it is what DISPLAY says, and no monitor is primary".to_owned()),
        },
    };
    let Some(region) = options.region else { return Ok((whole, why)) };
    let part = whole.part(region).ok_or_else(|| {
        let (width, height) = whole.size();
        Error::config(format!("`region` {region} is not within the device, which is {width}x{height}"))
    })?;
    Ok((part, format!("{why}, and `region` {region} of it")))
}

/// A display has a colon in it, and no monitor has.
fn is_display(device: &str) -> bool {
    device.contains(':')
}

/// All of the screen as it is now: what the server said when we came may be old.
fn screen(server: &Server) -> Result<Region> {
    let now = server.connection.get_geometry(server.root()).map_err(gone)?.reply().map_err(gone)?;
    Ok(Region::whole((now.width, now.height)))
}

fn monitor(server: &Server, name: &str) -> Result<(Region, String)> {
    let monitors = monitors::list(server)?;
    if let Some(found) = monitors.iter().find(|monitor| monitor.name == name) {
        return Ok((found.region, format!("`device` says {name}")));
    }
    let names: Vec<&str> = monitors.iter().map(|monitor| monitor.name.as_str()).collect();
    let hint = match (nearest(name, names.iter().copied()), names.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "the X server names none; write a display such as `:0`".to_owned(),
        (None, names) => format!("there are: {}; a display is written as `:0`", names.join(", ")),
    };
    Err(Error::lost(format!("no monitor `{name}`; {hint} (`millstream devices screen` lists them)")))
}

fn no_display(wayland: bool) -> Error {
    Error::lost(match wayland {
        true => {
            "this is a Wayland session without XWayland (DISPLAY is not set), and this stage captures X servers only; \
             use the stage `screen-xcap` (build with `--features xcap`), log in to an Xorg session, or capture a \
             display of its own: run `Xvfb :77 -screen 0 1280x720x24 -noreset` and set `device = \":77\"`"
        }
        false => {
            "there is no screen: DISPLAY is not set; set it to an X server (`DISPLAY=:0`), or make one without a \
             monitor: run `Xvfb :77 -screen 0 1280x720x24 -noreset` and set `device = \":77\"`"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_screen_is_told_how_to_get_one() {
        for wayland in [true, false] {
            let words = no_display(wayland).to_string();
            assert!(words.contains("Xvfb :77") && words.contains("DISPLAY is not set"), "{words}");
            assert_eq!(words.contains("Wayland"), wayland);
        }
    }
}
