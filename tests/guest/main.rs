//! What `script/test-devices` got out of its guest: is it what vivid shows and the loop-back card carries?
//!
//! Only that script runs it (`test = false` in Cargo.toml), and says by `MILLSTREAM_GUEST_OUT` where the files are.

use std::collections::BTreeSet;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    let folder = std::env::var_os("MILLSTREAM_GUEST_OUT").expect("script/test-devices runs this");
    PathBuf::from(folder).join(name)
}

/// What the guest wrote as `name`; `None`, and the test is skipped, if its build had no such stage.
fn file(name: &str) -> Option<Vec<u8>> {
    let path = path(name);
    if !path.exists() {
        millstream_testkit::skipped(&format!("{name}: the guest's build had no such stage"));
        return None;
    }
    Some(std::fs::read(path).expect("a file of the guest"))
}

#[test]
fn the_guest_lists_its_devices() {
    let Some(json) = file("devices.json") else { return };
    let json: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
    let devices = json["devices"].as_array().expect("a list");
    eprintln!("{} devices, {} errors", devices.len(), json["errors"].as_array().expect("a list").len());
    if path("camera.y4m").exists() {
        let camera = devices.iter().find(|device| device["kind"] == "camera").expect("vivid is a camera");
        assert!(camera["modes"].as_array().expect("a list").iter().any(|mode| mode["width"] == 1280), "{camera:#}");
    }
}

/// Luma of vivid's colour bars, as it was measured at 1280x720 (its controls as they are at first).
const BARS: [u8; 8] = [179, 160, 130, 111, 83, 64, 34, 16];
const SIZE: (usize, usize) = (1280, 720);

/// Pictures of a y4m file of 4:2:0, each as its luma.
fn pictures(y4m: &[u8]) -> Vec<&[u8]> {
    let line = |from: usize| from + y4m[from..].iter().position(|byte| *byte == b'\n').expect("a line ends") + 1;
    let header = String::from_utf8_lossy(&y4m[..line(0)]).into_owned();
    assert!(header.starts_with(&format!("YUV4MPEG2 W{} H{} F10:1", SIZE.0, SIZE.1)), "{header}");
    let (mut at, mut pictures) = (line(0), Vec::new());
    while at < y4m.len() {
        let start = line(at);
        pictures.push(&y4m[start..start + SIZE.0 * SIZE.1]);
        at = start + SIZE.0 * SIZE.1 * 3 / 2;
    }
    pictures
}

fn assert_bars(picture: &[u8]) {
    // Below the text that vivid writes into its pictures.
    let row = &picture[SIZE.0 * (SIZE.1 * 3 / 4)..][..SIZE.0];
    let found: Vec<u8> = (0..8).map(|bar| row[(2 * bar + 1) * SIZE.0 / 16]).collect();
    assert!(found.iter().zip(BARS).all(|(found, bar)| found.abs_diff(bar) <= 4), "{found:?}, not {BARS:?}");
}

#[test]
fn the_camera_gives_its_bars_at_its_rate() {
    let Some(y4m) = file("camera.y4m") else { return };
    let pictures = pictures(&y4m);
    pictures.iter().for_each(|picture| assert_bars(picture));
    // Each has its own time written into it.
    let distinct: BTreeSet<&[u8]> = pictures.iter().copied().collect();
    eprintln!("{} pictures, {} distinct", pictures.len(), distinct.len());
    assert!(pictures.len() >= 30 && distinct.len() * 10 >= pictures.len() * 8, "at 10 a second for about 5 s");
}

#[test]
fn the_camera_s_pictures_are_encoded() {
    let Some(ivf) = file("camera.ivf") else { return };
    let word = |at: usize| u32::from_le_bytes(ivf[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((&ivf[..4], &ivf[8..12], word(12)), (&b"DKIF"[..], &b"VP80"[..], 640 | (360 << 16)));
    // A header of 12 bytes before each frame, its length first.
    let (mut at, mut frames) = (32, 0);
    while at < ivf.len() {
        at += 12 + word(at) as usize;
        frames += 1;
    }
    eprintln!("{frames} frames of VP8, {} bytes", ivf.len());
    assert!(at == ivf.len() && frames >= 60, "at 30 a second for about 5 s, emulated");
}

#[test]
fn a_camera_that_was_unplugged_is_back_within_2_s() {
    let Some(y4m) = file("unplugged.y4m") else { return };
    let pictures = pictures(&y4m);
    pictures.iter().for_each(|picture| assert_bars(picture));
    // While there is no picture the one before is written again, ten times a second.
    let runs: Vec<usize> = pictures.chunk_by(|one, other| one == other).map(<[_]>::len).collect();
    let longest = runs.iter().copied().max().unwrap_or(0);
    eprintln!("{} pictures, one of them {longest} times, while it was unplugged", pictures.len());
    let gap = runs.iter().position(|run| *run == longest).expect("there are pictures");
    assert!((2..=20).contains(&longest) && gap >= 5 && runs.len() - gap > 5, "{runs:?}");
}

#[test]
fn what_is_played_into_the_card_comes_out_of_it() {
    let Some(wav) = file("loop-back.wav") else { return };
    let data = wav.windows(4).position(|four| four == b"data").expect("a chunk of samples") + 8;
    let channels = usize::from(u16::from_le_bytes([wav[22], wav[23]]));
    let rate = u32::from_le_bytes(wav[24..28].try_into().expect("four bytes"));
    let left = wav[data..].chunks_exact(2 * channels);
    let samples: Vec<f32> = left.map(|one| f32::from(i16::from_le_bytes([one[0], one[1]])) / 32768.0).collect();
    // The second half: by then both ends run.
    let settled = &samples[samples.len() / 2..];
    let seconds = settled.len() as f64 / f64::from(rate);
    // In parts of 100 ms, most of which are whole: an emulated machine tears some.
    let parts = settled.chunks_exact(rate as usize / 10);
    let mut heard: Vec<(f64, f64)> = parts
        .map(|part| (millstream_testkit::tone(part, rate, 20.0), millstream_testkit::strength(part, rate, 440.0)))
        .collect();
    heard.sort_by(|a, b| a.0.total_cmp(&b.0));
    let tone = heard[heard.len() / 2].0;
    heard.sort_by(|a, b| a.1.total_cmp(&b.1));
    let strength = heard[heard.len() / 2].1;
    eprintln!(
        "{seconds:.1} s at {rate} Hz: {tone} Hz, amplitude {strength:.3}, by the median of {} parts",
        heard.len()
    );
    assert_eq!(tone, 440.0);
    assert!(strength > 0.05, "{strength}");
}
