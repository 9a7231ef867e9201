//! Frames to test with.

use millstream_core::{Codec, OPUS, Role, RtpHeader, RtpPackets, Timestamp, VP8};

/// A frame of VP8 captured at `millis`, in `packets` packets.
pub(crate) fn frame(millis: u64, role: Role, packets: u32) -> RtpPackets {
    of(VP8, millis, role, packets)
}

/// A packet of Opus captured at `millis`.
pub(crate) fn sound(millis: u64) -> RtpPackets {
    of(OPUS, millis, Role::Start, 1)
}

fn of(codec: Codec, millis: u64, role: Role, packets: u32) -> RtpPackets {
    let headers: Vec<_> = (0..packets).map(|n| RtpHeader::new(0, (millis * 90) as u32, n..n + 1)).collect();
    RtpPackets::new(codec, Timestamp::from_millis(millis), headers, vec![0; packets as usize]).with_role(role)
}
