//! Encoded media: one access unit, or one audio packet.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Result};
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

impl EncodedFrame {
    /// Refuses a frame that is not of `codec`: what a stage does that takes one codec only, since not
    /// every join is known before it runs.
    ///
    /// # Errors
    /// A bad item that names both codecs.
    pub fn require(&self, codec: Codec) -> Result<()> {
        if self.codec == codec {
            return Ok(());
        }
        Err(Error::bad_item(format!("a frame of {}, where {codec} is taken; join what gives {codec}", self.codec)))
    }
}
