//! What `mix` gives, and when: to the sample and to the millisecond, in virtual time.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::{AudioFrame, Cx, Next, Registry, Result, Source, Timestamp, Utc, samples_to_time};
use millstream_pipeline::{Link, Output, Pipeline, Stepped, declare};
use millstream_stages::mix::{Mix, Options};

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

fn millis(time: Timestamp) -> u64 {
    time.as_nanos() / 1_000_000
}

/// A microphone: `count` blocks of 10 ms, the first captured `from` ms after the start, each given
/// `delay` ms after its capture; then it ends.
fn microphone(from: u64, count: u64, delay: u64, block: &[f32]) -> impl Source<AudioFrame> + use<> {
    let (block, mut given) = (block.to_vec(), 0);
    move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        if given == count {
            return Ok(Next::End);
        }
        let time = cx.start() + Duration::from_millis(from + 10 * given);
        let due = time + Duration::from_millis(delay);
        if cx.now() < due {
            return Ok(Next::Until(due));
        }
        given += 1;
        let samples = block.iter().copied().cycle().take(480 * block.len()).collect::<Vec<f32>>();
        let channels = block.len() as u16;
        Ok(Next::Item(AudioFrame::new(48_000, channels, time, samples)))
    }
}

/// A microphone of one channel that gives each block at its end.
fn speaks(from: u64, count: u64, sample: f32) -> impl Source<AudioFrame> {
    microphone(from, count, 10, &[sample])
}

fn silent(_: &mut Cx) -> Result<Next<AudioFrame>> {
    Ok(Next::Idle)
}

/// What was given, and at which millisecond.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(u64, AudioFrame)>>>);

impl Heard {
    /// Hears the end of `output`.
    fn end(&self, pipeline: &mut Pipeline, output: &Output<AudioFrame>) {
        let heard = self.clone();
        pipeline.inline_sink("end", output, move |block: AudioFrame, cx: &mut Cx| {
            heard.0.lock().unwrap().push((millis(cx.now()), block));
            Ok(())
        });
    }

    /// How many blocks were given since the last time. They follow each other, the next being that of `from` ms;
    /// each is constant, and `expect` knows its sample and when it is given from when it was captured.
    fn check(&self, from: u64, expect: impl Fn(u64) -> (f32, u64)) -> u64 {
        let heard = std::mem::take(&mut *self.0.lock().unwrap());
        for (number, (at, block)) in (0..).zip(&heard) {
            let captured = from + 10 * number;
            let (sample, given) = expect(captured);
            assert_eq!((millis(block.time), *at), (captured, given));
            assert!(block.samples.iter().all(|found| *found == sample), "{captured} ms: {}", block.samples[0]);
            assert_eq!((block.len(), block.discontinuity), (480, false));
        }
        heard.len() as u64
    }
}

fn stepped(build: impl FnOnce(&mut Pipeline)) -> Stepped {
    let mut pipeline = Pipeline::in_virtual_time("test", Utc::default());
    build(&mut pipeline);
    pipeline.step().unwrap()
}

fn mix() -> Mix {
    Mix::new(Options::default()).unwrap()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn a_silent_input_is_waited_for_once() {
    let heard = Heard::default();
    let mut run = stepped(|p| {
        let (a, b) = (p.source("a", speaks(0, 1000, 0.5)), p.source("b", silent));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &a);
        p.join(&inputs, &b);
        heard.end(p, &mixed);
    });
    run.run_until(at(59)).unwrap();
    assert_eq!(heard.check(0, |_| (0.0, 0)), 0);
    run.run_until(at(200)).unwrap();
    // The first is given up at its time, and so are those that came meanwhile; then each at its end.
    assert_eq!(heard.check(0, |captured| (0.5, (captured + 10).max(60))), 20);
    assert_eq!(run.statistics().stage("mix").unwrap().bad_items, 0);
}

#[test]
fn where_all_are_silent_silence_goes_on_at_its_time() {
    let heard = Heard::default();
    let mut run = stepped(|p| {
        let (a, b) = (p.source("a", silent), p.source("b", speaks(300, 10, 0.5)));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &a);
        p.join(&inputs, &b);
        heard.end(p, &mixed);
    });
    run.run_until(at(500)).unwrap();
    let expected = |captured| match captured {
        // At 320 ms the block of 260 ms has been waited for, and by then one has given more than that: the other is late.
        0..270 => (0.0, captured + 60),
        270..300 => (0.0, 320),
        300..400 => (0.5, (captured + 10).max(320)),
        _ => (0.0, captured + 60),
    };
    assert_eq!(heard.check(0, expected), 45);
}

#[test]
fn one_that_ends_is_not_waited_for_and_the_last_takes_the_mixer_with_it() {
    let heard = Heard::default();
    let mut run = stepped(|p| {
        let (a, b) = (p.source("a", speaks(0, 10, 0.5)), p.source("b", speaks(0, 20, 0.25)));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &a);
        p.join(&inputs, &b);
        heard.end(p, &mixed);
    });
    run.run_to_end().unwrap();
    assert!(run.is_finished());
    assert_eq!(run.now(), at(200));
    assert_eq!(heard.check(0, |captured| (if captured < 100 { 0.75 } else { 0.25 }, captured + 10)), 20);
}

#[test]
fn one_that_joins_is_heard_from_its_first_block_on_and_leaves_without_a_seam() {
    let heard = Heard::default();
    let mut kept = None;
    let mut run = stepped(|p| {
        let a = p.source("a", speaks(0, 30, 0.5));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &a);
        heard.end(p, &mixed);
        kept = Some(inputs);
    });
    let inputs = kept.unwrap();
    run.run_until(at(55)).unwrap();
    assert_eq!(heard.check(0, |captured| (0.5, captured + 10)), 5);
    let (id, branch) = run
        .attach(|p| {
            let c = p.source("c", speaks(60, 1000, 0.25));
            p.join(&inputs, &c)
        })
        .unwrap();
    assert_eq!(id.index(), 1);
    run.run_until(at(155)).unwrap();
    // The block of 50 ms waits until it is known what the newcomer adds to it: nothing.
    let with = |captured| if captured < 60 { (0.5, 70) } else { (0.75, captured + 10) };
    assert_eq!(heard.check(50, with), 10);
    run.remove(&branch, at(155)).unwrap();
    run.run_until(at(1000)).unwrap();
    assert_eq!(heard.check(150, |captured| (0.5, captured + 10)), 15);
    assert_eq!(run.statistics().stage("mix").unwrap().bad_items, 0);
    // Nobody is there any more, but somebody may come: nothing is given.
    assert!(!run.is_finished());
    drop(inputs);
    run.run_until(at(1000)).unwrap();
    assert!(run.is_finished());
}

#[test]
fn after_a_time_without_inputs_sound_goes_on_at_the_present() {
    let heard = Heard::default();
    let mut kept = None;
    let mut run = stepped(|p| {
        let a = p.source("a", speaks(0, 10, 0.5));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &a);
        heard.end(p, &mixed);
        kept = Some(inputs);
    });
    run.run_until(at(1000)).unwrap();
    assert_eq!(heard.check(0, |captured| (0.5, captured + 10)), 10);
    let (_, _branch) = run
        .attach(|p| {
            let c = p.source("c", speaks(1000, 2, 0.25));
            p.join(kept.as_ref().unwrap(), &c);
        })
        .unwrap();
    run.run_until(at(2000)).unwrap();
    let given = std::mem::take(&mut *heard.0.lock().unwrap());
    let given: Vec<_> =
        given.iter().map(|(at, block)| (*at, millis(block.time), block.samples[0], block.discontinuity)).collect();
    // What might still have come from the newcomer when it joined is waited for: the last 60 ms.
    let silence = (1..6).map(|number| (1010, 940 + 10 * number, 0.0, false));
    let mut expected = vec![(1000, 940, 0.0, true)];
    expected.extend(silence);
    expected.extend([(1010, 1000, 0.25, false), (1020, 1010, 0.25, false)]);
    assert_eq!(given, expected);
}

#[test]
fn one_that_is_far_ahead_is_held_and_loses_nothing_in_a_link_that_blocks() {
    let heard = Heard::default();
    let mut run = stepped(|p| {
        let (live, file) = (p.source("live", speaks(0, 300, 0.5)), p.source("file", microphone(0, 300, 0, &[0.25])));
        let ahead = p.source("ahead", unpaced(300, 0.125));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &live);
        p.join(&inputs, &file);
        p.join(&inputs, ahead.through(Link::block(FOUR)));
        heard.end(p, &mixed);
    });
    run.run_until(at(5)).unwrap();
    // A second of it is inside, and one block that found no room.
    let statistics = run.statistics();
    let link = statistics.link("ahead", "mix").unwrap();
    assert_eq!((link.left, link.waiting), (101, 4));
    run.run_to_end().unwrap();
    assert_eq!(heard.check(0, |captured| (0.875, captured + 10)), 300);
    let statistics = run.statistics();
    let link = statistics.link("ahead", "mix").unwrap();
    assert_eq!((link.entered, link.left, link.most_waiting, link.dropped()), (300, 300, 4, 0));
    assert!(run.is_finished());
}

#[test]
fn what_its_link_drops_of_one_that_is_held_is_silence() {
    let heard = Heard::default();
    let mut run = stepped(|p| {
        let (live, ahead) = (p.source("live", speaks(0, 300, 0.5)), p.source("ahead", unpaced(300, 0.25)));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &live);
        p.join(&inputs, ahead.through(Link::drop_oldest(FOUR)));
        heard.end(p, &mixed);
    });
    run.run_to_end().unwrap();
    let both = |captured| captured <= 1000 || captured >= 2960;
    assert_eq!(heard.check(0, |captured| (if both(captured) { 0.75 } else { 0.5 }, captured + 10)), 300);
    let statistics = run.statistics();
    let link = statistics.link("ahead", "mix").unwrap();
    assert_eq!((link.entered, link.left, link.dropped_full), (300, 105, 195));
}

/// A file that is read as fast as it is taken: `count` blocks of 10 ms.
fn unpaced(count: u64, sample: f32) -> impl Source<AudioFrame> {
    let mut given = 0;
    move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        if given == count {
            return Ok(Next::End);
        }
        let time = cx.start() + samples_to_time(480 * given, 48_000);
        given += 1;
        let samples = vec![sample; 480];
        Ok(Next::Item(AudioFrame::new(48_000, 1, time, samples)))
    }
}

#[test]
fn what_comes_too_late_is_counted_and_holds_nothing_up_for_longer_than_it_may() {
    let heard = Heard::default();
    let mut run = stepped(|p| {
        let (a, b) = (p.source("a", speaks(0, 1000, 0.5)), p.source("b", microphone(0, 1000, 100, &[0.25])));
        let (inputs, mixed) = p.many_stage("mix", mix());
        p.join(&inputs, &a);
        p.join(&inputs, &b);
        heard.end(p, &mixed);
    });
    run.run_until(at(300)).unwrap();
    let statistics = run.statistics();
    let mixer = statistics.stage("mix").unwrap();
    assert_eq!((mixer.items_in, mixer.bad_items), (30 + 21, 21));
    let blocks = std::mem::take(&mut *heard.0.lock().unwrap());
    assert!(blocks.iter().all(|(at, block)| block.samples[0] == 0.5 && *at <= millis(block.time) + 60));
    // Whenever something comes of the late one it is waited for again: the last time until 300 ms for the block of 240 ms.
    assert_eq!(blocks.len(), 29);
}

#[test]
fn each_input_has_its_gain_and_its_channels() {
    let mixed = |channels, gain: &[&str]| {
        let heard = Heard::default();
        let gain = gain.iter().map(|gain| gain.parse().unwrap()).collect();
        let mut run = stepped(|p| {
            let (a, b) = (p.source("a", speaks(0, 1, 0.5)), p.source("b", microphone(0, 1, 10, &[0.25, 1.0])));
            let (inputs, mixed) =
                p.many_stage("mix", Mix::new(Options { gain, channels, ..Options::default() }).unwrap());
            p.join(&inputs, &a);
            p.join(&inputs, &b);
            heard.end(p, &mixed);
        });
        run.run_to_end().unwrap();
        let (_, block) = heard.0.lock().unwrap().pop().unwrap();
        assert_eq!((block.len(), block.channels), (480, channels));
        block.samples[..2].to_vec()
    };
    assert_eq!(mixed(2, &[]), [0.75, 1.5]);
    assert_eq!(mixed(2, &["-20 dB"]), [0.3, 1.05]);
    assert_eq!(mixed(1, &["0 dB", "20 dB"]), [6.75, 6.75]);
}

#[test]
fn threads_give_the_same() {
    let heard = Heard::default();
    let mut pipeline = Pipeline::new("threads");
    let (a, b) = (pipeline.source("a", unpaced(500, 0.5)), pipeline.source("b", unpaced(400, 0.25)));
    // However late a busy machine starts a thread.
    let patience = "10 min".parse().unwrap();
    let (inputs, mixed) = pipeline.many_stage("mix", Mix::new(Options { patience, ..Options::default() }).unwrap());
    pipeline.join(&inputs, a.through(Link::block(FOUR)));
    pipeline.join(&inputs, b.through(Link::block(FOUR)));
    drop(inputs);
    let end = heard.clone();
    pipeline.sink("end", mixed.through(Link::block(FOUR)), move |block: AudioFrame, cx: &mut Cx| {
        let time = at(0) + block.time.since(cx.start());
        end.0.lock().unwrap().push((0, block.with_time(time)));
        Ok(())
    });
    pipeline.spawn().unwrap().wait().unwrap();
    assert_eq!(heard.check(0, |captured| (if captured < 4000 { 0.75 } else { 0.5 }, 0)), 500);
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    millstream_stages::register(&mut registry);
    registry
}

fn declared(text: &str) -> Result<Stepped> {
    let plan = declare::read(text, "mix.toml", &[], &registry()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let mut pipeline = Pipeline::in_virtual_time("mix", Utc::default());
    pipeline.add(plan)?;
    pipeline.step()
}

const TWO_TONES: &str = r#"
[stage.voice]
type = "test-audio"
volume = "50 %"

[stage.music]
type = "test-audio"
frequency = "880 Hz"
volume = "50 %"
channels = 1
"#;

#[test]
fn declared_inputs_get_their_gains_in_order() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mixed.wav");
    let text = format!(
        r#"{TWO_TONES}
[stage.mix]
type = "mix"
input = ["voice", "music"]
gain = ["0 dB", -20]
channels = 1

[stage.file]
type = "wav-writer"
input = {{ from = "mix", policy = "block" }}
format = "f32"
path = '{}'
"#,
        path.display()
    );
    let mut run = declared(&text).unwrap();
    run.run_until(at(1000)).unwrap();
    run.stop().unwrap();
    let statistics = run.statistics();
    let mixer = statistics.stage("mix").unwrap();
    assert_eq!((mixer.items_in, mixer.items_out, mixer.bad_items), (200, 100, 0));
    let file = std::fs::read(&path).unwrap();
    let data = file.windows(4).position(|tag| tag == b"data").unwrap() + 8;
    let samples: Vec<f32> =
        file[data..].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(samples.len(), 48_000);
    let [voice, music] = [440.0, 880.0].map(|hz| millstream_testkit::strength(&samples, 48_000, hz));
    assert!((voice - 0.5).abs() < 1e-3 && (music - 0.05).abs() < 1e-3, "{voice} {music}");
}

#[test]
fn more_gains_than_inputs_are_refused() {
    let text = format!(
        "{TWO_TONES}\n[stage.mix]\ntype = \"mix\"\ninput = [\"voice\", \"music\"]\ngain = [0, -6, 3]\n\n[stage.end]\ntype = \"null\"\ninput = \"mix\"\n"
    );
    let error = declared(&text).err().unwrap();
    assert_eq!(error.to_string(), "mix: `gain` has 3 values for 2 inputs; write one for each input, in their order");
}
