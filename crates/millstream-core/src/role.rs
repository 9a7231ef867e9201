//! How encoded items depend on one another, so that a link knows what else it drops when it drops one.

/// How other items depend on an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// A decoder can start here. Every raw item and every audio packet is one.
    Start,
    /// Later frames refer to it: without it they cannot be decoded until the next start.
    Reference,
    /// Nothing refers to it: dropping it opens no gap.
    Discardable,
    /// Not known yet: RTP packets that were received and not depacketized.
    ///
    /// A link passes it on whatever its gaps, since it may be the key frame that closes them. Dropping it opens no
    /// gap in the link: the sequence numbers of the packets that follow tell a depacketizer what is missing, and
    /// it asks for the key frame.
    Unknown,
}

/// Which layer of an encoding a frame belongs to; both are 0 where there is one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Layer {
    /// 0 is the smallest picture.
    pub spatial: u8,
    /// 0 is the lowest frame rate.
    pub temporal: u8,
    /// Whether the frame is predicted from that of the spatial layer below it, captured at the same time: the bit
    /// D of RFC 9628, section 4.2. Never true for simulcast, whose layers are independent; true for every upper
    /// frame of full SVC; true only for those of a key picture in the modes called `_KEY` (W3C webrtc-svc).
    pub inter_layer: bool,
}

impl Layer {
    /// A frame that is decoded without the spatial layers below its own.
    pub const fn independent(spatial: u8, temporal: u8) -> Layer {
        Layer { spatial, temporal, inter_layer: false }
    }

    /// A frame that is predicted from that of the spatial layer below its own, if there is one.
    pub const fn stacked(spatial: u8, temporal: u8) -> Layer {
        Layer { spatial, temporal, inter_layer: spatial > 0 }
    }
}
