//! What is said into a microphone is what the pipeline gives.

use millstream::Pipeline;
use millstream::core::device::Kind;
use millstream::core::samples_to_time;
use millstream::cpal::{Microphone, microphone};
use millstream_testkit::{bends, sound};

use super::heard::{Blocks, Sine, until};

#[test]
fn a_tone_is_whole_and_its_stamps_are_exact_through_both_hosts() {
    sound::with_server(|mut server| {
        server.say(440.0);
        for device in ["pulseaudio:mic", "alsa:default"] {
            let (blocks, mut pipeline) = (Blocks::default(), Pipeline::new("record"));
            let options = microphone::Options { device: Some(device.into()), ..Default::default() };
            let (microphone, _) = match Microphone::open("mic", options, pipeline.clock()) {
                Ok(opened) => opened,
                Err(error) if device.starts_with("alsa") && error.to_string().contains("no device") => {
                    millstream_testkit::skipped("ALSA's plug-in for sound servers (libasound2-plugins)");
                    continue;
                }
                Err(error) => panic!("{device}: {error}"),
            };
            let microphone = pipeline.blocking_source("mic", microphone);
            pipeline.inline_sink("keep", &microphone, blocks.sink());
            let running = pipeline.spawn().unwrap();
            until(&running, "5 s of sound", || blocks.count() >= 500);
            running.stop();
            running.wait().unwrap();

            let kept = blocks.lock();
            for pair in kept.windows(2) {
                assert_eq!((pair[1].1.len(), pair[1].1.rate, pair[1].1.channels), (480, 48_000, 1));
                let span = pair[1].1.time.since(pair[0].1.time);
                assert!(
                    pair[1].1.discontinuity || span.abs_diff(samples_to_time(480, 48_000)).as_nanos() <= 1,
                    "{span:?}"
                );
            }
            let ages: Vec<_> = kept.iter().map(|(came, block)| came.since(block.time).as_secs_f64() * 1e3).collect();
            let anew = kept.iter().skip(1).filter(|(_, block)| block.discontinuity).count();
            drop(kept);
            let sound = blocks.sound(250);
            let windows: Vec<_> = sound.chunks_exact(48_000).map(|second| bends(second, 48_000, 440.0)).collect();
            let Sine { hz, amplitude: loud, distortion } = Sine::of(&sound, 440.0);
            eprintln!(
                "{device}: {hz} Hz at {loud:.3}, distortion {distortion:.0} dB, bends {windows:?}, counted anew {anew} times, \
                 {:.1} to {:.1} ms old",
                ages.iter().copied().fold(f64::INFINITY, f64::min),
                ages.iter().copied().fold(0.0, f64::max)
            );
            assert_eq!(hz, 440.0, "{device}");
            assert!((0.4..0.55).contains(&loud) && distortion < -40.0, "{device}: {loud}, {distortion} dB");
        }
    });
}

#[test]
fn a_device_of_44_1_khz_with_one_channel_of_16_bits_gives_48_khz() {
    sound::with_server(|mut server| {
        server.load("module-null-sink sink_name=lofi rate=44100 channels=1 format=s16le");
        let _keeps_it_awake = server.record("lofi.monitor");
        server.say_into("lofi", 440.0);
        let (blocks, mut pipeline) = (Blocks::default(), Pipeline::new("record"));
        let device = Some("pulseaudio:lofi.monitor".to_owned());
        let options =
            microphone::Options { device, channels: 2, block: "20 ms".parse().unwrap(), ..Default::default() };
        let (microphone, volume) = Microphone::open("mic", options, pipeline.clock()).unwrap();
        let microphone = pipeline.blocking_source("mic", microphone);
        pipeline.inline_sink("keep", &microphone, blocks.sink());
        let running = pipeline.spawn().unwrap();
        until(&running, "4 s of sound", || blocks.count() >= 200);
        let sound = blocks.sound(100);
        let Sine { hz, amplitude: loud, distortion } = Sine::of(&sound, 440.0);
        eprintln!("{hz} Hz at {loud:.3}, distortion {distortion:.0} dB");
        assert_eq!(hz, 440.0);
        assert!((0.4..0.55).contains(&loud) && distortion < -40.0, "{loud}, {distortion} dB");
        assert!(blocks.lock().iter().all(|(_, block)| (block.len(), block.channels, block.rate) == (960, 2, 48_000)));

        volume.set_mute(true);
        let muted = blocks.count();
        until(&running, "silence", || blocks.count() > muted + 50);
        assert!(blocks.sound(muted + 40).iter().all(|sample| *sample == 0.0));
        running.stop();
        running.wait().unwrap();
    });
}

#[test]
fn a_wrong_device_is_refused_with_those_there_are() {
    sound::with_server(|server| {
        let words = |device: &str| {
            let options = microphone::Options { device: Some(device.into()), ..Default::default() };
            match Microphone::open("mic", options, Pipeline::new("refused").clock()) {
                Ok(_) => panic!("{device} was opened"),
                Err(error) => error.to_string(),
            }
        };
        assert!(words("pulseaudio:mik").contains("did you mean `pulseaudio:mic`?"), "{}", words("pulseaudio:mik"));
        assert!(words("nothing like it").contains("there are: "), "{}", words("nothing like it"));

        let registry = millstream::registry();
        let sound = registry.devices().filter(|devices| matches!(devices.kind(), Kind::Microphone | Kind::Speaker));
        let listed: Vec<_> = sound.flat_map(|devices| devices.list().unwrap()).collect();
        let find =
            |id: &str| listed.iter().find(|device| device.id == id).unwrap_or_else(|| panic!("{id}: {listed:#?}"));
        assert_eq!((find("pulseaudio:mic").name.as_str(), find("pulseaudio:mic").default), ("TestMic", true));
        assert_eq!(find("pulseaudio:spk.monitor").note.as_deref(), Some("the sound that goes to TestSpeaker"));

        // Nothing is left but what speakers play: that is nobody's voice.
        server.unplug_microphone();
        let error = Microphone::open("mic", Default::default(), Pipeline::new("refused").clock()).err().unwrap();
        assert!(error.to_string().contains("name one of what speakers play"), "{error}");
    });
}
