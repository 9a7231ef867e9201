//! The transport that all sections share: ICE and DTLS of the other side.

use millstream_core::{Error, Result};
use millstream_webrtc::sdp::{Section, Session};

use super::candidate;

/// More candidates than a machine has ways to be reached: each is tried against each of ours.
const MAX_CANDIDATES: usize = 64;
/// The only hash the `webrtc` crate compares certificates by (0.21.1).
const HASH: &str = "sha-256";

/// The other side's transport.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) ufrag: String,
    pub(super) password: String,
    /// Of its certificate, as in `sha-256 AB:…`.
    pub(super) fingerprint: String,
    /// What we are in the handshake of DTLS.
    pub(super) role: Role,
    /// The other side leaves that choice to us.
    chosen: bool,
    pub(super) candidates: Vec<String>,
    /// It only answers in ICE, so that we have to ask (RFC 8445, section 2.5).
    pub(super) lite: bool,
}

/// What a side is in the handshake of DTLS (RFC 8842, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It begins.
    Active,
    /// It waits for the other side.
    Passive,
}

impl Transport {
    /// The transport of the section with the number `tagged`.
    pub(super) fn of(session: &Session, tagged: usize) -> Result<Transport> {
        let section = &session.sections[tagged];
        let attribute = |name| session.attribute(section, name).map(str::trim);
        let missing =
            |what| Error::config(format!("the other side's description has no {what}, without which nothing is sent"));
        let ufrag = attribute("ice-ufrag").ok_or_else(|| missing("a=ice-ufrag"))?;
        let password = attribute("ice-pwd").ok_or_else(|| missing("a=ice-pwd"))?;
        let is_ice = |text: &str, least| (least..=256).contains(&text.len()) && text.bytes().all(is_ice_char);
        if !is_ice(ufrag, 4) || !is_ice(password, 22) {
            let message =
                "a=ice-ufrag takes 4 to 256 letters, digits, `+` and `/`, a=ice-pwd 22 to 256 (RFC 8839, section 5.4)";
            return Err(Error::bad_item(message));
        }
        let (role, chosen) = role(attribute("setup"))?;
        let mut transport = Transport {
            ufrag: ufrag.to_owned(),
            password: password.to_owned(),
            fingerprint: fingerprint(session, section)?,
            role,
            chosen,
            candidates: Vec::new(),
            lite: session.lines.has("ice-lite"),
        };
        let shared = session.sections.iter().enumerate().filter(|(index, _)| transport.is_of(session, *index, tagged));
        let lines = shared.flat_map(|(_, section)| section.lines.iter());
        let candidates = lines.filter_map(|line| line.strip_prefix("a=")).filter(|line| candidate::is_usable(line));
        transport.candidates = candidates.take(MAX_CANDIDATES).map(str::to_owned).collect();
        Ok(transport)
    }

    /// Whether candidates of the section with the number `index` are for this transport: before the
    /// bundle is agreed, each section may have one of its own.
    pub(super) fn is_of(&self, session: &Session, index: usize, tagged: usize) -> bool {
        index == tagged || session.attribute(&session.sections[index], "ice-ufrag").map(str::trim) == Some(&*self.ufrag)
    }

    /// Keeps to what was agreed `before`.
    pub(super) fn follow(&mut self, before: &Transport) -> Result<()> {
        if self.chosen {
            self.role = before.role;
        }
        if self.role != before.role || self.fingerprint != before.fingerprint {
            return Err(Error::config(
                "the other side wants another DTLS association than the one there is; close the peer and open another",
            ));
        }
        Ok(())
    }
}

/// What we are where the other side says `setup`, and whether it leaves that to us.
fn role(setup: Option<&str>) -> Result<(Role, bool)> {
    match setup {
        // The side that answers may choose. As the one that begins, the `webrtc` crate is late by 200 ms.
        Some("actpass") => Ok((Role::Passive, true)),
        // Without a word it begins (RFC 4145, section 4).
        Some("active") | None => Ok((Role::Passive, false)),
        Some("passive") => Ok((Role::Active, false)),
        Some("holdconn") => {
            Err(Error::config("the other side wants no connection yet (a=setup:holdconn); offer when it does"))
        }
        Some(_) => Err(Error::bad_item("a=setup takes active, passive or actpass (RFC 8842, section 5)")),
    }
}

/// The fingerprint to know the other side's certificate by (RFC 8122, section 5).
fn fingerprint(session: &Session, section: &Section) -> Result<String> {
    let lines = if section.lines.has("fingerprint") { &section.lines } else { &session.lines };
    let mut hashes = Vec::new();
    let mut values = Vec::new();
    for line in lines.attributes("fingerprint") {
        let mut words = line.split_ascii_whitespace();
        let (Some(hash), Some(value), None) = (words.next(), words.next(), words.next()) else { continue };
        if !hash.eq_ignore_ascii_case(HASH) {
            hashes.push(super::section::shortened(hash));
        } else if is_sha_256(value) && !values.contains(&value.to_ascii_uppercase()) {
            values.push(value.to_ascii_uppercase());
        }
    }
    match &values[..] {
        [value] => Ok(format!("{HASH} {value}")),
        [] if hashes.is_empty() => Err(Error::config(format!(
            "the other side's description has no a=fingerprint:{HASH} of 32 bytes, so its certificate cannot be checked"
        ))),
        [] => Err(Error::config(format!(
            "the other side's certificate is known by {} alone; add a=fingerprint:{HASH}, which is compared here",
            hashes.join(", ")
        ))),
        _ => Err(Error::config(format!(
            "the other side has several certificates (a=fingerprint:{HASH}), and one can be compared here; use one"
        ))),
    }
}

/// 32 bytes in two digits each, with colons between them.
fn is_sha_256(value: &str) -> bool {
    let mut bytes = value.split(':');
    value.len() == 32 * 3 - 1
        && bytes.all(|byte| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// RFC 8839, section 5.4.
fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}
