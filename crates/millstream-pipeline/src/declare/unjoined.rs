//! What is not joined and should be: inputs that a stage cannot do without, and outputs that nobody takes.

use millstream_core::descriptor::{Input, Place};
use millstream_core::{Accepts, Format};

use super::check::{Checked, was_meant};
use super::joins::{Flows, Joins, fitting};
use super::names::either;
use super::report::{Fault, Report};

/// Reports stages that lack an input, and those of which nothing is used. A stage that would be used if
/// an input elsewhere were right is not reported.
pub(super) fn check(stages: &[Checked<'_>], joins: &Joins, flows: &Flows, report: &mut Report) {
    let mut open = joins.open.clone();
    let mut lacking = vec![false; stages.len()];
    for (index, stage) in stages.iter().enumerate() {
        let missing = missing_inputs(stage, joins.wanted[index]);
        lacking[index] = !missing.is_empty();
        open.extend(missing.iter().map(|input| input.accepts.clone()));
        if !missing.is_empty() && !was_misspelt(stage, &missing, stages) {
            report.push(lacks(stage, &missing, stages, flows));
        }
    }
    for (index, stage) in stages.iter().enumerate() {
        let Some(descriptor) = stage.descriptor else { continue };
        let sends_only = descriptor.place() == Place::Bundle && !stage.inputs.is_empty();
        let outputs = descriptor.outputs();
        if outputs.is_empty() || joins.wanted[index] || sends_only {
            continue;
        }
        // A bundle that is not joined at all was reported for its inputs.
        if lacking[index] && descriptor.place() == Place::Bundle {
            continue;
        }
        let fits = |accepts: &Accepts| flows[index].iter().any(|format| may_take(accepts, format.as_ref()));
        if !open.iter().any(fits) {
            let name = &stage.name;
            let help = format!("name it as an input of another stage, as in `input = \"{name}\"`, or remove it");
            report.push(Fault::at(stage.header, format!("nobody takes what `{name}` gives")).help(help).absence());
        }
    }
}

fn may_take(accepts: &Accepts, format: Option<&Format>) -> bool {
    format.is_none_or(|format| accepts.takes(format))
}

/// The inputs that `stage` needs and that are not written. Of several that it can each do without it
/// needs one, unless what it gives is used.
fn missing_inputs<'s>(stage: &'s Checked<'_>, used: bool) -> Vec<&'s Input> {
    let inputs = stage.descriptor.map(|descriptor| descriptor.inputs()).unwrap_or_default();
    if inputs.iter().all(|input| input.optional) {
        return if stage.inputs.is_empty() && !used { inputs.iter().collect() } else { Vec::new() };
    }
    let given = |index: usize| stage.inputs.iter().any(|(given, _)| *given == index);
    let missing = inputs.iter().enumerate().filter(|(index, input)| !input.optional && !given(*index));
    missing.map(|(_, input)| input).collect()
}

/// Whether a key that the type does not know, and that has been reported, was meant for one of `missing`.
fn was_misspelt(stage: &Checked<'_>, missing: &[&Input], stages: &[Checked<'_>]) -> bool {
    let names_a_stage = |text: &str| stages.iter().any(|stage| stage.name == text);
    missing.iter().any(|input| was_meant(&stage.strays, input.key))
        || stage.strays.iter().any(|stray| stray.node.any_text(&names_a_stage))
}

fn lacks(stage: &Checked<'_>, missing: &[&Input], stages: &[Checked<'_>], flows: &Flows) -> Fault {
    let any = missing.iter().all(|input| input.optional);
    let keys = missing.iter().map(|input| input.key);
    let needs = if any { either(keys) } else { super::names::all(keys) };
    let fault = Fault::at(stage.header, format!("stage `{}` needs {needs}", stage.name)).absence();
    missing.iter().fold(fault, |fault, input| {
        let fits: Vec<&str> = fitting(stages, flows, &input.accepts).filter(|name| *name != stage.name).collect();
        let takes = format!("`{}` takes {}", input.key, input.accepts);
        match fits.is_empty() {
            true => fault.help(takes),
            false => fault.help(format!("{takes}: {} would fit", either(fits))),
        }
    })
}
