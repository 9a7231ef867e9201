//! Encoded media: one access unit, or one audio packet.

use std::time::Duration;

use bytes::Bytes;

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::media::Media;
use crate::role::{Layer, Role};
use crate::time::Timestamp;

/// One access unit of video, or one packet of audio. Cloning counts references.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodedFrame {
    /// When what it holds was captured.
    pub time: Timestamp,
    /// Whether `time` is only estimated from when its packets arrived: no sender report has arrived yet.
    pub time_is_estimated: bool,
    /// How long it lasts; zero where the encoder does not know.
    pub duration: Duration,
    /// What it is encoded with.
    pub codec: Codec,
    /// How other frames depend on it.
    pub role: Role,
    /// The layer it belongs to.
    pub layer: Layer,
    /// Width and height of a picture in pixels, where they are known.
    pub size: Option<(u32, u32)>,
    /// How many frames directly before this one were lost on the network: a decoder conceals as many, or restores
    /// the last of them from what this one repeats of it (forward error correction).
    pub lost_before: u32,
    /// The bitstream, without any container.
    pub data: Bytes,
}

impl EncodedFrame {
    /// A frame of `codec` that was captured at `time`: [`Role::Start`] for sound, [`Role::Unknown`] for pictures
    /// until [`with_role`](EncodedFrame::with_role) says more; of the lowest layer, without a duration and a size.
    pub fn new(codec: Codec, time: Timestamp, data: impl Into<Bytes>) -> EncodedFrame {
        let role = if codec.media == Media::Audio { Role::Start } else { Role::Unknown };
        EncodedFrame {
            time,
            time_is_estimated: false,
            duration: Duration::ZERO,
            codec,
            role,
            layer: Layer::default(),
            size: None,
            lost_before: 0,
            data: data.into(),
        }
    }

    /// The same frame, captured at `time`.
    #[must_use]
    pub fn with_time(mut self, time: Timestamp) -> EncodedFrame {
        self.time = time;
        self
    }

    /// The same frame, encoded with `codec`.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> EncodedFrame {
        self.codec = codec;
        self
    }

    /// The same frame, whose bitstream is `data`.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Bytes>) -> EncodedFrame {
        self.data = data.into();
        self
    }

    /// The same frame, which lasts `duration`.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> EncodedFrame {
        self.duration = duration;
        self
    }

    /// The same frame in the role `role`.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> EncodedFrame {
        self.role = role;
        self
    }

    /// The same frame in the layer `layer`.
    #[must_use]
    pub fn with_layer(mut self, layer: Layer) -> EncodedFrame {
        self.layer = layer;
        self
    }

    /// The same frame, whose picture has this width and height in pixels, if they are known.
    #[must_use]
    pub fn with_size(mut self, size: impl Into<Option<(u32, u32)>>) -> EncodedFrame {
        self.size = size.into();
        self
    }

    /// The same frame, before which `frames` frames were lost on the network.
    #[must_use]
    pub fn with_lost_before(mut self, frames: u32) -> EncodedFrame {
        self.lost_before = frames;
        self
    }

    /// The same frame, whose time is only estimated if `estimated`.
    #[must_use]
    pub fn with_estimated_time(mut self, estimated: bool) -> EncodedFrame {
        self.time_is_estimated = estimated;
        self
    }

    /// Refuses a frame that is not encoded as `codec` is: what a stage does that takes one codec only, since not
    /// every join is known before it runs.
    ///
    /// # Errors
    /// A bad item that names both codecs.
    pub fn require(&self, codec: &Codec) -> Result<()> {
        if self.codec.same_encoding(codec) {
            return Ok(());
        }
        Err(Error::bad_item(format!("a frame of {}, where {codec} is taken; join what gives {codec}", self.codec)))
    }
}
