//! What the pipeline plays is what the speaker gives.

use std::time::Duration;

use millstream::Pipeline;
use millstream::core::AudioFrame;
use millstream::cpal::{Speaker, speaker};
use millstream::stages::test_audio;
use millstream_testkit::{bends, sound};

use super::heard::{Blocks, Sine, pass, until};

const TONE: f64 = 1000.0;
/// A busy machine may not run the server, the pipeline and the recorder in time.
const ATTEMPTS: u32 = 3;

#[test]
fn a_tone_for_the_speaker_is_heard_whole_from_its_monitor_through_both_hosts() {
    sound::with_server(|server| {
        for device in ["pulseaudio:spk", "alsa:default"] {
            for attempt in 1..=ATTEMPTS {
                let mut pipeline = Pipeline::new("play");
                let options = speaker::Options {
                    device: Some(device.into()),
                    latency: "200 ms".parse().unwrap(),
                    ..Default::default()
                };
                let (speaker, handle) = match Speaker::open("speaker", options, pipeline.clock()) {
                    Ok(opened) => opened,
                    Err(error) if device.starts_with("alsa") && error.to_string().contains("no device") => {
                        millstream_testkit::skipped("ALSA's plug-in for sound servers (libasound2-plugins)");
                        break;
                    }
                    Err(error) => panic!("{device}: {error}"),
                };
                let counters = handle.counters();
                let options = test_audio::Options { frequency: Some("1 kHz".parse().unwrap()), ..Default::default() };
                let audio = pipeline.source("audio", test_audio::TestAudio::new(options).unwrap());
                pipeline.sink("speaker", &audio, speaker);
                let running = pipeline.spawn().unwrap();
                // The server's own start is over: a null sink sleeps for up to 2 s at first.
                pass(&running, Duration::from_secs(4));
                let playing = server.record("spk.monitor");
                let tally = || (server.underruns(), counters.underruns(), counters.dropped_ms());
                let (mut heard, mut windows, mut before) = (Vec::new(), Vec::new(), (tally(), tally()));
                for _ in 0..10 {
                    let second = playing.take(Duration::from_secs(1));
                    let now = tally();
                    // What ran out, or was dropped because the device stood still, is heard a moment later.
                    let apart = now != before.0;
                    before = (before.1, now);
                    windows.push((bends(&second, 48_000, TONE), apart));
                    heard.extend(second);
                }
                running.stop();
                running.wait().unwrap();

                let Sine { hz, amplitude: loud, .. } = Sine::of(&heard, TONE);
                let whole = windows.iter().filter(|(bends, _)| *bends == 0).count();
                let torn = windows.iter().filter(|(bends, apart)| *bends > 0 && !apart).count();
                eprintln!(
                    "{device}: {hz} Hz at {loud:.3}, {whole} of 10 windows whole, {torn} torn without an underrun; bends {:?}, \
                     underruns of the server {}, own {}, dropped {} ms",
                    windows.iter().map(|(bends, _)| bends).collect::<Vec<_>>(),
                    before.1.0,
                    before.1.1,
                    before.1.2
                );
                // Windows in which something ran out are counted apart; without them there must be something to judge.
                let judged = 10 - windows.iter().filter(|(bends, apart)| *bends > 0 && *apart).count();
                if hz == TONE && loud > 0.2 && judged >= 5 && torn * 10 <= judged.max(10) {
                    break;
                }
                assert!(attempt < ATTEMPTS, "see above");
            }
        }
    });
}

/// A tone for the speaker, whose output `played` goes to whoever takes it.
const PLAYED: &str = r#"
[stage.tone]
type = "test-audio"
frequency = "1 kHz"

[stage.speaker]
type = "speaker"
input = "tone"
device = "pulseaudio:spk"
latency = "100 ms"

[stage.nowhere]
type = "null"
input = "speaker.played"
"#;

#[test]
fn what_the_speaker_plays_is_given_back_with_the_time_at_which_it_is_heard() {
    sound::with_server(|server| {
        let (blocks, monitor) = (Blocks::default(), server.record("spk.monitor"));
        let mut pipeline = millstream::load(PLAYED, "played.toml", &[]).unwrap_or_else(|error| panic!("{error}"));
        let played = pipeline.output::<AudioFrame>("speaker.played").expect("`nowhere` takes it");
        pipeline.inline_sink("keep", &played, blocks.sink());
        let running = pipeline.spawn().unwrap();
        // A null sink sleeps for up to 2 s at first.
        pass(&running, Duration::from_secs(3));
        let from = blocks.count();
        until(&running, "3 s of what is played", || blocks.count() >= from + 300);
        drop(monitor);
        let given = blocks.lock().clone();
        for (came, block) in &given[from..] {
            assert_eq!((block.rate, block.channels, block.len()), (48_000, 2, 480));
            let ahead = block.time.as_nanos() as f64 / 1e6 - came.as_nanos() as f64 / 1e6;
            assert!((-200.0..=200.0).contains(&ahead), "given {ahead} ms before it is heard");
        }
        let steps = given[from..].windows(2).filter(|pair| !pair[1].1.discontinuity);
        for pair in steps {
            assert_eq!(pair[1].1.time, pair[0].1.time + Duration::from_millis(10));
        }
        let sound = blocks.sound(from);
        let tone = (0..6).map(|half| Sine::of(&sound[half * 24_000..(half + 1) * 24_000], TONE));
        let whole = tone.filter(|sine| sine.hz == TONE && sine.distortion < -40.0).count();
        assert!(whole >= 3, "{whole} of 6 half seconds are the tone");
        let statistics = running.statistics();
        assert!(statistics.stage("speaker").expect("the end `input` is the stage itself").items_in > 100);
        running.stop();
        running.wait().unwrap();
    });
}
