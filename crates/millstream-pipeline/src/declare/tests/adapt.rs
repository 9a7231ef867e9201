//! Sound that does not fit where it goes, and what is put in between.

use std::collections::BTreeMap;

use millstream_core::known::{Given, Known, Sound, SoundGiven, SoundTaken};
use millstream_core::options::{Table, Value};
use millstream_core::{Joined, Worker};

use super::*;

/// The sound that a source gives, or what a stage makes of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Chosen {
    #[serde(default)]
    rate: Option<u32>,
    #[serde(default)]
    channels: Option<u16>,
}

fn build(_: Chosen, _: &mut Joined<'_>) -> millstream_core::Result<Worker> {
    Err(Error::config("nothing is built here"))
}

fn chosen(chosen: &Chosen) -> Known {
    let rate = chosen.rate.map_or(Given::AsInput, Given::Is);
    Known::default().gives(SoundGiven { rate, channels: chosen.channels.map_or(Given::AsInput, Given::Is) })
}

fn table(key: &str, value: u32) -> Table {
    BTreeMap::from([(key.to_owned(), Value::Integer(value.into()))])
}

/// A source, a stage that passes on, two that change sound, and two that mind what they get.
fn registry() -> Registry {
    let minds = SoundTaken { rates: &[48_000, 16_000], channels: 2 };
    let mut registry = Registry::new();
    for descriptor in [
        Descriptor::source("file", "", Format::Audio).knowing(chosen, build),
        Descriptor::stage("gain", "", Format::Audio, Gives::AsInput).knowing(chosen, build),
        Descriptor::stage("rate", "", Format::Audio, Format::Audio)
            .converting(|from, to| {
                let can = from.rate.is_none_or(|rate| rate >= 1000);
                let rate = to.rate.filter(|_| can && from.rate != to.rate)?;
                Some((table("rate", rate), Sound { rate: Some(rate), ..from }))
            })
            .knowing(chosen, build),
        Descriptor::stage("channels", "", Format::Audio, Format::Audio)
            .converting(|from, to| {
                let channels = to.channels.filter(|_| from.channels != to.channels)?;
                Some((table("channels", channels.into()), Sound { channels: Some(channels), ..from }))
            })
            .knowing(chosen, build),
        Descriptor::sink("encoder", "", Format::Audio).taking(minds).build(build),
        Descriptor::sink("mixer", "", Format::Audio).many().taking(minds).build(build),
    ] {
        registry.add(descriptor);
    }
    registry
}

/// `name < input, input` of each stage, and the messages of the notes with where they are.
fn planned(text: &str) -> (Vec<String>, Vec<String>) {
    let plan = read(text, "test.toml", &[], &registry()).unwrap();
    let stage = |stage: &crate::declare::PlannedStage| {
        let inputs: Vec<_> = stage.inputs.iter().map(|input| plan.stages[input.from].name.as_str()).collect();
        format!("{} < {}", stage.name, inputs.join(", "))
    };
    let note = |note: &crate::declare::Note| {
        format!("{} {}:{} {}", note.stage, note.diagnostic.line, note.diagnostic.column, note.diagnostic.message)
    };
    (plan.stages.iter().map(stage).collect(), plan.notes.iter().map(note).collect())
}

fn file(name: &str, rate: u32, channels: u16) -> String {
    format!("[stage.{name}]\ntype = 'file'\nrate = {rate}\nchannels = {channels}\n")
}

#[test]
fn what_fits_stays_as_it_is() {
    for rate in [48_000, 16_000] {
        let text = file("in", rate, 1) + "[stage.out]\ntype = 'encoder'\ninput = 'in'\n";
        assert_eq!(planned(&text), (vec!["in < ".to_owned(), "out < in".to_owned()], vec![]));
    }
}

#[test]
fn what_nobody_knows_before_it_comes_is_made_to_fit_whatever_it_is() {
    let out = "[stage.out]\ntype = 'encoder'\ninput = 'in'\n";
    for (chosen, mut stages, gets) in [
        ("", vec!["in-channels < in", "in-rate < in-channels", "out < in-rate"], "48000 Hz in 2 channels"),
        ("rate = 16000\n", vec!["in-channels < in", "out < in-channels"], "2 channels"),
        ("channels = 1\n", vec!["in-rate < in", "out < in-rate"], "48000 Hz"),
    ] {
        let text = format!("[stage.in]\ntype = 'file'\n{chosen}{out}");
        let (mut given, notes) = planned(&text);
        stages.insert(0, "in < ");
        given.sort();
        assert_eq!(given, stages);
        assert_eq!(notes.len(), 1);
        let words = format!("the sound format of `in` is unknown until it arrives, and `out` gets {gets}");
        assert!(notes[0].ends_with(&words), "{notes:?}");
    }
}

#[test]
fn what_nothing_makes_fit_is_refused() {
    let text = file("in", 500, 6) + "[stage.out]\ntype = 'encoder'\ninput = 'in'\n";
    let shown = read(&text, "test.toml", &[], &registry()).unwrap_err().to_string();
    for words in [
        "error: `in` gives sound of 500 Hz in 6 channels, and `out` needs 48000 Hz in 2 channels",
        "test.toml:7:9",
        "no stage type changes it that far; let `in` give other sound",
    ] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
}

#[test]
fn the_rate_and_the_channels_are_made_to_fit_and_the_lines_are_told() {
    let text = file("in", 44_100, 6)
        + "[stage.louder]\ntype = 'gain'\ninput = 'in'\n"
        + "[stage.out]\ntype = 'encoder'\ninput = 'louder'\n";
    let (stages, notes) = planned(&text);
    let expected =
        ["in < ", "louder < in", "louder-channels < louder", "louder-rate < louder-channels", "out < louder-rate"];
    let mut sorted = stages;
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(
        notes,
        ["louder-rate 10:9 `louder` gives sound of 44100 Hz in 6 channels, and `out` gets 48000 Hz in 2 channels"]
    );
    let plan = read(&text, "test.toml", &[], &registry()).unwrap();
    let shown = plan.notes[0].diagnostic.to_string();
    for words in [
        "note: `louder` gives",
        "--> test.toml:10:9",
        "[stage.louder-channels]",
        "type = \"channels\"",
        "input = \"louder\"",
        "channels = 2",
        "[stage.louder-rate]",
        "input = \"louder-channels\"",
        "rate = 48000",
        "and in `out` let `input` be \"louder-rate\"",
    ] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
}

#[test]
fn one_stage_serves_all_that_take_the_same_and_names_do_not_collide() {
    let text = file("a", 44_100, 2)
        + &file("b", 48_000, 2)
        + &file("a-rate", 48_000, 1)
        + "[stage.one]\ntype = 'encoder'\ninput = 'a'\n"
        + "[stage.two]\ntype = 'mixer'\ninput = ['b', 'a', 'a-rate']\n";
    let (mut stages, notes) = planned(&text);
    stages.sort();
    assert_eq!(stages, ["a < ", "a-rate < ", "a-rate-2 < a", "b < ", "one < a-rate-2", "two < b, a-rate-2, a-rate"]);
    assert_eq!(notes.len(), 2);
}
