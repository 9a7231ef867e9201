//! An X client that shows the timecode strip, and keeps it at the present time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use millstream::core::{Clock, PixelFormat, Pool, Timestamp, VideoFrame};
use millstream::stages::timecode;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat, WindowClass};
use x11rb::rust_connection::RustConnection;

/// The window; it closes when dropped.
pub(crate) struct Strip {
    closed: Arc<AtomicBool>,
    painter: Option<JoinHandle<()>>,
}

/// A new time more often than a picture is taken.
const EVERY: Duration = Duration::from_millis(8);
const WIDTH: u16 = 1280;

impl Strip {
    /// Shows it at the top of the screen of `display`, which is as wide as the strip's picture.
    pub(crate) fn show(display: &str) -> Strip {
        let (connection, _) = RustConnection::connect(Some(display)).expect("the X server runs");
        let closed = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&closed);
        let painter = thread::spawn(move || paint(&connection, &until));
        Strip { closed, painter: Some(painter) }
    }
}

impl Drop for Strip {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        if let Some(painter) = self.painter.take() {
            let _ = painter.join();
        }
    }
}

fn paint(connection: &RustConnection, closed: &AtomicBool) {
    let screen = &connection.setup().roots[0];
    let (window, context) = (connection.generate_id().unwrap(), connection.generate_id().unwrap());
    let look = CreateWindowAux::new().background_pixel(screen.black_pixel).override_redirect(1);
    let (height, class) = (timecode::HEIGHT as u16, WindowClass::INPUT_OUTPUT);
    connection
        .create_window(24, window, screen.root, 0, 0, WIDTH, height, 0, class, screen.root_visual, &look)
        .unwrap();
    connection.create_gc(context, window, &CreateGCAux::new()).unwrap();
    connection.map_window(window).unwrap();
    let (clock, mut pool) = (Clock::system(), Pool::new(1));
    while !closed.load(Ordering::Acquire) {
        let millis = clock.utc(clock.now()).unix_millis() as u32;
        let size = (WIDTH.into(), height.into());
        let strip = VideoFrame::fill(&mut pool, PixelFormat::I420, size, Timestamp::ZERO, |planes| {
            planes.iter_mut().for_each(|plane| plane.data.fill(16));
            timecode::write(planes, millis);
        });
        let grey = |luma: &u8| if *luma > 125 { 255 } else { 0 };
        let pixels: Vec<u8> = strip.plane(0).iter().flatten().flat_map(|luma| [grey(luma); 4]).collect();
        connection
            .put_image(ImageFormat::Z_PIXMAP, window, context, WIDTH, height, 0, 0, 0, 24, &pixels)
            .and_then(|_| connection.flush())
            .expect("the X server runs");
        thread::park_timeout(EVERY);
    }
}
