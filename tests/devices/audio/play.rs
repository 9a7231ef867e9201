//! What the pipeline plays is what the speaker gives.

use std::time::Duration;

use millstream::Pipeline;
use millstream::cpal::{Speaker, speaker};
use millstream::stages::test_audio;
use millstream_testkit::{bends, sound};

use super::heard::{Sine, pass};

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
                let speaker = match Speaker::open("speaker", options, pipeline.clock()) {
                    Ok(speaker) => speaker,
                    Err(error) if device.starts_with("alsa") && error.to_string().contains("no device") => {
                        millstream_testkit::skipped("ALSA's plug-in for sound servers (libasound2-plugins)");
                        break;
                    }
                    Err(error) => panic!("{device}: {error}"),
                };
                let counters = speaker.counters();
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
