//! The quantity "decibels", as people write it: `"-6 dB"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A ratio of amplitudes, -120 dB to 60 dB: from below the quietest step of 16 bits to what makes a
/// whisper clip.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Decibels(f64);

const EXPECTED: &str = "a gain such as \"-6 dB\" or 3, from -120 dB to 60 dB";

impl Decibels {
    /// `value` decibels, if that is from -120 to 60.
    pub fn new(value: f64) -> Option<Decibels> {
        (-120.0..=60.0).contains(&value).then_some(Decibels(value))
    }

    /// How many.
    pub fn value(self) -> f64 {
        self.0
    }

    /// What to multiply samples by: 1 for 0 dB, about a half for -6 dB.
    pub fn factor(self) -> f64 {
        10f64.powf(self.0 / 20.0)
    }
}

impl FromStr for Decibels {
    type Err = String;
    fn from_str(text: &str) -> Result<Decibels, String> {
        let number = text.trim();
        let number = number.strip_suffix("dB").unwrap_or(number).trim_end();
        let decibels = number.parse().ok().and_then(Decibels::new);
        decibels.ok_or_else(|| format!("`{text}` is not {EXPECTED}"))
    }
}

impl fmt::Display for Decibels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dB", self.0)
    }
}

impl Serialize for Decibels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decibels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decibels, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Decibels;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decibels, E> {
        text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Decibels, E> {
        Decibels::new(value as f64).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(value), &self))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decibels, E> {
        Decibels::new(value as f64).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Decibels, E> {
        Decibels::new(value).ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &self))
    }
}

impl JsonSchema for Decibels {
    fn schema_name() -> Cow<'static, str> {
        "Decibels".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"], "description": "a gain: \"-6 dB\", 3" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_read_and_write_as_people_do() {
        for (text, factor) in [("0 dB", 1.0), ("-20dB", 0.1), (" 6.0206 dB", 2.0), ("-40", 0.01), ("+20 dB", 10.0)] {
            let decibels: Decibels = text.parse().unwrap();
            assert!((decibels.factor() - factor).abs() < 1e-5, "{text}");
        }
        assert_eq!("-6.5 dB".parse::<Decibels>().unwrap().to_string(), "-6.5 dB");
        for wrong in ["", "dB", "loud", "61 dB", "-121", "NaN dB", "inf", "3 dBm"] {
            let error = wrong.parse::<Decibels>().unwrap_err();
            assert_eq!(error, format!("`{wrong}` is not a gain such as \"-6 dB\" or 3, from -120 dB to 60 dB"));
        }
    }
}
