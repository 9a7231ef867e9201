//! Sections that are agreed, but in which nothing is sent.
//!
//! A player that offers sound and pictures to a page of one of them wants the other section answered with
//! something: aiortc and Pion want a codec of each section, and a bundle falls with its first section if that is
//! turned down (RFC 9143, section 7.3.1). `a=inactive` says that nothing comes in it (RFC 3264, section 6.1).

use std::fmt::Write;

use millstream_webrtc::sdp::{Section, Session};

use super::section::{self, Formats, Wanted};

/// These repair media, or go with it, and are none by themselves.
const NO_MEDIA: [&str; 8] = ["rtx", "red", "ulpfec", "flexfec-03", "flexfec", "parityfec", "CN", "telephone-event"];

/// What is agreed on a section in which nothing is sent.
#[derive(Debug)]
pub(super) struct Idle {
    /// Payload types, as in the offer.
    pub(super) formats: String,
    /// What they mean, line by line.
    pub(super) lines: String,
}

/// A payload type, its encoding and its parameters.
type Meaning<'a> = (u8, &'a str, Option<&'a str>);

/// What is agreed on each section of `group` that lacks nothing but a track of its kind among `tracks`.
pub(super) fn agree(
    session: &Session,
    fates: &[Result<Formats, String>],
    group: Option<&[&str]>,
    tracks: &[Wanted],
) -> Vec<Option<Idle>> {
    let sent = fates.iter().flatten();
    let sent: Vec<_> = sent.flat_map(|of| [Some(of.payload_type), of.retransmission]).flatten().collect();
    let mut meanings = Vec::new();
    let sections = session.sections.iter().enumerate().map(|(index, section)| {
        let is_media = ["audio", "video"].iter().any(|media| section.media.eq_ignore_ascii_case(media));
        let has_tracks = tracks.iter().any(|track| section.is_for(&track.codec));
        let bundled = group?.contains(&section.mid()?);
        if !is_media || has_tracks || !bundled || !section.receives() || section::fits(session, index).is_err() {
            return None;
        }
        agree_on(section, &sent, &mut meanings)
    });
    sections.collect()
}

/// The codecs of `section`, beside the types that are `sent` and what is agreed already.
fn agree_on<'a>(section: &Section<'a>, sent: &[u8], meanings: &mut Vec<Meaning<'a>>) -> Option<Idle> {
    let mut idle = Idle { formats: String::new(), lines: String::new() };
    for (of, encoding) in section.encodings() {
        let name = encoding.split('/').next().unwrap_or(encoding);
        let is_media = !NO_MEDIA.iter().any(|no_media| no_media.eq_ignore_ascii_case(name));
        let meaning = (of, encoding, section.about("fmtp", of).next());
        // One type means one thing in all of a bundle (RFC 9143, section 9.1).
        let clashes = sent.contains(&of) || meanings.iter().any(|other| other.0 == of && *other != meaning);
        if !is_media || clashes || section::LIKE_RTCP.contains(&of) {
            continue;
        }
        if !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
        let space = if idle.formats.is_empty() { "" } else { " " };
        let _ = write!(idle.formats, "{space}{of}");
        let _ = write!(idle.lines, "a=rtpmap:{of} {encoding}\r\n");
        if let Some(parameters) = meaning.2 {
            let _ = write!(idle.lines, "a=fmtp:{of} {parameters}\r\n");
        }
    }
    (!idle.formats.is_empty()).then_some(idle)
}
