//! Which header extensions are written (RFC 8285).

use millstream_webrtc::sdp::Section;

use super::section::Formats;
use crate::connection::{ABS_CAPTURE_TIME, PLAYOUT_DELAY};
use crate::track::Negotiated;

/// What is negotiated for `section`, one of those `used`, which goes under `payload_type`.
pub(super) fn negotiated(section: &Section, payload_type: u8, used: &[(&Section, &Formats)]) -> Negotiated {
    let id = |uri| agreed(section, uri, used);
    Negotiated { payload_type, capture_time: id(ABS_CAPTURE_TIME), playout_delay: id(PLAYOUT_DELAY) }
}

/// The id of the extension `uri`, if the other side takes it: one that fits the short form of the
/// header, and means the same in all of a bundle (RFC 9143, section 9.1).
pub(super) fn agreed(section: &Section, uri: &str, used: &[(&Section, &Formats)]) -> Option<u8> {
    let (id, _) = offered(section).find(|(_, offered)| *offered == uri)?;
    let mut everywhere = used.iter().flat_map(|(section, _)| offered(section));
    let one = everywhere.all(|(other, means)| other != id || means == uri);
    (one && (1..=14).contains(&id)).then_some(id)
}

/// Ids and what they mean. What the other side only sends is not offered to us.
fn offered<'a>(section: &Section<'a>) -> impl Iterator<Item = (u8, &'a str)> {
    section.lines.attributes("extmap").filter_map(|extension| {
        let mut words = extension.split_ascii_whitespace();
        let (id, uri) = (words.next()?, words.next()?);
        let (id, direction) = id.split_once('/').unwrap_or((id, "sendrecv"));
        (direction == "sendrecv").then_some((id.parse().ok()?, uri))
    })
}
