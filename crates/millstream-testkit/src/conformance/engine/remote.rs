//! The remote side, in text.

use millstream_core::{Codec, OPUS, VP8};
use millstream_webrtc::Description;
use millstream_webrtc::sdp::Session;

use crate::engine::written::{self, Accepted, Line, Transport};

/// What an answer does with a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Accepted,
    Inactive,
    Rejected,
}

fn transport(setup: &'static str) -> Transport {
    // Nobody is there: the port of the discard protocol (RFC 863).
    Transport { ufrag: "view".to_owned(), setup, address: ([127, 0, 0, 1], 9).into() }
}

/// An offer to receive `codecs`, a section for each.
pub(super) fn offer(codecs: &[Codec]) -> Description {
    let line = |(index, codec): (usize, &Codec)| Line {
        media: codec.media.to_string(),
        mid: index.to_string(),
        accepted: Some(Accepted {
            direction: "recvonly",
            codecs: vec![(100 + index as u8, codec.clone())],
            source: None,
        }),
    };
    let lines: Vec<_> = codecs.iter().enumerate().map(line).collect();
    Description::offer(written::description(&transport("actpass"), &lines))
}

/// An answer to `offer` that does with its sections what `places` say.
pub(super) fn answer(offer: &str, places: &[Place]) -> Result<Description, String> {
    let session = Session::read(offer).map_err(|error| format!("{error} in {offer}"))?;
    let mut lines = Vec::new();
    for (section, place) in session.sections.iter().zip(places) {
        let codec = if section.is_for(&VP8) { VP8 } else { OPUS };
        let payload_type = *section.payload_types(&codec).first().ok_or_else(|| format!("no {codec} in {offer}"))?;
        let direction = if *place == Place::Inactive { "inactive" } else { "recvonly" };
        let accepted = Accepted { direction, codecs: vec![(payload_type, codec)], source: None };
        lines.push(Line {
            media: section.media.to_owned(),
            mid: section.mid().unwrap_or_default().to_owned(),
            accepted: (*place != Place::Rejected).then_some(accepted),
        });
    }
    Ok(Description::answer(written::description(&transport("active"), &lines)))
}
