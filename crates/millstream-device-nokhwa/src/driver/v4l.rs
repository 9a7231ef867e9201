//! Cameras by Video4Linux2, through the crate `v4l`.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use millstream_core::device::{Device, Kind};
use millstream_core::units::FrameRate;
use millstream_core::{Color, Error, Matrix, Range, Result};
use rustix::time::{ClockId, clock_gettime};
use v4l::buffer::{Flags, Metadata, Type};
use v4l::format::{Colorspace, Quantization};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Format, FourCC, Fraction};

use super::claim::Claim;
use super::known::{self, Known};
use super::{Driver, Raw, Trouble, credible, explained};
use crate::mode::{Encoding, Found, Mode, Shut};
use crate::options::Through;

/// Nodes that are looked at: the kernel gives numbers below 256 (VIDEO_NUM_DEVICES), and more than 64
/// are of no camera that was ever seen.
const NODES: u32 = 64;
/// How long a camera may take to say what it is.
const ANSWER: Duration = Duration::from_secs(2);
/// Buffers in the driver: one is being written, one is copied from, and two are room for a late thread.
const BUFFERS: u32 = 4;
/// How long to wait for a picture before looking whether anybody still wants one.
const WAIT: Duration = Duration::from_millis(100);

/// There is something to read (poll.h).
const POLLIN: i16 = 1;

/// What the encodings are called here.
const FOURCCS: [(&[u8; 4], Encoding); 7] = [
    (b"MJPG", Encoding::Mjpeg),
    (b"JPEG", Encoding::Mjpeg),
    (b"YUYV", Encoding::Yuyv),
    (b"NV12", Encoding::Nv12),
    (b"YU12", Encoding::I420),
    (b"RGB3", Encoding::Rgb),
    (b"GREY", Encoding::Gray),
];

/// Sizes that are offered of a camera that can make any.
const SIZES: [(u32, u32); 10] = [
    (320, 180),
    (320, 240),
    (640, 360),
    (640, 480),
    (960, 540),
    (1024, 768),
    (1280, 720),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
];
/// Rates that are offered of a camera that can go at any.
const RATES: [u32; 8] = [5, 10, 15, 20, 24, 25, 30, 60];

/// Nodes whose driver was asked and has not answered, each with a thread that waits for it: they are not
/// asked again, or there would be more threads each time.
static SILENT: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn silent() -> MutexGuard<'static, BTreeSet<u32>> {
    SILENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cameras, asked one after the other in a thread of their own. One that does not answer is left
/// behind with its thread, and another thread asks the rest.
pub(super) fn list(through: Through) -> Vec<Found> {
    let mut cameras = Vec::new();
    let mut next = 0;
    while next < NODES {
        let (sender, answers) = mpsc::channel();
        let ask = move || {
            // Where nobody listens any more, the rest was asked by somebody else.
            let _asked = (next..NODES).try_for_each(|node| answer(node, &sender));
        };
        if std::thread::Builder::new().name("camera-list".to_owned()).spawn(ask).is_err() {
            break;
        }
        next = hear(answers, next, &mut cameras);
    }
    if through == Through::Nokhwa {
        cameras.iter_mut().for_each(|camera| camera.modes.retain(super::nokhwa::can));
    }
    finish(cameras)
}

/// Nodes with what was found there.
type Answer = (u32, Option<Found>);

/// Tells what is at `node`; an error where nobody listens any more.
fn answer(node: u32, sender: &mpsc::Sender<Answer>) -> Result<(), ()> {
    // The lock is not held while a driver is asked.
    let known = silent().contains(&node);
    let found = if known { Some(shut(node, Shut::Silent)) } else { look(node) };
    let mut silent = silent();
    sender.send((node, found)).map_err(|_| {
        silent.remove(&node);
    })
}

/// Takes answers from `next` on, until all are there or one does not come; the first node not heard of.
fn hear(answers: mpsc::Receiver<Answer>, mut next: u32, cameras: &mut Vec<Found>) -> u32 {
    loop {
        let answer = answers.recv_timeout(ANSWER).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => Some(silent()),
            mpsc::RecvTimeoutError::Disconnected => None,
        });
        // Under the lock it has either answered by now, or will find that nobody listens.
        match answer.or_else(|lock| answers.try_recv().map_err(|_| lock)) {
            Ok((node, found)) => {
                next = node + 1;
                cameras.extend(found);
            }
            Err(Some(mut silent)) => {
                silent.insert(next);
                drop(answers);
                drop(silent);
                cameras.push(shut(next, Shut::Silent));
                return next + 1;
            }
            Err(None) => return NODES,
        }
    }
}

/// The camera of a node, if it is there and one.
fn look(node: u32) -> Option<Found> {
    let place = place(node);
    match v4l::Device::with_path(&place) {
        Ok(device) => {
            // The crate panics where a driver's texts are not UTF-8, among other things.
            let found = catch_unwind(AssertUnwindSafe(|| describe(&device, &place))).ok().flatten();
            if let Some(Found { device: Device { id, name, .. }, .. }) = &found {
                known::remember(node, Known { id: id.clone(), name: name.clone() });
            }
            found
        }
        Err(error) if matches!(error.raw_os_error(), Some(1 | 13)) => Some(shut(node, Shut::Unreadable)),
        Err(_) => {
            known::forget(node);
            None
        }
    }
}

fn place(node: u32) -> String {
    format!("/dev/video{node}")
}

/// Says which is the default, and keeps ids apart. One that is shut never takes the id of one that opens:
/// its own may be that of a camera which has moved on since.
fn finish(mut cameras: Vec<Found>) -> Vec<Found> {
    let mut ids = HashSet::new();
    let (open, shut): (Vec<_>, Vec<_>) = cameras.iter_mut().partition(|camera| camera.shut.is_none());
    for camera in open.into_iter().chain(shut) {
        let plain = camera.device.id.clone();
        let mut count = 1;
        while !ids.insert(camera.device.id.clone()) {
            count += 1;
            camera.device.id = format!("{plain}-{count}");
        }
        camera.device.modes = camera.modes.iter().map(|mode| (*mode).into()).collect();
    }
    if let Some(first) = cameras.iter_mut().find(|camera| camera.shut.is_none()) {
        first.device.default = true;
    }
    cameras
}

/// What the camera at `place` is; nothing if it is none.
fn describe(device: &v4l::Device, place: &str) -> Option<Found> {
    let caps = device.query_caps().ok()?;
    // Nodes for metadata and for output have no format of captured pictures.
    let formats = device.enum_formats().ok().filter(|formats| !formats.is_empty())?;
    let mut modes = Vec::new();
    for format in &formats {
        let known = FOURCCS.iter().find(|(fourcc, _)| **fourcc == format.fourcc.repr);
        let Some((_, encoding)) = known else { continue };
        for (width, height) in sizes(device, format.fourcc) {
            for fps in rates(device, format.fourcc, (width, height)) {
                modes.push(Mode { width, height, fps, encoding: *encoding });
            }
        }
    }
    modes.sort_by(|one, other| {
        let order = |mode: &Mode| (mode.width * mode.height, mode.fps.as_f64());
        order(other).partial_cmp(&order(one)).unwrap_or(std::cmp::Ordering::Equal)
    });
    modes.dedup();
    let id = by_id(place).unwrap_or_else(|| slug(&format!("{}-{}", caps.bus, caps.card)));
    let note = modes.is_empty().then(|| "sends its pictures in no way that is known here".to_owned());
    let device = Device { kind: Kind::Camera, id, name: caps.card, default: false, modes: Vec::new(), note };
    Some(Found { device, place: place.to_owned(), modes, shut: None })
}

/// A camera that cannot be opened, as far as it is known.
fn shut(node: u32, shut: Shut) -> Found {
    let place = place(node);
    let Known { id, name } = known::recall(node).unwrap_or_else(|| {
        let name = std::fs::read_to_string(format!("/sys/class/video4linux/video{node}/name"));
        let name = name.map_or_else(|_| place.clone(), |name| name.trim().to_owned());
        Known { id: by_id(&place).unwrap_or_else(|| slug(&name)), name }
    });
    let note = match shut {
        Shut::Unreadable => "not readable: `sudo usermod -aG video $USER`, then log in anew",
        Shut::Silent => "does not answer",
    };
    let note = Some(note.to_owned());
    let device = Device { kind: Kind::Camera, id, name, default: false, modes: Vec::new(), note };
    Found { device, place, modes: Vec::new(), shut: Some(shut) }
}

/// What udev calls it by maker, model and serial number: it stays the same whatever it is plugged into.
fn by_id(place: &str) -> Option<String> {
    let links = std::fs::read_dir("/dev/v4l/by-id").ok()?.flatten();
    let mut alike =
        links.filter(|link| std::fs::canonicalize(link.path()).is_ok_and(|target| target == Path::new(place)));
    alike.next()?.file_name().into_string().ok()
}

fn slug(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.:".contains(letter) { letter } else { '_' };
    text.chars().map(plain).collect()
}

fn sizes(device: &v4l::Device, fourcc: FourCC) -> Vec<(u32, u32)> {
    let mut sizes = Vec::new();
    for size in device.enum_framesizes(fourcc).unwrap_or_default() {
        match size.size {
            FrameSizeEnum::Discrete(size) => sizes.push((size.width, size.height)),
            FrameSizeEnum::Stepwise(step) => {
                let fits = |value: u32, min: u32, max: u32, step: u32| {
                    (min..=max).contains(&value) && (value - min).is_multiple_of(step.max(1))
                };
                sizes.extend(SIZES.iter().copied().filter(|&(width, height)| {
                    fits(width, step.min_width, step.max_width, step.step_width)
                        && fits(height, step.min_height, step.max_height, step.step_height)
                }));
                sizes.push((step.max_width, step.max_height));
            }
        }
    }
    let possible = 1..=millstream_core::MAX_DIMENSION;
    sizes.retain(|(width, height)| possible.contains(width) && possible.contains(height));
    sizes
}

fn rates(device: &v4l::Device, fourcc: FourCC, (width, height): (u32, u32)) -> Vec<FrameRate> {
    let mut rates = Vec::new();
    for interval in device.enum_frameintervals(fourcc, width, height).unwrap_or_default() {
        match interval.interval {
            FrameIntervalEnum::Discrete(interval) => rates.extend(rate(interval)),
            FrameIntervalEnum::Stepwise(step) => {
                let (Some(fastest), Some(slowest)) = (rate(step.min), rate(step.max)) else { continue };
                let between = |rate: &FrameRate| (slowest.as_f64()..=fastest.as_f64()).contains(&rate.as_f64());
                rates.extend(RATES.iter().filter_map(|rate| FrameRate::new(*rate, 1)).filter(between));
                rates.push(fastest);
            }
        }
    }
    if rates.is_empty() {
        // Drivers that list no rates have one, and may say it.
        rates.push(device.params().ok().and_then(|params| rate(params.interval)).unwrap_or(FrameRate::THIRTY));
    }
    rates
}

/// The rate of an interval, in lowest terms.
fn rate(interval: Fraction) -> Option<FrameRate> {
    let (mut a, mut b) = (interval.numerator, interval.denominator);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    FrameRate::new(interval.denominator / a.max(1), interval.numerator / a.max(1))
}

/// Asks the camera at `place` for exactly `mode`, whatever state another program has left it in.
pub(super) fn prepare(device: &v4l::Device, place: &str, mode: Mode) -> Result<Format> {
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

pub(super) fn open(camera: &Found, mode: Mode) -> Result<(Box<dyn Driver>, Color)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_in_lowest_terms() {
        let of = |numerator, denominator| rate(Fraction::new(numerator, denominator)).map(|rate| rate.to_string());
        assert_eq!(of(1, 30).as_deref(), Some("30"));
        assert_eq!(of(2, 25).as_deref(), Some("25/2"));
        assert_eq!(of(1001, 30_000).as_deref(), Some("30000/1001"));
        assert_eq!(of(333_333, 10_000_000).as_deref(), Some("10000000/333333"));
        assert_eq!((of(0, 30), of(1, 0), of(0, 0)), (None, None, None));
    }

    #[test]
    fn ids_are_kept_apart_and_the_first_that_opens_is_the_default() {
        let camera = |shut: Option<Shut>| Found {
            device: Device {
                kind: Kind::Camera,
                id: "usb-1".into(),
                name: "Camera".into(),
                default: false,
                modes: Vec::new(),
                note: None,
            },
            place: String::new(),
            modes: Vec::new(),
            shut,
        };
        let cameras = finish(vec![camera(Some(Shut::Silent)), camera(None), camera(None)]);
        let seen: Vec<_> = cameras.iter().map(|camera| (camera.device.id.as_str(), camera.device.default)).collect();
        assert_eq!(seen, [("usb-1-3", false), ("usb-1", true), ("usb-1-2", false)]);
        assert_eq!(slug("usb-0000:00:14.0-1-HD Webcam™"), "usb-0000:00:14.0-1-HD_Webcam_");
    }
}
