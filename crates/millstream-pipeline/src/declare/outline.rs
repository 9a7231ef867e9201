//! What was declared, without what builds it: kept while a pipeline runs, so that it can be compared with another plan.

use millstream_core::options::Table;

use super::link::LinkChoice;
use super::plan::{Plan, PlannedInput};
use crate::faults::OnFailure;

/// What a plan declares, in the order in which it is built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    stages: Vec<StageOutline>,
}

/// A declared stage.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StageOutline {
    /// What the file calls it.
    pub name: String,
    /// Its type.
    pub type_name: &'static str,
    /// Its options, as they were written. An option that is not here has its default.
    pub options: Table,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// Its joined inputs, in the order of its descriptor.
    pub inputs: Vec<InputOutline>,
}

/// A declared join.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InputOutline {
    /// The key of the input.
    pub key: &'static str,
    /// The output that it takes, as TOML names it: `"camera"`, or `"call.audio"` for one of several.
    pub from: String,
    /// What was written about the link, if anything.
    pub link: Option<LinkChoice>,
}

/// How one outline differs from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The stages that only the newer one has, in its order.
    pub added: Vec<String>,
    /// The stages that only the older one has, in its order.
    pub removed: Vec<String>,
    /// The stages that both have and that differ, in the order of the newer one.
    pub changed: Vec<StageChange>,
}

/// How one stage differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageChange {
    /// The stage.
    pub stage: String,
    /// Whether it is of another type.
    pub is_of_another_type: bool,
    /// The keys of the options that differ, or that only one of the two sets.
    pub options: Vec<String>,
    /// Whether something else happens when it fails.
    pub on_failure: bool,
    /// The keys of the inputs that are joined differently: to another output, or by another link.
    pub inputs: Vec<&'static str>,
}

impl Plan {
    /// What it declares.
    pub fn outline(&self) -> Outline {
        let from = |input: &PlannedInput| {
            let producer = &self.stages[input.from];
            match producer.outputs.get(input.output).map_or("", |output| output.name) {
                "" => producer.name.clone(),
                output => format!("{}.{output}", producer.name),
            }
        };
        let input = |input: &PlannedInput| InputOutline { key: input.key, from: from(input), link: input.link };
        let stages = self.stages.iter().map(|stage| StageOutline {
            name: stage.name.clone(),
            type_name: stage.type_name,
            options: stage.options.clone(),
            on_failure: stage.on_failure,
            inputs: stage.inputs.iter().map(input).collect(),
        });
        Outline { stages: stages.collect() }
    }
}

impl Outline {
    /// Its stages.
    pub fn stages(&self) -> &[StageOutline] {
        &self.stages
    }

    /// The options of the stage `name`, as they were written.
    pub fn options(&self, name: &str) -> Option<&Table> {
        self.stage(name).map(|stage| &stage.options)
    }

    /// What is different in `newer`.
    pub fn changes(&self, newer: &Outline) -> Changes {
        let only = |these: &Outline, others: &Outline| {
            let names = these.stages.iter().map(|stage| &stage.name);
            names.filter(|name| others.stage(name).is_none()).cloned().collect()
        };
        let changed = newer.stages.iter().filter_map(|stage| self.stage(&stage.name)?.change(stage));
        Changes { added: only(newer, self), removed: only(self, newer), changed: changed.collect() }
    }

    pub(crate) fn extend(&mut self, other: Outline) {
        self.stages.extend(other.stages);
    }

    fn stage(&self, name: &str) -> Option<&StageOutline> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

impl StageOutline {
    /// How `newer` differs, if it does.
    fn change(&self, newer: &StageOutline) -> Option<StageChange> {
        if self == newer {
            return None;
        }
        let keys = self.options.keys().chain(newer.options.keys().filter(|key| !self.options.contains_key(*key)));
        let options = keys.filter(|key| self.options.get(*key) != newer.options.get(*key)).cloned();
        let joins = |stage: &StageOutline, key: &str| -> Vec<InputOutline> {
            stage.inputs.iter().filter(|input| input.key == key).cloned().collect()
        };
        let mut inputs: Vec<&'static str> = self.inputs.iter().chain(&newer.inputs).map(|input| input.key).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs.retain(|key| joins(self, key) != joins(newer, key));
        Some(StageChange {
            stage: self.name.clone(),
            is_of_another_type: self.type_name != newer.type_name,
            options: options.collect(),
            on_failure: self.on_failure != newer.on_failure,
            inputs,
        })
    }
}

impl Changes {
    /// Whether both are the same.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}
