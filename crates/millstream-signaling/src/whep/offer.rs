//! What a session has to know of a viewer's offer. What can be sent on it, the engine says.

use axum::http::StatusCode;
use millstream_webrtc::sdp;

use super::sdpfrag::Credentials;
use crate::http::problem::Problem;

/// More media sections than a viewer has reason to offer.
const MAX_SECTIONS: usize = 32;

/// A viewer's offer.
#[derive(Debug)]
pub(crate) struct Offer {
    /// The text, for the engine.
    pub(crate) sdp: String,
    /// The names of the media sections.
    mids: Vec<Option<String>>,
    ufrags: Vec<String>,
}

impl Offer {
    /// Reads `body`, or says why it is no offer.
    pub(crate) fn parse(body: &[u8]) -> Result<Offer, Problem> {
        let bad = |detail: &str| Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        let Ok(text) = std::str::from_utf8(body) else {
            return bad("the body is not text; send an SDP offer (RFC 8866)");
        };
        if text.trim().is_empty() {
            return bad("the body is empty; send an SDP offer (RFC 8866)");
        }
        if !text.starts_with("v=0") {
            return bad("the body does not start with `v=0`; send an SDP offer (RFC 8866)");
        }
        let session = match sdp::Session::read(text) {
            Ok(session) => session,
            Err(error) => return bad(&error.to_string()),
        };
        let all = std::iter::once(&session.lines).chain(session.sections.iter().map(|section| &section.lines));
        let ufrags = all.flat_map(|lines| lines.attributes("ice-ufrag")).map(|ufrag| ufrag.trim().to_owned()).collect();
        let mids: Vec<_> = session.sections.iter().map(|section| section.mid().map(str::to_owned)).collect();
        match mids.len() {
            0 => bad("the offer has no media section; add a transceiver that receives before you make it"),
            count if count > MAX_SECTIONS => bad("the offer has more than 32 media sections; offer one per track"),
            _ => Ok(Offer { sdp: text.to_owned(), mids, ufrags }),
        }
    }

    /// The number of the media section called `mid`.
    pub(crate) fn line_of(&self, mid: &str) -> Option<u16> {
        let line = self.mids.iter().position(|known| known.as_deref() == Some(mid))?;
        u16::try_from(line).ok()
    }

    /// The same offer for the ICE session after a restart: under `credentials`, and without the
    /// candidates of the one before (RFC 8839, section 4.4.1.1.1).
    pub(crate) fn restarted(&self, credentials: &Credentials) -> Result<Offer, Problem> {
        let mut text = String::with_capacity(self.sdp.len());
        for line in sdp::lines(&self.sdp) {
            match sdp::attribute(line) {
                Some(("candidate" | "end-of-candidates", _)) => continue,
                Some(("ice-ufrag", _)) => text.extend(["a=ice-ufrag:", &credentials.ufrag]),
                Some(("ice-pwd", _)) => text.extend(["a=ice-pwd:", &credentials.pwd]),
                _ => text.push_str(line),
            }
            text.push_str("\r\n");
        }
        Offer::parse(text.as_bytes())
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
    use crate::samples::{OFFER, mutations};

    #[test]
    fn what_a_browser_offers_is_understood() {
        let offer = Offer::parse(OFFER.as_bytes()).unwrap();
        assert_eq!((offer.line_of("0"), offer.line_of("1"), offer.line_of("2")), (Some(0), Some(1), None));
        assert!(offer.has_ufrag("abcd") && !offer.has_ufrag("dcba"));
    }

    #[test]
    fn what_is_no_offer_is_refused_in_words() {
        for (body, words) in [
            (&b""[..], "empty"),
            (b" \r\n", "empty"),
            (b"{\"sdp\":\"v=0\"}", "v=0"),
            (b"v=0\r\ns=-\r\n", "no media section"),
            (b"v=0\r\nm=video 9\r\n", "line 2"),
            (b"v=0\r\na=x\0y\r\n", "control character"),
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
                let _ = (offer.line_of("0"), offer.has_ufrag("abcd"));
            }
        }
    }
}
