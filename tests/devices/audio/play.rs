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
                    latency: "100 ms".parse().unwrap(),
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
                let (server_before, own_before) = (server.underruns(), counters.underruns());
                let heard = server.hear(Duration::from_secs(10));
                let underruns = (server.underruns() - server_before, counters.underruns() - own_before);
                running.stop();
                running.wait().unwrap();

                let Sine { hz, amplitude: loud, .. } = Sine::of(&heard, TONE);
                let windows: Vec<_> = heard.chunks_exact(48_000).map(|second| bends(second, 48_000, TONE)).collect();
                let whole = windows.iter().filter(|bends| **bends == 0).count();
                eprintln!(
                    "{device}: {hz} Hz at {loud:.3}, {whole} of {} windows whole {windows:?}; underruns: server {}, own {}; dropped {} ms",
                    windows.len(),
                    underruns.0,
                    underruns.1,
                    counters.dropped_ms()
                );
                if hz == TONE && loud > 0.2 && windows.len() == 10 && whole >= 9 {
                    break;
                }
                assert!(attempt < ATTEMPTS, "see above");
            }
        }
    });
}
