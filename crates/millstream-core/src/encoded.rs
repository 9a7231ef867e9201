//! Encoded media: one access unit, or one audio packet.

use std::time::Duration;

use bytes::Bytes;

use crate::format::Codec;
use crate::item::{Layer, Role};
use crate::time::Timestamp;

/// One access unit of video, or one packet of audio. Cloning counts a reference.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// When what it holds was captured.
    pub time: Timestamp,
    /// How long it lasts; zero where the encoder does not know.
    pub duration: Duration,
    /// What it is encoded with.
    pub codec: Codec,
    /// What hangs on it.
    pub role: Role,
    /// The layer it belongs to.
    pub layer: Layer,
    /// Width and height of a picture in pixels, where there is one.
    pub size: Option<(u32, u32)>,
    /// The bitstream, without any container.
    pub data: Bytes,
}
