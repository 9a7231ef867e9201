//! STUN and TURN servers, for the page's peers and for the viewers.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

/// A STUN server, `"stun:host:port"`; or a TURN server with a name and a password,
/// `{ url = "turn:host:port", username = "…", credential = "…" }`.
///
/// Viewers get all of it, the password too: TURN needs it.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct IceServerOption {
    url: String,
    account: Option<(String, String)>,
}

impl IceServerOption {
    /// A STUN server.
    ///
    /// # Errors
    /// If `url` is none of STUN.
    pub fn stun(url: &str) -> Result<IceServerOption, String> {
        IceServerOption::new(url, None)
    }

    /// A TURN server that knows `username` by `credential`.
    ///
    /// # Errors
    /// If `url` is none of TURN, or the name or the password is not of visible ASCII characters.
    pub fn turn(url: &str, username: &str, credential: &str) -> Result<IceServerOption, String> {
        IceServerOption::new(url, Some((username.to_owned(), credential.to_owned())))
    }

    fn new(url: &str, account: Option<(String, String)>) -> Result<IceServerOption, String> {
        let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let (stun, turn) = (matches!(&*scheme, "stun" | "stuns"), matches!(&*scheme, "turn" | "turns"));
        // What would leave the brackets or the quotes of a Link header.
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        if !(stun || turn) || url.len() < scheme.len() + 2 || !plain(url) || url.contains(['<', '>', '"']) {
            return Err(format!("expected a server such as \"stun:stun.example:3478\", found \"{url}\""));
        }
        match &account {
            None if turn => Err(format!(
                "\"{url}\" needs a name and a password: {{ url = \"{url}\", username = \"…\", credential = \"…\" }}"
            )),
            Some(_) if stun => Err(format!("\"{url}\" takes no name and no password; write the URL alone")),
            Some((name, password)) if !plain(name) || !plain(password) => {
                Err(format!("the name and the password for \"{url}\" may hold visible ASCII characters only"))
            }
            _ => Ok(IceServerOption { url: url.to_owned(), account }),
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// As an engine takes it.
    pub(crate) fn for_engine(&self) -> millstream_webrtc::IceServer {
        match &self.account {
            None => millstream_webrtc::IceServer::stun(&self.url),
            Some((name, password)) => millstream_webrtc::IceServer::turn(&self.url, name, password),
        }
    }

    /// As a `Link` header for players (draft-ietf-wish-whep, RFC 9725 section 4.6).
    pub(crate) fn link(&self) -> String {
        let url = &self.url;
        match &self.account {
            None => format!("<{url}>; rel=\"ice-server\""),
            Some((name, password)) => format!(
                "<{url}>; rel=\"ice-server\"; username=\"{}\"; credential=\"{}\"; credential-type=\"password\"",
                quoted(name),
                quoted(password)
            ),
        }
    }
}

/// Inside the quotes of a header (RFC 9110, section 5.6.4).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

// By hand, so that no log shows a password.
impl fmt::Debug for IceServerOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServerOption").field("url", &self.url).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for IceServerOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IceServerOption, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads a URL, or a table.
struct Reader;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    url: String,
    username: String,
    credential: String,
}

impl<'de> Visitor<'de> for Reader {
    type Value = IceServerOption;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"stun:host:port\", or { url = \"turn:host:port\", username = \"…\", credential = \"…\" }")
    }

    fn visit_str<E: de::Error>(self, url: &str) -> Result<IceServerOption, E> {
        IceServerOption::stun(url).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<IceServerOption, A::Error> {
        let account = Account::deserialize(MapAccessDeserializer::new(map))?;
        IceServerOption::turn(&account.url, &account.username, &account.credential).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_one_link() {
        let read = |json: &str| serde_json::from_str::<IceServerOption>(json).map_err(|error| error.to_string());
        let stun = read("\"stun:a.example:3478\"").unwrap();
        assert_eq!(stun.link(), "<stun:a.example:3478>; rel=\"ice-server\"");
        let turn = r#"{"url": "turn:a.example?transport=udp", "username": "me", "credential": "p\"w\\"}"#;
        let turn = read(turn).unwrap();
        assert_eq!(
            turn.link(),
            r#"<turn:a.example?transport=udp>; rel="ice-server"; username="me"; credential="p\"w\\"; credential-type="password""#
        );
        assert_eq!(turn.for_engine().credential, "p\"w\\");
        assert!(!format!("{turn:?}").contains("p\\\""));
        for (wrong, words) in [
            ("\"a.example\"", "expected a server"),
            ("\"stun:\"", "expected a server"),
            ("\"stun:a>b\"", "expected a server"),
            ("\"turn:a\"", "needs a name and a password"),
            (r#"{"url": "stun:a", "username": "a", "credential": "b"}"#, "takes no name"),
            (r#"{"url": "turn:a", "username": "a", "credential": "b\r\n"}"#, "visible ASCII"),
            (r#"{"url": "turn:a", "username": "a"}"#, "credential"),
            ("7", "stun:host:port"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
