//! What we need to know of a session description before the `webrtc` crate reads it.

use millstream_core::{Codec, Error, Result};

/// Whether the other side, whose description `sdp` is, takes `codec` from us.
///
/// # Errors
/// If there is a section for its kind of media, and none takes it.
pub(crate) fn takes(sdp: &str, codec: &Codec) -> Result<bool> {
    let media = codec.media.to_string();
    let sections: Vec<_> = sections(sdp).filter(|section| section.media == media).collect();
    let Some(first) = sections.first() else { return Ok(false) };
    let wanted = format!("{}/{}", codec.encoding, codec.clock_rate);
    if sections.iter().any(|section| section.receives && section.takes(&wanted)) {
        return Ok(true);
    }
    let what = codec.encoding;
    Err(Error::config(if !sections.iter().any(|section| section.takes(&wanted)) {
        let there = first.encodings().join(", ");
        format!(
            "the other side takes no {what}; its {media} section has: {there}. Send one of those, or let it offer {what}"
        )
    } else {
        format!("the other side does not want to receive {media}; it has to offer `recvonly` or `sendrecv`")
    }))
}

/// The user fragment that ICE runs under (RFC 8839, section 5.4). All sections are bundled, so the
/// first one speaks for all.
pub(crate) fn ufrag(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.trim_end().strip_prefix("a=ice-ufrag:"))
}

/// `sdp` as other sides read it. The `webrtc` crate writes candidates for RTCP of its own, though all is
/// multiplexed (RFC 5761); and it writes those of the whole bundle into the first section, where nobody
/// looks for them if that one was turned down (RFC 9143, section 7.3.3).
pub(crate) fn mended(sdp: &str) -> String {
    // What stands before the first section, and each section.
    let mut parts = vec![String::new()];
    let mut moved = String::new();
    let mut turned_down = false;
    for line in sdp.split_inclusive('\n') {
        let word = line.split(' ').nth(1);
        if line.starts_with("m=") {
            parts.push(String::new());
            turned_down = word == Some("0");
        }
        let candidate = line.starts_with("a=candidate:");
        if candidate && word == Some("2") {
            continue;
        }
        if turned_down && (candidate || line.starts_with("a=end-of-candidates")) {
            moved.push_str(line);
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
        }
    }
    let taken = parts.iter_mut().skip(1).find(|part| part.split(' ').nth(1) != Some("0"));
    if let Some(taken) = taken {
        taken.push_str(&moved);
    }
    parts.concat()
}

struct Section<'a> {
    media: &'a str,
    receives: bool,
    lines: Vec<&'a str>,
}

impl<'a> Section<'a> {
    fn encodings(&self) -> Vec<&'a str> {
        self.lines
            .iter()
            .filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '))
            .map(|(_, name)| name)
            .collect()
    }

    fn takes(&self, encoding: &str) -> bool {
        // The channels of audio may stand behind the clock rate.
        self.encodings().iter().any(|name| {
            let head = name.get(..encoding.len()).is_some_and(|head| head.eq_ignore_ascii_case(encoding));
            head && matches!(name.as_bytes().get(encoding.len()), None | Some(b'/'))
        })
    }
}

fn sections(sdp: &str) -> impl Iterator<Item = Section<'_>> {
    // Line ends are trimmed with it: some send bare line feeds.
    sdp.split("\nm=").skip(1).filter_map(|text| {
        let mut lines = text.lines().map(str::trim_end);
        let mut head = lines.next()?.split(' ');
        let (media, port) = (head.next()?, head.next()?);
        let lines: Vec<_> = lines.collect();
        let refused = port == "0" && !lines.contains(&"a=bundle-only");
        let receives = !refused && !lines.iter().any(|line| matches!(*line, "a=sendonly" | "a=inactive"));
        Some(Section { media, receives, lines })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::{OPUS, VP8};

    const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=recvonly\r\n\
                         m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=recvonly\r\n";

    #[test]
    fn a_codec_that_is_not_offered_is_named_with_what_is() {
        assert!(takes(OFFER, &OPUS).unwrap());
        let error = takes(OFFER, &VP8).unwrap_err().to_string();
        assert!(error.contains("no VP8") && error.contains("H264/90000"), "{error}");
        assert!(takes(&OFFER.replace("H264", "vp8"), &VP8).unwrap());
        assert!(!takes("v=0\r\n", &VP8).unwrap(), "no section, no track");
        let error = takes(&OFFER.replace("recvonly", "sendonly"), &OPUS).unwrap_err().to_string();
        assert!(error.contains("does not want to receive audio"), "{error}");
    }

    #[test]
    fn candidates_of_the_second_component_are_left_out() {
        let sdp = "a=x\r\na=candidate:1 1 udp 2 ::1 9 typ host\r\na=candidate:1 2 udp 2 ::1 9 typ host\r\na=y\r\n";
        assert_eq!(mended(sdp), "a=x\r\na=candidate:1 1 udp 2 ::1 9 typ host\r\na=y\r\n");
    }

    #[test]
    fn candidates_stand_where_a_section_was_taken() {
        let sdp = "v=0\r\nm=video 0 X 0\r\na=mid:0\r\na=candidate:1 1 udp 2 ::1 9 typ host\r\na=end-of-candidates\r\n\
                   m=audio 9 X 111\r\na=mid:1\r\n";
        let expected = "v=0\r\nm=video 0 X 0\r\na=mid:0\r\n\
                        m=audio 9 X 111\r\na=mid:1\r\na=candidate:1 1 udp 2 ::1 9 typ host\r\na=end-of-candidates\r\n";
        assert_eq!(mended(sdp), expected);
        assert_eq!(mended(expected), expected);
    }
}
