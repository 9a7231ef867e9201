//! What can be chosen about `page`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use millstream_core::Known;
use millstream_webrtc::BitratePolicy;
use schemars::JsonSchema;
use serde::Deserialize;

use super::IceServerOption;
use crate::http::access::{Origins, Token};

/// Options of `page`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// The address and port of the page: "127.0.0.1:8080" if not given, so that only this machine
    /// sees it. "0.0.0.0:8080" shows it to the network, to those who have the token; port 0 takes a
    /// free one.
    pub bind: Bind,
    /// Where the page is on that port: "/" if not given. WHEP is at `whep` below it.
    pub path: Path,
    /// How many may watch at the same time, 1 to 10000; 100 if not given.
    pub max_viewers: MaxViewers,
    /// Whether the encoder follows what viewers can take: "none" if not given, or "slowest", which is
    /// the slowest viewer that can take 150 kbit/s or more.
    pub adapt: Adapt,
    /// What viewers must show: at least 16 letters, digits and `-._~+/` (RFC 6750). If it is not given:
    /// on loopback no token is needed, unless `origins` is "*" or names a plain-HTTP site of another machine;
    /// otherwise Millstream generates one at each start. The printed link contains it.
    pub token: Option<Token>,
    /// Whether no token is needed to watch. Then, beyond loopback, every machine that reaches the port may
    /// watch; if `origins` is "*", so may every web site that a person on this machine visits.
    pub open_to_all: bool,
    /// Other web sites whose players may watch, such as `["https://player.example"]`, or "*" for all.
    /// None if not given: then the page itself may, and players that are no web pages.
    pub origins: Origins,
    /// A PEM file with the certificate for HTTPS, the server's own before those that signed it.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the private key of that certificate.
    pub key: Option<PathBuf>,
    /// STUN and TURN servers, for this side and for the viewers, which get the passwords too:
    /// ["stun:stun.example:3478", { url = "turn:…", username = "…", credential = "…" }].
    pub ice_servers: Vec<IceServerOption>,
}

impl Options {
    /// The files that are read, so that no other stage overwrites them.
    pub(super) fn known(&self) -> Known {
        let files = [("certificate", &self.certificate), ("key", &self.key)];
        let files = files.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?)));
        files.fold(Known::default(), |known, (key, path)| known.reads(key, path))
    }
}

/// Whether the encoder follows what viewers can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Adapt {
    /// It keeps its own bit rate; a viewer that cannot take it loses whole groups of pictures.
    #[default]
    None,
    /// It follows the slowest viewer that can take 150 kbit/s or more, so all viewers get the quality that this
    /// one can take.
    Slowest,
}

impl From<Adapt> for BitratePolicy {
    fn from(adapt: Adapt) -> BitratePolicy {
        match adapt {
            Adapt::None => BitratePolicy::Fixed,
            Adapt::Slowest => BitratePolicy::Slowest,
        }
    }
}

/// An address and a port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Bind(SocketAddr);

impl Bind {
    /// Listens on `address`.
    pub const fn new(address: SocketAddr) -> Bind {
        Bind(address)
    }

    /// Where to listen.
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

impl Default for Bind {
    fn default() -> Bind {
        Bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080))
    }
}

impl TryFrom<String> for Bind {
    type Error = String;
    fn try_from(text: String) -> Result<Bind, String> {
        // The one name that needs no resolver (RFC 6761, section 6.3).
        let address = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        address.as_ref().unwrap_or(&text).parse().map(Bind).map_err(|_| {
            format!("expected an address and a port such as \"127.0.0.1:8080\" or \"0.0.0.0:8080\", found \"{text}\"")
        })
    }
}

/// Where a page is on its port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Path(String);

impl Path {
    /// The path without its last slash: `""` for `/`.
    pub fn base(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Path {
    type Error = String;
    fn try_from(text: String) -> Result<Path, String> {
        let base = text.strip_suffix('/').unwrap_or(&text);
        // The unreserved characters of RFC 3986, section 2.3: they mean themselves everywhere.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(plain);
        let good = match base.strip_prefix('/') {
            Some(segments) => segments.split('/').all(segment),
            None => text == "/",
        };
        good.then(|| Path(base.to_owned()))
            .ok_or_else(|| format!("expected a path of plain letters such as \"/\" or \"/garden\", found \"{text}\""))
    }
}

/// How many may watch at the same time: 1 to 10000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
#[schemars(with = "i64")]
pub struct MaxViewers(u16);

impl MaxViewers {
    /// `value`, if it is from 1 to 10000.
    pub const fn new(value: u16) -> Option<MaxViewers> {
        if value >= 1 && value <= 10_000 { Some(MaxViewers(value)) } else { None }
    }

    /// From 1 to 10000.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for MaxViewers {
    /// What a third of a core serves at 1.4 Mbit/s each (`docs/measurements/fanout.md`).
    fn default() -> MaxViewers {
        MaxViewers(100)
    }
}

impl TryFrom<i64> for MaxViewers {
    type Error = String;
    fn try_from(value: i64) -> Result<MaxViewers, String> {
        let fits = u16::try_from(value).ok().and_then(MaxViewers::new);
        fits.ok_or_else(|| format!("expected a number from 1 to 10000, found {value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_a_port_and_no_resolver() {
        let bind = |text: &str| Bind::try_from(text.to_owned()).map(|bind| bind.address().to_string());
        assert_eq!(bind("localhost:80").unwrap(), "127.0.0.1:80");
        assert_eq!(bind("[::1]:0").unwrap(), "[::1]:0");
        for wrong in ["", "8080", ":8080", "127.0.0.1", "example.org:80", "127.0.0.1:65536", "localhost:"] {
            assert!(bind(wrong).unwrap_err().contains(&format!("found \"{wrong}\"")), "{wrong}");
        }
        assert_eq!(Bind::default().address().to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn paths_are_plain() {
        let path = |text: &str| Path::try_from(text.to_owned()).map(|path| path.base().to_owned());
        for (text, base) in [("/", ""), ("/cam", "/cam"), ("/cam/", "/cam"), ("/a/b-c.d~e_", "/a/b-c.d~e_")] {
            assert_eq!(path(text).unwrap(), base);
        }
        assert_eq!(Path::default().base(), "");
        for wrong in ["", "cam", "//", "/a//b", "/../etc", "/{id}", "/a b", "/é", "/a?b"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn viewers_are_in_range() {
        assert_eq!(MaxViewers::try_from(10_000).unwrap().get(), 10_000);
        assert!(MaxViewers::try_from(0).unwrap_err().contains("1 to 10000"));
        assert!(MaxViewers::try_from(10_001).is_err());
    }
}
