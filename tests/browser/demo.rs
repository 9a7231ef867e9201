//! `pipelines/demo.toml` in Chromium: every picture, and the beep.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::chromium::{load, with_chromium};

/// A picture that was seen.
#[derive(Deserialize)]
pub(crate) struct Seen {
    /// Its timecode in milliseconds, if it could be read.
    pub(crate) code: Option<u64>,
    /// When it was seen, in milliseconds of the page.
    pub(crate) at: f64,
    width: u32,
    height: u32,
}

#[test]
fn the_demo_plays_at_full_size_and_rate_and_its_beep_is_heard() {
    with_chromium(async |chromium| {
        let (pipeline, address) = load("demo", &[]);
        let running = pipeline.spawn().unwrap();
        let viewer = chromium.open(&address).await;
        viewer.playing().await;

        let seen: Vec<Seen> = viewer.value("probe.timecodes(22)").await;
        // The size may have to grow after the join; from the first second on it stands.
        let first = seen.iter().find_map(|seen| seen.code).expect("a timecode is read");
        let window = first + 1000..first + 21_000;
        let counted: Vec<_> = seen.iter().filter(|seen| seen.code.is_some_and(|code| window.contains(&code))).collect();
        assert!(counted.iter().all(|seen| (seen.width, seen.height) == (1280, 720)));
        let distinct: BTreeSet<_> = counted.iter().filter_map(|seen| seen.code).collect();
        let statistics = running.statistics();
        eprintln!(
            "{} of 600 timecodes; dropped before the encoder: {}",
            distinct.len(),
            statistics.link("video", "vp8").unwrap().dropped()
        );
        assert!(distinct.len() >= 570, "{} of 600 timecodes; {statistics:#?}", distinct.len());

        let sound = viewer.sound(2.5).await;
        // The beep lasts 100 ms: it is where the sound is loudest.
        let loudest = sound
            .chunks_exact(2400)
            .max_by(|a, b| energy(a).total_cmp(&energy(b)))
            .expect("2.5 s hold blocks of 50 ms");
        let heard = millstream_testkit::tone(loudest, 48_000, 20.0);
        let loud = millstream_testkit::strength(loudest, 48_000, 1000.0);
        eprintln!("the beep is {heard} Hz at {loud:.3}");
        assert!((980.0..=1020.0).contains(&heard), "{heard} Hz");
        assert!(loud > 0.05, "{loud}");
        running.stop();
        running.wait().unwrap();
    });
}

/// A browser asks for picture and sound, and a page may have but one of them.
const SOUND_ALONE: &str = r#"
[stage.sound]
type = "test-audio"

[stage.opus]
type = "opus-encoder"
input = "sound"

[stage.opus-rtp]
type = "opus-packetizer"
input = "opus"

[stage.page]
type = "page"
audio = "opus-rtp"
bind = "127.0.0.1:0"
"#;

#[test]
fn sound_alone_is_heard() {
    with_chromium(async |chromium| {
        let pipeline = millstream::load(SOUND_ALONE, "sound.toml", &[]).unwrap_or_else(|error| panic!("{error}"));
        let address = pipeline.notices().iter().find(|(_, notice)| notice.starts_with("http")).unwrap().1.clone();
        let running = pipeline.spawn().unwrap();
        let viewer = chromium.open(&address).await;
        let connected: bool = viewer.value("probe.connected(20000)").await;
        assert!(connected, "{}", viewer.value::<String>("probe.report()").await);
        // The first of it is still the decoder's own.
        let heard = viewer.sound(2.0).await.split_off(48_000);
        assert_eq!(millstream_testkit::tone(&heard, 48_000, 20.0), 440.0);
        running.stop();
        running.wait().unwrap();
    });
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum()
}
