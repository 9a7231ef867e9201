//! The states of a connection.

use crate::DescriptionKind;

/// How far a connection is: the states of W3C's `RTCPeerConnectionState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Nothing has begun.
    #[default]
    New,
    /// ICE or DTLS is under way.
    Connecting,
    /// Media can flow.
    Connected,
    /// Nothing arrives from the remote side at the moment; it may come back.
    Disconnected,
    /// The remote side cannot be reached. An ICE restart ([`Peer::restart_ice`](crate::Peer::restart_ice), or
    /// one by the remote side) may connect it again. The peer keeps its sockets until it is closed.
    Failed,
    /// It was closed, by us or by the remote side.
    Closed,
}

impl PeerState {
    /// Whether no other state follows: only [`Closed`](PeerState::Closed) is final.
    pub fn is_final(self) -> bool {
        self == PeerState::Closed
    }
}

/// How far the exchange of offer and answer is: the states of W3C's `RTCSignalingState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SignalingState {
    /// No offer waits for an answer.
    #[default]
    Stable,
    /// The local offer was applied and waits for the remote answer.
    HaveLocalOffer,
    /// The remote offer was applied and waits for the local answer.
    HaveRemoteOffer,
    /// A provisional local answer was applied; the final one is still to come.
    HaveLocalProvisionalAnswer,
    /// A provisional remote answer was applied; the final one is still to come.
    HaveRemoteProvisionalAnswer,
    /// The peer is closed.
    Closed,
}

impl SignalingState {
    /// The state after a description of `kind` was applied, as the local one or as the remote one (RFC 9429,
    /// section 3.2); `None` if it may not be applied in this state.
    pub fn after(self, kind: DescriptionKind, local: bool) -> Option<SignalingState> {
        use DescriptionKind::{Answer, Offer, ProvisionalAnswer, Rollback};
        use SignalingState::{
            HaveLocalOffer, HaveLocalProvisionalAnswer, HaveRemoteOffer, HaveRemoteProvisionalAnswer, Stable,
        };
        Some(match (self, kind, local) {
            (Stable | HaveLocalOffer, Offer, true) => HaveLocalOffer,
            (Stable | HaveRemoteOffer, Offer, false) => HaveRemoteOffer,
            (HaveRemoteOffer | HaveLocalProvisionalAnswer, Answer, true) => Stable,
            (HaveLocalOffer | HaveRemoteProvisionalAnswer, Answer, false) => Stable,
            (HaveRemoteOffer | HaveLocalProvisionalAnswer, ProvisionalAnswer, true) => HaveLocalProvisionalAnswer,
            (HaveLocalOffer | HaveRemoteProvisionalAnswer, ProvisionalAnswer, false) => HaveRemoteProvisionalAnswer,
            (HaveLocalOffer, Rollback, true) | (HaveRemoteOffer, Rollback, false) => Stable,
            _ => return None,
        })
    }
}

impl std::fmt::Display for SignalingState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SignalingState::Stable => "stable",
            SignalingState::HaveLocalOffer => "have-local-offer",
            SignalingState::HaveRemoteOffer => "have-remote-offer",
            SignalingState::HaveLocalProvisionalAnswer => "have-local-pranswer",
            SignalingState::HaveRemoteProvisionalAnswer => "have-remote-pranswer",
            SignalingState::Closed => "closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_passes_through_the_states_of_rfc_9429() {
        use DescriptionKind::{Answer, Offer, ProvisionalAnswer, Rollback};
        let walk = |steps: &[(DescriptionKind, bool)]| {
            steps.iter().try_fold(SignalingState::Stable, |state, (kind, local)| state.after(*kind, *local))
        };
        assert_eq!(walk(&[(Offer, true), (Offer, true), (Answer, false)]), Some(SignalingState::Stable));
        let provisional = [(Offer, false), (ProvisionalAnswer, true), (ProvisionalAnswer, true), (Answer, true)];
        assert_eq!(walk(&provisional), Some(SignalingState::Stable));
        assert_eq!(walk(&provisional[..3]), Some(SignalingState::HaveLocalProvisionalAnswer));
        assert_eq!(walk(&[(Offer, false), (Rollback, false), (Offer, true)]), Some(SignalingState::HaveLocalOffer));
        for refused in
            [[(Offer, true), (Offer, false)], [(Offer, true), (Answer, true)], [(Offer, true), (Rollback, false)]]
        {
            assert_eq!(walk(&refused), None);
        }
        assert_eq!(walk(&[(Answer, false)]), None);
        assert_eq!(SignalingState::Closed.after(Offer, true), None);
    }
}
