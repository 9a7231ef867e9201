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
}

/// No temporal layer has this number.
const OPEN: u16 = u16::MAX;

impl Default for Gap {
    fn default() -> Self {
        Gap { closed: [OPEN; SPATIAL] }
    }
}

impl Gap {
    /// Notes that `item` was dropped; whether that closed anything that was open.
    pub(crate) fn dropped<T: Item>(&mut self, item: &T) -> bool {
        if !item.is_referred_to() {
            return false;
        }
        let before = *self;
        let Layer { spatial, temporal } = item.layer();
        for layer in &mut self.closed[index(spatial)..] {
            *layer = (*layer).min(u16::from(temporal));
        }
        *self != before
    }

    /// Whether `item` can be decoded. A frame to start from opens its layer, but no further than the one
    /// below it: what is predicted between layers needs that too.
    pub(crate) fn lets_through<T: Item>(&mut self, item: &T) -> bool {
        let Layer { spatial, temporal } = item.layer();
        let layer = index(spatial);
        if item.role() == Role::Start {
            self.closed[layer] = if spatial == 0 { OPEN } else { self.closed[layer.saturating_sub(1)] };
        }
        u16::from(temporal) < self.closed[layer]
    }

    /// Closes what is closed in either.
    pub(crate) fn merge(&mut self, other: &Gap) {
        for (layer, other) in self.closed.iter_mut().zip(other.closed) {
            *layer = (*layer).min(other);
        }
    }

    /// The spatial layers of which a frame to start from is needed, beginning with that of `layer`.
    pub(crate) fn wanted(layer: Layer) -> Layers {
        (0..layer.spatial.min(31)).fold(Layers::ALL, Layers::without)
    }
}

fn index(spatial: u8) -> usize {
    usize::from(spatial).min(SPATIAL - 1)
}

#[cfg(test)]
mod tests {
    use millstream_core::{EncodedFrame, Timestamp, VP8};

    use super::*;

    fn frame(spatial: u8, temporal: u8, role: Role) -> EncodedFrame {
        EncodedFrame {
            time: Timestamp::ZERO,
            duration: Default::default(),
            codec: VP8,
            role,
            layer: Layer { spatial, temporal },
            size: None,
            data: Default::default(),
        }
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
    fn a_key_frame_is_wanted_of_the_closed_layers() {
        assert_eq!(Gap::wanted(Layer::default()), Layers::ALL);
        let wanted = Gap::wanted(Layer { spatial: 2, temporal: 0 });
        assert_eq!([0, 1, 2, 3].map(|layer| wanted.contains(layer)), [false, false, true, true]);
    }
}
