//! Every file of `pipelines/` runs; every file of `tests/pipelines/bad/` is refused at its place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use millstream::pipeline::declare::{self, Diagnostics, Override};

fn toml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

fn refuse(text: &str, file: &str) -> Diagnostics {
    declare::read(text, file, &[], &millstream::registry()).err().unwrap_or_else(|| panic!("{file} is accepted"))
}

#[test]
fn each_bad_file_gives_one_error_at_its_place_with_its_words() {
    let files = toml_files("tests/pipelines/bad");
    assert_eq!(files.len(), 12);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_str().unwrap();
        let diagnostics = refuse(&text, file);
        let shown = diagnostics.to_string();
        let mut expected = text.lines().next().unwrap().trim_start_matches("# ").split(' ');
        let place = format!("{file}:{}", expected.next().unwrap());
        assert_eq!(diagnostics.len(), 1, "{shown}");
        assert_eq!(shown.lines().filter(|line| line.starts_with("error")).count(), 1, "{shown}");
        assert!(shown.contains(&place), "{place} in\n{shown}");
        for word in expected {
            assert!(shown.contains(word), "{word} in\n{shown}");
        }
    }
}

#[test]
fn a_file_with_nine_mistakes_gives_nine_errors() {
    let text = r#"
[stage.video]
type = "test-video"
width = 640
fps = 0

[stage.tone]
type = "test-audio"
volum = "20 %"

[stage.quiet]
type = "null"
input = "tone"

[stage.vp8]
type = "vp8-encoder"
input = { from = "video", policy = "lastest" }
bitrate = "800 kB"
application = "voip"

[stage.vp8-rtp]
type = "vp8-packetizer"
input = ["vp8", "vp8"]

[stage.small]
type = "scale"
input = "vidoe"
width = 320

[stage.none]
type = "null"
input = "small"

[stage.odd]
type = "vp8-encodr"
input = "video"

[stage.alone]
type = "opus-packetizer"

[stage.page]
type = "page"
video = "vp8-rtp"
audio = "alone"
"#;
    let diagnostics = refuse(text, "nine.toml");
    assert_eq!(diagnostics.len(), 9, "{diagnostics}");
}

#[test]
fn every_pipeline_that_people_run_runs() {
    let clip = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clips").join(name);
    for path in toml_files("pipelines") {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.display().to_string();
        // Those that need a device are run by tests/devices, which make some.
        if millstream::registry().devices().any(|devices| text.contains(&format!("type = \"{}\"", devices.stage()))) {
            continue;
        }
        let mut sets = vec!["page.bind=127.0.0.1:0".to_owned()];
        if text.contains("clip.y4m") {
            if !clip("bunny.y4m").exists() {
                millstream_testkit::skipped("the clip; make it with script/clip");
                continue;
            }
            sets.push(format!("video.path={}", clip("bunny.y4m").display()));
            sets.push(format!("audio.path={}", clip("bunny.wav").display()));
        }
        let overrides: Vec<Override> = sets.iter().map(|set| Override::parse(set).unwrap()).collect();
        let pipeline = millstream::load(&text, &file, &overrides).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pipeline.name(), path.file_stem().unwrap());
        let running = pipeline.spawn().unwrap();
        // It runs when something reaches every sink.
        let reached = |running: &millstream::Running| {
            let statistics = running.statistics();
            let sinks: Vec<_> = statistics.stages.iter().filter(|stage| stage.name.starts_with("page.")).collect();
            sinks.len() == 2 && sinks.iter().all(|sink| sink.items_in >= 5)
        };
        let clock = running.clock().clone();
        let deadline = clock.now() + Duration::from_secs(20);
        while !reached(&running) {
            assert!(clock.now() < deadline, "{file}: {:#?}", running.statistics());
            assert!(!running.wait_for(Duration::from_millis(10)), "{file} ended");
        }
        running.stop();
        running.wait().unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn the_program_takes_from_a_declared_stage_too() {
    use millstream::core::{EncodedFrame, RtpPackets, VideoFrame};

    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/demo.toml")).unwrap();
    let set = |set: &str| Override::parse(set).unwrap();
    let small = [set("page.bind=127.0.0.1:0"), set("video.width=160"), set("video.height=90")];
    let mut pipeline = millstream::load(&text, "demo.toml", &small).unwrap_or_else(|error| panic!("{error}"));
    assert!(pipeline.output::<VideoFrame>("vp8").is_none(), "it gives encoded frames");
    assert!(pipeline.output::<RtpPackets>("page").is_none(), "it gives nothing");
    let vp8 = pipeline.output::<EncodedFrame>("vp8").expect("it gives encoded frames");
    let (sink, taken) = millstream::pipeline::handles::pull(std::num::NonZeroUsize::new(8).unwrap());
    pipeline.sink("program", &vp8, sink);
    let running = pipeline.spawn().unwrap();
    assert!((0..10).all(|_| taken.recv().is_some()));
    drop(taken);
    running.stop();
    running.wait().unwrap();
}
