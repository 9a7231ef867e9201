//! `millstream stages`: what a pipeline can be made of, from the descriptors alone.

use crate::core::descriptor::{Descriptor, Gives};
use crate::core::options::nearest;
use crate::core::{Error, Registry};
use clap::Args;

use super::{Failure, terminal};

#[derive(Args)]
pub(super) struct Options {
    /// The stage type to explain; without one, all are listed
    name: Option<String>,
}

pub(super) fn stages(options: &Options, registry: &Registry) -> Result<(), Failure> {
    match &options.name {
        None => list(registry),
        Some(name) => {
            let Some(descriptor) = registry.find(name) else { return Err(Failure::Failed(unknown(name, registry))) };
            explain(descriptor);
        }
    }
    Ok(())
}

fn list(registry: &Registry) {
    let width = registry.iter().map(|descriptor| descriptor.name().len()).max().unwrap_or(0);
    for descriptor in registry.iter() {
        terminal::say(&format!("{:width$}  {}", descriptor.name(), descriptor.doc()));
    }
}

fn explain(descriptor: &Descriptor) {
    terminal::say(&format!("{}: {}", descriptor.name(), descriptor.doc()));
    for input in descriptor.inputs() {
        let optional = if input.optional { ", may be left out" } else { "" };
        terminal::say(&format!("  {} = \"STAGE\"  takes {}{optional}", input.key, input.accepts));
    }
    for output in descriptor.outputs() {
        let gives = match &output.gives {
            Gives::Format(format) => format.to_string(),
            Gives::AsInput => "what it takes".to_owned(),
            _ => "what follows from its options".to_owned(),
        };
        terminal::say(&format!("  gives {gives}"));
    }
    let schema = descriptor.schema();
    let definitions = schema.get("$defs");
    let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) else { return };
    terminal::say("  options:");
    for (key, property) in properties {
        let words = property.get("description").and_then(|words| words.as_str()).unwrap_or_default();
        let referred = property.get("$ref").and_then(|path| path.as_str()).and_then(|path| path.rsplit('/').next());
        let kind = referred.and_then(|name| definitions?.get(name)?.get("description")?.as_str());
        let kind = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
        let default = property.get("default").filter(|default| !default.is_null());
        let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        terminal::say(&format!("    {key}{default}\n        {}{kind}", words.replace('\n', " ")));
    }
}

fn unknown(name: &str, registry: &Registry) -> Error {
    if let Some(feature) = registry.missing_feature(name) {
        return Error::config(format!("`{name}` is not in this build; build with `--features {feature}`"));
    }
    let near = nearest(name, registry.iter().map(Descriptor::name));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Error::config(format!("no stage type `{name}`{hint} `millstream stages` lists all"))
}
