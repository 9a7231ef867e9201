//! A camera that is opened, and what it gives.

use std::io;
use std::time::Duration;

use millstream_core::{Color, Error, Matrix, Range, Result};
use rustix::time::{ClockId, clock_gettime};
use v4l::buffer::{Flags, Metadata, Type};
use v4l::format::{Colorspace, Quantization};
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Format, FourCC, Fraction};

use super::FOURCCS;
use crate::driver::claim::Claim;
use crate::driver::{Driver, Raw, Trouble, credible, explained};
use crate::mode::{Encoding, Found, Mode};

/// Buffers in the driver: one is being written, one is copied from, and two are room for a late thread.
const BUFFERS: u32 = 4;
/// How long to wait for a picture before looking whether anybody still wants one.
const WAIT: Duration = Duration::from_millis(100);

/// There is something to read (poll.h).
const POLLIN: i16 = 1;

/// Asks the camera at `place` for exactly `mode`, whatever state another program has left it in.
pub(in crate::driver) fn prepare(device: &v4l::Device, place: &str, mode: Mode) -> Result<Format> {
    let failed = |error: io::Error| explained(place, error.raw_os_error(), &error.to_string());
    let names =
        FOURCCS.iter().filter(|(_, encoding)| *encoding == mode.encoding).map(|(fourcc, _)| FourCC::new(fourcc));
    let mut got = None;
    for fourcc in names {
        let format = device.set_format(&Format::new(mode.width, mode.height, fourcc)).map_err(failed)?;
        if (format.width, format.height, format.fourcc) == (mode.width, mode.height, fourcc) {
            got = Some(format);
            break;
        }
    }
    let refused = || Error::lost(format!("{place} offers {mode}, and refuses it; try another mode"));
    let format = got.ok_or_else(refused)?;
    // A driver that has one rate only need not let it be set.
    let interval = Fraction::new(mode.fps.denominator(), mode.fps.numerator());
    if let Err(error) = device.set_params(&Parameters::new(interval)) {
        tracing::debug!("{place} takes no rate: {error}");
    }
    Ok(format)
}

pub(in crate::driver) fn open(camera: &Found, mode: Mode) -> Result<(Box<dyn Driver>, Color)> {
    let place = camera.place.as_str();
    let failed = |error: io::Error| explained(place, error.raw_os_error(), &error.to_string());
    let device = v4l::Device::with_path(place).map_err(failed)?;
    let format = prepare(&device, place, mode)?;
    let color = Color {
        matrix: if matches!(format.colorspace, Colorspace::Rec709) { Matrix::Bt709 } else { Matrix::Bt601 },
        range: if matches!(format.quantization, Quantization::FullRange) { Range::Full } else { Range::Limited },
    };
    if mode.encoding == Encoding::I420 && format.stride > mode.width {
        return Err(Error::lost(format!("{place} pads its rows of I420, which is not known here; set `format`")));
    }
    let stream = Stream::with_buffers(&device, Type::VideoCapture, BUFFERS).map_err(failed)?;
    let stride = format.stride as usize;
    let open = Some((stream, Claim::new(place)));
    let mut streaming = Streaming { open, stride, after_trouble: false, place: place.to_owned() };
    streaming.start().map_err(failed)?;
    Ok((Box::new(streaming), color))
}

/// A camera that sends.
struct Streaming {
    /// There until it is dropped.
    open: Option<(Stream<'static>, Claim)>,
    /// Bytes from row to row, as the driver says.
    stride: usize,
    /// Whether the last call failed.
    after_trouble: bool,
    place: String,
}

impl Streaming {
    fn stream(&mut self) -> &mut Stream<'static> {
        &mut self.open.as_mut().expect("it is there until it is dropped").0
    }

    fn start(&mut self) -> io::Result<()> {
        let stream = self.stream();
        // Not the first: the crate queues that one itself, when it is asked for a picture.
        for index in 1..BUFFERS as usize {
            match stream.queue(index) {
                Ok(()) => {}
                // The driver gave fewer than were asked for.
                Err(error) if index > 1 && error.raw_os_error() == Some(22) => break,
                Err(error) => return Err(error),
            }
        }
        stream.start()
    }

    fn trouble(&self, error: &io::Error) -> Trouble {
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted, _) => Trouble::Nothing,
            // EIO: the kernel's documentation says that it may pass.
            (_, Some(5)) => Trouble::Passing(error.to_string()),
            (_, code) => Trouble::Gone(explained(&self.place, code, &error.to_string())),
        }
    }
}

impl Driver for Streaming {
    fn next(&mut self, take: &mut dyn FnMut(Raw<'_>)) -> Result<(), Trouble> {
        let stride = self.stride;
        // Waits here and not in the crate, which after it had waited in vain would queue a buffer twice.
        match self.stream().handle().poll(POLLIN, WAIT.as_millis() as i32) {
            Ok(0) => return Err(Trouble::Nothing),
            Ok(_) => {}
            Err(error) => return Err(self.trouble(&error)),
        }
        if std::mem::take(&mut self.after_trouble) {
            // The buffer that the crate would queue is with the driver already; a picture is let go for it.
            return match self.stream().dequeue() {
                Ok(_) => Err(Trouble::Nothing),
                Err(error) => {
                    self.after_trouble = true;
                    Err(self.trouble(&error))
                }
            };
        }
        match CaptureStream::next(self.stream()) {
            Ok((_, meta)) if meta.flags.contains(Flags::ERROR) => {
                Err(Trouble::Passing("the driver calls a picture damaged".to_owned()))
            }
            Ok((data, meta)) => {
                let used = if meta.bytesused == 0 { data.len() } else { data.len().min(meta.bytesused as usize) };
                let age = meta.flags.contains(Flags::TIMESTAMP_MONOTONIC).then(|| age(meta)).flatten();
                take(Raw { data: &data[..used], stride, age: credible(age) });
                Ok(())
            }
            Err(error) => {
                self.after_trouble = true;
                Err(self.trouble(&error))
            }
        }
    }
}

/// How long ago the driver says a picture was captured; nothing where that lies in the future.
fn age(meta: &Metadata) -> Option<Duration> {
    let now = clock_gettime(ClockId::Monotonic);
    let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
    now.checked_sub(Duration::from(meta.timestamp))
}

impl Drop for Streaming {
    /// The crate's stream panics when the driver refuses to stop, and what is inside it then panics too;
    /// two panics at once end the process. So it is stopped here first, and one that will not stop is kept.
    fn drop(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        match open.0.stop() {
            Err(error) if error.raw_os_error() != Some(19) => {
                tracing::warn!("{} does not stop ({error}), and stays open until this program ends", self.place);
                std::mem::forget(open);
            }
            _ => drop(open),
        }
    }
}
