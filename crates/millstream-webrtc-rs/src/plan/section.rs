//! Which sections can be used, each for itself and beside the others.

use millstream_core::Codec;
use millstream_webrtc::sdp::{Section, Session};

/// Whoever writes these means SRTP under DTLS, or has to take it (RFC 9429, section 5.1.2).
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

/// What is sent in a section.
#[derive(Debug)]
pub(super) struct Formats {
    /// The number of our track, and its codec.
    pub(super) track: usize,
    pub(super) codec: Codec,
    pub(super) payload_type: u8,
    /// What is sent again has a type of its own (RFC 4588).
    pub(super) retransmission: Option<u8>,
}

/// What becomes of each section, and the bundle that those to be used are in.
pub(super) fn judge<'a>(
    session: &Session<'a>,
    codecs: &[Codec],
) -> (Vec<Result<Formats, String>>, Option<Vec<&'a str>>) {
    let alone: Vec<_> = (0..session.sections.len()).map(|index| usable(session, index, codecs)).collect();
    let first = alone.iter().position(Result::is_ok);
    let group = first.and_then(|first| session.bundle(session.sections[first].mid()?));
    let (mut tracks, mut types) = (Vec::new(), Vec::new());
    let together = session.sections.iter().zip(alone).enumerate().map(|(index, (section, alone))| {
        alone?;
        let bundled = section.mid().is_some_and(|mid| group.iter().flatten().any(|of_group| *of_group == mid));
        if !bundled && Some(index) != first {
            return Err("is in no BUNDLE group with the first that can be used, and there is one transport".to_owned());
        }
        let formats = choose(section, codecs, &tracks, &types)?;
        tracks.push(formats.track);
        types.extend([Some(formats.payload_type), formats.retransmission].into_iter().flatten());
        Ok(formats)
    });
    (together.collect(), group)
}

/// Says why a section cannot be used, whatever the others are.
fn usable(session: &Session, index: usize, codecs: &[Codec]) -> Result<(), String> {
    let section = &session.sections[index];
    if !codecs.iter().any(|codec| section.is_for(codec)) {
        return Err("is of a kind that is not sent here".to_owned());
    }
    fits(session, index)?;
    choose(section, codecs, &[], &[])?;
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
    let no = |reason: &str| Err(reason.to_owned());
    let bundle = section.mid().and_then(|mid| session.bundle(mid));
    if section.is_turned_down() || (section.port == "0" && bundle.is_none()) {
        return no("is turned down already, with port 0");
    }
    if !section.receives() {
        return no("does not want to receive; make it `recvonly` or `sendrecv`");
    }
    if !PROTOCOLS.contains(&section.protocol) {
        return Err(format!("wants {}; UDP/TLS/RTP/SAVPF is sent here", shortened(section.protocol)));
    }
    if section.mid().is_some_and(|mid| session.sections[..index].iter().any(|other| other.mid() == Some(mid))) {
        return no("has the mid of another section");
    }
    Ok(())
}

/// What is sent in `section`, beside the `tracks` and the payload `types` of the sections before it.
fn choose(section: &Section, codecs: &[Codec], tracks: &[usize], types: &[u8]) -> Result<Formats, String> {
    let wanted = || codecs.iter().enumerate().filter(|(_, codec)| section.is_for(codec));
    let mut offered = false;
    for (track, codec) in wanted().filter(|(track, _)| !tracks.contains(track)) {
        let possible = section.payload_types(codec).into_iter().filter(|of| !LIKE_RTCP.contains(of));
        for payload_type in possible {
            offered = true;
            // One type means one thing in all of a bundle (RFC 9143, section 9.1).
            if !types.contains(&payload_type) {
                let retransmission = retransmission(section, codec, payload_type).filter(|of| !types.contains(of));
                return Ok(Formats { track, codec: codec.clone(), payload_type, retransmission });
            }
        }
    }
    if offered {
        return Err("uses payload types that mean something else in another section of its bundle".to_owned());
    }
    if wanted().all(|(track, _)| tracks.contains(&track)) {
        return Err("is one more of its kind than there are tracks".to_owned());
    }
    let like_rtcp =
        wanted().find(|&(track, codec)| !tracks.contains(&track) && !section.payload_types(codec).is_empty());
    if let Some((_, codec)) = like_rtcp {
        let name = &codec.encoding;
        return Err(format!(
            "has {name} only under payload types from 64 to 95, which look like RTCP (RFC 5761, section 4); use another"
        ));
    }
    let missing: Vec<_> = wanted().map(|(_, codec)| codec.encoding.as_ref()).collect();
    let there: Vec<_> = section.encodings().take(8).map(|(_, encoding)| shortened(encoding)).collect();
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    Err(format!("has no {}; it has {there}", missing.join(" or ")))
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

/// `text` of somebody else's, not at length.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
