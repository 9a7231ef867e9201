//! `millstream check`: everything that is wrong, and nothing started.

use millstream::pipeline::declare;

use super::{Declared, Failure, terminal};

pub(super) fn check(declared: &Declared) -> Result<(), Failure> {
    let (text, file, overrides) = declared.read()?;
    let plan = declare::read(&text, &file, &overrides, &millstream::registry()).map_err(Failure::Declared)?;
    let stages = plan.stages.len();
    for note in &plan.notes {
        terminal::say_error(&note.told.to_string());
    }
    terminal::say(&format!("{file}: {stages} stages, nothing wrong"));
    Ok(())
}
