//! The crate's answer in the form of the offer.

use std::fmt::Write;

use millstream_core::{Error, Result};
use millstream_webrtc::sdp;

use super::{Idle, Plan, Section, Sent};

impl Plan {
    /// The answer `made` by the crate to the description it got, as an answer to what was offered: each section
    /// in its place (RFC 3264, section 6), one in which nothing is sent as inactive, or turned down with port 0. If
    /// the crate got nothing, `made` is any description of this side.
    ///
    /// # Errors
    /// If the crate does not send what was agreed.
    pub(crate) fn answer(&self, made: &str) -> Result<String> {
        let made = sdp::Session::read(made)?;
        let mut text = String::new();
        for line in made.lines.iter().filter(|line| !line.starts_with("a=group:")) {
            push(&mut text, line);
        }
        if !self.bundle.is_empty() {
            let _ = write!(text, "a=group:BUNDLE {}\r\n", self.bundle.join(" "));
        }
        // It writes our candidates into its first section. They belong to the one whose transport is used.
        let is_candidate = |line: &&str| line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates");
        let candidates: Vec<_> =
            made.sections.iter().flat_map(|section| section.lines.iter()).filter(is_candidate).collect();
        let mut answered = made.sections.iter();
        for (index, section) in self.sections.iter().enumerate() {
            let Ok(sent) = &section.fate else {
                section.send_nothing(&mut text);
                self.say_transport(&mut text, &made);
                if index == self.tagged {
                    candidates.iter().filter(|line| !is_for_rtcp(line)).for_each(|line| push(&mut text, line));
                }
                continue;
            };
            let of_crate = answered.next().filter(|section| !made.is_rejected(section));
            let of_crate =
                of_crate.ok_or_else(|| Error::config("the webrtc crate turns down a section that was agreed"))?;
            let Section { media, protocol, .. } = section;
            let _ = write!(text, "m={media} {} {protocol} {}\r\n", of_crate.port, of_crate.formats);
            for line in of_crate.lines.iter().filter(|line| !is_candidate(line)) {
                self.push(&mut text, line, section, sent);
            }
            if index == self.tagged {
                candidates.iter().filter(|line| !is_for_rtcp(line)).for_each(|line| push(&mut text, line));
            }
        }
        Ok(text)
    }

    /// The transport that is used, for a section in which nothing is sent. One that is turned down needs none, but
    /// aiortc and GStreamer's webrtcbin refuse an answer that leaves it out anywhere (aiortc 1.16.0, GStreamer 1.22.0).
    fn say_transport(&self, text: &mut String, made: &sdp::Session) {
        let used = made.sections.iter().find(|section| !made.is_rejected(section));
        let is_transport =
            |line: &&str| matches!(sdp::attribute(line), Some(("ice-ufrag" | "ice-pwd" | "rtcp-mux", _)));
        used.iter().flat_map(|section| section.lines.iter()).filter(is_transport).for_each(|line| push(text, line));
        let _ = write!(text, "a=setup:{}\r\n", self.setup());
    }

    fn push(&self, text: &mut String, line: &str, section: &Section, sent: &Sent) {
        match sdp::attribute(line) {
            Some(("setup", _)) => {
                let _ = write!(text, "a=setup:{}\r\n", self.setup());
            }
            Some(("mid", _)) if section.mid.is_none() => {}
            Some(("rtcp-rsize", _)) if !sent.reduced_size => {}
            Some(("sendonly", _)) if sent.held => push(text, "a=inactive"),
            Some(("ssrc" | "ssrc-group" | "msid", _)) if sent.held => {}
            _ => push(text, line),
        }
    }
}

impl Section {
    /// As it was offered; turned down, with port 0 and none of its payload types: some players look each up (as Pion
    /// does), and browsers write 0 as well. A line with a connection is wanted of every section.
    fn send_nothing(&self, text: &mut String) {
        let Section { media, protocol, formats, mid, idle, .. } = self;
        let (port, formats, lines) = match idle {
            Some(Idle { formats, lines }) => (9, &**formats, &**lines),
            None => {
                let first = formats.split_ascii_whitespace().next().unwrap_or("0");
                (0, if first.parse::<u8>().is_ok() { "0" } else { first }, "")
            }
        };
        let _ = write!(text, "m={media} {port} {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n{lines}");
        if let Some(mid) = mid {
            let _ = write!(text, "a=mid:{mid}\r\n");
        }
    }
}

/// `sdp` without the candidates that the crate writes for RTCP of its own: all is multiplexed (RFC 5761).
pub(crate) fn without_rtcp_candidates(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !is_for_rtcp(line)).collect()
}

/// `sdp` in which all of our streams are by the one `cname` (RFC 5576, section 6.1): the crate writes the names of
/// their media streams there.
pub(crate) fn named(sdp: &str, cname: &str) -> String {
    let mut text = String::with_capacity(sdp.len());
    for line in sdp.split_inclusive('\n') {
        match line.split_once(' ') {
            Some((source, value)) if source.starts_with("a=ssrc:") && value.starts_with("cname:") => {
                text.extend([source, " cname:", cname, "\r\n"]);
            }
            _ => text.push_str(line),
        }
    }
    text
}

fn is_for_rtcp(line: &str) -> bool {
    line.starts_with("a=candidate:") && line.split(' ').nth(1) == Some("2")
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push_str("\r\n");
}
