//! Session descriptions, written.

use std::fmt::Write;
use std::net::SocketAddr;

use millstream_core::{Codec, Media};

/// What stands for a certificate: nothing is encrypted.
const FINGERPRINT: &str =
    "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00";

/// What all sections share.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    pub(crate) ufrag: String,
    pub(crate) setup: &'static str,
    pub(crate) address: SocketAddr,
}

/// A section of a description.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) media: String,
    pub(crate) mid: String,
    /// `None` turns it down.
    pub(crate) accepted: Option<Accepted>,
}

/// A section that is not turned down.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) direction: &'static str,
    pub(crate) codecs: Vec<(u8, Codec)>,
    /// Of what is sent: its SSRC, its stream and its name there.
    pub(crate) source: Option<(u32, String, String)>,
}

/// A description of `lines` over `transport`.
pub(crate) fn description(transport: &Transport, lines: &[Line]) -> String {
    let mut text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".to_owned();
    let bundled: Vec<_> = lines.iter().filter(|line| line.accepted.is_some()).map(|line| &*line.mid).collect();
    if !bundled.is_empty() {
        let _ = write!(text, "a=group:BUNDLE {}\r\n", bundled.join(" "));
    }
    for line in lines {
        section(&mut text, transport, line);
    }
    text
}

fn section(text: &mut String, transport: &Transport, line: &Line) {
    let Line { media, mid, accepted } = line;
    let Some(accepted) = accepted else {
        let _ = write!(text, "m={media} 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=inactive\r\n");
        return;
    };
    let types: Vec<_> = accepted.codecs.iter().map(|(payload_type, _)| payload_type.to_string()).collect();
    let _ = write!(text, "m={media} 9 UDP/TLS/RTP/SAVPF {}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n", types.join(" "));
    let Transport { ufrag, setup, address } = transport;
    let _ = write!(
        text,
        "a={}\r\na=rtcp-mux\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789012345678901\r\n\
         a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:{setup}\r\n\
         a=candidate:1 1 udp 2113937151 {} {} typ host\r\n",
        accepted.direction,
        address.ip(),
        address.port()
    );
    for (payload_type, codec) in &accepted.codecs {
        let _ = write!(text, "a=rtpmap:{payload_type} {}/{}", codec.encoding, codec.clock_rate);
        if codec.media == Media::Audio {
            let _ = write!(text, "/{}", codec.channels);
        }
        text.push_str("\r\n");
        if !codec.fmtp.is_empty() {
            let _ = write!(text, "a=fmtp:{payload_type} {}\r\n", codec.fmtp);
        }
    }
    if let Some((ssrc, stream, id)) = &accepted.source {
        let _ = write!(text, "a=ssrc:{ssrc} cname:test\r\na=ssrc:{ssrc} msid:{stream} {id}\r\n");
    }
}
