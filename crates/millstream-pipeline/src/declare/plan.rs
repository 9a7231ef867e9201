//! A pipeline that has been checked: what to build, in which order, and what to join.

use std::fmt;

use millstream_core::Format;
use millstream_core::descriptor::{Factory, Place, Weight};
use millstream_core::known::{Access, FileUse, is_standard_output};
use millstream_core::options::Table;

use super::check::Checked;
use super::joins::{Flows, Join, Joins};
use super::link::LinkChoice;
use super::report::Note;
use crate::faults::OnFailure;

/// A checked pipeline, ready to be built.
#[derive(Debug)]
pub struct Plan {
    /// What the file calls it.
    pub name: Option<String>,
    /// Producers before consumers, otherwise in the order of declaration. Only a bundle that is fed from
    /// what it gives itself stands before those that feed it.
    pub stages: Vec<PlannedStage>,
    /// What a person wants to know, though nothing is wrong.
    pub notes: Vec<Note>,
}

/// One stage of a [`Plan`].
pub struct PlannedStage {
    /// What the file calls it.
    pub name: String,
    /// Its type.
    pub type_name: &'static str,
    /// Where its type stands in a pipeline.
    pub place: Place,
    /// How a runner hosts it.
    pub weight: Weight,
    /// Whether it blocks in a driver.
    pub blocking: bool,
    /// Its options, as they were written.
    pub options: Table,
    /// The files that it uses.
    pub files: Vec<FileUse>,
    /// What builds it, with its options inside.
    pub factory: Factory,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// Its joined inputs, in the order of its descriptor.
    pub inputs: Vec<PlannedInput>,
    /// Its outputs, in the order of its descriptor. One that gives what an input gets is left out where
    /// nothing is joined to that.
    pub outputs: Vec<PlannedOutput>,
}

impl Plan {
    /// The stage that writes to standard output, where nobody else may.
    pub fn writes_to_standard_output(&self) -> Option<&str> {
        let writes = |file: &FileUse| file.access == Access::Write && is_standard_output(&file.path);
        let stage = self.stages.iter().find(|stage| stage.files.iter().any(writes));
        stage.map(|stage| stage.name.as_str())
    }
}

impl fmt::Debug for PlannedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlannedStage { name, type_name, inputs, outputs, .. } = self;
        let mut shown = f.debug_struct("PlannedStage");
        shown.field("name", name).field("type_name", type_name).field("inputs", inputs).field("outputs", outputs);
        shown.finish_non_exhaustive()
    }
}

/// One joined input.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedInput {
    /// Its key.
    pub key: &'static str,
    /// The stage it takes from, by its place in [`Plan::stages`].
    pub from: usize,
    /// The output it takes, by its place in that stage's outputs.
    pub output: usize,
    /// What flows.
    pub format: Format,
    /// What was written about the link, if anything.
    pub link: Option<LinkChoice>,
}

/// One output.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedOutput {
    /// Its name behind the dot; empty where there is only one.
    pub name: &'static str,
    /// What flows.
    pub format: Format,
    /// Whether anybody takes it.
    pub used: bool,
}

/// Puts together what was found right. Stages that were not found right are left out, of which there is
/// none where nothing was reported.
pub(super) fn assemble(
    name: Option<String>,
    stages: Vec<Checked<'_>>,
    joins: Joins,
    order: &[usize],
    flows: &Flows,
    notes: Vec<Note>,
) -> Plan {
    let mut position = vec![0; stages.len()];
    for (at, index) in order.iter().enumerate() {
        position[*index] = at;
    }
    let mut taken: Vec<Vec<bool>> = flows.iter().map(|outputs| vec![false; outputs.len()]).collect();
    let mut given: Vec<Vec<Join>> = stages.iter().map(|_| Vec::new()).collect();
    for join in joins.all {
        taken[join.producer][join.output] = true;
        given[join.consumer].push(join);
    }
    let planned_input = |stage: &Checked<'_>, join: Join| {
        let flows = &flows[join.producer];
        Some(PlannedInput {
            key: stage.descriptor?.inputs()[join.input].key,
            from: position[join.producer],
            output: flows[..join.output].iter().flatten().count(),
            format: flows[join.output].clone()?,
            link: join.link,
        })
    };
    let planned = |(index, (stage, joins)): (usize, (Checked<'_>, Vec<Join>))| {
        let descriptor = stage.descriptor?;
        let outputs = descriptor.outputs().iter().zip(&flows[index]).zip(&taken[index]);
        Some(PlannedStage {
            type_name: descriptor.name(),
            place: descriptor.place(),
            weight: descriptor.weight(),
            blocking: descriptor.blocking(),
            inputs: joins.into_iter().filter_map(|join| planned_input(&stage, join)).collect(),
            outputs: outputs
                .filter_map(|((output, format), used)| {
                    Some(PlannedOutput { name: output.name, format: format.clone()?, used: *used })
                })
                .collect(),
            files: stage.files.into_iter().map(|(file, _)| file).collect(),
            options: stage.options,
            name: stage.name,
            factory: stage.factory?,
            on_failure: stage.on_failure,
        })
    };
    let mut stages: Vec<_> = stages.into_iter().zip(given).enumerate().map(planned).collect();
    let stages = order.iter().filter_map(|index| stages[*index].take()).collect();
    Plan { name, stages, notes }
}
