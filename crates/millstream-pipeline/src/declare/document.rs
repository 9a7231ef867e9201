//! TOML as tables whose keys and values know their places. It knows nothing of stages.

use std::ops::Range;

use millstream_core::options::{Table, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Fault, Location, Report};

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) place: Location,
    pub(super) node: Node,
}

/// A value and where it stands; a table stands where its header does.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Location,
    pub(super) tree: Tree,
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    Leaf(Value),
    List(Vec<Node>),
    /// In the order of the text.
    Table(Vec<Entry>),
    /// Reported already.
    Unreadable,
}

impl Node {
    /// The value without places, if all of it can be read.
    pub(super) fn value(&self) -> Option<Value> {
        match &self.tree {
            Tree::Leaf(value) => Some(value.clone()),
            Tree::List(nodes) => nodes.iter().map(Node::value).collect::<Option<_>>().map(Value::List),
            Tree::Table(entries) => {
                let entry = |entry: &Entry| Some((entry.key.clone(), entry.node.value()?));
                entries.iter().map(entry).collect::<Option<Table>>().map(Value::Table)
            }
            Tree::Unreadable => None,
        }
    }

    /// Whether `wanted` is true of any text in it.
    pub(super) fn any_text(&self, wanted: &dyn Fn(&str) -> bool) -> bool {
        match &self.tree {
            Tree::Leaf(Value::Text(text)) => wanted(text),
            Tree::List(nodes) => nodes.iter().any(|node| node.any_text(wanted)),
            Tree::Table(entries) => entries.iter().any(|entry| entry.node.any_text(wanted)),
            Tree::Leaf(_) | Tree::Unreadable => false,
        }
    }

    /// What kind of value it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.tree {
            Tree::Leaf(Value::Bool(_)) => "true or false",
            Tree::Leaf(Value::Integer(_) | Value::Float(_)) => "a number",
            Tree::Leaf(Value::Text(_)) => "a text",
            Tree::Leaf(Value::List(_)) | Tree::List(_) => "a list",
            Tree::Leaf(Value::Table(_)) | Tree::Table(_) => "a table",
            Tree::Unreadable => "something else",
        }
    }
}

/// Reads a whole document. Where it is no TOML, what can be recovered is still read.
pub(super) fn parse(text: &str, report: &mut Report) -> Vec<Entry> {
    if let Some(deep) = too_deep(text) {
        report.push_syntax(Fault::at(Location::in_file(deep), "this key has too many parts"));
        return Vec::new();
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        report.push_syntax(syntax_fault(text, span, error.message()));
    }
    let reader = &mut Reader { base: Location::in_file(0..0), offset: 0, report };
    reader.table(root.get_ref())
}

/// Reads `text` as one value; `base` is the place of the text that holds it, from `offset` on.
/// `None` if it is not one.
pub(super) fn parse_value(text: &str, base: Location, offset: usize, report: &mut Report) -> Option<Node> {
    if too_deep(text).is_some() {
        return None;
    }
    let value = DeValue::parse(text).ok()?;
    Some(Reader { base, offset, report }.node(&value))
}

fn syntax_fault(text: &str, span: Range<usize>, message: &str) -> Fault {
    let place = Location::in_file(span.clone());
    match (message, text.get(span)) {
        ("duplicate key", Some(key)) => {
            Fault::at(place, format!("`{}` is here twice", key.trim_matches('"'))).label("the second is here")
        }
        _ => Fault::at(place, format!("this is not TOML: {message}")),
    }
}

/// The parser bounds how deep values nest, but not how many parts a dotted key has, and each is a table
/// in a table: dropping enough of them overflows the stack. No key of ours has more than four.
const KEY_PARTS: usize = 50;

fn too_deep(text: &str) -> Option<Range<usize>> {
    let (mut start, mut dots, mut empty) = (0, 0, true);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'.' if !empty => (dots, empty) = (dots + 1, true),
            b'.' | b'=' | b',' | b'{' | b'[' | b'#' | b'\n' => (start, dots, empty) = (at + 1, 0, true),
            b' ' | b'\t' | b'\r' => {}
            _ => empty = false,
        }
        if dots == KEY_PARTS {
            return Some(start..at);
        }
    }
    None
}

struct Reader<'a> {
    base: Location,
    offset: usize,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn place(&self, span: Range<usize>) -> Location {
        self.base.at(span.start + self.offset..span.end + self.offset)
    }

    fn table(&mut self, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                place: self.place(key.span()),
                node: self.node(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.place);
        entries
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span());
        let tree = match value.get_ref() {
            DeValue::String(text) => Tree::Leaf(Value::Text(text.to_string())),
            DeValue::Boolean(truth) => Tree::Leaf(Value::Bool(*truth)),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Tree::Leaf(Value::Integer(number)),
                Err(_) => self.unreadable(place, "this number is too large"),
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Tree::Leaf(Value::Float(number)),
                _ => self.unreadable(place, "this number is not finite"),
            },
            DeValue::Datetime(_) => self.unreadable(place, "no option is a date; a text stands in quotes"),
            DeValue::Array(values) => Tree::List(values.iter().map(|value| self.node(value)).collect()),
            DeValue::Table(table) => Tree::Table(self.table(table)),
        };
        Node { place, tree }
    }

    fn unreadable(&mut self, place: Location, message: &str) -> Tree {
        self.report.push(Fault::at(place, message));
        Tree::Unreadable
    }
}
