//! An X server, as one is connected with it: never waited for longer than it is worth.

use std::io;
use std::os::fd::AsFd;

use millstream_core::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use x11rb::connection::Connection;
use x11rb::errors::{ConnectError, ReplyError};
use x11rb::protocol::xproto;
use x11rb::reexports::x11rb_protocol::parse_display::parse_display;
use x11rb::reexports::x11rb_protocol::xauth::get_auth;
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};
use x11rb::utils::RawFdContainer;

/// A connection with an X server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) connection: RustConnection<Patient>,
    screen: usize,
}

impl Server {
    /// Connects with `display`, such as `:0` or `:0.1`.
    pub(crate) fn connect(display: &str) -> Result<Server> {
        let parsed = parse_display(Some(display)).map_err(|_| {
            Error::config(format!("`{display}` is no X display; write one as `:0`, or the name of a monitor"))
        })?;
        let screen = parsed.screen.into();
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        for address in parsed.connect_instruction() {
            let (stream, (family, peer)) = match DefaultStream::connect(&address) {
                Ok(connected) => connected,
                Err(error) => {
                    refused = error;
                    continue;
                }
            };
            // Where no cookie can be read the server says whether it wants one.
            let (name, cookie) = get_auth(family, &peer, parsed.display).ok().flatten().unwrap_or_default();
            let connection = RustConnection::connect_to_stream_with_auth_info(Patient(stream), screen, name, cookie)
                .map_err(|error| not_let_in(display, error))?;
            return Ok(Server { connection, screen });
        }
        Err(Error::lost(format!(
            "no X server answers at `{display}`; set `device` or DISPLAY to one that runs, or start one: \
             `Xvfb {display} -screen 0 1280x720x24 -noreset`"
        ))
        .caused_by(refused))
    }

    /// The screen that was asked for.
    pub(crate) fn screen(&self) -> &xproto::Screen {
        &self.connection.setup().roots[self.screen]
    }

    /// Which of the server's screens that is.
    pub(crate) fn screen_number(&self) -> usize {
        self.screen
    }

    /// The window that everything else on the screen lies in.
    pub(crate) fn root(&self) -> xproto::Window {
        self.screen().root
    }
}

/// What is said when a server has stopped talking with us.
pub(crate) fn gone(error: impl Into<ReplyError>) -> Error {
    Error::lost("the X server is gone").caused_by(error.into())
}

fn not_let_in(display: &str, error: ConnectError) -> Error {
    let reason = match &error {
        ConnectError::SetupFailed(failed) => String::from_utf8_lossy(&failed.reason).trim_end().to_owned(),
        ConnectError::SetupAuthenticate(failed) => String::from_utf8_lossy(&failed.reason).trim_end().to_owned(),
        ConnectError::InvalidScreen => {
            return Error::config(format!("`{display}` names a screen that the X server does not have"));
        }
        other => {
            return Error::lost(format!("the X server `{display}` does not let us in")).caused_by(other.to_string());
        }
    };
    Error::lost(format!(
        "the X server `{display}` refuses: {reason}; run as the user whose screen it is, with XAUTHORITY set to \
         that user's .Xauthority, or let this user in: `xhost +si:localuser:$USER`"
    ))
}

/// How long a server may be silent. A busy one answers within milliseconds; one that is stopped, never.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// A socket that gives up on a silent server.
#[derive(Debug)]
pub(crate) struct Patient(DefaultStream);

impl Stream for Patient {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, mode.readable());
        flags.set(PollFlags::OUT, mode.writable());
        let mut sockets = [PollFd::from_borrowed_fd(self.0.as_fd(), flags)];
        match poll(&mut sockets, Some(&PATIENCE)) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::TimedOut, "it has not answered for 2 s")),
            // To return without cause is allowed.
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, buffer: &mut [u8], files: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.0.read(buffer, files)
    }

    fn write(&self, buffer: &[u8], files: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.0.write(buffer, files)
    }
}
