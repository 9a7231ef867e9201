//! Pictures of a screen as BGRX, by memory shared with the server or else through its socket.

use millstream_core::{Error, Result};
use x11rb::connection::{Connection, RequestConnection};
use x11rb::errors::ReplyError;
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat, ImageOrder};
use x11rb::protocol::{ErrorKind, shm, shm::ConnectionExt as _, xfixes, xfixes::ConnectionExt as _};

use super::cursor;
use super::memory::Memory;
use super::region::Region;
use super::server::{Server, gone};

/// Takes pictures of one screen.
#[derive(Debug)]
pub(crate) struct Grab {
    way: Way,
    cursor: bool,
}

#[derive(Debug)]
enum Way {
    /// The server writes into our memory: 0.14 ms for 1280x720.
    Shared { memory: Memory, segment: shm::Seg },
    /// The picture comes as a reply: 8 ms for 1280x720.
    Socket { pixels: Vec<u8> },
}

impl Grab {
    /// Takes pictures of `server`'s screen as large as `region`, with the pointer if `cursor`.
    ///
    /// # Errors
    /// If the screen's pixels are not four bytes of blue, green, red and nothing.
    pub(crate) fn new(server: &Server, region: Region, cursor: bool) -> Result<Grab> {
        is_bgrx(server)?;
        let way = match share(server, byte_len(region))? {
            Some((memory, segment)) => Way::Shared { memory, segment },
            None => {
                tracing::warn!(
                    "the X server shares no memory with us (it is on another machine, or has no MIT-SHM 1.2): each \
                     picture goes through its socket, which takes much longer"
                );
                Way::Socket { pixels: Vec::new() }
            }
        };
        Ok(Grab { way, cursor: cursor && has_cursor(server)? })
    }

    /// How pictures come, in words.
    pub(crate) fn way(&self) -> &'static str {
        match self.way {
            Way::Shared { .. } => "by shared memory",
            Way::Socket { .. } => "through the socket",
        }
    }

    /// The picture of `region` now, four bytes a pixel without padding, or `None` if the screen no
    /// longer has such a region.
    pub(crate) fn picture(&mut self, server: &Server, region: Region) -> Result<Option<&mut [u8]>> {
        let connection = &server.connection;
        let Region { width, height, .. } = region;
        let (x, y) = (region.x as i16, region.y as i16);
        let len = byte_len(region);
        if let Way::Shared { memory, segment } = &mut self.way
            && memory.len() < len
        {
            connection.shm_detach(*segment).map_err(gone)?;
            (*memory, *segment) =
                share(server, len)?.ok_or_else(|| Error::lost("the X server shares no memory now"))?;
        }
        // Both questions are asked before either answer is waited for: one round trip.
        let (all_planes, format) = (!0, ImageFormat::Z_PIXMAP);
        let (pointer, pixels) = match &mut self.way {
            Way::Shared { memory, segment } => {
                let asked = connection
                    .shm_get_image(server.root(), x, y, width, height, all_planes, format.into(), *segment, 0)
                    .map_err(gone)?;
                let pointer = self.cursor.then(|| connection.xfixes_get_cursor_image()).transpose().map_err(gone)?;
                if is_outside(asked.reply())?.is_none() {
                    return Ok(None);
                }
                (pointer, &mut memory.bytes()[..len])
            }
            Way::Socket { pixels } => {
                let asked =
                    connection.get_image(format, server.root(), x, y, width, height, all_planes).map_err(gone)?;
                let pointer = self.cursor.then(|| connection.xfixes_get_cursor_image()).transpose().map_err(gone)?;
                let Some(reply) = is_outside(asked.reply())? else { return Ok(None) };
                *pixels = reply.data;
                let short = || Error::lost("the X server gave less than a whole picture");
                (pointer, pixels.get_mut(..len).ok_or_else(short)?)
            }
        };
        match pointer.map(|pointer| pointer.reply()) {
            Some(Ok(pointer)) => cursor::draw(&pointer, region, pixels),
            // There is no pointer now, as on a screen for touching.
            Some(Err(ReplyError::X11Error(_))) | None => {}
            Some(Err(error)) => return Err(gone(error)),
        }
        Ok(Some(pixels))
    }
}

fn byte_len(region: Region) -> usize {
    usize::from(region.width) * usize::from(region.height) * 4
}

/// `None` if the server says that there is no such region: the screen has become smaller.
fn is_outside<T>(reply: Result<T, ReplyError>) -> Result<Option<T>> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(ReplyError::X11Error(error)) if matches!(error.error_kind, ErrorKind::Match | ErrorKind::Value) => Ok(None),
        Err(error) => Err(gone(error)),
    }
}

/// Memory of `len` bytes that the server writes pictures into, if it can.
fn share(server: &Server, len: usize) -> Result<Option<(Memory, shm::Seg)>> {
    let connection = &server.connection;
    if connection.extension_information(shm::X11_EXTENSION_NAME).map_err(gone)?.is_none() {
        return Ok(None);
    }
    let version = connection.shm_query_version().map_err(gone)?.reply().map_err(gone)?;
    if (version.major_version, version.minor_version) < (1, 2) {
        return Ok(None);
    }
    let no_memory = |error| Error::fatal("no memory to share with the X server").caused_by(error);
    let memory = Memory::new(len).map_err(no_memory)?;
    let file = memory.file().try_clone_to_owned().map_err(|error| Error::fatal(error.to_string()))?;
    let segment = connection.generate_id().map_err(|error| Error::lost("the X server is gone").caused_by(error))?;
    // A server behind a tunnel has the extension, and cannot take a file.
    let attached = connection.shm_attach_fd(segment, file, false);
    Ok(attached.is_ok_and(|attached| attached.check().is_ok()).then_some((memory, segment)))
}

/// Whether the server can say what the pointer looks like; the log says so if not.
fn has_cursor(server: &Server) -> Result<bool> {
    let connection = &server.connection;
    if connection.extension_information(xfixes::X11_EXTENSION_NAME).map_err(gone)?.is_none() {
        tracing::warn!("the X server has no XFixes: the pointer is not drawn");
        return Ok(false);
    }
    connection.xfixes_query_version(5, 0).map_err(gone)?.reply().map_err(gone)?;
    Ok(true)
}

fn is_bgrx(server: &Server) -> Result<()> {
    let (setup, screen) = (server.connection.setup(), server.screen());
    let format = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
    let mut visuals = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
    let visual = visuals.find(|visual| visual.visual_id == screen.root_visual);
    let four_bytes = format.is_some_and(|format| format.bits_per_pixel == 32);
    let in_order = setup.image_byte_order == ImageOrder::LSB_FIRST
        && visual.is_some_and(|visual| (visual.red_mask, visual.blue_mask) == (0xFF_0000, 0xFF));
    if four_bytes && in_order {
        return Ok(());
    }
    Err(Error::config(format!(
        "the screen has a depth of {} bits, and only 24 bits of blue, green, red in four bytes are known; set the X \
         server to depth 24",
        screen.root_depth
    )))
}
