//! Which sections can be used, each for itself and beside the others.

use millstream_core::Codec;
use millstream_webrtc::sdp::{Section, Session};

/// All of these mean SRTP under DTLS, or have to be accepted as that (RFC 9429, section 5.1.2).
const PROTOCOLS: [&str; 8] = [
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
    "TCP/DTLS/RTP/SAVP",
    "RTP/SAVPF",
    "RTP/SAVP",
    "RTP/AVPF",
    "RTP/AVP",
];
/// With the marker bit, these look like RTCP, which shares the port (RFC 5761, section 4).
pub(super) const LIKE_RTCP: std::ops::RangeInclusive<u8> = 64..=95;

/// Why nothing is sent in a section that does not want to receive. It may again later: that holds it, and it stays
/// negotiated.
pub(super) const HELD: &str = "does not want to receive; make it `recvonly` or `sendrecv`";

/// A track that sections are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) codec: Codec,
    /// The section that it has already, by name: no other will do.
    pub(crate) mid: Option<String>,
}

/// What is sent in a section.
#[derive(Debug)]
pub(super) struct Formats {
    /// The number of our track, and its codec.
    pub(super) track: usize,
    pub(super) codec: Codec,
    pub(super) payload_type: u8,
    /// What is sent again has a type of its own (RFC 4588).
    pub(super) retransmission: Option<u8>,
    /// Nothing is sent for now: the section is [held](HELD).
    pub(super) held: bool,
}

/// What becomes of each section, and the bundle that those to be used are in.
pub(super) fn judge<'a>(
    session: &Session<'a>,
    tracks: &[Wanted],
) -> (Vec<Result<Formats, String>>, Option<Vec<&'a str>>) {
    let mut fates: Vec<_> =
        (0..session.sections.len()).map(|index| usable(session, index, tracks).map(|()| None)).collect();
    let receives = |index: usize| session.sections[index].receives();
    let first = |want: bool| (0..fates.len()).find(|index| fates[*index].is_ok() && receives(*index) == want);
    // One in which something is sent comes before one that is held.
    let first = first(true).or(first(false));
    let bundled = first.and_then(|first| session.bundle(session.sections[first].mid()?));
    let mut order: Vec<_> = (0..fates.len()).filter(|index| fates[*index].is_ok()).collect();
    order.sort_by_key(|index| !receives(*index));
    let (mut taken, mut types) = (Vec::new(), Vec::new());
    for index in order {
        let section = &session.sections[index];
        let in_bundle = section.mid().is_some_and(|mid| bundled.iter().flatten().any(|of_bundle| *of_bundle == mid));
        fates[index] = if in_bundle || Some(index) == first {
            choose(section, tracks, &taken, &types).map(|formats| {
                taken.push(formats.track);
                types.extend([Some(formats.payload_type), formats.retransmission].into_iter().flatten());
                Some(formats)
            })
        } else {
            Err("is in no BUNDLE group with the first that can be used, and there is one transport".to_owned())
        };
    }
    let fates = fates.into_iter().map(|fate| fate.map(|formats| formats.expect("each that was usable was judged")));
    (fates.collect(), bundled)
}

/// Why none of the sections that there are for `track` can take it, if the reason is that none has its codec.
pub(super) fn lacks_codec(session: &Session, track: &Wanted) -> Option<String> {
    let is_for = |(index, section): &(usize, &Section)| {
        let its_own = track.mid.is_none() || section.mid() == track.mid.as_deref();
        its_own && section.is_for(&track.codec) && fits(session, *index).is_ok()
    };
    let sections: Vec<_> = session.sections.iter().enumerate().filter(is_for).map(|(_, section)| section).collect();
    let lacks = sections.iter().all(|section| section.payload_types(&track.codec).is_empty());
    let first = sections.first().filter(|_| lacks)?;
    Some(format!("the other side {}", has_no(first, &track.codec.encoding)))
}

fn has_no(section: &Section, encodings: &str) -> String {
    let there: Vec<_> = section.encodings().take(8).map(|(_, encoding)| shortened(encoding)).collect();
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    format!("has no {encodings}; it has {there}")
}

/// Says why a section cannot be used, whatever the others are.
fn usable(session: &Session, index: usize, tracks: &[Wanted]) -> Result<(), String> {
    let section = &session.sections[index];
    if !tracks.iter().any(|track| section.is_for(&track.codec)) {
        return Err("is of a kind that is not sent here".to_owned());
    }
    fits(session, index)?;
    choose(section, tracks, &[], &[])?;
    // In a bundle it goes without saying (RFC 9143, section 9.3).
    let is_bundled = section.mid().is_some_and(|mid| session.bundle(mid).is_some());
    if !is_bundled && !section.lines.has("rtcp-mux") {
        return Err("wants RTCP on a port of its own; add `a=rtcp-mux`".to_owned());
    }
    Ok(())
}

/// Says why a section cannot be used, whatever is sent here.
pub(super) fn fits(session: &Session, index: usize) -> Result<(), String> {
    let section = &session.sections[index];
    if session.is_rejected(section) {
        return Err("is turned down already, with port 0".to_owned());
    }
    if !PROTOCOLS.contains(&section.protocol) {
        return Err(format!("wants {}; UDP/TLS/RTP/SAVPF is sent here", shortened(section.protocol)));
    }
    if section.mid().is_some_and(|mid| session.position(mid) != Some(index)) {
        return Err("has the mid of another section".to_owned());
    }
    Ok(())
}

/// What is sent in `section`, beside the tracks that are `taken` and the payload `types` of the sections before it.
fn choose(section: &Section, tracks: &[Wanted], taken: &[usize], types: &[u8]) -> Result<Formats, String> {
    // A section that is a track's already is for that track, and for no other.
    let owner = section.mid().and_then(|mid| tracks.iter().position(|track| track.mid.as_deref() == Some(mid)));
    let may = |index: usize| match owner {
        Some(owner) => index == owner,
        None => tracks[index].mid.is_none() || section.mid().is_none(),
    };
    let wanted = || tracks.iter().enumerate().filter(|(index, track)| may(*index) && section.is_for(&track.codec));
    let free = || wanted().filter(|(index, _)| !taken.contains(index));
    let mut offered = false;
    for (track, Wanted { codec, .. }) in free() {
        let possible = section.payload_types(codec).into_iter().filter(|of| !LIKE_RTCP.contains(of));
        for payload_type in possible {
            offered = true;
            // One type means one thing in all of a bundle (RFC 9143, section 9.1).
            if !types.contains(&payload_type) {
                let retransmission = retransmission(section, codec, payload_type).filter(|of| !types.contains(of));
                let (codec, held) = (codec.clone(), !section.receives());
                return Ok(Formats { track, codec, payload_type, retransmission, held });
            }
        }
    }
    if offered {
        return Err("uses payload types that mean something else in another section of its bundle".to_owned());
    }
    if free().next().is_none() {
        return Err("is one more of its kind than there are tracks".to_owned());
    }
    if let Some((_, track)) = free().find(|(_, track)| !section.payload_types(&track.codec).is_empty()) {
        let name = &track.codec.encoding;
        return Err(format!(
            "has {name} only under payload types from 64 to 95, which look like RTCP (RFC 5761, section 4); use another"
        ));
    }
    let missing: Vec<_> = wanted().map(|(_, track)| &*track.codec.encoding).collect();
    Err(has_no(section, &missing.join(" or ")))
}

/// The type for what is sent again of `payload_type`.
fn retransmission(section: &Section, codec: &Codec, payload_type: u8) -> Option<u8> {
    let name = format!("rtx/{}", codec.clock_rate);
    let mut found = section.encodings().filter(|(_, encoding)| encoding.eq_ignore_ascii_case(&name)).map(|(of, _)| of);
    let repeats = |of: u8| {
        let mut parameters = section.about("fmtp", of).flat_map(|fmtp| fmtp.split(';'));
        parameters
            .any(|parameter| parameter.trim().strip_prefix("apt=").is_some_and(|apt| apt.parse() == Ok(payload_type)))
    };
    found.find(|of| !LIKE_RTCP.contains(of) && *of != payload_type && repeats(*of))
}

/// The first characters of `text`, which the other side wrote.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
