//! `--set STAGE.KEY=VALUE`: an option from the command line in place of the one in the file.

use std::ops::Range;

use millstream_core::options::Value;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::{self, Entry, Node, Tree};
use super::names::{all, nearest};
use super::report::{Fault, Location, Report};
use super::stages::Stage;

/// What diagnostics call the text of an override.
const ORIGIN: &str = "--set";

/// One key of one stage with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    text: String,
    stage: Range<usize>,
    key: Range<usize>,
    value: Range<usize>,
}

impl Override {
    /// Reads `STAGE.KEY=VALUE`. The value is one of TOML, or else taken as text, so that
    /// `vp8.bitrate=800kbit/s` needs no quotes.
    ///
    /// # Errors
    /// Says what is missing of the three parts.
    pub fn parse(text: &str) -> Result<Override, Diagnostics> {
        let refuse = |message: &str| {
            let diagnostic = Diagnostic::new(ORIGIN, &text.into(), 0..text.len(), message);
            Err(Diagnostics::new(
                vec![diagnostic.with_label("expected STAGE.KEY=VALUE, as in `vp8.bitrate=800kbit/s`")],
                0,
            ))
        };
        let Some(equals) = text.find('=') else {
            return refuse("an override has a `=` before its value");
        };
        let Some(dot) = text[..equals].find('.') else {
            return refuse("an override names a stage and, behind a dot, a key");
        };
        let part = |range: Range<usize>| {
            let part = &text[range.clone()];
            let start = range.start + (part.len() - part.trim_start().len());
            start..start + part.trim().len()
        };
        let (stage, key, value) = (part(0..dot), part(dot + 1..equals), part(equals + 1..text.len()));
        if stage.is_empty() || key.is_empty() {
            return refuse("an override names a stage and, behind a dot, a key");
        }
        Ok(Override { text: text.to_owned(), stage, key, value })
    }

    /// Puts the value in its place, so that what is wrong with it is found at it.
    pub(super) fn apply(&self, stages: &mut [Stage], report: &mut Report) {
        let whole = report.add_source(ORIGIN, &self.text);
        let (name, key) = (&self.text[self.stage.clone()], &self.text[self.key.clone()]);
        let Some(stage) = stages.iter().position(|stage| stage.name == name) else {
            let names = || stages.iter().map(|stage| stage.name.as_str());
            let fault = Fault::at(whole.at(self.stage.clone()), format!("no stage is called `{name}`")).absence();
            report.push(fault.meant(nearest(name, names())).help(format!("the stages are {}", all(names()))));
            return;
        };
        let text = &self.text[self.value.clone()];
        let node = document::parse_value(text, whole, self.value.start, report).unwrap_or_else(|| Node {
            place: whole.at(self.value.clone()),
            tree: Tree::Leaf(Value::Text(text.to_owned())),
        });
        let entries = &mut stages[stage].entries;
        entries.retain(|entry| entry.key != key);
        entries.push(Entry { key: key.to_owned(), place: whole.at(self.key.clone()), node });
    }
}

/// Reads `text` as an override's value: one of TOML, or else taken as text.
pub fn value(text: &str) -> Value {
    let mut report = Report::new(ORIGIN, text);
    let node = document::parse_value(text, Location::in_file(0..text.len()), 0, &mut report);
    node.and_then(|node| node.value()).unwrap_or_else(|| Value::Text(text.to_owned()))
}

impl std::str::FromStr for Override {
    type Err = Diagnostics;
    fn from_str(text: &str) -> Result<Override, Diagnostics> {
        Override::parse(text)
    }
}
