//! What a sound server and its devices do to a pipeline: nothing but silence, for as long as it lasts.

use std::time::Duration;

use millstream::core::Timestamp;
use millstream::cpal::speaker::Counters;
use millstream::cpal::{Microphone, Speaker, microphone, speaker};
use millstream::stages::{test_audio, test_video};
use millstream::{Pipeline, Running};
use millstream_testkit::sound::{self, Server};
use millstream_testkit::{strength, tone};

use super::heard::{Blocks, Pictures, pass, until};

pub(super) const VOICE: f64 = 440.0;
const PLAYED: f64 = 1000.0;
/// Recovery takes at most so long after the device is back.
const RECOVERS_WITHIN: Duration = Duration::from_secs(2);
/// A busy machine may take longer once.
const ATTEMPTS: u32 = 3;

/// A pipeline that records, plays, and shows a picture that has nothing to do with either.
pub(super) struct Everything {
    pub(super) running: Running,
    pub(super) blocks: Blocks,
    pictures: Pictures,
    speaker: Counters,
}

impl Everything {
    pub(super) fn start() -> Everything {
        let (blocks, pictures, mut pipeline) = (Blocks::default(), Pictures::default(), Pipeline::new("faults"));
        let (microphone, _) = Microphone::open("mic", microphone::Options::default(), pipeline.clock()).unwrap();
        let microphone = pipeline.blocking_source("mic", microphone);
        pipeline.inline_sink("keep", &microphone, blocks.sink());

        let options = speaker::Options { latency: "100 ms".parse().unwrap(), ..Default::default() };
        let (speaker, handle) = Speaker::open("speaker", options, pipeline.clock()).unwrap();
        let options = test_audio::Options { frequency: Some("1 kHz".parse().unwrap()), ..Default::default() };
        let audio = pipeline.source("audio", test_audio::TestAudio::new(options).unwrap());
        pipeline.sink("speaker", &audio, speaker);

        let options = test_video::Options {
            width: "320".parse().unwrap(),
            height: "180".parse().unwrap(),
            fps: "30".parse().unwrap(),
            ..Default::default()
        };
        let video = pipeline.source("video", test_video::TestVideo::new(options).unwrap());
        pipeline.inline_sink("pictures", &video, pictures.sink());
        let running = pipeline.spawn().unwrap();
        let everything = Everything { running, blocks, pictures, speaker: handle.counters().clone() };
        everything.until_recorded(0);
        everything
    }

    /// Waits for the voice in blocks from `from` on; when the first block of it came.
    pub(super) fn until_recorded(&self, from: usize) -> Timestamp {
        until(&self.running, "the microphone gives the voice", || {
            let there = self.blocks.count();
            there >= from + 30 && is_voice(&self.blocks.sound(there - 30))
        });
        // A fade or a filter's start may be in the first.
        let kept = self.blocks.lock();
        kept[from..]
            .iter()
            .find(|(_, block)| block.samples.iter().any(|sample| sample.abs() > 0.1))
            .expect("it is there")
            .0
    }

    /// How often the microphone was lost, and the speaker.
    pub(super) fn lost(&self) -> (u64, u64) {
        (self.running.statistics().stage("mic").expect("it was added").lost, self.speaker.lost())
    }

    /// Waits until the speaker is heard.
    pub(super) fn until_played(&self, server: &Server) -> Timestamp {
        let recording = server.record("spk.monitor");
        until(&self.running, "the speaker plays", || {
            let heard = recording.heard();
            heard.len() >= 4800 && strength(&heard[heard.len() - 4800..], 48_000, PLAYED) > 0.2
        })
    }

    /// The other track: every picture was captured, and none came late.
    pub(super) fn pictures_are_unaffected(self) {
        let (captured, came) = self.pictures.gaps();
        eprintln!("pictures: {captured:?} apart at most by capture, {came:?} by arrival");
        assert!(captured < Duration::from_millis(34), "a picture is missing: {captured:?}");
        self.running.stop();
        self.running.wait().unwrap();
    }
}

fn is_voice(sound: &[f32]) -> bool {
    tone(sound, 48_000, 20.0) == VOICE && strength(sound, 48_000, VOICE) > 0.2
}

/// Does `fault` until recovery was quick enough, at most [`ATTEMPTS`] times.
pub(super) fn recovers(what: &str, mut fault: impl FnMut() -> Duration) {
    for attempt in 1..=ATTEMPTS {
        let took = fault();
        eprintln!("{what}: {took:?} after it was back");
        if took <= RECOVERS_WITHIN {
            return;
        }
        assert!(attempt < ATTEMPTS, "{what}: {took:?}");
    }
}

#[test]
fn a_server_that_was_killed_is_found_again_by_microphone_and_speaker() {
    sound::with_server(|mut server| {
        server.say(VOICE);
        let all = Everything::start();
        recovers("the microphone, after the server", || {
            let before = all.lost();
            server.kill();
            until(&all.running, "both are lost", || {
                let now = all.lost();
                now.0 > before.0 && now.1 > before.1
            });
            let count = all.blocks.count();
            server.restart();
            let back = all.running.clock().now();
            server.say(VOICE);
            // A null sink that nobody listened to sleeps for up to 2 s more: the microphone is there when it gives
            // anybody anything.
            let witness = server.record("mic");
            let there = until(&all.running, "the microphone gives something", || !witness.length().is_zero());
            until(&all.running, "the microphone is back", || all.blocks.count() > count);
            let (came, again) = all.blocks.lock().get(count).map(|(came, block)| (*came, block.discontinuity)).unwrap();
            assert!(again, "the first block after a loss says so");
            let recorded = came.since(there);
            eprintln!(
                "{:?} after the server answered, and {recorded:?} after its microphone gave something",
                came.since(back)
            );
            all.until_recorded(count);
            let played = all.until_played(&server).since(back);
            assert_eq!(all.lost(), (before.0 + 1, before.1 + 1), "each loss is counted once");
            eprintln!("heard to play {played:?} after the server answered");
            recorded
        });
        assert!(all.speaker.dropped_ms() > 0, "what could not be played is counted");
        all.pictures_are_unaffected();
    });
}

#[test]
fn a_server_that_was_killed_under_alsa_pours_errors_and_is_found_again() {
    sound::with_server(|mut server| {
        server.say(VOICE);
        let (blocks, mut pipeline) = (Blocks::default(), Pipeline::new("alsa"));
        let options = microphone::Options { device: Some("alsa:default".into()), ..Default::default() };
        let (microphone, _) = match Microphone::open("mic", options, pipeline.clock()) {
            Err(error) if error.to_string().contains("no device") || error.to_string().contains("no microphone") => {
                return millstream_testkit::skipped("ALSA's plug-in for sound servers (libasound2-plugins)");
            }
            opened => opened.unwrap(),
        };
        let microphone = pipeline.blocking_source("mic", microphone);
        pipeline.inline_sink("keep", &microphone, blocks.sink());
        let running = pipeline.spawn().unwrap();
        let recorded = |from: usize| {
            until(&running, "the microphone gives the voice", || {
                let there = blocks.count();
                there >= from + 30 && is_voice(&blocks.sound(there - 30))
            })
        };
        recorded(0);
        let lost = || running.statistics().stage("mic").expect("it was added").lost;
        let before = lost();
        server.kill();
        until(&running, "it is lost", || lost() > before);
        server.restart();
        let back = running.clock().now();
        let count = blocks.count();
        server.say(VOICE);
        let again = recorded(count);
        eprintln!("the voice {:?} after the server answered; lost {} times", again.since(back), lost() - before);
        running.stop();
        running.wait().unwrap();
    });
}

#[test]
fn a_microphone_taken_away_is_never_replaced_by_what_the_speaker_plays() {
    sound::with_server(|mut server| {
        server.say(VOICE);
        let all = Everything::start();
        recovers("the microphone, after it was plugged in", || {
            let before = all.lost().0;
            server.unplug_microphone();
            let gone = all.running.clock().now();
            until(&all.running, "the microphone is lost", || all.lost().0 > before);
            let count = all.blocks.count();
            // Nothing takes its place, however long it is away.
            pass(&all.running, Duration::from_secs(2));
            assert_eq!(all.blocks.count(), count, "nothing is recorded from something else");
            let foreign: usize = {
                let kept = all.blocks.lock();
                let after = kept.iter().filter(|(came, _)| *came > gone);
                after.filter(|(_, block)| strength(&block.samples, 48_000, PLAYED) > 0.05).count()
            };
            eprintln!("{} ms of what the speaker plays were recorded before it was noticed", 10 * foreign);
            assert!(foreign < 150, "{foreign} blocks");
            server.plug_microphone();
            let back = all.running.clock().now();
            all.until_recorded(count).since(back)
        });
        assert_eq!(all.lost().1, 0, "the speaker plays on");
        all.pictures_are_unaffected();
    });
}

#[test]
fn a_speaker_taken_away_while_it_plays_holds_nobody_up_and_the_next_plays_on() {
    sound::with_server(|mut server| {
        server.say(VOICE);
        let other = server.load("module-null-sink sink_name=usb rate=44100 channels=2");
        server.control(&["set-default-sink", "usb"]);
        let all = Everything::start();
        let playing = server.record("usb.monitor");
        until(&all.running, "the other speaker plays", || {
            let heard = playing.heard();
            heard.len() > 4800 && strength(&heard[heard.len() - 4800..], 48_000, PLAYED) > 0.2
        });
        let before = all.running.statistics().stage("audio").unwrap().items_out;
        server.unload(other);
        let gone = all.running.clock().now();
        // The server moves what is played by itself; that is noticed, and the device opened as it should be.
        until(&all.running, "the loss is noticed", || all.speaker.lost() == 1);
        let played = all.until_played(&server).since(gone);
        eprintln!(
            "the default speaker plays {played:?} after the other was taken away; {} ms were dropped",
            all.speaker.dropped_ms()
        );
        assert_eq!(all.lost(), (0, 1), "the microphone records on");
        let given = all.running.statistics();
        let (given, dropped) =
            (given.stage("audio").unwrap().items_out - before, given.link("audio", "speaker").unwrap().dropped());
        assert!(given > 0 && dropped == 0, "{given} blocks given, {dropped} dropped before the speaker");
        all.pictures_are_unaffected();
    });
}
