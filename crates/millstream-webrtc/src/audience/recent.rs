//! The frames since the last key frame, for a viewer that subscribes when no other key frame may be requested.

use millstream_core::throttle::KEY_FRAME_INTERVAL;
use millstream_core::{Role, RtpPackets, Timestamp};

/// Frames kept at most: more than come within [`KEY_FRAME_INTERVAL`] at 60 a second.
const FRAMES: usize = 32;
/// Bytes kept at most, all payloads together: half a second at 16 Mbit/s.
const BYTES: usize = 1024 * 1024;

/// References to the frames since the last key frame, for as long as that is the newest that a new viewer can
/// have: afterwards it may request one of its own, and these would only be old. If they become too many, all are
/// dropped until the next key frame.
#[derive(Debug)]
pub(crate) struct Recent {
    frames: Vec<RtpPackets>,
    bytes: usize,
    /// When the first of them came; nothing is kept if there is none.
    since: Option<Timestamp>,
}

impl Recent {
    pub(crate) fn new() -> Recent {
        Recent { frames: Vec::with_capacity(FRAMES), bytes: 0, since: None }
    }

    /// Keeps `packets`, which came at `now`.
    pub(crate) fn note(&mut self, packets: &RtpPackets, now: Timestamp) {
        match (packets.role, self.since) {
            (Role::Start, _) => {
                self.forget();
                self.since = Some(now);
            }
            (_, None) => return,
            (_, Some(since)) if now.since(since) >= KEY_FRAME_INTERVAL => return self.forget(),
            // The viewer gets them all within a moment, and does not miss it.
            (Role::Discardable, _) => return,
            _ => {}
        }
        self.bytes += packets.data.len();
        if self.frames.len() == FRAMES || self.bytes > BYTES {
            return self.forget();
        }
        self.frames.push(packets.clone());
    }

    /// What a decoder needs to show the newest picture, oldest first; nothing if that was too much.
    pub(crate) fn frames(&self) -> &[RtpPackets] {
        &self.frames
    }

    /// Drops all, until the next key frame.
    pub(crate) fn forget(&mut self) {
        self.frames.clear();
        self.bytes = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::frame;

    const NOTHING: [u64; 0] = [];

    fn kept(recent: &Recent) -> Vec<u64> {
        recent.frames().iter().map(|frame| frame.time.as_nanos() / 1_000_000).collect()
    }

    fn note(recent: &mut Recent, millis: u64, role: Role) {
        recent.note(&frame(millis, role, 1), Timestamp::from_millis(millis));
    }

    #[test]
    fn what_is_needed_since_the_last_key_frame_is_kept_for_half_a_second() {
        let mut recent = Recent::new();
        note(&mut recent, 0, Role::Reference);
        assert_eq!(kept(&recent), NOTHING);
        for (millis, role) in [(40, Role::Start), (80, Role::Reference), (100, Role::Discardable)] {
            note(&mut recent, millis, role);
        }
        assert_eq!(kept(&recent), [40, 80]);
        note(&mut recent, 539, Role::Reference);
        assert_eq!(kept(&recent), [40, 80, 539]);
        note(&mut recent, 540, Role::Reference);
        assert_eq!(kept(&recent), NOTHING);
        note(&mut recent, 580, Role::Reference);
        assert_eq!(kept(&recent), NOTHING, "nothing to start from");
        note(&mut recent, 620, Role::Start);
        note(&mut recent, 660, Role::Start);
        assert_eq!(kept(&recent), [660]);
    }

    #[test]
    fn what_is_too_much_is_dropped() {
        let mut recent = Recent::new();
        note(&mut recent, 0, Role::Start);
        (1..32).for_each(|millis| note(&mut recent, millis, Role::Reference));
        assert_eq!(recent.frames().len(), 32);
        note(&mut recent, 32, Role::Reference);
        assert_eq!(kept(&recent), NOTHING);

        note(&mut recent, 0, Role::Start);
        let large = |bytes| {
            let mut packets = frame(1, Role::Reference, 1);
            packets.data = vec![0; bytes].into();
            packets
        };
        recent.note(&large(BYTES - 1), Timestamp::from_millis(1));
        assert_eq!(recent.frames().len(), 2);
        recent.note(&large(1), Timestamp::from_millis(2));
        assert_eq!(kept(&recent), NOTHING);
    }

    #[test]
    fn nothing_is_allocated_for_a_frame() {
        let mut recent = Recent::new();
        let room = recent.frames.capacity();
        for millis in 0..10_000 {
            note(&mut recent, millis, if millis % 40 == 0 { Role::Start } else { Role::Reference });
        }
        assert_eq!(recent.frames.capacity(), room);
    }
}
