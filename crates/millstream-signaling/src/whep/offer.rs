//! What has to be known of a viewer's offer before an engine sees it.
//!
//! It is no SDP parser: an engine has one. This one finds what makes an offer hopeless, to say so in
//! words, and what later candidates refer to.

use axum::http::StatusCode;
use millstream_core::Codec;

use super::sdpfrag::Credentials;
use crate::problem::Problem;

/// More media sections than a viewer has reason to offer.
const MAX_SECTIONS: usize = 32;

/// A viewer's offer.
#[derive(Debug)]
pub(crate) struct Offer {
    /// The text, for the engine.
    pub(crate) sdp: String,
    sections: Vec<Section>,
    ufrags: Vec<String>,
}

#[derive(Debug)]
struct Section {
    media: String,
    mid: Option<String>,
    sends_only: bool,
    encodings: Vec<String>,
}

impl Offer {
    /// Reads `body`, or says why it is no offer.
    pub(crate) fn parse(body: &[u8]) -> Result<Offer, Problem> {
        let bad = |detail: &str| Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        let Ok(sdp) = std::str::from_utf8(body) else {
            return bad("the body is not text; send an SDP offer (RFC 8866)");
        };
        if sdp.trim().is_empty() {
            return bad("the body is empty; send an SDP offer (RFC 8866)");
        }
        if !sdp.starts_with("v=0") {
            return bad("the body does not start with `v=0`; send an SDP offer (RFC 8866)");
        }
        let mut offer = Offer { sdp: sdp.to_owned(), sections: Vec::new(), ufrags: Vec::new() };
        sdp.lines().for_each(|line| offer.hear(line.trim_end()));
        match offer.sections.len() {
            0 => bad("the offer has no media section; add a transceiver that receives before you make it"),
            count if count > MAX_SECTIONS => bad("the offer has more than 32 media sections; offer one per track"),
            _ => Ok(offer),
        }
    }

    fn hear(&mut self, line: &str) {
        if let Some(media) = line.strip_prefix("m=") {
            let media = media.split(' ').next().unwrap_or_default().to_ascii_lowercase();
            self.sections.push(Section { media, mid: None, sends_only: false, encodings: Vec::new() });
            return;
        }
        let Some(attribute) = line.strip_prefix("a=") else { return };
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        if name == "ice-ufrag" {
            self.ufrags.push(value.to_owned());
        }
        let Some(section) = self.sections.last_mut() else { return };
        match name {
            "mid" => section.mid = Some(value.to_owned()),
            "sendonly" | "inactive" => section.sends_only = true,
            // `96 VP8/90000`
            "rtpmap" => section.encodings.extend(value.split([' ', '/']).nth(1).map(str::to_ascii_lowercase)),
            _ => {}
        }
    }

    /// Whether the viewer would take `codec`.
    pub(crate) fn takes(&self, codec: &Codec) -> bool {
        let (media, encoding) = (codec.media.to_string(), codec.encoding.to_ascii_lowercase());
        self.sections.iter().any(|s| s.media == media && !s.sends_only && s.encodings.contains(&encoding))
    }

    /// The number of the media section called `mid`.
    pub(crate) fn line_of(&self, mid: &str) -> Option<u16> {
        let line = self.sections.iter().position(|section| section.mid.as_deref() == Some(mid))?;
        u16::try_from(line).ok()
    }

    /// The same offer for the ICE session after a restart: under `credentials`, and without the
    /// candidates of the one before (RFC 8839, section 4.4.1.1.1).
    pub(crate) fn restarted(&self, credentials: &Credentials) -> Result<Offer, Problem> {
        let mut sdp = String::with_capacity(self.sdp.len());
        for line in self.sdp.lines().map(str::trim_end) {
            match line.split(':').next().unwrap_or_default() {
                "a=candidate" | "a=end-of-candidates" => continue,
                "a=ice-ufrag" => sdp.extend(["a=ice-ufrag:", &credentials.ufrag]),
                "a=ice-pwd" => sdp.extend(["a=ice-pwd:", &credentials.pwd]),
                _ => sdp.push_str(line),
            }
            sdp.push_str("\r\n");
        }
        Offer::parse(sdp.as_bytes())
    }

    /// The user fragments that ICE runs under.
    pub(crate) fn ufrags(self) -> impl Iterator<Item = String> {
        self.ufrags.into_iter()
    }

    /// Whether ICE runs under the user fragment `ufrag`.
    pub(crate) fn has_ufrag(&self, ufrag: &str) -> bool {
        self.ufrags.iter().any(|known| known == ufrag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{OFFER, mutations};
    use millstream_core::{OPUS, VP8};

    #[test]
    fn what_a_browser_offers_is_understood() {
        let offer = Offer::parse(OFFER.as_bytes()).unwrap();
        assert!(offer.takes(&VP8) && offer.takes(&OPUS));
        assert_eq!((offer.line_of("0"), offer.line_of("1"), offer.line_of("2")), (Some(0), Some(1), None));
        assert!(offer.has_ufrag("abcd") && !offer.has_ufrag("dcba"));
        let sending = Offer::parse(OFFER.replace("recvonly", "sendonly").as_bytes()).unwrap();
        assert!(!sending.takes(&VP8));
    }

    #[test]
    fn what_is_no_offer_is_refused_in_words() {
        for (body, words) in [
            (&b""[..], "empty"),
            (b" \r\n", "empty"),
            (b"{\"sdp\":\"v=0\"}", "v=0"),
            (b"v=0\r\ns=-\r\n", "no media section"),
            (b"\xff\xfe", "not text"),
        ] {
            let problem = format!("{:?}", Offer::parse(body).unwrap_err());
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn after_a_restart_only_the_ice_session_is_another() {
        let text = format!("{OFFER}a=candidate:1 1 udp 1 127.0.0.1 5 typ host\r\na=end-of-candidates\r\n");
        let offer = Offer::parse(text.as_bytes()).unwrap();
        let credentials = Credentials { ufrag: "efgh".into(), pwd: "9876543210987654321098".into() };
        let restarted = offer.restarted(&credentials).unwrap();
        let expected = OFFER.replace("abcd", "efgh").replace("0123456789012345678901", "9876543210987654321098");
        assert_eq!(restarted.sdp, expected);
        assert!(restarted.has_ufrag("efgh") && !restarted.has_ufrag("abcd"));
    }

    #[test]
    fn no_mutation_panics() {
        for body in mutations(OFFER.as_bytes(), 3000) {
            if let Ok(offer) = Offer::parse(&body) {
                let _ = (offer.takes(&VP8), offer.line_of("0"), offer.has_ufrag("abcd"));
            }
        }
    }
}
