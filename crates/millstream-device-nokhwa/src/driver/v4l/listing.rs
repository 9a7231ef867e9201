//! Which cameras there are, and what each can do.

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use millstream_core::device::{Device, Kind};
use millstream_core::units::FrameRate;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::{FourCC, Fraction};

use super::FOURCCS;
use crate::driver::known::{self, Known};
use crate::driver::nokhwa;
use crate::mode::{Found, Mode, Shut};
use crate::options::Through;

/// Nodes that are looked at: the kernel gives numbers below 256 (VIDEO_NUM_DEVICES), and more than 64
/// are of no camera that was ever seen.
const NODES: u32 = 64;
/// How long a camera may take to say what it is.
const ANSWER: Duration = Duration::from_secs(2);
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
pub(in crate::driver) fn list(through: Through) -> Vec<Found> {
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
        cameras.iter_mut().for_each(|camera| camera.modes.retain(nokhwa::can));
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
