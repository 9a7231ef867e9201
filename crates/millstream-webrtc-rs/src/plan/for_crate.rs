//! The description that the crate gets: the sections that are used, each complete, and nothing else.

use std::fmt::Write;

use millstream_core::Media;
use millstream_webrtc::sdp::{Section, Session};

use super::extensions;
use super::section::Formats;
use super::transport::{Role, Transport};
use crate::connection::{ABS_CAPTURE_TIME, PLAYOUT_DELAY};

/// The name of a section that has none. It is the only one then.
const NAMELESS: &str = "0";

/// A description of `used`, which share `transport`.
pub(super) fn description(session: &Session, transport: &Transport, used: &[(&Section, &Formats)]) -> String {
    let mut text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".to_owned();
    text += "a=group:BUNDLE";
    for (section, _) in used {
        let _ = write!(text, " {}", section.mid().unwrap_or(NAMELESS));
    }
    text += "\r\na=ice-options:trickle\r\n";
    if transport.lite {
        text += "a=ice-lite\r\n";
    }
    if session.lines.has("extmap-allow-mixed") {
        text += "a=extmap-allow-mixed\r\n";
    }
    for (index, (section, formats)) in used.iter().enumerate() {
        media(&mut text, section, formats);
        for uri in [ABS_CAPTURE_TIME, PLAYOUT_DELAY] {
            if let Some(id) = extensions::agreed(section, uri, used) {
                let _ = write!(text, "a=extmap:{id} {uri}\r\n");
            }
        }
        ice_and_dtls(&mut text, transport);
        for candidate in transport.candidates.iter().filter(|_| index == 0) {
            let _ = write!(text, "a={candidate}\r\n");
        }
    }
    text
}

fn media(text: &mut String, section: &Section, formats: &Formats) {
    let Formats { codec, payload_type, retransmission, .. } = formats;
    let _ = write!(text, "m={} 9 UDP/TLS/RTP/SAVPF {payload_type}", codec.media);
    if let Some(retransmission) = retransmission {
        let _ = write!(text, " {retransmission}");
    }
    let mid = section.mid().unwrap_or(NAMELESS);
    let _ = write!(text, "\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
    let _ = write!(text, "a=rtpmap:{payload_type} {}/{}", codec.encoding, codec.clock_rate);
    if codec.media == Media::Audio {
        let _ = write!(text, "/{}", codec.channels);
    }
    text.push_str("\r\n");
    if let Some(fmtp) = section.about("fmtp", *payload_type).next() {
        let _ = write!(text, "a=fmtp:{payload_type} {fmtp}\r\n");
    }
    for feedback in section.about("rtcp-fb", *payload_type) {
        let _ = write!(text, "a=rtcp-fb:{payload_type} {feedback}\r\n");
    }
    if let Some(of) = retransmission {
        let _ = write!(text, "a=rtpmap:{of} rtx/{}\r\na=fmtp:{of} apt={payload_type}\r\n", codec.clock_rate);
    }
}

fn ice_and_dtls(text: &mut String, transport: &Transport) {
    let Transport { ufrag, password, fingerprint, .. } = transport;
    // It goes by this to what it is itself, as we have decided.
    let setup = match transport.role {
        Role::Active => "passive",
        Role::Passive => "active",
    };
    let _ = write!(
        text,
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:{fingerprint}\r\na=setup:{setup}\r\n"
    );
}
