//! Which layers of an encoding cannot be decoded any more, because a frame was dropped.

use millstream_core::{Item, Layer, Layers, Role};

/// Spatial layers that are distinguished; those above count as the last. WebRTC knows three.
const SPATIAL: usize = 8;

/// The layers that are closed. A dropped frame closes its own layer, until a frame that a decoder can start
/// from. A frame that is predicted from a closed layer cannot be decoded either, and closes its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// For each spatial layer the lowest temporal one that is closed.
    closed: [u16; SPATIAL],
    /// Whether the last frame of each spatial layer was predicted from the layer below. It counts as so before
    /// the first one.
    stacked: [bool; SPATIAL],
    /// The highest spatial layer that was seen: nobody misses those above it.
    top: usize,
}

/// No temporal layer has this number.
const OPEN: u16 = u16::MAX;

impl Default for Gap {
    fn default() -> Self {
        Gap { closed: [OPEN; SPATIAL], stacked: [true; SPATIAL], top: 0 }
    }
}

impl Gap {
    /// Everything is closed until a frame that a decoder can start from.
    pub(crate) fn closed() -> Gap {
        Gap { closed: [0; SPATIAL], ..Gap::default() }
    }

    /// Notes that `item` was dropped; whether that closed anything that was open.
    pub(crate) fn dropped<T: Item>(&mut self, item: &T) -> bool {
        if !item.is_referred_to() {
            return false;
        }
        let Layer { temporal, .. } = item.layer();
        let layer = self.see(item);
        let before = self.closed[layer];
        self.closed[layer] = before.min(u16::from(temporal));
        self.closed[layer] != before
    }

    /// Whether `item` can be decoded, as far as is known: packets that nobody has depacketized yet pass. One that
    /// cannot is dropped, and closes its layer like any other.
    pub(crate) fn lets_through<T: Item>(&mut self, item: &T) -> bool {
        if item.role() == Role::Unknown {
            return true;
        }
        let Layer { temporal, .. } = item.layer();
        let layer = self.see(item);
        let below = if self.stacked[layer] { self.closed[layer - 1] } else { OPEN };
        if item.role() == Role::Start {
            // No further than the layer below it, if it is predicted from that.
            self.closed[layer] = below;
        }
        let decodable = u16::from(temporal) < self.closed[layer].min(below);
        if !decodable {
            self.dropped(item);
        }
        decodable
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

    /// The spatial layers of which a frame to start from is needed: those that are closed, and those that are
    /// predicted from them.
    pub(crate) fn wanted(&self) -> Layers {
        let (mut wanted, mut below) = (Layers::ALL, false);
        for layer in 0..SPATIAL {
            below = self.closed[layer] != OPEN || (below && self.stacked[layer]);
            if !below {
                wanted = wanted.without(layer as u8);
            }
        }
        wanted
    }

    /// Notes of which spatial layer `item` is, and on what it stands.
    fn see<T: Item>(&mut self, item: &T) -> usize {
        let Layer { spatial, inter_layer, .. } = item.layer();
        let layer = usize::from(spatial).min(SPATIAL - 1);
        self.top = self.top.max(layer);
        self.stacked[layer] = inter_layer && layer > 0;
        layer
    }
}

#[cfg(test)]
mod tests {
    use millstream_core::{Bytes, EncodedFrame, Timestamp, VP8};

    use super::*;

    fn frame(layer: Layer, role: Role) -> EncodedFrame {
        EncodedFrame::new(VP8, Timestamp::ZERO, Bytes::new()).with_role(role).with_layer(layer)
    }

    /// Which of a picture's frames pass, one for each spatial layer.
    fn picture(gap: &mut Gap, layer: fn(u8, u8) -> Layer, role: Role) -> [bool; 3] {
        [0, 1, 2].map(|spatial| gap.lets_through(&frame(layer(spatial, 0), role)))
    }

    fn wanted(gap: &Gap) -> [bool; 4] {
        [0, 1, 2, 3].map(|layer| gap.wanted().contains(layer))
    }

    #[test]
    fn a_dropped_stacked_layer_closes_those_above_it_only() {
        let mut gap = Gap::default();
        assert_eq!(picture(&mut gap, Layer::stacked, Role::Start), [true; 3]);
        assert!(gap.dropped(&frame(Layer::stacked(1, 0), Role::Reference)));
        assert_eq!(wanted(&gap), [false, true, true, true]);
        assert_eq!(picture(&mut gap, Layer::stacked, Role::Reference), [true, false, false]);
        assert!(gap.lets_through(&frame(Layer::stacked(1, 0), Role::Start)));
        assert_eq!(picture(&mut gap, Layer::stacked, Role::Reference), [true, true, false]);
        assert!(gap.lets_through(&frame(Layer::stacked(2, 0), Role::Start)));
        assert_eq!(picture(&mut gap, Layer::stacked, Role::Reference), [true; 3]);
    }

    #[test]
    fn a_dropped_independent_layer_closes_itself_alone() {
        let mut gap = Gap::default();
        assert_eq!(picture(&mut gap, Layer::independent, Role::Start), [true; 3]);
        assert!(gap.dropped(&frame(Layer::independent(0, 0), Role::Reference)));
        assert_eq!(wanted(&gap), [true, false, false, false]);
        assert_eq!(picture(&mut gap, Layer::independent, Role::Reference), [false, true, true]);
        assert!(gap.lets_through(&frame(Layer::independent(0, 0), Role::Start)));
        assert_eq!(picture(&mut gap, Layer::independent, Role::Reference), [true; 3]);
        assert!(!gap.is_open());
    }

    #[test]
    fn layers_that_are_stacked_in_key_pictures_only_go_on_without_the_one_below() {
        let mut gap = Gap::default();
        assert_eq!(picture(&mut gap, Layer::stacked, Role::Start), [true; 3]);
        assert_eq!(picture(&mut gap, Layer::independent, Role::Reference), [true; 3]);
        assert!(gap.dropped(&frame(Layer::independent(0, 0), Role::Reference)));
        assert_eq!(picture(&mut gap, Layer::independent, Role::Reference), [false, true, true]);
        // The next key picture is whole again; one whose lowest frame was dropped is lost in all layers.
        assert_eq!(picture(&mut gap, Layer::stacked, Role::Start), [true; 3]);
        assert!(gap.dropped(&frame(Layer::stacked(0, 0), Role::Start)));
        let upper = [1, 2].map(|spatial| gap.lets_through(&frame(Layer::stacked(spatial, 0), Role::Start)));
        assert_eq!(upper, [false, false]);
        assert_eq!(picture(&mut gap, Layer::independent, Role::Reference), [false; 3]);
    }

    #[test]
    fn a_start_of_a_stacked_layer_needs_the_lower_one() {
        let mut gap = Gap::default();
        assert!(gap.dropped(&frame(Layer::stacked(0, 0), Role::Start)));
        assert!(!gap.lets_through(&frame(Layer::stacked(1, 0), Role::Start)), "it is predicted from the dropped one");
        let through = [0, 1].map(|spatial| gap.lets_through(&frame(Layer::stacked(spatial, 0), Role::Start)));
        assert_eq!(through, [true, true]);
    }

    #[test]
    fn a_dropped_temporal_layer_leaves_the_lower_rate() {
        let mut gap = Gap::default();
        assert!(gap.dropped(&frame(Layer::stacked(0, 1), Role::Reference)));
        let through = [0, 1, 2].map(|temporal| gap.lets_through(&frame(Layer::stacked(0, temporal), Role::Reference)));
        assert_eq!(through, [true, false, false]);
        assert!(!gap.dropped(&frame(Layer::stacked(0, 2), Role::Reference)), "it was closed before");
        let upper = [0, 1].map(|temporal| gap.lets_through(&frame(Layer::stacked(1, temporal), Role::Reference)));
        assert_eq!(upper, [true, false], "what is predicted from the lower rate can be decoded");
    }

    #[test]
    fn discardable_frames_close_nothing() {
        assert!(!Gap::default().dropped(&frame(Layer::default(), Role::Discardable)));
    }

    #[test]
    fn what_nobody_has_looked_at_closes_nothing_and_passes_every_gap() {
        let mut gap = Gap::default();
        assert!(!gap.dropped(&frame(Layer::default(), Role::Unknown)));
        assert!(!gap.is_open());
        gap.dropped(&frame(Layer::default(), Role::Reference));
        assert!(gap.lets_through(&frame(Layer::default(), Role::Unknown)), "it may be the key frame that is wanted");
        assert!(gap.is_open() && !gap.lets_through(&frame(Layer::default(), Role::Reference)));
    }

    #[test]
    fn a_key_frame_is_wanted_of_the_closed_layers() {
        let mut gap = Gap::default();
        assert!(!gap.is_open());
        gap.dropped(&frame(Layer::stacked(2, 0), Role::Reference));
        assert!(gap.is_open());
        assert!(gap.lets_through(&frame(Layer::default(), Role::Start)) && gap.is_open());
        assert_eq!(wanted(&gap), [false, false, true, true]);
        gap.dropped(&frame(Layer::stacked(0, 1), Role::Reference));
        assert_eq!(gap.wanted(), Layers::ALL, "layer 1 was never seen, and counts as predicted");
        let mut single = Gap::default();
        single.dropped(&frame(Layer::default(), Role::Reference));
        assert_eq!(single.wanted(), Layers::ALL);
        assert!(single.lets_through(&frame(Layer::default(), Role::Start)) && !single.is_open(), "there are no others");
    }
}
