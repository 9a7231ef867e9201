//! Reads a declared pipeline: a TOML file becomes a [`Plan`] that is right, or everything that is wrong
//! with it is said at once.
//!
//! Nothing is built or opened here: the text comes from the caller, what stages exist from a
//! [`Registry`], and what is checked is what their descriptors say. Of the files that stages use, the
//! operating system is asked which are the same, and a stage type may look at the header of one.
//!
//! ```toml
//! name = "webcam"
//!
//! [stage.camera]
//! type = "camera"
//! fps = 30
//!
//! [stage.vp8]
//! type = "vp8-encoder"
//! input = { from = "camera", policy = "latest" }
//! bitrate = "1.5 Mbit/s"
//!
//! [stage.file]
//! type = "ivf-writer"
//! input = "vp8"
//! path = "webcam.ivf"
//! ```
//! A stage's keys are its `type`, its inputs, its options, and `on-failure`: what happens when it fails, `"part"`
//! (the default), `"stop"` or `"retry"` ([`OnFailure`](crate::OnFailure)). An input is the name of a stage,
//! `"name.output"` where that stage has several outputs, or a table `{ from, policy, items, max-age }`
//! that also says how the link is bounded. An output taken twice is a fan-out.
//!
//! Each mistake gives one diagnostic, at the place where it was made; what only follows from another
//! mistake is not reported.

use millstream_core::Registry;

mod adapt;
mod check;
mod diagnostic;
mod document;
mod files;
mod identity;
mod joins;
mod link;
mod names;
mod order;
mod outline;
mod overrides;
mod plan;
mod report;
mod route;
mod stages;
mod unjoined;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use link::LinkChoice;
pub use outline::{Changes, InputOutline, Outline, StageChange, StageOutline};
pub use overrides::{Override, value};
pub use plan::{Plan, PlannedInput, PlannedOutput, PlannedStage};
pub use report::Note;

use joins::Joins;
use report::Report;

/// Reads `text` as a declared pipeline; `file` is what diagnostics call it. `overrides` replace or add
/// options, the later of two for one key wins.
///
/// # Errors
/// Everything that is wrong, in the order of the text, and after it what is wrong with `overrides`.
pub fn read(text: &str, file: &str, overrides: &[Override], registry: &Registry) -> Result<Plan, Diagnostics> {
    let mut report = Report::new(file, text);
    let root = document::parse(text, &mut report);
    let mut declared = stages::read(root, &mut report);
    for change in overrides {
        change.apply(&mut declared.stages, &mut report);
    }
    let stages: Vec<_> = declared.stages.into_iter().map(|stage| check::check(stage, registry, &mut report)).collect();
    files::check(file, &stages, &mut report);
    let mut stages = stages;
    let mut joins = Joins::resolve(&stages, &mut report);
    let order = order::order(&stages, &joins.all, &mut report);
    let flows = joins.flows(&stages, &order);
    joins.check_kinds(&stages, &flows, registry, &mut report);
    unjoined::check(&stages, &joins, &flows, &mut report);
    joins.check_known(&stages, &flows, &mut report);
    if !report.is_clean() {
        return Err(report.finish());
    }
    adapt::adapt(&mut stages, &mut joins, &order, registry, &mut report);
    if !report.is_clean() {
        return Err(report.finish());
    }
    let order = order::order(&stages, &joins.all, &mut report);
    let flows = joins.flows(&stages, &order);
    Ok(plan::assemble(declared.name, stages, joins, &order, &flows, report.notes()))
}

#[cfg(test)]
mod tests;
