//! `millstream check`: everything that is wrong, and nothing started.

use crate::core::Registry;
use crate::pipeline::declare;

use super::{Declared, Failure, terminal};

pub(super) fn check(declared: &Declared, registry: &Registry) -> Result<(), Failure> {
    let (text, file, overrides) = declared.read()?;
    let plan = declare::read(&text, &file, &overrides, registry).map_err(Failure::Declared)?;
    let stages = plan.stages.len();
    for note in &plan.notes {
        terminal::say_error(&note.diagnostic.to_string());
    }
    terminal::say(&format!("{file}: {stages} stages, nothing wrong"));
    Ok(())
}
