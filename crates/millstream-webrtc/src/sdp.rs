//! A session description, read line by line into what stands before the media and each media section (RFC 8866).
//!
//! Engines and signalling share this one reader, so that both mean the same by a section. It copies nothing,
//! keeps what it does not know, and writes nothing.

use millstream_core::{Codec, Error, Result};

/// More media sections than anybody has reason to describe.
const MAX_SECTIONS: usize = 256;
/// Payload types are seven bits of the RTP header (RFC 3550, section 5.1).
const PAYLOAD_TYPES: usize = 128;
/// What the payload types that RFC 3551 fixes mean, of those that WebRTC still uses (section 6).
const STATIC: [(u8, &str); 3] = [(0, "PCMU/8000"), (8, "PCMA/8000"), (9, "G722/8000")];

/// The lines of `text`, whatever they end with. Some senders write bare line feeds.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty())
}

/// Name and value, if `line` is an attribute: `a=mid:0`, `a=recvonly`.
pub fn attribute(line: &str) -> Option<(&str, &str)> {
    let attribute = line.strip_prefix("a=")?;
    Some(attribute.split_once(':').unwrap_or((attribute, "")))
}

/// A session description.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    /// What stands before the first media section.
    pub lines: Lines<'a>,
    /// The media sections, in order.
    pub sections: Vec<Section<'a>>,
}

/// A media section.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    /// `audio`, `video`, `application`, …
    pub media: &'a str,
    /// The port as it is written; see [`Session::is_rejected`].
    pub port: &'a str,
    /// `UDP/TLS/RTP/SAVPF`, …
    pub protocol: &'a str,
    /// What stands behind the protocol: payload types, for RTP. The preferred one comes first.
    pub formats: &'a str,
    /// The other lines.
    pub lines: Lines<'a>,
    receives: bool,
}

/// Lines of a description that belong together.
#[derive(Clone, Debug, Default)]
pub struct Lines<'a>(Vec<&'a str>);

impl<'a> Session<'a> {
    /// Reads `text`.
    ///
    /// # Errors
    /// If a line that starts a media section lacks a part, if there are too many sections, or if a
    /// line holds a control character. What else may be wrong is for the reader to find.
    pub fn read(text: &'a str) -> Result<Session<'a>> {
        let mut session = Session { lines: Lines::default(), sections: Vec::new() };
        for (number, line) in (1..).zip(text.split('\n')) {
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                continue;
            }
            if line.bytes().any(|byte| byte < b' ' && byte != b'\t') {
                return Err(Error::bad_item(format!("line {number} of the description holds a control character")));
            }
            let Some(media) = line.strip_prefix("m=") else {
                session.sections.last_mut().map_or(&mut session.lines, |section| &mut section.lines).0.push(line);
                continue;
            };
            if session.sections.len() == MAX_SECTIONS {
                return Err(Error::bad_item(format!("the description has more than {MAX_SECTIONS} media sections")));
            }
            let malformed = || {
                let shown: String = line.chars().take(60).collect();
                let message =
                    format!("line {number} of the description, `{shown}`, needs `m=media port protocol formats`");
                Error::bad_item(message)
            };
            session.sections.push(Section::start(media).ok_or_else(malformed)?);
        }
        let of_all = session.lines.direction();
        for section in &mut session.sections {
            // Nothing means both ways (RFC 8866, section 6.7).
            let direction = section.lines.direction().or(of_all).unwrap_or("sendrecv");
            section.receives = matches!(direction, "recvonly" | "sendrecv");
        }
        Ok(session)
    }

    /// The value of an attribute of `section`, or where that has none, of the whole session.
    pub fn attribute(&self, section: &Section<'a>, name: &str) -> Option<&'a str> {
        section.lines.attribute(name).or_else(|| self.lines.attribute(name))
    }

    /// Whether `section` is turned down: its port is 0 (RFC 3264, section 6). In an offer a port of 0 may also leave
    /// the section to its bundle (`a=bundle-only`; RFC 9143, section 6), if there is one.
    pub fn is_rejected(&self, section: &Section<'a>) -> bool {
        let has_bundle = || section.mid().is_some_and(|mid| self.bundle(mid).is_some());
        let left_to_bundle = section.lines.has("bundle-only") && has_bundle();
        !section.has_port() && !left_to_bundle
    }

    /// The number of the section called `mid`, from 0; a name that stands twice means the first.
    pub fn position(&self, mid: &str) -> Option<usize> {
        self.sections.iter().position(|section| section.mid() == Some(mid))
    }

    /// The sections that are to share one transport with the one called `mid`, by name and in the
    /// order of preference (RFC 9143, section 7); `None` if that one shares its transport with no other.
    pub fn bundle(&self, mid: &str) -> Option<Vec<&'a str>> {
        self.lines.attributes("group").find_map(|group| {
            let mut words = group.split_ascii_whitespace();
            if words.next() != Some("BUNDLE") {
                return None;
            }
            let mut mids = Vec::new();
            // No more than there can be sections, each once.
            for word in words.take(MAX_SECTIONS) {
                if !mids.contains(&word) {
                    mids.push(word);
                }
            }
            mids.contains(&mid).then_some(mids)
        })
    }
}

impl<'a> Section<'a> {
    fn start(media: &'a str) -> Option<Section<'a>> {
        let mut words = media.splitn(4, ' ').map(str::trim).filter(|word| !word.is_empty());
        let (media, port, protocol, formats) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Section { media, port, protocol, formats, lines: Lines::default(), receives: false })
    }

    /// Its name, by which groups and candidates mean it (RFC 5888).
    pub fn mid(&self) -> Option<&'a str> {
        self.lines.attribute("mid").map(str::trim).filter(|mid| !mid.is_empty() && !mid.contains(' '))
    }

    /// Whether the side that wrote it wants to receive.
    pub fn receives(&self) -> bool {
        self.receives
    }

    /// Whether it has a port, and with it a transport of its own.
    pub fn has_port(&self) -> bool {
        self.port.split('/').next() != Some("0")
    }

    /// Whether it is about the kind of media that `codec` is for.
    pub fn is_for(&self, codec: &Codec) -> bool {
        self.media.eq_ignore_ascii_case(&codec.media.to_string())
    }

    /// The payload types that mean `codec`, the preferred one first.
    pub fn payload_types(&self, codec: &Codec) -> Vec<u8> {
        let is = |encoding: &str| {
            let mut parts = encoding.split('/').map(str::trim);
            let (name, rate, channels) = (parts.next(), parts.next(), parts.next());
            name.is_some_and(|name| name.eq_ignore_ascii_case(&codec.encoding))
                && rate.is_some_and(|rate| rate.parse() == Ok(codec.clock_rate))
                && channels.is_none_or(|channels| channels.parse() == Ok(codec.channels))
        };
        self.encodings().filter(|(_, encoding)| is(encoding)).map(|(payload_type, _)| payload_type).collect()
    }

    /// Its payload types and what they mean, as in `96` and `VP8/90000`, the preferred one first.
    pub fn encodings(&self) -> impl Iterator<Item = (u8, &'a str)> {
        let mut table = [None; PAYLOAD_TYPES];
        for (payload_type, encoding) in STATIC {
            table[usize::from(payload_type)] = Some(encoding);
        }
        for map in self.lines.attributes("rtpmap") {
            let Some((payload_type, encoding)) = map.trim().split_once(' ') else { continue };
            if let Some(entry) = payload_type.parse().ok().and_then(|index: usize| table.get_mut(index)) {
                *entry = Some(encoding.trim());
            }
        }
        self.formats.split_ascii_whitespace().filter_map(move |format| {
            let payload_type: u8 = format.parse().ok()?;
            // One that is listed twice is there once.
            Some((payload_type, table.get_mut(usize::from(payload_type))?.take()?))
        })
    }

    /// What the attribute `name` says about `payload_type`: `fmtp`, or one of several `rtcp-fb`, which
    /// may speak of all types at once (RFC 4585, section 4.2).
    pub fn about(&self, name: &str, payload_type: u8) -> impl Iterator<Item = &'a str> {
        self.lines.attributes(name).filter_map(move |value| {
            let (about, said) = value.trim().split_once(' ')?;
            (about == "*" || about.parse() == Ok(payload_type)).then_some(said.trim())
        })
    }
}

impl<'a> Lines<'a> {
    /// The lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().copied()
    }

    /// The value of the first attribute called `name`; nothing, for one without a value.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes(name).next()
    }

    /// The values of all attributes called `name`.
    pub fn attributes(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter().filter_map(attribute).filter_map(move |(found, value)| (found == name).then_some(value))
    }

    /// Whether there is an attribute called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    fn direction(&self) -> Option<&'a str> {
        let mut names = self.iter().filter_map(attribute).map(|(name, _)| name);
        names.find(|name| matches!(*name, "sendrecv" | "recvonly" | "sendonly" | "inactive"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::{OPUS, VP8};

    #[test]
    fn what_a_section_says_wins_over_what_the_session_says() {
        let text = "v=0\na=inactive\na=setup:active\na=group:LS 0 1\na=group:BUNDLE 1 2 1\n\
                    m=audio 9 RTP/SAVPF 111\na=setup:passive\na=mid:0\r\n\nm=video 0 RTP/SAVPF 96\r\na=recvonly\r\na=mid:1\r\n";
        let session = Session::read(text).unwrap();
        let [sound, picture] = &session.sections[..] else { panic!("{session:?}") };
        assert_eq!((sound.mid(), sound.receives(), session.is_rejected(sound)), (Some("0"), false, false));
        assert_eq!((picture.mid(), picture.receives(), session.is_rejected(picture)), (Some("1"), true, true));
        assert_eq!((session.position("1"), session.position("2")), (Some(1), None));
        assert_eq!(session.attribute(sound, "setup"), Some("passive"));
        assert_eq!(session.attribute(picture, "setup"), Some("active"));
        assert_eq!((session.bundle("0"), session.bundle("2")), (None, Some(vec!["1", "2"])));
    }

    #[test]
    fn payload_types_are_found_by_what_they_mean() {
        let text = "m=video 9 X 98 x 96 300 96 97\na=rtpmap:96 vp8/90000\na=rtpmap:97 VP8/90000\na=rtpmap:98 VP80/90000\n\
                    a=rtpmap:300 VP8/90000\na=rtcp-fb:* nack\na=rtcp-fb:96 nack pli\na=rtcp-fb:98 ccm fir\n\
                    m=audio 9 X 0 111 112\na=rtpmap:111 opus/48000/1\na=rtpmap:112 OPUS/48000/2\n";
        let session = Session::read(text).unwrap();
        let [picture, sound] = &session.sections[..] else { panic!("{session:?}") };
        assert_eq!(picture.payload_types(&VP8), [96, 97]);
        assert_eq!(picture.about("rtcp-fb", 96).collect::<Vec<_>>(), ["nack", "nack pli"]);
        assert_eq!((sound.payload_types(&OPUS), sound.encodings().next()), (vec![112], Some((0, "PCMU/8000"))));
        assert!(picture.is_for(&VP8) && !picture.is_for(&OPUS) && picture.receives(), "no direction means both");
    }

    #[test]
    fn a_port_of_0_rejects_a_section_unless_its_bundle_has_it() {
        let rejected = |text: &str| {
            let session = Session::read(text).unwrap();
            session.sections.iter().map(|section| session.is_rejected(section)).collect::<Vec<_>>()
        };
        let bundled = "a=group:BUNDLE 0 1\nm=audio 9 X 0\na=mid:0\nm=video 0 X 96\na=mid:1\na=bundle-only\n";
        assert_eq!(rejected(bundled), [false, false]);
        assert_eq!(rejected(&bundled.replace("BUNDLE 0 1", "BUNDLE 0")), [false, true], "there is no bundle");
        assert_eq!(rejected(&bundled.replace("a=bundle-only\n", "")), [false, true]);
        assert_eq!(rejected(&bundled.replace("audio 9", "audio 0/2")), [true, false]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let many = "m=a 9 b c\n".repeat(MAX_SECTIONS + 1);
        for (text, words) in
            [("v=0\nm=video 9", "line 2"), ("m=", "m=media port"), ("v=0\ra=x", "control"), (&many, "more than 256")]
        {
            let error = Session::read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(Session::read("").unwrap().sections.is_empty());
    }
}
