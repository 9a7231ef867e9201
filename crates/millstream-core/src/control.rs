//! Feedback: the requests that a consumer makes of its producer.
//!
//! They travel upstream and overtake the items: asking wakes the thread that hosts the producer. The
//! newest request of each kind wins. Nothing queues, and nothing blocks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use crate::units::{Bitrate, FrameRate};

/// Layers of an encoding, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layers(u32);

impl Layers {
    /// Every layer there is.
    pub const ALL: Layers = Layers(u32::MAX);

    /// The spatial layer `index`, 0 to 31.
    pub const fn spatial(index: u8) -> Layers {
        Layers(1 << (index & 31))
    }

    /// Whether the spatial layer `index` is in the set.
    pub const fn contains(self, index: u8) -> bool {
        self.0 & Layers::spatial(index).0 != 0
    }

    /// The set without the spatial layer `index`.
    #[must_use]
    pub const fn without(self, index: u8) -> Layers {
        Layers(self.0 & !Layers::spatial(index).0)
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Layers) -> Layers {
        Layers(self.0 | other.0)
    }
}

/// A request that a consumer makes of its producer. A stage answers it or passes it on upstream.
///
/// All but [`Control::KeyFrame`] hold until they are withdrawn: by the same kind without a value, or
/// when the consumer leaves. What holds for several consumers together is merged at the fan-out.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Control {
    /// Give a frame that a decoder can start from, for these layers, as soon as possible.
    KeyFrame(Layers),
    /// Give no more bits per second than this. Encoders answer.
    Bitrate(Option<Bitrate>),
    /// Give no picture larger than this: width and height in pixels. The stage `scale` answers.
    MaxSize(Option<(u32, u32)>),
    /// Give no more pictures per second than this. Encoders of video answer.
    MaxFrameRate(Option<FrameRate>),
    /// Expect this share of packets to be lost, 0 to 1. Encoders with error correction answer.
    Loss(Option<f32>),
    /// Give nothing for now (`true`), or go on (`false`). Sources answer.
    Pause(bool),
}

impl Control {
    /// The request that withdraws one of this kind; `None` for a key frame, which cannot be unmade.
    pub fn withdrawn(self) -> Option<Control> {
        Some(match self {
            Control::KeyFrame(_) => return None,
            Control::Bitrate(_) => Control::Bitrate(None),
            Control::MaxSize(_) => Control::MaxSize(None),
            Control::MaxFrameRate(_) => Control::MaxFrameRate(None),
            Control::Loss(_) => Control::Loss(None),
            Control::Pause(_) => Control::Pause(false),
        })
    }

    /// Whether `other` is a request of the same kind.
    pub fn is_like(self, other: Control) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// The newest request of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requests {
    key_frame: Option<Layers>,
    bitrate: Option<Option<Bitrate>>,
    max_size: Option<Option<(u32, u32)>>,
    max_frame_rate: Option<Option<FrameRate>>,
    loss: Option<Option<f32>>,
    pause: Option<bool>,
}

impl Requests {
    /// Notes `request`. It replaces an older one of its kind, but for key frames, whose layers add up.
    pub fn note(&mut self, request: Control) {
        match request {
            Control::KeyFrame(layers) => {
                self.key_frame = Some(self.key_frame.map_or(layers, |before| before.union(layers)));
            }
            Control::Bitrate(rate) => self.bitrate = Some(rate),
            Control::MaxSize(size) => self.max_size = Some(size),
            Control::MaxFrameRate(rate) => self.max_frame_rate = Some(rate),
            Control::Loss(share) => self.loss = Some(share),
            Control::Pause(pause) => self.pause = Some(pause),
        }
    }

    /// The requests, in the order in which [`Control`] lists their kinds.
    pub fn iter(&self) -> impl Iterator<Item = Control> {
        [
            self.key_frame.map(Control::KeyFrame),
            self.bitrate.map(Control::Bitrate),
            self.max_size.map(Control::MaxSize),
            self.max_frame_rate.map(Control::MaxFrameRate),
            self.loss.map(Control::Loss),
            self.pause.map(Control::Pause),
        ]
        .into_iter()
        .flatten()
    }
}

/// The way upstream from one consumer. Any thread may keep and use it, such as one of an engine.
#[derive(Clone, Debug)]
pub struct Upstream(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    asked: AtomicBool,
    requests: Mutex<Requests>,
    waker: Waker,
}

impl Upstream {
    /// A way upstream. `waker` wakes the producer, which [`take`](Upstream::take)s the requests.
    pub fn new(waker: Waker) -> Upstream {
        Upstream(Arc::new(Slot { asked: AtomicBool::new(false), requests: Mutex::default(), waker }))
    }

    /// Makes a request.
    pub fn ask(&self, request: Control) {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner).note(request);
        self.0.asked.store(true, Ordering::Release);
        self.0.waker.wake_by_ref();
    }

    /// The requests made since the last call. Costs one atomic load if there are none.
    pub fn take(&self) -> Option<Requests> {
        if !self.0.asked.load(Ordering::Acquire) || !self.0.asked.swap(false, Ordering::AcqRel) {
            return None;
        }
        Some(std::mem::take(&mut *self.0.requests.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Default for Upstream {
    /// A way that wakes nobody, for tests.
    fn default() -> Upstream {
        Upstream::new(Waker::noop().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_kind_wins_and_key_frames_add_up() {
        let upstream = Upstream::default();
        assert_eq!(upstream.take(), None);
        upstream.ask(Control::KeyFrame(Layers::spatial(0)));
        upstream.ask(Control::Bitrate(Some(Bitrate::from_bps(1))));
        upstream.ask(Control::KeyFrame(Layers::spatial(2)));
        upstream.ask(Control::Bitrate(Some(Bitrate::from_bps(2))));
        let requests: Vec<_> = upstream.take().unwrap().iter().collect();
        assert_eq!(requests, [Control::KeyFrame(Layers(0b101)), Control::Bitrate(Some(Bitrate::from_bps(2)))]);
        assert_eq!(upstream.take(), None);
    }
}
