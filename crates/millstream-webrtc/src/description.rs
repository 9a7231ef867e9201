//! Session descriptions and candidates, as text: what signalling carries.

/// What a [`Description`] is in the exchange of offer and answer (W3C `RTCSdpType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DescriptionKind {
    /// It opens an exchange.
    Offer,
    /// It answers one, for the time being.
    ProvisionalAnswer,
    /// It answers one.
    Answer,
    /// It takes the pending offer back (RFC 9429, section 4.1.10.2). Its text is empty.
    Rollback,
}

/// A session description (RFC 8866) and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it is.
    pub kind: DescriptionKind,
    /// The text.
    pub sdp: String,
}

impl Description {
    /// An offer.
    pub fn offer(sdp: impl Into<String>) -> Description {
        Description { kind: DescriptionKind::Offer, sdp: sdp.into() }
    }

    /// An answer.
    pub fn answer(sdp: impl Into<String>) -> Description {
        Description { kind: DescriptionKind::Answer, sdp: sdp.into() }
    }

    /// What takes the pending offer back: as the local description one of ours, as the remote description one of
    /// the other side.
    pub fn rollback() -> Description {
        Description { kind: DescriptionKind::Rollback, sdp: String::new() }
    }
}

/// A way to reach one side (RFC 8839), as trickle ICE carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The attribute, `candidate:…`, without `a=`.
    pub candidate: String,
    /// The `mid` of the media section it belongs to.
    pub mid: Option<String>,
    /// The number of that section, from 0.
    pub line: Option<u16>,
    /// The ICE user fragment it was gathered for.
    pub ufrag: Option<String>,
}
