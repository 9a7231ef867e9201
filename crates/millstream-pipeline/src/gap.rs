//! Which layers of an encoding cannot be decoded any more, because a frame was dropped.

use millstream_core::{Item, Layer, Layers, Role};

/// Spatial layers that are told apart; those above count as the last. WebRTC knows three.
const SPATIAL: usize = 8;

/// The layers that are closed: a dropped frame closes its own layer and those above it, until a
/// frame that a decoder can start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// For each spatial layer the lowest temporal one that is closed.
    closed: [u16; SPATIAL],
    /// The highest spatial layer that was seen: nobody misses those above it.
    top: usize,
}

/// No temporal layer has this number.
const OPEN: u16 = u16::MAX;

impl Default for Gap {
    fn default() -> Self {
        Gap { closed: [OPEN; SPATIAL], top: 0 }
    }
}

impl Gap {
    /// Notes that `item` was dropped; whether that closed anything that was open.
    pub(crate) fn dropped<T: Item>(&mut self, item: &T) -> bool {
        if !item.is_referred_to() {
            return false;
        }
        let before = self.closed;
        let Layer { spatial, temporal, .. } = item.layer();
        self.top = self.top.max(index(spatial));
        for layer in &mut self.closed[index(spatial)..] {
            *layer = (*layer).min(u16::from(temporal));
        }
        self.closed != before
    }

    /// Whether `item` can be decoded, or may be because nobody has looked. A frame to start from opens its layer, but no further than the one
    /// below it: what is predicted between layers needs that too.
    pub(crate) fn lets_through<T: Item>(&mut self, item: &T) -> bool {
        if item.role() == Role::Unknown {
            return true;
        }
        let Layer { spatial, temporal, .. } = item.layer();
        let layer = index(spatial);
        self.top = self.top.max(layer);
        if item.role() == Role::Start {
            self.closed[layer] = if spatial == 0 { OPEN } else { self.closed[layer.saturating_sub(1)] };
        }
        u16::from(temporal) < self.closed[layer]
    }

    /// Closes what is closed in either.
    pub(crate) fn merge(&mut self, other: &Gap) {
        self.top = self.top.max(other.top);
        for (layer, other) in self.closed.iter_mut().zip(other.closed) {
            *layer = (*layer).min(other);
        }
    }

    /// Whether any layer that was seen is closed.
    pub(crate) fn is_open(&self) -> bool {
        self.closed[..=self.top].iter().any(|layer| *layer != OPEN)
    }

    /// The spatial layers of which a frame to start from is needed: from the lowest on that is closed.
    pub(crate) fn wanted(&self) -> Layers {
        let whole = self.closed.iter().take_while(|layer| **layer == OPEN).count();
        (0..whole as u8).fold(Layers::ALL, Layers::without)
    }
}

fn index(spatial: u8) -> usize {
    usize::from(spatial).min(SPATIAL - 1)
}

#[cfg(test)]
mod tests {
    use millstream_core::{Bytes, EncodedFrame, Timestamp, VP8};

    use super::*;

    fn frame(spatial: u8, temporal: u8, role: Role) -> EncodedFrame {
        EncodedFrame::new(VP8, Timestamp::ZERO, Bytes::new()).with_role(role).with_layer(Layer::new(spatial, temporal))
    }

    #[test]
    fn a_dropped_layer_closes_those_above_it_only() {
        let mut gap = Gap::default();
        assert!(gap.dropped(&frame(1, 0, Role::Reference)));
        let through = [0, 1, 2].map(|spatial| gap.lets_through(&frame(spatial, 0, Role::Reference)));
        assert_eq!(through, [true, false, false]);
        assert!(gap.lets_through(&frame(1, 0, Role::Start)));
        let through = [0, 1, 2].map(|spatial| gap.lets_through(&frame(spatial, 0, Role::Reference)));
        assert_eq!(through, [true, true, false]);
    }

    #[test]
    fn a_start_of_an_upper_layer_needs_the_lower_one() {
        let mut gap = Gap::default();
        assert!(gap.dropped(&frame(0, 0, Role::Start)));
        assert!(!gap.lets_through(&frame(1, 0, Role::Start)), "it is predicted from the one that was dropped");
        let through = [0, 1].map(|spatial| gap.lets_through(&frame(spatial, 0, Role::Start)));
        assert_eq!(through, [true, true]);
    }

    #[test]
    fn a_dropped_temporal_layer_leaves_the_lower_rate() {
        let mut gap = Gap::default();
        assert!(gap.dropped(&frame(0, 1, Role::Reference)));
        let through = [0, 1, 2].map(|temporal| gap.lets_through(&frame(0, temporal, Role::Reference)));
        assert_eq!(through, [true, false, false]);
        assert!(!gap.dropped(&frame(0, 2, Role::Reference)), "it was closed before");
    }

    #[test]
    fn discardable_frames_close_nothing() {
        assert!(!Gap::default().dropped(&frame(0, 0, Role::Discardable)));
    }

    #[test]
    fn what_nobody_has_looked_at_closes_nothing_and_passes_every_gap() {
        let mut gap = Gap::default();
        assert!(!gap.dropped(&frame(0, 0, Role::Unknown)));
        assert!(!gap.is_open());
        gap.dropped(&frame(0, 0, Role::Reference));
        assert!(gap.lets_through(&frame(0, 0, Role::Unknown)), "it may be the key frame that is wanted");
        assert!(gap.is_open() && !gap.lets_through(&frame(0, 0, Role::Reference)));
    }

    #[test]
    fn a_key_frame_is_wanted_of_the_closed_layers() {
        let mut gap = Gap::default();
        assert!(!gap.is_open());
        gap.dropped(&frame(2, 0, Role::Reference));
        assert!(gap.is_open());
        assert!(gap.lets_through(&frame(0, 0, Role::Start)) && gap.is_open());
        assert_eq!([0, 1, 2, 3].map(|layer| gap.wanted().contains(layer)), [false, false, true, true]);
        gap.dropped(&frame(0, 1, Role::Reference));
        assert_eq!(gap.wanted(), Layers::ALL);
        let mut single = Gap::default();
        single.dropped(&frame(0, 0, Role::Reference));
        assert!(single.lets_through(&frame(0, 0, Role::Start)) && !single.is_open(), "there are no others");
    }
}
