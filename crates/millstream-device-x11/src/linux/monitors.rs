//! The monitors of an X screen, by RandR.

use millstream_core::Result;
use millstream_core::units::FrameRate;
use x11rb::connection::RequestConnection;
use x11rb::protocol::randr::{self, ConnectionExt as _, NotifyMask};
use x11rb::protocol::xproto::ConnectionExt as _;

use super::region::Region;
use super::server::{Server, gone};

/// A monitor.
#[derive(Clone, Debug)]
pub(crate) struct Monitor {
    /// What RandR calls it: `HDMI-1`.
    pub(crate) name: String,
    /// Whether desktops show their panels there.
    pub(crate) primary: bool,
    /// What it shows of the screen.
    pub(crate) region: Region,
    /// How often it shows a new picture in a second, if RandR knows.
    pub(crate) rate: Option<FrameRate>,
}

/// The monitors of `server`'s screen, none where the server is older than RandR 1.5.
pub(crate) fn list(server: &Server) -> Result<Vec<Monitor>> {
    let connection = &server.connection;
    if !knows(server)? {
        return Ok(Vec::new());
    }
    let listed = connection.randr_get_monitors(server.root(), true).map_err(gone)?.reply().map_err(gone)?;
    let mut monitors = Vec::new();
    for monitor in listed.monitors {
        let name = connection.get_atom_name(monitor.name).map_err(gone)?.reply().map_err(gone)?.name;
        let side = |side: i16| side.unsigned_abs();
        let corner =
            Region { x: side(monitor.x), y: side(monitor.y), ..Region::whole((monitor.width, monitor.height)) };
        monitors.push(Monitor {
            name: String::from_utf8_lossy(&name).into_owned(),
            primary: monitor.primary,
            region: corner,
            rate: monitor.outputs.first().and_then(|output| rate(server, *output)),
        });
    }
    Ok(monitors)
}

/// Asks to be told when a monitor comes, goes or changes its size.
pub(crate) fn watch(server: &Server) -> Result<()> {
    if knows(server)? {
        let changes = NotifyMask::SCREEN_CHANGE | NotifyMask::CRTC_CHANGE;
        server.connection.randr_select_input(server.root(), changes).map_err(gone)?;
    }
    Ok(())
}

/// Whether the server has RandR with monitors: 1.5, of 2015.
fn knows(server: &Server) -> Result<bool> {
    let connection = &server.connection;
    if connection.extension_information(randr::X11_EXTENSION_NAME).map_err(gone)?.is_none() {
        return Ok(false);
    }
    let version = connection.randr_query_version(1, 5).map_err(gone)?.reply().map_err(gone)?;
    Ok((version.major_version, version.minor_version) >= (1, 5))
}

/// The refresh rate of what an output shows. Any mistake means that it is not known: nothing hangs on it.
fn rate(server: &Server, output: randr::Output) -> Option<FrameRate> {
    let connection = &server.connection;
    let resources = connection.randr_get_screen_resources_current(server.root()).ok()?.reply().ok()?;
    let time = resources.config_timestamp;
    let crtc = connection.randr_get_output_info(output, time).ok()?.reply().ok()?.crtc;
    let shown = connection.randr_get_crtc_info(crtc, time).ok()?.reply().ok()?.mode;
    let mode = resources.modes.iter().find(|mode| mode.id == shown)?;
    let dots = f64::from(mode.htotal) * f64::from(mode.vtotal);
    let hundredths = (f64::from(mode.dot_clock) / dots * 100.0).round();
    FrameRate::new(hundredths as u32, 100).map(|rate| match rate.numerator() % 100 {
        0 => FrameRate::new(rate.numerator() / 100, 1).unwrap_or(rate),
        _ => rate,
    })
}
