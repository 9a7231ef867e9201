//! The VP8 payload descriptor that stands before each packet's share of a frame: RFC 7741, section 4.2.

/// What the descriptors of one frame's packets say; they differ in `start` alone.
///
/// The first partition only is named (PID 0, S on the first packet): packets are cut by size and
/// not at partitions, as libwebrtc does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// Whether nothing refers to the frame (N).
    pub(super) non_reference: bool,
    /// Counts frames in 15 bits (M is always set: the short form saves one byte and wraps in seconds).
    pub(super) picture_id: u16,
    /// Where the frame stands among temporal layers, if the stream has any.
    pub(super) temporal: Option<Temporal>,
}

/// Where a frame stands among temporal layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Temporal {
    /// Counts frames of the lowest layer, and names the one that this frame builds upon (TL0PICIDX).
    pub(super) tl0_pic_idx: u8,
    /// The layer, 0 to 3 (TID).
    pub(super) tid: u8,
    /// Whether it refers to the lowest layer alone, so that a receiver may switch up here (Y).
    pub(super) sync: bool,
}

impl Descriptor {
    /// How many bytes it takes.
    pub(super) fn len(&self) -> usize {
        if self.temporal.is_some() { 6 } else { 4 }
    }

    /// The descriptor of the first packet (`start`) or a later one: what each has, and what follows with layers.
    ///
    /// ```text
    ///  0 1 2 3 4 5 6 7
    /// |X|R|N|S|R| PID |
    /// |I|L|T|K|  RSV  |
    /// |M|  PictureID  |
    /// |   PictureID   |
    /// |   TL0PICIDX   |   with L
    /// |TID|Y| KEYIDX  |   with T
    /// ```
    pub(super) fn write(&self, start: bool) -> ([u8; 4], [u8; 2]) {
        const X: u8 = 0x80;
        const N: u8 = 0x20;
        const S: u8 = 0x10;
        const I: u8 = 0x80;
        const L: u8 = 0x40;
        const T: u8 = 0x20;
        const M: u8 = 0x80;
        let [high, low] = self.picture_id.to_be_bytes();
        let mut bytes = [X, I, M | high, low];
        let mut layers = [0; 2];
        if self.non_reference {
            bytes[0] |= N;
        }
        if start {
            bytes[0] |= S;
        }
        if let Some(temporal) = self.temporal {
            bytes[1] |= L | T;
            layers = [temporal.tl0_pic_idx, (temporal.tid & 3) << 6 | u8::from(temporal.sync) << 5];
        }
        (bytes, layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rtp::codecs::vp8::Vp8Packet;
    use rtp::packetizer::Depacketizer;

    /// What the crate `rtp` reads of what we write.
    fn read(descriptor: Descriptor, start: bool) -> Vp8Packet {
        let (short, layers) = descriptor.write(start);
        let mut bytes = [&short[..], &layers, &[]].concat();
        bytes.truncate(descriptor.len());
        bytes.push(0xAB);
        let mut packet = Vp8Packet::default();
        assert_eq!(packet.depacketize(&Bytes::from(bytes)).unwrap()[..], [0xAB]);
        packet
    }

    #[test]
    fn without_layers_it_is_four_bytes() {
        let plain = Descriptor { non_reference: false, picture_id: 0x7FFF, temporal: None };
        assert_eq!(plain.len(), 4);
        let packet = read(plain, true);
        assert_eq!((packet.x, packet.i, packet.picture_id), (1, 1, 0x7FFF));
        assert_eq!((packet.s, packet.n, packet.pid), (1, 0, 0));
        assert_eq!((packet.l, packet.t, packet.k), (0, 0, 0));
    }

    #[test]
    fn layers_are_read_back() {
        let temporal = Some(Temporal { tl0_pic_idx: 200, tid: 2, sync: true });
        let packet = read(Descriptor { non_reference: true, picture_id: 5, temporal }, false);
        assert_eq!((packet.l, packet.t, packet.k), (1, 1, 0));
        assert_eq!((packet.tl0_pic_idx, packet.tid, packet.y), (200, 2, 1));
        assert_eq!((packet.s, packet.n, packet.picture_id), (0, 1, 5));
    }
}
