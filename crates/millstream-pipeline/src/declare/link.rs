//! What is written for an input: the stage it takes from, and how the link to it is bounded.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use millstream_core::options::{self, Problem, Value};
use millstream_core::units::Span;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::check;
use super::document::{Entry, Node, Tree};
use super::names::{all, nearest};
use super::report::{Fault, Location, Report};
use crate::policy::Policy;

/// What was written about a link; what was not is for the kind of item to decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkChoice {
    /// What it does with an item that does not fit.
    pub policy: Option<Policy>,
    /// How many items wait at the most.
    pub items: Option<NonZeroUsize>,
    /// How long an item waits at the most, more than 0. Never set beside [`Policy::Block`].
    pub max_age: Option<Duration>,
}

/// A stage that an input names, and perhaps one of its outputs.
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) place: Location,
    pub(super) link: Option<LinkChoice>,
}

/// Reads the value of the input `key`, which takes one output or `many`. What cannot be read is
/// reported and left out.
pub(super) fn references(key: &str, many: bool, node: &Node, report: &mut Report) -> Vec<Reference> {
    match &node.tree {
        Tree::List(nodes) => {
            if nodes.is_empty() {
                report.push(Fault::at(node.place, format!("`{key}` names no stage")).label("expected one"));
            } else if nodes.len() > 1 && !many {
                let message = format!("`{key}` takes one stage, and here are {}", nodes.len());
                report.push(Fault::at(node.place, message).label("expected one"));
            }
            nodes.iter().filter_map(|node| one(key, node, report)).collect()
        }
        _ => one(key, node, report).into_iter().collect(),
    }
}

fn one(key: &str, node: &Node, report: &mut Report) -> Option<Reference> {
    match &node.tree {
        Tree::Leaf(Value::Text(name)) => Some(Reference { name: name.clone(), place: node.place, link: None }),
        Tree::Table(entries) => table(key, entries, node.place, report),
        Tree::Unreadable => None,
        _ => {
            let message = format!("`{key}` names a stage, and this is {}", node.kind());
            report.push(Fault::at(node.place, message).label("expected \"STAGE\" or { from = \"STAGE\" }"));
            None
        }
    }
}

/// The keys of the table form.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    #[serde(rename = "from")]
    _from: String,
    #[serde(default)]
    policy: Option<Named>,
    #[serde(default)]
    items: Option<Items>,
    #[serde(default)]
    max_age: Option<Age>,
}

fn table(key: &str, entries: &[Entry], whole: Location, report: &mut Report) -> Option<Reference> {
    let values = entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.node.value()?))).collect();
    let choice = match options::read::<Written>(values) {
        Ok(written) => choice(&written, entries, report),
        Err(problems) => {
            refuse(key, &problems, entries, whole, report);
            LinkChoice::default()
        }
    };
    let from = entries.iter().find(|entry| entry.key == "from")?;
    let Tree::Leaf(Value::Text(name)) = &from.node.tree else { return None };
    Some(Reference { name: name.clone(), place: from.node.place, link: Some(choice) })
}

fn choice(written: &Written, entries: &[Entry], report: &mut Report) -> LinkChoice {
    let policy = written.policy.as_ref().map(|named| named.0);
    let mut max_age = written.max_age.as_ref().map(|age| age.0);
    let max_age_entry = entries.iter().find(|entry| entry.key == "max-age");
    if let (Some(Policy::Block), Some(entry)) = (policy, max_age_entry) {
        let fault = Fault::at(entry.place, "a link that blocks loses nothing, and so has no `max-age`");
        report.push(fault.help("leave it out, or choose the policy `latest`, `drop-oldest` or `drop-newest`"));
        max_age = None;
    }
    LinkChoice { policy, items: written.items.as_ref().map(|items| items.0), max_age }
}

fn refuse(key: &str, problems: &[Problem], entries: &[Entry], whole: Location, report: &mut Report) {
    let mut strays = Vec::new();
    for problem in problems {
        let Problem::UnknownKey { key, expected } = problem else { continue };
        let Some(entry) = entries.iter().find(|entry| entry.key == *key) else { continue };
        let near = nearest(key, expected.iter().copied());
        let keys = format!("the keys of an input are {}", all(expected.iter().copied()));
        report.push(Fault::at(entry.place, format!("an input has no key `{key}`")).meant(near).help(keys));
        strays.push(entry.clone());
    }
    let subject = format!("the input `{key}`");
    for fault in problems.iter().filter_map(|problem| check::fault(problem, entries, &strays, whole, &subject)) {
        report.push(fault);
    }
}

/// A policy by the name people write.
struct Named(Policy);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
        let name = deserializer.deserialize_str(Text)?;
        Policy::from_name(&name).map(Named).ok_or_else(|| de::Error::unknown_variant(&name, &Policy::NAMES))
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy such as \"latest\"")
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<String, E> {
        Ok(name.to_owned())
    }
}

/// From one item to [`MOST`](Items::MOST).
struct Items(NonZeroUsize);

impl Items {
    /// Minutes of anything: who wants more wants a file.
    const MOST: usize = 10_000;
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Items, D::Error> {
        deserializer.deserialize_any(Count)
    }
}

struct Count;

impl Visitor<'_> for Count {
    type Value = Items;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number of items from 1 to {}", Items::MOST)
    }
    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Items, E> {
        let items =
            usize::try_from(count).ok().filter(|count| *count <= Items::MOST).and_then(NonZeroUsize::new).map(Items);
        items.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(count), &self))
    }
}

/// A duration of more than nothing: a link that keeps items for no time passes none.
struct Age(Duration);

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Age, D::Error> {
        let age = Span::deserialize(deserializer)?.duration();
        if age.is_zero() {
            return Err(de::Error::custom("expected a duration of more than 0, such as \"200 ms\""));
        }
        Ok(Age(age))
    }
}
