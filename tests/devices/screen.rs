//! The screen of an X server, Xvfb: `pipelines/screen.toml` in Chromium, and what `millstream devices` says of it.

mod command;
mod strip;

use std::collections::BTreeSet;

use millstream_testkit::Xvfb;
use serde::Deserialize;

use crate::chromium::{load, with_chromium};
use strip::Strip;

/// A picture that was seen.
#[derive(Deserialize)]
struct Seen {
    /// Its timecode in milliseconds, if it could be read.
    code: Option<u64>,
    width: u32,
    height: u32,
}

/// Pictures in the 10 s that are judged, at 30 a second.
const PICTURES: usize = 300;
/// A busy machine may not keep up with an X server, an encoder and a browser at once.
const ATTEMPTS: u32 = 3;

#[test]
fn a_window_with_the_timecode_strip_is_read_in_the_browser() {
    let Some(server) = Xvfb::start((1280, 720), &[]) else { return };
    let _strip = Strip::show(server.display());
    let device = format!("screen.device={}", server.display());
    with_chromium(async |chromium| {
        let (pipeline, address) = load("screen", &[&device]);
        let running = pipeline.spawn().unwrap();
        let viewer = chromium.open(&address).await;
        viewer.playing().await;
        for attempt in 1..=ATTEMPTS {
            let seen: Vec<Seen> = viewer.value("probe.timecodes(12)").await;
            assert!(seen.iter().skip(30).all(|seen| (seen.width, seen.height) == (1280, 720)));
            let first = seen.iter().find_map(|seen| seen.code).expect("a timecode is read");
            let window = first + 1000..first + 11_000;
            let distinct: BTreeSet<_> =
                seen.iter().filter_map(|seen| seen.code).filter(|code| window.contains(code)).collect();
            let readable = seen.iter().filter(|seen| seen.code.is_some()).count();
            eprintln!("{} of {PICTURES} pictures in 10 s; {readable} of {} could be read", distinct.len(), seen.len());
            if distinct.len() * 100 >= PICTURES * 95 && readable * 100 >= seen.len() * 95 {
                break;
            }
            assert!(attempt < ATTEMPTS, "{:#?}", running.statistics());
        }
        running.stop();
        running.wait().unwrap();
    });
}
