//! Which camera, and which of its modes: by the W3C's fitness distance, as `getUserMedia` chooses.

use millstream_core::device::Constraint;
use millstream_core::device::{self, Choice, Device};
use millstream_core::units::{FrameRate, Pixels};
use millstream_core::{Error, Result};

use crate::driver;
use crate::mode::{Encoding, Found, Mode, Shut};
use crate::options::Options;

/// Up to this many pixels uncompressed pictures are preferred: at 30 a second they fit through USB 2.
const SMALL: u32 = 640 * 480;

/// Which camera a stage with `options` would take now, and what it would be asked for.
pub(crate) fn preview(options: &Options) -> Result<Choice> {
    let cameras = driver::list(options.through)?;
    choose(options, &cameras).map(|(_, _, choice)| choice)
}

/// The camera of `cameras` and its mode that fit `options` best.
pub(crate) fn choose<'a>(options: &Options, cameras: &'a [Found]) -> Result<(&'a Found, Mode, Choice)> {
    let named = match &options.device {
        Some(name) => vec![find(cameras, name)?],
        None if cameras.is_empty() => {
            return Err(Error::lost(
                "there is no camera; plug one in (`millstream devices` lists those that are seen)",
            ));
        }
        None => cameras.iter().collect(),
    };
    let open: Vec<&Found> = named.iter().copied().filter(|camera| camera.shut.is_none()).collect();
    if let ([], Some(shut)) = (&open[..], named.first()) {
        return Err(why_shut(shut));
    }
    let wishes = Wishes::of(options);
    let mut candidates: Vec<(f64, &Found, Mode)> = Vec::new();
    for camera in &open {
        for mode in camera.modes.iter().filter(|mode| mode.encoding.is(options.format)) {
            candidates.extend(wishes.distance(mode).map(|distance| (distance, *camera, *mode)));
        }
    }
    let place = |camera: &Found| open.iter().position(|other| std::ptr::eq(*other, camera));
    let best = candidates.iter().min_by(|(one, one_camera, one_mode), (other, other_camera, other_mode)| {
        one.total_cmp(other).then_with(|| place(one_camera).cmp(&place(other_camera))).then_with(|| {
            preference(other_mode).partial_cmp(&preference(one_mode)).unwrap_or(std::cmp::Ordering::Equal)
        })
    });
    let Some((distance, camera, mode)) = best else { return Err(nothing_fits(options, &wishes, &open)) };
    let wished = match distance {
        0.0 => "is just what is wished for".to_owned(),
        _ => format!("is nearest to {wishes}"),
    };
    let equals = candidates.iter().any(|(other, other_camera, other_mode)| {
        other == distance && std::ptr::eq(*other_camera, *camera) && other_mode != mode
    });
    let tie = match (equals, mode.encoding) {
        (false, _) => String::new(),
        (true, Encoding::Mjpeg) => "; of equals the one that the bus has most room for".to_owned(),
        (true, _) => "; of equals the largest, fastest and cheapest to decode".to_owned(),
    };
    let why = format!("{}: {mode} {wished}{tie}", camera.device.name);
    Ok((camera, *mode, Choice { device: camera.device.id.clone(), mode: (*mode).into(), why }))
}

/// What is preferred among modes that fit alike, more is better: native resolution, rate, encoding.
fn preference(mode: &Mode) -> (u32, f64, u32) {
    let pixels = mode.width * mode.height;
    let encodings = match pixels <= SMALL {
        true => [Encoding::Gray, Encoding::Mjpeg, Encoding::Rgb, Encoding::Yuyv, Encoding::Nv12, Encoding::I420],
        false => [Encoding::Gray, Encoding::Rgb, Encoding::Yuyv, Encoding::Nv12, Encoding::I420, Encoding::Mjpeg],
    };
    let rank = encodings.iter().position(|encoding| *encoding == mode.encoding).unwrap_or(0);
    (pixels, mode.fps.as_f64(), rank as u32)
}

/// The wishes, with ours where nothing is said.
struct Wishes {
    width: Constraint<Pixels>,
    height: Constraint<Pixels>,
    fps: Constraint<FrameRate>,
}

impl Wishes {
    fn of(options: &Options) -> Wishes {
        let nothing = Constraint::default();
        let pixels = |number| Constraint::ideal(Pixels::new(number).expect("a number of pixels in range"));
        let size = match options.width == nothing && options.height == nothing {
            true => (pixels(1280), pixels(720)),
            false => (options.width, options.height),
        };
        let fps = if options.fps == Constraint::default() { Constraint::ideal(FrameRate::THIRTY) } else { options.fps };
        Wishes { width: size.0, height: size.1, fps }
    }

    fn distance(&self, mode: &Mode) -> Option<f64> {
        Some(self.width.distance(mode.width)? + self.height.distance(mode.height)? + self.fps.distance(mode.fps)?)
    }
}

impl std::fmt::Display for Wishes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "width {}, height {}, fps {}", self.width, self.height, self.fps)
    }
}

/// The camera that `name` means: its id, its place, or a part of the name that no other has.
fn find<'a>(cameras: &'a [Found], name: &str) -> Result<&'a Found> {
    if let Some(camera) = cameras.iter().find(|camera| camera.device.id == name || camera.place == name) {
        return Ok(camera);
    }
    let part = name.to_lowercase();
    let mut alike = cameras.iter().filter(|camera| camera.device.name.to_lowercase().contains(&part));
    match (alike.next(), alike.next()) {
        (Some(camera), None) => Ok(camera),
        (Some(one), Some(other)) => Err(Error::config(format!(
            "`{name}` is in the names of several cameras, `{}` and `{}` among them; say its id",
            one.device.id, other.device.id
        ))),
        _ => {
            let devices: Vec<Device> = cameras.iter().map(|camera| camera.device.clone()).collect();
            match device::find(&devices, name) {
                Err(error) => Err(or_shut(error, cameras)),
                Ok(_) => unreachable!("ids were looked at first"),
            }
        }
    }
}

/// What is said where none is called so: one that is shut may be meant, since it cannot say its id.
fn or_shut(error: Error, cameras: &[Found]) -> Error {
    let shut = cameras.iter().filter(|camera| camera.shut.is_some());
    let words: Vec<String> = shut.map(|camera| why_shut(camera).to_string()).collect();
    if words.is_empty() { error } else { Error::lost(format!("{error}; or it is one of these: {}", words.join("; "))) }
}

/// What is said of a camera that cannot be opened.
pub(crate) fn why_shut(camera: &Found) -> Error {
    match camera.shut {
        Some(Shut::Silent) => Error::lost(format!(
            "{} ({}) does not answer; unplug it and plug it in again",
            camera.device.name, camera.place
        )),
        _ => driver::unreadable(&camera.place),
    }
}

fn nothing_fits(options: &Options, wishes: &Wishes, cameras: &[&Found]) -> Error {
    let all = cameras.iter().flat_map(|camera| &camera.modes);
    let modes: Vec<String> = all.map(Mode::to_string).collect();
    let format = match options.format {
        crate::options::Pictures::Any => String::new(),
        other => format!(", format {other:?}").to_lowercase(),
    };
    let there = if modes.is_empty() { "no mode at all that is known here".to_owned() } else { modes.join("; ") };
    Error::config(format!("no camera gives {wishes}{format}; there are: {there}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Pictures;
    use millstream_core::device::Kind;
    use millstream_core::error;

    fn camera(id: &str, name: &str, modes: &[(u32, u32, u32, Encoding)]) -> Found {
        let fps = |rate| FrameRate::new(rate, 1).unwrap();
        let modes =
            modes.iter().map(|&(width, height, rate, encoding)| Mode { width, height, fps: fps(rate), encoding });
        let device = Device {
            kind: Kind::Camera,
            id: id.into(),
            name: name.into(),
            default: false,
            modes: Vec::new(),
            note: None,
        };
        Found { device, place: format!("/dev/{id}"), modes: modes.collect(), shut: None }
    }

    /// What a common webcam offers.
    fn webcam() -> Found {
        let sizes = [(640, 480, 30), (1280, 720, 10), (1920, 1080, 5)];
        let raw = sizes.map(|(width, height, rate)| (width, height, rate, Encoding::Yuyv));
        let jpeg = [(640, 480), (1280, 720), (1920, 1080)].map(|(width, height)| (width, height, 30, Encoding::Mjpeg));
        camera("usb-webcam", "HD Webcam", &[raw, jpeg].concat())
    }

    fn words(options: &Options, cameras: &[Found]) -> String {
        choose(options, cameras).map_or_else(|error| error.to_string(), |(_, mode, _)| mode.to_string())
    }

    fn size(width: u32, height: u32) -> Options {
        let pixels = |number| Constraint::ideal(Pixels::new(number).unwrap());
        Options { width: pixels(width), height: pixels(height), ..Options::default() }
    }

    #[test]
    fn what_fits_best_is_taken_and_ties_go_to_what_is_cheap() {
        let cameras = [webcam()];
        assert_eq!(words(&Options::default(), &cameras), "1280x720 at 30, MJPEG");
        assert_eq!(words(&size(640, 480), &cameras), "640x480 at 30, YUYV");
        assert_eq!(words(&size(700, 500), &cameras), "640x480 at 30, YUYV");
        let raw = Options { format: Pictures::Yuyv, ..Options::default() };
        // A third of the rate is nearer than half the width and two thirds of the height.
        assert_eq!(words(&raw, &cameras), "1280x720 at 10, YUYV");
        // Of equals the largest.
        let pixels = |number| Pixels::new(number).unwrap();
        let any =
            Options { width: Constraint { min: Some(pixels(600)), ..Constraint::default() }, ..Options::default() };
        assert_eq!(words(&any, &cameras), "1920x1080 at 30, MJPEG");
    }

    #[test]
    fn what_is_insisted_on_is_kept_or_refused_with_what_there_is() {
        let cameras = [webcam()];
        let exact = |width| Constraint::exact(Pixels::new(width).unwrap());
        assert_eq!(words(&Options { width: exact(1920), ..Options::default() }, &cameras), "1920x1080 at 30, MJPEG");
        let refused = words(&Options { width: exact(5000), format: Pictures::Mjpeg, ..Options::default() }, &cameras);
        assert!(
            refused.starts_with("no camera gives width exactly 5000, height anything, fps ideally 30, format mjpeg")
        );
        assert!(refused.contains("1280x720 at 10, YUYV"), "{refused}");
    }

    #[test]
    fn a_camera_is_meant_by_id_place_or_part_of_its_name() {
        let mode = [(640, 480, 30, Encoding::Yuyv)];
        let cameras = [camera("a", "Front Camera", &mode), camera("b", "Back Camera", &mode)];
        let meant = |name: &str| {
            let options = Options { device: Some(name.into()), ..Options::default() };
            choose(&options, &cameras).map(|(_, _, choice)| choice.device).map_err(|error| error.to_string())
        };
        for name in ["b", "/dev/b", "back"] {
            assert_eq!(meant(name).as_deref(), Ok("b"), "{name}");
        }
        assert!(meant("camera").unwrap_err().contains("in the names of several cameras"));
        assert!(meant("side").unwrap_err().contains("there are: a, b"));
    }

    #[test]
    fn one_that_is_shut_is_passed_over_or_explained() {
        let mut cameras = [webcam(), camera("b", "Other", &[(1280, 720, 30, Encoding::Mjpeg)])];
        cameras[0].shut = Some(Shut::Unreadable);
        assert_eq!(choose(&Options::default(), &cameras).unwrap().2.device, "b");
        let error = choose(&Options::default(), &cameras[..1]).unwrap_err();
        assert!(error.to_string().contains("usermod -aG video"), "{error}");
        assert_eq!(error.kind(), error::Kind::Config);
        let named = Options { device: Some("usb-other".into()), ..Options::default() };
        let error = choose(&named, &cameras[..1]).unwrap_err().to_string();
        assert!(error.contains("no device `usb-other`") && error.contains("usermod -aG video"), "{error}");
        assert!(choose(&Options::default(), &[]).unwrap_err().to_string().contains("there is no camera"));
    }
}
