//! What a camera sends arrives as it was: colours, order, and hardly a picture missing.

use std::path::Path;

use millstream::core::Plane;
use millstream::stages::timecode;
use millstream_testkit::camera::BARS;

use super::with_camera;
use crate::program::turn;

/// The link holds everything while the disk takes its time.
const FILE: &str = r#"
[stage.camera]
type = "camera"

[stage.file]
type = "y4m-writer"
input = { from = "camera", policy = "block", items = 200 }
path = "seen.y4m"
"#;

/// Planes of a picture and its size.
struct Picture<'a> {
    size: (usize, usize),
    data: &'a [u8],
}

impl<'a> Picture<'a> {
    fn plane(&self, index: usize) -> Plane<'a> {
        let (width, height) = self.size;
        let (row, rows) = if index == 0 { (width, height) } else { (width / 2, height / 2) };
        let start = [0, width * height, width * height * 5 / 4][index];
        Plane { data: &self.data[start..start + row * rows], stride: row, row, rows }
    }

    /// The samples in the midst of a bar, below the strip and above the box.
    fn bar(&self, number: usize) -> [u8; 3] {
        let (x, y) = (self.size.0 * (2 * number + 1) / 16, self.size.1 / 4);
        [0, 1, 2].map(|index| {
            let (plane, scale) = (self.plane(index), if index == 0 { 1 } else { 2 });
            plane.data[y / scale * plane.stride + x / scale]
        })
    }
}

/// The pictures of a Y4M file that ours wrote: a line, and before each picture a line.
fn pictures(file: &Path, size: (usize, usize), each: impl FnMut(Picture<'_>)) -> String {
    let bytes = std::fs::read(file).expect("it was written");
    let end = bytes.iter().position(|byte| *byte == b'\n').expect("a header");
    let frame = b"FRAME\n".len() + size.0 * size.1 * 3 / 2;
    bytes[end + 1..].chunks_exact(frame).map(|frame| Picture { size, data: &frame[6..] }).for_each(each);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Left by another program in a state for which `nokhwa` has no name.
const ODD: &str = "odd";

fn arrives(told: &str, through: &str, format: &str, rate: u32, size: (usize, usize)) {
    let name = format!("{through}-{format}-{rate}-{}", size.0);
    let sets = [
        format!("camera.through={through}"),
        format!("camera.format={format}"),
        format!("camera.fps={{ exact = {rate} }}"),
        format!("camera.width={{ exact = {} }}", size.0),
        // The file keeps a rate of its own: at twice the camera's each picture is in it once at least.
        format!("file.fps={}", rate * 2),
    ];
    let mut args = vec!["--for", "1.5 s"];
    args.extend(sets.iter().flat_map(|set| ["--set", set.as_str()]));
    let Some((folder, _camera, program)) = with_camera(&name, told, FILE, &args) else { return };
    let (status, _, said) = program.ended();
    assert!(status.success(), "{name}: {said:#?}");
    let chosen = format!("{}x{} at {rate}, {}", size.0, size.1, format.to_uppercase());
    assert!(said.iter().any(|line| line.text.contains(&chosen)), "{name}: {said:#?}");

    let mut numbers = Vec::new();
    let header = pictures(&folder.path().join("seen.y4m"), size, |picture| {
        for (number, bar) in BARS.iter().enumerate() {
            let seen = picture.bar(number);
            // A JPEG of full range has seven eighths of our steps.
            let near = seen.iter().zip(bar).all(|(seen, bar)| seen.abs_diff(*bar) <= 2);
            assert!(near, "{name}: bar {number} is {seen:?} and not {bar:?}");
        }
        numbers.push(timecode::read(picture.plane(0)).expect("each picture has its number"));
    });
    assert!(header.contains(&format!("W{} H{}", size.0, size.1)), "{header}");
    assert!(numbers.is_sorted(), "{name}: {numbers:?}");
    numbers.dedup();
    let span = numbers.last().zip(numbers.first()).map_or(0, |(last, first)| last - first + 1);
    eprintln!("{name}: {} of {span} pictures", numbers.len());
    assert!(span >= rate / 2, "{name}: {span} pictures in 1.5 s");
    assert!(numbers.len() * 100 >= span as usize * 95, "{name}: {} of {span}", numbers.len());
}

#[test]
fn every_format_at_30_and_60_arrives_as_it_was() {
    let _turn = turn();
    for format in ["yuyv", "nv12", "mjpeg"] {
        for rate in [30, 60] {
            arrives(ODD, "system", format, rate, (352, 288));
        }
    }
}

#[test]
fn and_in_hd_and_through_nokhwa() {
    let _turn = turn();
    for format in ["yuyv", "nv12", "mjpeg"] {
        arrives(ODD, "system", format, 15, (1280, 720));
        arrives(ODD, "nokhwa", format, 30, (352, 288));
    }
}

#[test]
fn and_without_what_the_driver_has_between_rows() {
    let _turn = turn();
    for format in ["yuyv", "nv12"] {
        arrives("padded", "system", format, 30, (352, 288));
    }
}
