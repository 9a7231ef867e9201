//! One stage by itself: its type, its options, its keys. How it is joined is checked elsewhere.

use millstream_core::descriptor::{Descriptor, Factory};
use millstream_core::known::{FileUse, SoundGiven};
use millstream_core::options::{Problem, Table, Value};
use millstream_core::{Format, Registry, descriptor::Input};

use super::document::{Entry, Node, Tree};
use super::names::{all, either, nearest};
use super::report::{Fault, Location, Report};
use super::stages::Stage;
use crate::faults::OnFailure;

/// A stage whose type and options have been looked at.
pub(super) struct Checked<'r> {
    pub(super) name: String,
    pub(super) header: Location,
    /// Nothing if its type is not known, which has been reported.
    pub(super) descriptor: Option<&'r Descriptor>,
    /// What builds it, if its options are right.
    pub(super) factory: Option<Factory>,
    /// Its options, as they were written.
    pub(super) options: Table,
    /// The files that it uses, and where each is named.
    pub(super) files: Vec<(FileUse, Location)>,
    /// What its outputs give, by name, where that follows from its options.
    pub(super) outputs: Vec<(&'static str, Format)>,
    /// What is known of the sound that it gives.
    pub(super) sound: SoundGiven,
    pub(super) on_failure: OnFailure,
    /// The input that each value is for.
    pub(super) inputs: Vec<(usize, Node)>,
    /// Keys that the type does not know, with values that may have been meant as inputs. Reported.
    pub(super) strays: Vec<Entry>,
}

impl Checked<'_> {
    /// What its output `name` gives, where that follows from its options and they say it.
    pub(super) fn output(&self, name: &str) -> Option<&Format> {
        self.outputs.iter().find(|(output, _)| *output == name).map(|(_, format)| format)
    }
}

/// Checks `stage` against what its type says of itself.
pub(super) fn check<'r>(stage: Stage, registry: &'r Registry, report: &mut Report) -> Checked<'r> {
    let Stage { name, header, mut entries, broken } = stage;
    let on_failure = take_on_failure(&name, &mut entries, report);
    let mut checked = Checked {
        name,
        header,
        descriptor: None,
        factory: None,
        options: Table::new(),
        files: Vec::new(),
        outputs: Vec::new(),
        sound: SoundGiven::default(),
        on_failure,
        inputs: Vec::new(),
        strays: Vec::new(),
    };
    if !broken {
        checked.descriptor = take_type(&checked.name, header, &mut entries, registry, report);
    }
    let Some(descriptor) = checked.descriptor else {
        checked.strays = entries;
        return checked;
    };
    let mut options = Vec::new();
    for entry in entries {
        match descriptor.inputs().iter().position(|input| input.key == entry.key) {
            Some(input) => checked.inputs.push((input, entry.node)),
            None => options.push(entry),
        }
    }
    checked.inputs.sort_by_key(|(input, _)| *input);
    read_options(&mut checked, descriptor, options, registry, report);
    checked
}

/// The key that every stage has beside its `type`.
const ON_FAILURE: &str = "on-failure";

/// Removes what a stage says of its own failure from its entries.
fn take_on_failure(stage: &str, entries: &mut Vec<Entry>, report: &mut Report) -> OnFailure {
    let Some(at) = entries.iter().position(|entry| entry.key == ON_FAILURE) else { return OnFailure::default() };
    let Node { place, tree } = entries.remove(at).node;
    let ends = match &tree {
        Tree::Leaf(Value::Text(name)) => OnFailure::from_name(name),
        Tree::Unreadable => Some(OnFailure::default()),
        _ => None,
    };
    ends.unwrap_or_else(|| {
        let fault = Fault::at(place, format!("`{ON_FAILURE}` of stage `{stage}` cannot be this"));
        let near = if let Tree::Leaf(Value::Text(name)) = &tree { nearest(name, OnFailure::NAMES) } else { None };
        report.push(match near {
            Some(near) => fault.meant(Some(near)),
            None => fault.label(format!("expected {}", either(OnFailure::NAMES))),
        });
        OnFailure::default()
    })
}

/// Removes the `type` of a stage from its entries and finds it.
fn take_type<'r>(
    stage: &str,
    header: Location,
    entries: &mut Vec<Entry>,
    registry: &'r Registry,
    report: &mut Report,
) -> Option<&'r Descriptor> {
    let at = entries.iter().position(|entry| entry.key == "type").or_else(|| {
        let near = entries.iter().position(|entry| nearest(&entry.key, ["type"]).is_some())?;
        let Entry { key, place, .. } = &entries[near];
        report.push(Fault::at(*place, format!("unknown key `{key}`")).meant(Some("type")));
        Some(near)
    });
    let Some(at) = at else {
        let example = registry.iter().next().map_or("null", Descriptor::name);
        report.push(
            Fault::at(header, format!("stage `{stage}` has no `type`"))
                .help(format!("say what it is, as in `type = \"{example}\"`"))
                .absence(),
        );
        return None;
    };
    let Node { place, tree } = entries.remove(at).node;
    let name = match tree {
        Tree::Leaf(Value::Text(name)) => name,
        Tree::Unreadable => return None,
        _ => {
            report.push(Fault::at(place, "a `type` is the name of a stage type, in quotes"));
            return None;
        }
    };
    let found = registry.find(&name);
    if found.is_none() {
        report.push(match registry.missing_feature(&name) {
            Some(feature) => {
                let message = format!("`{name}` is not in this build; build with `--features {feature}`");
                Fault::at(place, message).label(format!("needs the feature `{feature}`"))
            }
            None => unknown_type(&name, place, registry),
        });
    }
    found
}

fn unknown_type(name: &str, place: Location, registry: &Registry) -> Fault {
    let fault = Fault::at(place, format!("no stage type `{name}`"));
    match nearest(name, registry.iter().map(Descriptor::name)) {
        Some(near) => fault.meant(Some(near)),
        None => fault.help(format!("the types are {}", all(registry.iter().map(Descriptor::name)))),
    }
}

/// Has the descriptor read the options, and says what is wrong with them.
fn read_options(
    checked: &mut Checked<'_>,
    descriptor: &Descriptor,
    options: Vec<Entry>,
    registry: &Registry,
    report: &mut Report,
) {
    let table: Table = options.iter().filter_map(|entry| Some((entry.key.clone(), entry.node.value()?))).collect();
    let mut problems = match descriptor.read(table.clone()) {
        Ok(factory) => {
            let known = descriptor.known(table.clone());
            let place = |key| entry_of(&options, key).map_or(checked.header, |entry| entry.node.place);
            checked.files = known.files.into_iter().map(|file| (file.clone(), place(file.key))).collect();
            checked.outputs = known.outputs;
            checked.sound = known.sound;
            checked.factory = Some(factory);
            checked.options = table;
            Vec::new()
        }
        Err(problems) => problems,
    };
    problems.extend(unread(descriptor, &options, &problems));
    let unknown = |entry: &&Entry| problems.iter().any(|problem| is_unknown(problem, &entry.key));
    let strays: Vec<Entry> = options.iter().filter(unknown).cloned().collect();
    let subject = format!("stage `{}`", checked.name);
    for problem in &problems {
        if let Problem::UnknownKey { key, .. } = problem {
            let place = entry_of(&options, key).map_or(checked.header, |entry| entry.place);
            report.push(unknown_key(key, place, descriptor, registry));
        } else if let Some(fault) = fault(problem, &options, &strays, checked.header, &subject) {
            report.push(fault);
        }
    }
    checked.strays = strays;
}

/// What is wrong with a value or not there; nothing if it was reported already. `entries` are those of
/// a table at `whole` that is called `subject`, `strays` those of them that nobody knows.
pub(super) fn fault(
    problem: &Problem,
    entries: &[Entry],
    strays: &[Entry],
    whole: Location,
    subject: &str,
) -> Option<Fault> {
    match problem {
        Problem::UnknownKey { .. } => None,
        Problem::BadValue { key, message } => {
            let fault = match entry_of(entries, key) {
                Some(entry) => Fault::at(entry.node.place, format!("`{key}` of {subject} cannot be this")),
                None => Fault::at(whole, format!("{subject} cannot be this")),
            };
            Some(fault.label(message.as_str()))
        }
        Problem::MissingKey { key } => {
            let there = entry_of(entries, key).is_some() || was_meant(strays, key);
            let fault = || Fault::at(whole, format!("{subject} has no `{key}`")).label(format!("needs `{key}`"));
            (!there).then(|| fault().absence())
        }
    }
}

/// Whether one of the keys that nobody knows was probably meant to be `key`.
pub(super) fn was_meant(strays: &[Entry], key: &str) -> bool {
    strays.iter().any(|stray| nearest(&stray.key, [key]).is_some())
}

fn entry_of<'e>(entries: &'e [Entry], key: &str) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.key == key)
}

fn is_unknown(problem: &Problem, wanted: &str) -> bool {
    matches!(problem, Problem::UnknownKey { key, .. } if key == wanted)
}

/// The keys that an options struct without `deny_unknown_fields` lets pass unread.
fn unread(descriptor: &Descriptor, options: &[Entry], problems: &[Problem]) -> Vec<Problem> {
    let schema = descriptor.schema();
    // Said either way, the struct decides; and a unit has no keys to compare with.
    if schema.get("additionalProperties").is_some() || schema.get("type").is_none_or(|kind| kind != "object") {
        return Vec::new();
    }
    let known = descriptor.option_keys();
    let keys = options.iter().map(|entry| &entry.key);
    let new = keys.filter(|key| !known.contains(key) && !problems.iter().any(|problem| is_unknown(problem, key)));
    new.map(|key| Problem::UnknownKey { key: key.clone(), expected: &[] }).collect()
}

/// A key that is no option and no input of its type: what was meant, or whose it is.
fn unknown_key(key: &str, place: Location, descriptor: &Descriptor, registry: &Registry) -> Fault {
    let fault = Fault::at(place, format!("`{}` has no option `{key}`", descriptor.name()));
    let options = descriptor.option_keys();
    let inputs = descriptor.inputs().iter().map(|input| input.key);
    let known: Vec<&str> = inputs.chain(options.iter().map(String::as_str)).collect();
    if let Some(near) = nearest(key, known.iter().copied().chain([ON_FAILURE])) {
        return fault.meant(Some(near));
    }
    let has_option = |other: &&Descriptor| other.option_keys().iter().any(|option| option == key);
    let has_input = |other: &&Descriptor| other.inputs().iter().any(|input: &Input| input.key == key);
    let owners = all(registry.iter().filter(has_option).map(Descriptor::name));
    let fault = match (owners.as_str(), known.is_empty()) {
        ("nothing", true) => return fault.label("it has no options"),
        ("nothing", false) if registry.iter().any(|other| has_input(&other)) && descriptor.inputs().is_empty() => {
            fault.label("it takes no input")
        }
        ("nothing", false) => fault,
        (owners, _) => fault.label(format!("`{key}` is an option of {owners}")),
    };
    if known.is_empty() { fault } else { fault.help(format!("its keys are {}", all(known))) }
}
