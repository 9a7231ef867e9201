//! `millstream devices`: what this machine has, what a stage would take of it and why, what comes and goes.

mod ask;
mod show;
mod watch;

use std::sync::Arc;

use crate::core::device::Kind;
use crate::core::options::{Table, Value};
use crate::core::{Error, Registry};
use crate::pipeline::declare;
use clap::{Args, ValueEnum};

use super::{Failure, terminal};

const EXAMPLES: &str = "\
Examples:
  millstream devices                             what there is, and what is taken if none is named
  millstream devices camera                      only cameras, and which mode a stage would choose
  millstream devices camera --set width=1280 --set fps.min=30
                                                 the same for a stage with these options, and why
  millstream devices screen --set region=640x480+0+0
  millstream devices --watch                     a line whenever a device comes or goes
  millstream devices --json                      for scripts

In a pipeline a device is named by its id, and wished for by the same options:
  [stage.camera]
  type = \"camera\"
  device = \"ID\"
  width = 1280                                   # preferably; { exact = 1280 } for nothing else
  fps = { min = 30 }";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// Only these, with what a stage would choose of them
    kind: Option<Asked>,
    /// An option of the stage that chooses, as its pipeline would have it; a dot leads into a table.
    /// May be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "kind")]
    set: Vec<String>,
    /// Go on, and say what comes and goes, until Ctrl-C; with --json, one object in a line
    #[arg(long, conflicts_with = "set")]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Asked {
    Camera,
    Microphone,
    Speaker,
    Screen,
}

impl From<Asked> for Kind {
    fn from(asked: Asked) -> Kind {
        match asked {
            Asked::Camera => Kind::Camera,
            Asked::Microphone => Kind::Microphone,
            Asked::Speaker => Kind::Speaker,
            Asked::Screen => Kind::Screen,
        }
    }
}

pub(super) fn devices(options: &Options, registry: Registry) -> Result<(), Failure> {
    let kind = options.kind.map(Kind::from);
    let table = table(&options.set)?;
    if let Some(kind) = kind {
        is_built_in(kind, &registry)?;
    }
    let registry = Arc::new(registry);
    if options.watch {
        return watch::watch(&registry, kind, options.json);
    }
    let answers = ask::ask(&registry, kind, kind.map(|_| table));
    let lines = if options.json { show::json(&answers) } else { show::text(&answers, &registry) };
    terminal::say(lines.trim_end());
    // Whoever asked for one kind hears from the exit code as well.
    match answers.into_iter().find_map(|answer| answer.into_failure()).filter(|_| kind.is_some()) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// The options on the command line as a pipeline would have them.
fn table(sets: &[String]) -> Result<Table, Failure> {
    let mut table = Table::new();
    for set in sets {
        let refuse = || Failure::Set(format!("`--set {set}` is not KEY=VALUE, as in `width=1280` or `fps.min=30`"));
        let (path, value) = set.split_once('=').ok_or_else(refuse)?;
        let mut keys: Vec<&str> = path.split('.').map(str::trim).collect();
        let last = keys.pop().filter(|last| !last.is_empty()).ok_or_else(refuse)?;
        let mut inner = &mut table;
        for key in keys {
            let entry = inner.entry(key.to_owned()).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(deeper) = entry else { return Err(refuse()) };
            inner = deeper;
        }
        inner.insert(last.to_owned(), declare::value(value.trim()));
    }
    Ok(table)
}

fn is_built_in(kind: Kind, registry: &Registry) -> Result<(), Failure> {
    if registry.devices().any(|devices| devices.kind() == kind) {
        return Ok(());
    }
    // The stage types are called as the kinds are.
    let how = match registry.missing_feature(&kind.to_string()) {
        Some(feature) => format!("; build with `--features {feature}`"),
        None => String::new(),
    };
    Err(Failure::Failed(Error::config(format!("this build opens no {kind}{how}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(sets: &[&str]) -> Option<Table> {
        table(&sets.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn a_dot_leads_into_a_table_and_a_value_needs_no_quotes() {
        let read = tables(&["width=1280", "fps.min=30", "fps.max=60", "device=usb cam=1"]).unwrap();
        assert_eq!(read["width"], Value::Integer(1280));
        let range = [("min", 30), ("max", 60)].map(|(key, value)| (key.to_owned(), Value::Integer(value)));
        assert_eq!(read["fps"], Value::Table(range.into()));
        assert_eq!(read["device"], Value::Text("usb cam=1".to_owned()));
        assert_eq!(tables(&["fps={ min = 30 }"]), tables(&["fps.min=30"]));
        for wrong in [&["width"][..], &["=1"], &["fps=30", "fps.min=30"]] {
            assert!(tables(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_kind_that_was_built_without_is_refused_with_its_feature() {
        let mut registry = Registry::new();
        registry.add_missing("camera", "nokhwa");
        let Err(Failure::Failed(error)) = is_built_in(Kind::Camera, &registry) else { panic!("it is refused") };
        assert_eq!(error.to_string(), "this build opens no camera; build with `--features nokhwa`");
    }
}
