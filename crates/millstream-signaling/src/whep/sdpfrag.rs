//! `application/trickle-ice-sdpfrag` (RFC 8840): candidates that a viewer found after its offer.

use axum::http::StatusCode;
use millstream_webrtc::{Candidate, sdp};

use crate::http::problem::Problem;

/// More candidates than a machine has ways to be reached.
const MAX_CANDIDATES: usize = 64;
/// Longer than any candidate: Chromium's are below 200 bytes.
const MAX_LINE: usize = 1024;

/// What an ICE session runs under (RFC 8839, section 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
}

/// What a viewer sends after its offer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The ICE user fragments it speaks of; a new one asks for a restart.
    pub(crate) ufrags: Vec<String>,
    /// The passwords to them.
    passwords: Vec<String>,
    /// The candidates, in order.
    pub(crate) candidates: Vec<Candidate>,
    /// Whether there will be no more.
    pub(crate) end: bool,
}

impl Fragment {
    /// Reads `body`, or says what is wrong with it.
    pub(crate) fn parse(body: &[u8]) -> Result<Fragment, Problem> {
        let text =
            std::str::from_utf8(body).map_err(|_| bad("the body is not text; send an SDP fragment (RFC 8840)"))?;
        let mut fragment = Fragment::default();
        let mut mid = None;
        let mut says = false;
        for line in sdp::lines(text).map(str::trim_end).filter(|line| !line.is_empty()) {
            says |= fragment.read(line, &mut mid)?;
        }
        if !says {
            let detail =
                "the fragment holds neither `a=candidate:` nor `a=end-of-candidates` nor `a=ice-ufrag:` (RFC 8840)";
            return Err(bad(detail));
        }
        Ok(fragment)
    }

    /// What the ICE session that it asks for shall run under.
    pub(crate) fn credentials(&self) -> Result<Credentials, Problem> {
        let (Some(ufrag), Some(pwd)) = (self.ufrags.first(), self.passwords.first()) else {
            return Err(bad("an ICE restart needs a new `a=ice-ufrag:` and a new `a=ice-pwd:`; send both"));
        };
        if self.ufrags.iter().any(|other| other != ufrag) || self.passwords.iter().any(|other| other != pwd) {
            return Err(bad("all media share one transport here (BUNDLE); send one ice-ufrag and one ice-pwd"));
        }
        let long = |text: &str, least| (least..=256).contains(&text.len()) && text.bytes().all(is_ice_char);
        if !long(ufrag, 4) || !long(pwd, 22) {
            let detail = "the ice-ufrag takes 4 to 256 letters, digits, `+` and `/`, the ice-pwd 22 to 256 (RFC 8839)";
            return Err(bad(detail));
        }
        Ok(Credentials { ufrag: ufrag.clone(), pwd: pwd.clone() })
    }

    /// Whether `line` says something that a fragment is for.
    fn read(&mut self, line: &str, mid: &mut Option<String>) -> Result<bool, Problem> {
        if line.len() > MAX_LINE {
            return Err(bad(format!("a line is longer than {MAX_LINE} bytes; candidates are shorter")));
        }
        if line.as_bytes().get(1) != Some(&b'=') {
            return Err(bad(format!("`{}` is no SDP line; send an SDP fragment (RFC 8840)", line.escape_debug())));
        }
        if line.starts_with("m=") {
            *mid = None;
        }
        let Some(attribute) = sdp::attribute(line) else { return Ok(false) };
        match attribute {
            ("mid", value) => *mid = Some(value.to_owned()),
            ("ice-ufrag", value) => self.ufrags.push(value.to_owned()),
            ("ice-pwd", value) => self.passwords.push(value.to_owned()),
            ("end-of-candidates", _) => self.end = true,
            ("candidate", _) => {
                if self.candidates.len() == MAX_CANDIDATES {
                    return Err(bad(format!("more than {MAX_CANDIDATES} candidates; send fewer")));
                }
                let candidate = &line["a=".len()..];
                if !is_candidate(candidate) {
                    // It is ignored alone: others may do (RFC 8839, section 5.1).
                    tracing::debug!(candidate, "no candidate that anybody could use");
                    return Ok(true);
                }
                let ufrag = self.ufrags.last().cloned();
                self.candidates.push(Candidate {
                    candidate: candidate.to_owned(),
                    mid: mid.clone(),
                    line: None,
                    ufrag,
                });
            }
            _ => {}
        }
        Ok(matches!(attribute.0, "candidate" | "end-of-candidates" | "ice-ufrag" | "ice-pwd"))
    }
}

/// The ICE session of `answer`, as a fragment: credentials once, and the candidates of
/// the first section that has any, since all sections share its transport.
pub(crate) fn of_answer(answer: &str) -> String {
    let Ok(session) = sdp::Session::read(answer) else { return String::new() };
    let is =
        |names: &'static [&str]| move |line: &&str| sdp::attribute(line).is_some_and(|(name, _)| names.contains(&name));
    let mut lines: Vec<&str> = Vec::new();
    let all = std::iter::once(&session.lines).chain(session.sections.iter().map(|section| &section.lines));
    for line in all.flat_map(|lines| lines.iter()).filter(is(&["ice-ufrag", "ice-pwd", "ice-options"])) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let with_candidates = session.sections.iter().find(|section| section.lines.has("candidate"));
    let section = with_candidates.or(session.sections.last());
    let media = section.map(|section| {
        let sdp::Section { media, port, protocol, formats, .. } = section;
        format!("m={media} {port} {protocol} {formats}")
    });
    lines.extend(media.as_deref());
    let of_section = section.into_iter().flat_map(|section| section.lines.iter());
    lines.extend(of_section.filter(is(&["mid", "candidate", "end-of-candidates"])));
    lines.iter().flat_map(|line| [line, "\r\n"]).collect()
}

/// RFC 8839, section 5.1.
fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// `candidate:foundation component transport priority address port typ type …`
fn is_candidate(attribute: &str) -> bool {
    let words: Vec<&str> = attribute.split(' ').collect();
    let printable = attribute.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    printable && words.len() >= 8 && words[6] == "typ" && words[5].parse::<u16>().is_ok()
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{FRAGMENT, mutations};

    #[test]
    fn candidates_belong_to_the_section_above_them() {
        let fragment = Fragment::parse(FRAGMENT.as_bytes()).unwrap();
        let mids: Vec<_> = fragment.candidates.iter().map(|candidate| candidate.mid.as_deref()).collect();
        assert_eq!(mids, [Some("0"), Some("0"), Some("1")]);
        assert_eq!(fragment.candidates[0].candidate, "candidate:1 1 udp 2113937151 127.0.0.1 50000 typ host");
        assert_eq!(fragment.candidates[0].ufrag.as_deref(), Some("abcd"));
        assert_eq!((fragment.ufrags.as_slice(), fragment.end), (&["abcd".to_owned()][..], true));
        let end = Fragment::parse(b"a=end-of-candidates\n").unwrap();
        assert_eq!((end.candidates.len(), end.end), (0, true));
    }

    #[test]
    fn a_restart_needs_one_pair_of_credentials() {
        let credentials = |text: &str| Fragment::parse(text.as_bytes()).unwrap().credentials();
        let good = credentials(FRAGMENT).unwrap();
        assert_eq!((&*good.ufrag, &*good.pwd), ("abcd", "0123456789012345678901"));
        let second = format!("{FRAGMENT}a=ice-ufrag:efgh\r\n");
        for (wrong, words) in [
            ("a=ice-ufrag:abcd", "send both"),
            ("a=end-of-candidates", "send both"),
            ("a=ice-ufrag:abc\na=ice-pwd:0123456789012345678901", "4 to 256"),
            ("a=ice-ufrag:abcd\na=ice-pwd:012345678901234567890", "22 to 256"),
            ("a=ice-ufrag:ab d\na=ice-pwd:0123456789012345678901", "4 to 256"),
            (&second, "one ice-ufrag"),
        ] {
            let problem = format!("{:?}", credentials(wrong).unwrap_err());
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn an_answer_is_written_as_a_fragment() {
        let section = |mid: u8| {
            format!(
                "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{mid}\r\na=ice-ufrag:efgh\r\na=ice-pwd:pwd\r\n\
                 a=rtpmap:96 VP8/90000\r\na=candidate:{mid} 1 udp 1 127.0.0.1 5 typ host\r\na=end-of-candidates\r\n"
            )
        };
        assert_eq!(
            of_answer(&format!("v=0\r\n{}{}", section(0), section(1))),
            "a=ice-ufrag:efgh\r\na=ice-pwd:pwd\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n\
             a=candidate:0 1 udp 1 127.0.0.1 5 typ host\r\na=end-of-candidates\r\n"
        );
    }

    #[test]
    fn what_is_no_fragment_is_refused_in_words() {
        let many = "a=candidate:1 1 udp 1 1.2.3.4 5 typ host\r\n".repeat(65);
        let long = format!("a=candidate:{}", "x".repeat(2000));
        for (body, words) in [
            ("", "neither"),
            ("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "neither"),
            ("hello", "no SDP line"),
            (many.as_str(), "more than 64"),
            (long.as_str(), "longer than 1024"),
        ] {
            let problem = format!("{:?}", Fragment::parse(body.as_bytes()).unwrap_err());
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn a_candidate_that_is_none_is_ignored_alone() {
        let bad = "a=candidate:x\r\na=candidate:1 1 udp 1 1.2.3.4 99999 typ host\r\na=candidate:1 1 udp 1 \u{e9} 5 typ host\r\n";
        assert_eq!(
            Fragment::parse(format!("{FRAGMENT}{bad}").as_bytes()).unwrap(),
            Fragment::parse(FRAGMENT.as_bytes()).unwrap()
        );
        assert_eq!(Fragment::parse(bad.as_bytes()).unwrap(), Fragment::default());
    }

    #[test]
    fn no_mutation_panics_or_grows() {
        for body in mutations(FRAGMENT.as_bytes(), 5000) {
            if let Ok(fragment) = Fragment::parse(&body) {
                assert!(fragment.candidates.len() <= MAX_CANDIDATES);
            }
        }
    }
}
