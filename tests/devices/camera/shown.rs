//! `pipelines/webcam.toml` in Chromium: hardly a picture of the camera's is missing.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::with_camera;
use crate::chromium::with_chromium;
use crate::program::{figure, turn};

/// Pictures that are looked at: eleven seconds of them.
const WINDOW: u64 = 330;

/// A picture that was seen: its number, if it could be read.
#[derive(Deserialize)]
struct Seen {
    code: Option<u64>,
    width: u32,
    height: u32,
}

/// The pipeline, with a sound that needs no device.
fn webcam() -> String {
    let text = include_str!("../../../pipelines/webcam.toml");
    let replaced = text.replace("type = \"microphone\"", "type = \"test-audio\"");
    assert_ne!(text, replaced, "it has a microphone");
    replaced
}

#[test]
fn the_webcam_plays_and_hardly_a_picture_is_missing() {
    let _turn = turn();
    let args = ["--set", "page.bind=127.0.0.1:0"];
    with_chromium(async |chromium| {
        let Some((_folder, _camera, mut program)) = with_camera("webcam", "plugged", &webcam(), &args) else { return };
        let viewer = chromium.open(&program.address()).await;
        viewer.playing().await;
        let mut counts = Vec::new();
        // A loaded machine may miss some: one window of three has to be good.
        while counts.len() < 3 && counts.last().is_none_or(|count| count * 100 < WINDOW as usize * 95) {
            let seen: Vec<Seen> = viewer.value("probe.timecodes(13)").await;
            // The rate may have to settle after the join; from the first second on it stands.
            let first = seen.iter().find_map(|seen| seen.code).expect("a number is read") + 30;
            let window = first..first + WINDOW;
            let counted: Vec<&Seen> =
                seen.iter().filter(|seen| seen.code.is_some_and(|code| window.contains(&code))).collect();
            assert!(counted.iter().all(|seen| (seen.width, seen.height) == (1280, 720)));
            let distinct: BTreeSet<u64> = counted.iter().filter_map(|seen| seen.code).collect();
            counts.push(distinct.len());
        }
        let (statistics, _) = program.stop();
        eprintln!("{counts:?} of {WINDOW} pictures; the camera gave {}", figure(&statistics, "camera", "items_out"));
        let best = counts.iter().max().expect("at least one window");
        assert!(best * 100 >= WINDOW as usize * 95, "{counts:?} of {WINDOW} pictures; {statistics:#}");
    });
}
