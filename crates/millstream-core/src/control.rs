//! Wishes: what a consumer asks of whoever makes its items.
//!
//! They travel against the stream and overtake it: asking wakes the thread that hosts the receiver.
//! The newest of each kind wins, nothing queues, and nobody waits.

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

/// Something a consumer wishes. A stage answers it or passes it on upstream.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Control {
    /// Give a frame that a decoder can start from, for these layers, as soon as can be.
    KeyFrame(Layers),
    /// Do not give more than this.
    Bitrate(Bitrate),
    /// Give no larger pictures than this many pixels, width and height.
    MaxSize(u32, u32),
    /// Give no more pictures in a second than this.
    MaxFrameRate(FrameRate),
    /// Expect this share of packets to be lost, 0 to 1.
    Loss(f32),
    /// Nobody looks or listens (`true`), or somebody does again (`false`).
    Pause(bool),
}

impl Control {
    /// The wish that takes one of this kind back: no limit, no loss, no pause. A key frame that came
    /// cannot be taken back.
    pub fn taken_back(self) -> Option<Control> {
        Some(match self {
            Control::KeyFrame(_) => return None,
            Control::Bitrate(_) => Control::Bitrate(Bitrate::MAX),
            Control::MaxSize(..) => Control::MaxSize(u32::MAX, u32::MAX),
            Control::MaxFrameRate(_) => Control::MaxFrameRate(FrameRate::MAX),
            Control::Loss(_) => Control::Loss(0.0),
            Control::Pause(_) => Control::Pause(false),
        })
    }

    /// Whether `other` is a wish of the same kind.
    pub fn is_like(self, other: Control) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// The newest wish of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wishes {
    key_frame: Option<Layers>,
    bitrate: Option<Bitrate>,
    max_size: Option<(u32, u32)>,
    max_frame_rate: Option<FrameRate>,
    loss: Option<f32>,
    pause: Option<bool>,
}

impl Wishes {
    /// Notes `wish`; it replaces an older one of its kind, but for key frames, whose layers add up.
    pub fn note(&mut self, wish: Control) {
        match wish {
            Control::KeyFrame(layers) => {
                self.key_frame = Some(self.key_frame.map_or(layers, |before| before.union(layers)));
            }
            Control::Bitrate(rate) => self.bitrate = Some(rate),
            Control::MaxSize(width, height) => self.max_size = Some((width, height)),
            Control::MaxFrameRate(rate) => self.max_frame_rate = Some(rate),
            Control::Loss(share) => self.loss = Some(share),
            Control::Pause(pause) => self.pause = Some(pause),
        }
    }

    /// The wishes, in the order in which [`Control`] lists their kinds.
    pub fn iter(&self) -> impl Iterator<Item = Control> {
        [
            self.key_frame.map(Control::KeyFrame),
            self.bitrate.map(Control::Bitrate),
            self.max_size.map(|(width, height)| Control::MaxSize(width, height)),
            self.max_frame_rate.map(Control::MaxFrameRate),
            self.loss.map(Control::Loss),
            self.pause.map(Control::Pause),
        ]
        .into_iter()
        .flatten()
    }
}

/// The way upstream from one consumer: it may be kept and used by any thread, an engine's own too.
#[derive(Clone, Debug)]
pub struct Upstream(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    asked: AtomicBool,
    wishes: Mutex<Wishes>,
    waker: Waker,
}

impl Upstream {
    /// A way upstream that uses `waker` to wake whoever [`take`](Upstream::take)s its wishes.
    pub fn new(waker: Waker) -> Upstream {
        Upstream(Arc::new(Slot { asked: AtomicBool::new(false), wishes: Mutex::default(), waker }))
    }

    /// Asks for `wish`.
    pub fn ask(&self, wish: Control) {
        self.0.wishes.lock().unwrap_or_else(PoisonError::into_inner).note(wish);
        self.0.asked.store(true, Ordering::Release);
        self.0.waker.wake_by_ref();
    }

    /// What was asked since the last time, if anything: one load where nothing was.
    pub fn take(&self) -> Option<Wishes> {
        if !self.0.asked.load(Ordering::Acquire) || !self.0.asked.swap(false, Ordering::AcqRel) {
            return None;
        }
        Some(std::mem::take(&mut *self.0.wishes.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Default for Upstream {
    /// A way that leads to nobody: what a test looks into.
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
        upstream.ask(Control::Bitrate(Bitrate::from_bps(1)));
        upstream.ask(Control::KeyFrame(Layers::spatial(2)));
        upstream.ask(Control::Bitrate(Bitrate::from_bps(2)));
        let wishes: Vec<_> = upstream.take().unwrap().iter().collect();
        assert_eq!(wishes, [Control::KeyFrame(Layers(0b101)), Control::Bitrate(Bitrate::from_bps(2))]);
        assert_eq!(upstream.take(), None);
    }
}
