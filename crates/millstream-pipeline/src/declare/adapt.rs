//! Sound that does not fit where it goes, or may not: stages that make it fit are put in between, and the user is notified.

use std::collections::HashMap;

use millstream_core::Registry;
use millstream_core::descriptor::Descriptor;
use millstream_core::known::{Sound, SoundGiven};
use millstream_core::options::{Table, Value};

use crate::faults::OnFailure;

use super::check::Checked;
use super::joins::{Join, Joins};
use super::report::{Fault, Location, Report};

/// As many are put in one after the other at most: one for the channels and one for the rate are enough.
const MOST: usize = 4;

/// Puts stages between where what flows, found in `order`, does not fit or is not known before; one for all that
/// take the same sound. What is known and nothing makes fit is reported.
pub(super) fn adapt<'r>(
    stages: &mut Vec<Checked<'r>>,
    joins: &mut Joins,
    order: &[usize],
    registry: &'r Registry,
    report: &mut Report,
) {
    let sounds = sounds(stages, joins, order);
    // By what a stage takes from and gives.
    let mut added = HashMap::<(usize, usize, Written), usize>::new();
    for at in 0..joins.all.len() {
        let Join { consumer, input, producer, output, place, .. } = joins.all[at];
        let taken = stages[consumer].descriptor.and_then(|descriptor| descriptor.inputs()[input].sound);
        let (Some(taken), from) = (taken, sounds[producer]) else { continue };
        let to = taken.surely(from);
        let (mut sound, mut names, mut source) = (from, Vec::new(), (producer, output));
        for _ in 0..MOST {
            let Some((descriptor, table, given)) = helper(sound, to, registry) else { break };
            let options: Written = table.iter().map(|(key, value)| (key.clone(), written(value))).collect();
            let index = *added.entry((source.0, source.1, options)).or_insert_with(|| {
                let name = free_name(&stages[producer].name, descriptor.name(), stages);
                joins.wanted.push(true);
                joins.all.push(Join {
                    consumer: stages.len(),
                    input: 0,
                    producer: source.0,
                    output: source.1,
                    place,
                    link: None,
                });
                stages.push(stage(name, descriptor, table, place));
                stages.len() - 1
            });
            (sound, source) = (given, (index, 0));
            names.push(index);
        }
        if !taken.takes(sound) {
            report.push(misfit(from, &stages[producer].name, &stages[consumer].name, to, place));
        }
        if names.is_empty() {
            continue;
        }
        (joins.all[at].producer, joins.all[at].output) = source;
        let last = names[names.len() - 1];
        let fault = note(from, &stages[producer].name, &stages[consumer].name, to, place);
        let fault = fault.help(lines(stages, &names, producer, &stages[consumer].name, joins, at));
        report.note(&stages[last].name, fault);
    }
    joins.all.sort_by_key(|join| join.consumer);
}

/// Options as they are written: key and value.
type Written = Vec<(String, String)>;

/// What is known of the sound that each stage gives.
fn sounds(stages: &[Checked<'_>], joins: &Joins, order: &[usize]) -> Vec<Sound> {
    let mut sounds = vec![Sound::default(); stages.len()];
    for &index in order {
        let taken = joins.all.iter().find(|join| join.consumer == index);
        let taken = taken.map(|join| sounds[join.producer]).unwrap_or_default();
        // What flows out of one of several ends is not known.
        let one = stages[index].descriptor.is_some_and(|descriptor| descriptor.outputs().len() == 1);
        sounds[index] = taken.through(if one { stages[index].sound } else { SoundGiven::default() });
    }
    sounds
}

/// A stage type that brings `from` nearer to `to`, with which options, and what it gives.
fn helper(from: Sound, to: Sound, registry: &Registry) -> Option<(&Descriptor, Table, Sound)> {
    if from == to {
        return None;
    }
    registry.iter().find_map(|descriptor| {
        let (table, given) = descriptor.convert()?(from, to)?;
        (given != from).then_some((descriptor, table, given))
    })
}

fn stage<'r>(name: String, descriptor: &'r Descriptor, table: Table, place: Location) -> Checked<'r> {
    let known = descriptor.known(table.clone());
    let (sound, outputs) = (known.sound, known.outputs);
    let factory = descriptor.read(table.clone()).ok();
    let (files, inputs, strays) = (Vec::new(), Vec::new(), Vec::new());
    let on_failure = OnFailure::default();
    Checked {
        name,
        header: place,
        descriptor: Some(descriptor),
        factory,
        options: table,
        files,
        outputs,
        sound,
        on_failure,
        inputs,
        strays,
    }
}

fn free_name(of: &str, by: &str, stages: &[Checked<'_>]) -> String {
    let is_free = |name: &String| stages.iter().all(|stage| stage.name != *name);
    let names = std::iter::once(format!("{of}-{by}")).chain((2..).map(|number| format!("{of}-{by}-{number}")));
    names.into_iter().find(is_free).expect("there are more numbers than stages")
}

fn note(from: Sound, producer: &str, consumer: &str, to: Sound, place: Location) -> Fault {
    let (has, gets) = differences(from, to);
    let unknown = (from.rate.is_none() && to.rate.is_some()) || (from.channels.is_none() && to.channels.is_some());
    let has = match unknown {
        true => format!("the sound format of `{producer}` is unknown until it arrives"),
        false => format!("`{producer}` gives sound of {has}"),
    };
    Fault::at(place, format!("{has}, and `{consumer}` gets {gets}"))
}

/// Sound that no stage type brings to what is taken.
fn misfit(from: Sound, producer: &str, consumer: &str, to: Sound, place: Location) -> Fault {
    let (has, needs) = differences(from, to);
    let message = format!("`{producer}` gives sound of {has}, and `{consumer}` needs {needs}");
    Fault::at(place, message).help(format!("no stage type changes it that far; let `{producer}` give other sound"))
}

/// In which of its properties `from` is not `to`, in words.
fn differences(from: Sound, to: Sound) -> (String, String) {
    let words = |sound: Sound| {
        let rate = sound.rate.filter(|_| from.rate != to.rate).map(|rate| format!("{rate} Hz"));
        let channels = sound.channels.filter(|_| from.channels != to.channels);
        let channels = channels.map(|channels| format!("{channels} channels"));
        rate.into_iter().chain(channels).collect::<Vec<_>>().join(" in ")
    };
    (words(from), words(to))
}

/// What one would write for it.
fn lines(stages: &[Checked<'_>], names: &[usize], producer: usize, consumer: &str, joins: &Joins, at: usize) -> String {
    let inserted: Vec<_> = names.iter().map(|index| format!("`{}`", stages[*index].name)).collect();
    let mut text = format!("Millstream inserts {}. To set the options yourself, write:", inserted.join(" and "));
    let mut from = stages[producer].name.as_str();
    for index in names {
        let stage = &stages[*index];
        let type_name = stage.descriptor.map(Descriptor::name).unwrap_or_default();
        text += &format!("\n\n[stage.{}]\ntype = \"{type_name}\"\ninput = \"{from}\"", stage.name);
        for (key, value) in [("rate", option(stage.sound.rate)), ("channels", option(stage.sound.channels))] {
            if let Some(value) = value {
                text += &format!("\n{key} = {value}");
            }
        }
        from = &stage.name;
    }
    let join = &joins.all[at];
    let key =
        stages[join.consumer].descriptor.map(|descriptor| descriptor.inputs()[join.input].key).unwrap_or_default();
    text + &format!("\n\nand in `{consumer}` let `{key}` be \"{from}\"")
}

fn option<T: std::fmt::Display + Copy>(given: millstream_core::known::Given<T>) -> Option<String> {
    match given {
        millstream_core::known::Given::Is(value) => Some(value.to_string()),
        _ => None,
    }
}

fn written(value: &Value) -> String {
    format!("{value:?}")
}
