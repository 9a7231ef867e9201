//! Which web sites may have their scripts watch the stream.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::is_this_machine;

/// The origins (RFC 6454) of other web sites that may watch: none, some, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Vec<String>")]
pub struct Origins {
    all: bool,
    some: Vec<String>,
}

impl Origins {
    /// Every site.
    pub const ALL: Origins = Origins { all: true, some: Vec::new() };

    /// Whether every site may.
    pub fn are_all(&self) -> bool {
        self.all
    }

    /// Whether the site with `origin` may; as a browser writes it, in small letters.
    pub fn allow(&self, origin: &str) -> bool {
        self.all || self.some.iter().any(|allowed| allowed == origin)
    }

    /// Whether each site that may proves who it is: by HTTPS, or by being on this machine. Anybody on the
    /// network path can pose as a plain-HTTP site, and with `"*"` any site may.
    pub(crate) fn prove_themselves(&self) -> bool {
        let proven = |origin: &String| match origin.split_once("://") {
            Some(("https", _)) => true,
            Some((_, host)) => is_this_machine(host),
            None => false,
        };
        !self.all && self.some.iter().all(proven)
    }

    /// The names and ports of those that may, as `Host` writes them.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.some.iter().filter_map(|origin| origin.split("://").nth(1))
    }

    /// Those that may, by name.
    pub(crate) fn names(&self) -> &[String] {
        &self.some
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        if text == "*" {
            self.all = true;
            return Ok(());
        }
        let wrong = || format!("expected an origin such as \"https://player.example\", or \"*\", found \"{text}\"");
        let origin = text.to_ascii_lowercase();
        let (scheme, host) = origin.split_once("://").ok_or_else(wrong)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if !matches!(scheme, "http" | "https") || host.is_empty() || !host.chars().all(plain) {
            return Err(wrong());
        }
        self.some.push(origin);
        Ok(())
    }
}

impl TryFrom<&str> for Origins {
    type Error = String;
    fn try_from(text: &str) -> Result<Origins, String> {
        let mut origins = Origins::default();
        origins.add(text)?;
        Ok(origins)
    }
}

impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Origins, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads one origin, or a list of them.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Origins;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("origins such as [\"https://player.example\"], or \"*\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Origins, E> {
        Origins::try_from(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Origins, A::Error> {
        let mut origins = Origins::default();
        while let Some(text) = list.next_element::<String>()? {
            origins.add(&text).map_err(de::Error::custom)?;
        }
        Ok(origins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_named_as_browsers_do() {
        let read = |json: &str| serde_json::from_str::<Origins>(json).map_err(|error| error.to_string());
        assert!(!Origins::default().allow("https://a.example"));
        let two = read("[\"https://A.example\", \"http://[::1]:8080\"]").unwrap();
        assert!(two.allow("https://a.example") && two.allow("http://[::1]:8080"));
        assert!(!two.allow("http://a.example") && !two.allow("null") && !two.are_all());
        assert_eq!(two.hosts().collect::<Vec<_>>(), ["a.example", "[::1]:8080"]);
        assert!(read("\"*\"").unwrap().allow("null") && read("[\"*\"]").unwrap() == Origins::ALL);
        for (origins, proven) in [
            ("[]", true),
            ("\"https://a.example\"", true),
            ("[\"http://localhost:3000\", \"http://127.0.0.1\", \"http://[::1]:80\"]", true),
            ("\"*\"", false),
            ("[\"https://a.example\", \"*\"]", false),
            ("[\"https://a.example\", \"http://a.example\"]", false),
            ("\"http://localhost.a.example\"", false),
        ] {
            assert_eq!(read(origins).unwrap().prove_themselves(), proven, "{origins}");
        }
        for wrong in ["\"a.example\"", "\"https://\"", "[\"https://a.example/\"]", "[\"ftp://a\"]", "\"null\"", "7"] {
            assert!(read(wrong).unwrap_err().contains("origin"), "{wrong}");
        }
    }
}
