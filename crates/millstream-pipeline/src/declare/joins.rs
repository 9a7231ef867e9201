//! How stages are joined: which output each input takes, and whether it can.

use std::collections::HashMap;

use millstream_core::descriptor::{Descriptor, Gives};
use millstream_core::options::Value;
use millstream_core::{Accepts, Format, Registry};

use super::check::Checked;
use super::document::{Node, Tree};
use super::link::{self, LinkChoice, Reference};
use super::names::{all, either, nearest};
use super::report::{Fault, Location, Report};
use super::route;

/// One input of one stage that takes one output of another, or of itself.
pub(super) struct Join {
    pub(super) consumer: usize,
    /// Which of the consumer's inputs.
    pub(super) input: usize,
    pub(super) producer: usize,
    /// Which of the producer's outputs.
    pub(super) output: usize,
    /// Where the producer is named.
    pub(super) place: Location,
    pub(super) link: Option<LinkChoice>,
}

/// All joins, and what is known of those that failed.
pub(super) struct Joins {
    /// By consumer and input.
    pub(super) all: Vec<Join>,
    /// The stages that somebody takes from, or tries to.
    pub(super) wanted: Vec<bool>,
    /// What inputs take that were written wrongly, so that nobody knows from whom.
    pub(super) open: Vec<Accepts>,
}

/// What flows out of each output of each stage, where that is known.
pub(super) type Flows = Vec<Vec<Option<Format>>>;

impl Joins {
    /// Finds the outputs that inputs name.
    pub(super) fn resolve(stages: &[Checked<'_>], report: &mut Report) -> Joins {
        let mut names = HashMap::new();
        for (index, stage) in stages.iter().enumerate() {
            names.entry(stage.name.as_str()).or_insert(index);
        }
        let mut joins = Joins { all: Vec::new(), wanted: vec![false; stages.len()], open: Vec::new() };
        for (consumer, stage) in stages.iter().enumerate() {
            for stray in &stage.strays {
                joins.want_strays(&stray.node, &names);
            }
            let Some(descriptor) = stage.descriptor else { continue };
            for (input, node) in &stage.inputs {
                let end = &descriptor.inputs()[*input];
                let references = link::references(end.key, end.many, node, report);
                if references.is_empty() {
                    joins.open.push(end.accepts.clone());
                }
                for reference in references {
                    joins.add(consumer, *input, &end.accepts, reference, stages, &names, report);
                }
            }
        }
        joins
    }

    /// What stands behind a key that nobody knows may name stages: those are not unused for that.
    fn want_strays(&mut self, node: &Node, names: &HashMap<&str, usize>) {
        match &node.tree {
            Tree::Leaf(Value::Text(text)) => {
                if let Some(index) = names.get(text.split('.').next().unwrap_or_default()) {
                    self.wanted[*index] = true;
                }
            }
            Tree::List(nodes) => nodes.iter().for_each(|node| self.want_strays(node, names)),
            Tree::Table(entries) => entries.iter().for_each(|entry| self.want_strays(&entry.node, names)),
            Tree::Leaf(_) | Tree::Unreadable => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one caller")]
    fn add(
        &mut self,
        consumer: usize,
        input: usize,
        accepts: &Accepts,
        reference: Reference,
        stages: &[Checked<'_>],
        names: &HashMap<&str, usize>,
        report: &mut Report,
    ) {
        let Reference { name, place, link } = reference;
        let (stage, output) = match name.split_once('.') {
            // A name with a dot in it has been reported where it was given.
            Some((stage, output)) if !names.contains_key(name.as_str()) => (stage, Some(output)),
            _ => (name.as_str(), None),
        };
        let Some(&producer) = names.get(stage) else {
            let near = nearest(stage, names.keys().copied());
            match near.and_then(|near| names.get(near)) {
                Some(index) => self.wanted[*index] = true,
                None => self.open.push(accepts.clone()),
            }
            report.push(unknown_stage(stage, place, near, stages));
            return;
        };
        self.wanted[producer] = true;
        let Some(descriptor) = stages[producer].descriptor else { return };
        match find_output(stage, output, descriptor) {
            Ok(output) => self.all.push(Join { consumer, input, producer, output, place, link }),
            Err((message, meant)) => {
                if descriptor.outputs().is_empty() {
                    self.open.push(accepts.clone());
                }
                let fault = Fault::at(place, message);
                report.push(fault.meant(meant.as_deref()));
            }
        }
    }

    /// What flows, found in `order`, so that what an output gives `AsInput` is known before it is asked for. A
    /// bundle that is fed by what it gives stands before those that feed it: another round then knows more.
    pub(super) fn flows(&self, stages: &[Checked<'_>], order: &[usize]) -> Flows {
        let mut first_join: Vec<Option<&Join>> = vec![None; stages.len()];
        for join in &self.all {
            first_join[join.consumer].get_or_insert(join);
        }
        let mut flows: Flows = vec![Vec::new(); stages.len()];
        loop {
            let before = flows.clone();
            self.pass_on(stages, order, &first_join, &mut flows);
            if flows == before {
                return flows;
            }
        }
    }

    /// One round of [`flows`](Joins::flows).
    fn pass_on(&self, stages: &[Checked<'_>], order: &[usize], first_join: &[Option<&Join>], flows: &mut Flows) {
        for &index in order {
            let Some(descriptor) = stages[index].descriptor else { continue };
            let as_input = first_join[index].and_then(|join| {
                let format = flows[join.producer].get(join.output)?.as_ref()?;
                descriptor.inputs()[join.input].accepts.takes(format).then(|| format.clone())
            });
            let gives = descriptor.outputs().iter().map(|output| match &output.gives {
                Gives::Format(format) => Some(format.clone()),
                Gives::AsInput => as_input.clone(),
                Gives::FromOptions => stages[index].output(output.name).cloned(),
                _ => None,
            });
            flows[index] = gives.collect();
        }
    }

    /// Refuses every join of an input that does not take what flows, and every one of which nobody can say.
    pub(super) fn check_kinds(&self, stages: &[Checked<'_>], flows: &Flows, registry: &Registry, report: &mut Report) {
        for join in &self.all {
            let (consumer, producer) = (&stages[join.consumer], &stages[join.producer]);
            let Some(input) = consumer.descriptor.map(|descriptor| &descriptor.inputs()[join.input]) else { continue };
            let Some(format) = &flows[join.producer][join.output] else { continue };
            if input.accepts.takes(format) {
                continue;
            }
            let message =
                format!("`{}` gives {format}, but `{}` takes {}", producer.name, consumer.name, input.accepts);
            let fault = Fault::at(join.place, message).label(format!("expected {}", input.accepts));
            let fitting = fitting(stages, flows, &input.accepts).filter(|name| *name != consumer.name);
            let fitting: Vec<&str> = fitting.collect();
            report.push(match route::between(format, &input.accepts, registry) {
                Some(types) => fault.help(format!("put {} between them", route::in_words(&types))),
                None if fitting.is_empty() => fault,
                None => fault.help(format!("{} would fit", either(fitting))),
            });
        }
    }

    /// Refuses every join of which nobody can say what flows, where nothing else explains it.
    pub(super) fn check_known(&self, stages: &[Checked<'_>], flows: &Flows, report: &mut Report) {
        if !report.is_clean() {
            return;
        }
        let unknown = |join: &&Join| flows[join.producer][join.output].is_none();
        let mut reported = Vec::new();
        for join in self.all.iter().filter(unknown) {
            let Checked { name, header, descriptor, .. } = &stages[join.producer];
            let Some(descriptor) = descriptor else { continue };
            if descriptor.outputs()[join.output].gives == Gives::FromOptions {
                if !reported.contains(&join.producer) {
                    reported.push(join.producer);
                    let help = format!("`millstream stages {}` lists its options", descriptor.name());
                    let message = format!("the options of `{name}` do not say what it gives");
                    report.push(Fault::at(*header, message).help(help));
                }
            } else if !self.all.iter().filter(unknown).any(|into| into.consumer == join.producer) {
                report.push(Fault::at(join.place, format!("`{name}` gives what it gets, and that is nothing")));
            }
        }
    }
}

/// The stages of which some output would be taken.
pub(super) fn fitting<'s>(
    stages: &'s [Checked<'_>],
    flows: &'s Flows,
    accepts: &'s Accepts,
) -> impl Iterator<Item = &'s str> {
    let fits = move |index: usize| flows[index].iter().flatten().any(|format| accepts.takes(format));
    stages.iter().enumerate().filter(move |(index, _)| fits(*index)).map(|(_, stage)| stage.name.as_str())
}

fn unknown_stage(name: &str, place: Location, near: Option<&str>, stages: &[Checked<'_>]) -> Fault {
    let fault = Fault::at(place, format!("no stage is called `{name}`")).absence();
    match near {
        Some(near) => fault.meant(Some(near)),
        None => fault.help(format!("the stages are {}", all(stages.iter().map(|stage| stage.name.as_str())))),
    }
}

/// The output of `stage` that is meant by `wanted`, or what is wrong and what was probably meant.
fn find_output(stage: &str, wanted: Option<&str>, of: &Descriptor) -> Result<usize, (String, Option<String>)> {
    let outputs = of.outputs();
    let full = |name: &str| format!("{stage}.{name}");
    let names: Vec<String> = outputs.iter().map(|output| full(output.name)).collect();
    let names = || names.iter().map(String::as_str);
    match (wanted, outputs) {
        (_, []) => Err((format!("`{stage}` has no output: `{}` only takes", of.name()), None)),
        (None, [_]) => Ok(0),
        (None, _) => Err((format!("`{stage}` has several outputs: say {}", either(names())), None)),
        (Some(wanted), [only]) if only.name.is_empty() => Err((
            format!("`{stage}` has one output, without a name, and none called `{wanted}`"),
            Some(stage.to_owned()),
        )),
        (Some(wanted), _) => outputs.iter().position(|output| output.name == wanted).ok_or_else(|| {
            let near = nearest(wanted, outputs.iter().map(|output| output.name)).map(full);
            (format!("`{stage}` has no output `{wanted}`; it has {}", all(names())), near)
        }),
    }
}
