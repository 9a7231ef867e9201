//! The top of a pipeline file: its name and its stages. What a stage holds is checked elsewhere.

use millstream_core::options::Value;

use super::document::{Entry, Node, Tree};
use super::names::nearest;
use super::report::{Fault, Location, Report};

/// A declared pipeline.
pub(super) struct Declared {
    pub(super) name: Option<String>,
    /// In the order of the text.
    pub(super) stages: Vec<Stage>,
}

/// A declared stage.
pub(super) struct Stage {
    pub(super) name: String,
    /// Where its table header stands.
    pub(super) header: Location,
    /// In the order of the text.
    pub(super) entries: Vec<Entry>,
    /// It is no table, which has been reported: it exists, and nothing is known of it.
    pub(super) broken: bool,
}

/// Reads what `root` holds.
pub(super) fn read(root: Vec<Entry>, report: &mut Report) -> Declared {
    let mut declared = Declared { name: None, stages: Vec::new() };
    for entry in root {
        match (entry.key.as_str(), &entry.node.tree) {
            ("name", Tree::Leaf(Value::Text(name))) => declared.name = Some(name.clone()),
            ("name", Tree::Unreadable) => {}
            ("name", _) => {
                let found = entry.node.kind();
                report.push(
                    Fault::at(entry.node.place, "the name of a pipeline is a text").label(format!("this is {found}")),
                );
            }
            ("stage", Tree::Table(_)) => declared.add_all(entry.node, report),
            ("stage", _) => report.push(Fault::at(entry.place, "`stage` holds the stages").help(EXAMPLE)),
            _ => unknown(entry, &mut declared, report),
        }
    }
    declared.stages.sort_by_key(|stage| stage.header);
    if declared.stages.is_empty() && report.is_clean() {
        report.push(Fault::at(Location::in_file(0..0), "no stage is declared").help(EXAMPLE).absence());
    }
    declared
}

const EXAMPLE: &str = "a pipeline looks like this:

[stage.video]
type = \"test-video\"

[stage.out]
type = \"null\"
input = \"video\"";

impl Declared {
    fn add_all(&mut self, stages: Node, report: &mut Report) {
        let Tree::Table(entries) = stages.tree else { return };
        for Entry { key, place, node } in entries {
            if !is_name(&key) {
                report.push(
                    Fault::at(place, format!("`{key}` is no name for a stage"))
                        .label("a name is made of letters, digits, `-` and `_`"),
                );
            }
            self.add(key, place, node, report);
        }
    }

    fn add(&mut self, name: String, key: Location, node: Node, report: &mut Report) {
        if self.stages.iter().any(|stage| stage.name == name) {
            return;
        }
        let header = node.place;
        let (entries, broken) = match node.tree {
            Tree::Table(entries) => (entries, false),
            _ => (Vec::new(), true),
        };
        if broken {
            report.push(Fault::at(key, format!("stage `{name}` is a table")).help(format!("write `[stage.{name}]`")));
        }
        self.stages.push(Stage { name, header, entries, broken });
    }
}

/// A key at the top that nobody knows. What was plainly meant as a stage is read as one, so that
/// whoever names it is not wrong as well.
fn unknown(entry: Entry, declared: &mut Declared, report: &mut Report) {
    let Entry { key, place, node } = entry;
    let fault = Fault::at(place, format!("unknown key `{key}`"));
    let is_stage =
        |tree: &Tree| matches!(tree, Tree::Table(entries) if entries.iter().any(|entry| entry.key == "type"));
    if is_stage(&node.tree) {
        report.push(fault.label(format!("a stage is declared as `[stage.{key}]`")));
        declared.add(key, place, node, report);
        return;
    }
    let fault = fault.meant(nearest(&key, ["name", "stage"])).help("a pipeline has a `name` and tables `[stage.NAME]`");
    report.push(fault);
    if matches!(&node.tree, Tree::Table(entries) if entries.iter().any(|entry| is_stage(&entry.node.tree))) {
        declared.add_all(node, report);
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}
