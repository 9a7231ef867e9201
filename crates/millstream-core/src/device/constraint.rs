//! Constraints by which a device's mode is chosen, as in `getUserMedia`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A constraint on one property: `1280`, which is an ideal, or `{ min = 640, ideal = 1280, max = 1920 }`.
///
/// The rules are those of the W3C's "Media Capture and Streams", section "fitness distance": `exact`,
/// `min` and `max` must hold; of the modes that are left, the one nearest to `ideal` is best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(remote = "Self")]
pub struct Constraint<T> {
    /// The preferred value; others are accepted.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub ideal: Option<T>,
    /// The only value that is accepted.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub exact: Option<T>,
    /// The least value that is accepted.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub min: Option<T>,
    /// The greatest value that is accepted.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub max: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T> Default for Constraint<T> {
    /// Accepts everything.
    fn default() -> Constraint<T> {
        Constraint { ideal: None, exact: None, min: None, max: None }
    }
}

impl<T> Constraint<T> {
    /// Prefers `value`.
    pub const fn ideal(value: T) -> Constraint<T> {
        Constraint { ideal: Some(value), exact: None, min: None, max: None }
    }

    /// Accepts only `value`.
    pub const fn exact(value: T) -> Constraint<T> {
        Constraint { ideal: None, exact: Some(value), min: None, max: None }
    }
}

impl<T: Copy + Into<f64>> Constraint<T> {
    /// The fitness distance of `value`: 0 is ideal, up to 1 is accepted, `None` is not.
    pub fn distance(&self, value: impl Into<f64>) -> Option<f64> {
        let value = value.into();
        // What a driver calls 30 may be 29.97, and 30 is then meant.
        let close = |a: f64, b: f64| (a - b).abs() <= 0.002 * b.abs();
        let fits = self.exact.is_none_or(|exact| close(value, exact.into()))
            && self.min.is_none_or(|min| value >= min.into() || close(value, min.into()))
            && self.max.is_none_or(|max| value <= max.into() || close(value, max.into()));
        let ideal = self.ideal.or(self.exact).map(Into::into);
        fits.then(|| match ideal {
            Some(ideal) if value != ideal => (value - ideal).abs() / value.abs().max(ideal.abs()),
            _ => 0.0,
        })
    }
}

/// For errors and choices: `ideally 30, at least 15`.
impl<T: fmt::Display> fmt::Display for Constraint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts =
            [("exactly ", &self.exact), ("ideally ", &self.ideal), ("at least ", &self.min), ("at most ", &self.max)];
        let mut first = true;
        for (word, value) in parts.iter().filter_map(|(word, value)| value.as_ref().map(|value| (word, value))) {
            write!(f, "{}{word}{value}", if first { "" } else { ", " })?;
            first = false;
        }
        if first { f.write_str("anything") } else { Ok(()) }
    }
}

struct Reader<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Constraint<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or a table of `ideal`, `exact`, `min` and `max`")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Constraint<T>, A::Error> {
        Constraint::deserialize(MapAccessDeserializer::new(map))
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Constraint<T>, E> {
        T::deserialize(serde::de::value::I64Deserializer::new(value)).map(Constraint::ideal)
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Constraint<T>, E> {
        T::deserialize(serde::de::value::U64Deserializer::new(value)).map(Constraint::ideal)
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Constraint<T>, E> {
        T::deserialize(serde::de::value::F64Deserializer::new(value)).map(Constraint::ideal)
    }
    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Constraint<T>, E> {
        T::deserialize(serde::de::value::StrDeserializer::new(value)).map(Constraint::ideal)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Constraint<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(std::marker::PhantomData))
    }
}

impl<T: Serialize> Serialize for Constraint<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Constraint { ideal: Some(ideal), exact: None, min: None, max: None } => ideal.serialize(serializer),
            _ => Constraint::serialize(self, serializer),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Constraint<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Constraint{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({
            "anyOf": [value, {
                "type": "object",
                "properties": { "ideal": value, "exact": value, "min": value, "max": value },
                "additionalProperties": false,
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{self, Problem, Value};
    use crate::units::{FrameRate, Pixels};

    #[derive(Debug, Deserialize, Serialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Options {
        width: Constraint<Pixels>,
        #[serde(default)]
        fps: Constraint<FrameRate>,
    }

    fn table<const N: usize>(entries: [(&str, Value); N]) -> options::Table {
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn a_value_is_an_ideal_and_a_table_says_more() {
        let range = Value::Table(table([("min", Value::Integer(15)), ("max", Value::Text("30000/1001".into()))]));
        let read: Options = options::read(table([("width", Value::Integer(1280)), ("fps", range)])).unwrap();
        assert_eq!(read.width, Constraint::ideal(Pixels::new(1280).unwrap()));
        assert_eq!((read.fps.min, read.fps.ideal), (FrameRate::new(15, 1), None));
        assert_eq!(read.fps.max, FrameRate::new(30000, 1001));
        assert_eq!(read.width.to_string(), "ideally 1280");
        assert_eq!(read.fps.to_string(), "at least 15, at most 30000/1001");
    }

    #[test]
    fn what_is_wrong_is_said_at_its_key() {
        let typo = Value::Table(table([("minimum", Value::Integer(15))]));
        for (value, words) in [
            (Value::Integer(0), "expected a number of pixels from 1 to 16383, found 0"),
            (Value::Text("wide".into()), "expected a number of pixels from 1 to 16383, found \"wide\""),
            (Value::Bool(true), "expected a value, or a table of `ideal`, `exact`, `min` and `max`, found true"),
            (typo, "unknown key `minimum`, expected \"ideal\", \"exact\", \"min\" or \"max\""),
        ] {
            let problems = options::read::<Options>(table([("width", value.clone())])).unwrap_err();
            let [Problem::BadValue { key, message }] = &problems[..] else { panic!("{problems:?} of {value:?}") };
            assert_eq!((key.as_str(), message.as_str()), ("width", words));
        }
    }

    #[test]
    fn the_distance_is_that_of_get_user_media() {
        let wanted = Constraint { ideal: Pixels::new(1280), min: Pixels::new(640), ..Constraint::default() };
        assert_eq!(wanted.distance(1280), Some(0.0));
        assert_eq!(wanted.distance(640), Some(0.5));
        assert_eq!(wanted.distance(320), None);
        let rate = Constraint { exact: Some(FrameRate::THIRTY), ..Constraint::default() };
        assert_eq!((rate.distance(30), rate.distance(25)), (Some(0.0), None));
        assert!(rate.distance(FrameRate::new(30000, 1001).unwrap()).is_some_and(|distance| distance < 0.001));
        assert_eq!(Constraint::<Pixels>::default().distance(17), Some(0.0));
    }
}
