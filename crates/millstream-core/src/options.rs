//! Reading a stage's options struct from declared values, with every problem at once and each at its key.
//!
//! What is not here: any file format. A loader turns its tables into [`Value`]s and keeps the
//! places of keys and values itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

/// A declared value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Truth.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// Values by key.
    Table(Table),
}

/// Values by key.
pub type Table = BTreeMap<String, Value>;

/// One thing that is wrong with declared options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No option has this key.
    UnknownKey {
        /// The key.
        key: String,
        /// The keys there are.
        expected: &'static [&'static str],
    },
    /// The value of this key will not do.
    BadValue {
        /// The key.
        key: String,
        /// What was expected and what was found.
        message: String,
    },
    /// This key must be there.
    MissingKey {
        /// The key.
        key: &'static str,
    },
}

/// Reads `table` as `T`, or says everything that is wrong with it.
///
/// A key that fails is noted and removed, and the rest is read again, until nothing fails any more.
pub fn read<T: DeserializeOwned>(mut table: Table) -> Result<T, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    // Each round removes a key, notes a missing one and stops, or succeeds.
    loop {
        match read_once(&table) {
            Ok(options) if problems.is_empty() => return Ok(options),
            Ok(_) => return Err(problems),
            Err((_, Fault::Missing(key))) => {
                if !removed.iter().any(|gone| gone == key) {
                    problems.push(Problem::MissingKey { key });
                }
                return Err(problems);
            }
            Err((key, fault)) => {
                if table.remove(&key).is_none() {
                    problems.push(Problem::BadValue { key, message: fault.to_string() });
                    return Err(problems);
                }
                removed.push(key.clone());
                problems.push(match fault {
                    Fault::Unknown(unknown, expected) if unknown == key => Problem::UnknownKey { key, expected },
                    // One of a table inside is a mistake in what this key has for a value.
                    other => Problem::BadValue { key, message: other.to_string() },
                });
            }
        }
    }
}

/// Reads `table`, or says what is wrong first and at which key.
fn read_once<T: DeserializeOwned>(table: &Table) -> Result<T, (String, Fault)> {
    let current = Rc::new(RefCell::new(String::new()));
    let noting = Rc::clone(&current);
    let entries = table.iter().map(move |(key, value)| {
        noting.borrow_mut().clone_from(key);
        (key.as_str(), value)
    });
    T::deserialize(MapDeserializer::<_, Fault>::new(entries)).map_err(|fault| (current.take(), fault))
}

/// What serde says went wrong, in our words.
#[derive(Debug)]
enum Fault {
    Unknown(String, &'static [&'static str]),
    Missing(&'static str),
    Other(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unknown(key, expected) => write!(f, "unknown key `{key}`, expected {}", list(expected)),
            Fault::Missing(key) => write!(f, "`{key}` is missing"),
            Fault::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        Fault::Other(message.to_string())
    }
    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        Fault::Other(format!("expected {expected}, found {}", in_words(found)))
    }
    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        Fault::Other(format!("expected {expected}, found {}", in_words(found)))
    }
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Fault {
        let nearest = nearest(variant, expected.iter().copied());
        let hint = nearest.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
        Fault::Other(format!("expected {}, found \"{variant}\"{hint}", list(expected)))
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        Fault::Unknown(field.to_owned(), expected)
    }
    fn missing_field(field: &'static str) -> Fault {
        Fault::Missing(field)
    }
}

fn in_words(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Str(text) => format!("\"{text}\""),
        de::Unexpected::Signed(number) => number.to_string(),
        de::Unexpected::Unsigned(number) => number.to_string(),
        de::Unexpected::Float(number) => number.to_string(),
        de::Unexpected::Bool(truth) => truth.to_string(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// `"a", "b" or "c"`.
fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [only] => format!("\"{only}\""),
        [init @ .., last] => {
            let init: Vec<_> = init.iter().map(|name| format!("\"{name}\"")).collect();
            format!("{} or \"{last}\"", init.join(", "))
        }
    }
}

/// The name among `names` that `wrong` was probably meant to be: at most a third of its letters differ.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let budget = (wrong.chars().count() / 3).clamp(1, 3);
    names
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= budget)
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, remove, replace or swap with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Value {
    type Deserializer = Reader<'de>;
    fn into_deserializer(self) -> Reader<'de> {
        Reader(self)
    }
}

/// Lets serde read a [`Value`].
struct Reader<'de>(&'de Value);

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(values) => visitor.visit_seq(de::value::SeqDeserializer::new(values.iter())),
            Value::Table(table) => {
                visitor.visit_map(MapDeserializer::new(table.iter().map(|(key, value)| (key.as_str(), value))))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Text(text) => {
                de::value::StrDeserializer::<Fault>::new(text).deserialize_enum(name, variants, visitor)
            }
            other => {
                let found = match other {
                    Value::Bool(truth) => truth.to_string(),
                    Value::Integer(number) => number.to_string(),
                    Value::Float(number) => number.to_string(),
                    Value::List(_) => "a list".to_owned(),
                    Value::Table(_) | Value::Text(_) => "a table".to_owned(),
                };
                Err(Fault::Other(format!("expected {}, found {found}", list(variants))))
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bitrate, Span};
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Voip,
        Audio,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Options {
        path: String,
        #[serde(default)]
        bitrate: Option<Bitrate>,
        #[serde(default)]
        frame: Option<Span>,
        #[serde(default)]
        mode: Option<Mode>,
    }

    fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn good_options_are_read() {
        let read: Options = read(table([
            ("path", text("a.y4m")),
            ("bitrate", text("800 kbit/s")),
            ("frame", text("20 ms")),
            ("mode", text("voip")),
        ]))
        .unwrap();
        assert_eq!(read.path, "a.y4m");
        assert_eq!(read.bitrate.unwrap().bps(), 800_000);
        assert_eq!(read.frame.unwrap().duration().as_millis(), 20);
        assert_eq!(read.mode, Some(Mode::Voip));
    }

    #[test]
    fn every_problem_is_found_at_once_and_at_its_key() {
        let problems = read::<Options>(table([
            ("bitrat", text("1 Mbit/s")),
            ("bitrate", Value::Integer(800)),
            ("frame", text("20")),
            ("mode", text("viop")),
        ]))
        .unwrap_err();
        let all: Vec<String> = problems
            .iter()
            .map(|problem| match problem {
                Problem::UnknownKey { key, .. } => format!("unknown {key}"),
                Problem::BadValue { key, message } => format!("{key}: {message}"),
                Problem::MissingKey { key } => format!("missing {key}"),
            })
            .collect();
        assert_eq!(all.len(), 5, "{all:#?}");
        assert!(all.contains(&"unknown bitrat".to_owned()));
        assert!(all.contains(&"missing path".to_owned()));
        assert!(all.iter().any(|line| line.starts_with("bitrate: expected a bit rate")), "{all:#?}");
        assert!(all.iter().any(|line| line.contains("did you mean \"voip\"?")), "{all:#?}");
    }

    #[test]
    fn a_key_of_the_wrong_value_is_not_missing_as_well() {
        let problems = read::<Options>(table([("path", Value::Integer(3))])).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn names_are_near_when_few_letters_differ() {
        assert_eq!(nearest("vidoe", ["video", "audio"]), Some("video"));
        assert_eq!(nearest("lastest", ["latest", "block"]), Some("latest"));
        assert_eq!(nearest("xyz", ["video", "audio"]), None);
    }
}
