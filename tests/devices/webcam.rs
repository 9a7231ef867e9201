//! `pipelines/webcam.toml` itself, in Chromium: hardly a picture of the camera's is missing, and what is
//! said into the microphone is heard.

use std::collections::BTreeSet;

use millstream_testkit::sound;
use serde::Deserialize;

use crate::audio::Sine;
use crate::camera::with_camera;
use crate::chromium::{Viewer, with_chromium};
use crate::program::{figure, turn};

const WEBCAM: &str = include_str!("../../pipelines/webcam.toml");
/// Pictures that are counted in a row: 11 s.
const WINDOW: u64 = 330;
/// A loaded machine may miss some: one window of three has to be good.
const WINDOWS: usize = 3;

/// A picture that was seen: its number, if it could be read.
#[derive(Deserialize)]
struct Seen {
    code: Option<u64>,
    width: u32,
    height: u32,
}

#[test]
fn it_plays_and_hardly_a_picture_or_a_sound_is_missing() {
    let _turn = turn();
    sound::with_server(|mut server| {
        with_chromium(async |chromium| {
            server.say(440.0);
            let args = ["--set", "page.bind=127.0.0.1:0"];
            let Some((_folder, _camera, mut program)) = with_camera("webcam", "plugged", WEBCAM, &args) else { return };
            let viewer = chromium.open(&program.address()).await;
            viewer.playing().await;
            let mut counts = Vec::new();
            while counts.len() < WINDOWS && counts.last().is_none_or(|count| count * 100 < WINDOW as usize * 95) {
                counts.push(pictures(&viewer).await);
            }
            // The first of it is still the decoder's own.
            let heard = viewer.sound(2.5).await.split_off(48_000);
            let Sine { hz, amplitude, distortion } = Sine::of(&heard, 440.0);
            let (statistics, _) = program.stop();
            eprintln!(
                "{counts:?} of {WINDOW} pictures; the camera gave {}",
                figure(&statistics, "camera", "items_out")
            );
            eprintln!("{hz} Hz at {amplitude:.3}, distortion {distortion:.0} dB");
            let best = counts.iter().max().expect("at least one window");
            assert!(best * 100 >= WINDOW as usize * 95, "{counts:?} of {WINDOW} pictures; {statistics:#}");
            assert_eq!(hz, 440.0);
            assert!(amplitude > 0.2 && distortion < -30.0, "{amplitude}, {distortion} dB");
        });
    });
}

/// How many different pictures of the next [`WINDOW`] are seen and can be read.
async fn pictures(viewer: &Viewer) -> usize {
    let seen: Vec<Seen> = viewer.value("probe.timecodes(13)").await;
    // The rate may have to settle after the join; from the first second on it stands.
    let first = seen.iter().find_map(|seen| seen.code).expect("a number is read") + 30;
    let window = first..first + WINDOW;
    let counted: Vec<&Seen> = seen.iter().filter(|seen| seen.code.is_some_and(|code| window.contains(&code))).collect();
    assert!(counted.iter().all(|seen| (seen.width, seen.height) == (1280, 720)));
    counted.iter().filter_map(|seen| seen.code).collect::<BTreeSet<u64>>().len()
}
