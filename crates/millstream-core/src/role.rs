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
    /// Nobody has looked yet: RTP packets that were received and not depacketized.
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
}

impl Layer {
    /// The spatial layer `spatial` and in it the temporal layer `temporal`, both from 0.
    pub const fn new(spatial: u8, temporal: u8) -> Layer {
        Layer { spatial, temporal }
    }
}
