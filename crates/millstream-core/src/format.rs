//! What is fixed where two stages are joined: the kind of item and its codec.

use std::fmt;

use crate::codec::Codec;
use crate::media::Media;

/// What flows over one join.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// [`VideoFrame`](crate::VideoFrame)s.
    Video,
    /// [`AudioFrame`](crate::AudioFrame)s.
    Audio,
    /// [`EncodedFrame`](crate::EncodedFrame)s of one codec.
    Encoded(Codec),
    /// [`RtpPackets`](crate::RtpPackets) of one codec.
    Packets(Codec),
}

impl Format {
    /// Sound or picture.
    pub fn media(&self) -> Media {
        match self {
            Format::Video => Media::Video,
            Format::Audio => Media::Audio,
            Format::Encoded(codec) | Format::Packets(codec) => codec.media,
        }
    }

    /// The codec, where the media is encoded.
    pub fn codec(&self) -> Option<&Codec> {
        match self {
            Format::Video | Format::Audio => None,
            Format::Encoded(codec) | Format::Packets(codec) => Some(codec),
        }
    }

    /// Whether both are the same kind of item, of the [same encoding](Codec::same_encoding).
    pub fn same_encoding(&self, other: &Format) -> bool {
        match (self, other) {
            (Format::Encoded(codec), Format::Encoded(other)) | (Format::Packets(codec), Format::Packets(other)) => {
                codec.same_encoding(other)
            }
            _ => self == other,
        }
    }
}

/// What an input takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepts {
    /// Whatever comes.
    Anything,
    /// This, whatever the format parameters of its codec.
    Only(Format),
    /// RTP packets of any codec of this media.
    Packets(Media),
}

impl From<Format> for Accepts {
    fn from(format: Format) -> Accepts {
        Accepts::Only(format)
    }
}

impl Accepts {
    /// Whether `format` may be joined here.
    pub fn takes(&self, format: &Format) -> bool {
        match self {
            Accepts::Anything => true,
            Accepts::Only(only) => only.same_encoding(format),
            Accepts::Packets(media) => matches!(format, Format::Packets(codec) if codec.media == *media),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Video => f.write_str("raw video"),
            Format::Audio => f.write_str("raw audio"),
            Format::Encoded(codec) => write!(f, "encoded {} ({codec})", codec.media),
            Format::Packets(codec) => write!(f, "RTP packets of {} ({codec})", codec.media),
        }
    }
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Accepts::Anything => f.write_str("anything"),
            Accepts::Only(format) => format.fmt(f),
            Accepts::Packets(media) => write!(f, "RTP packets of {media}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OPUS, VP8};

    #[test]
    fn an_input_takes_every_profile_of_its_codec() {
        let h264 = |fmtp| Codec::new(Media::Video, "H264", 90_000, 0).unwrap().with_fmtp(fmtp).unwrap();
        let (high, baseline) = (h264("profile-level-id=640c1f"), h264("profile-level-id=42e01f"));
        let takes = Accepts::Only(Format::Encoded(high.clone()));
        assert!(takes.takes(&Format::Encoded(baseline.clone())));
        assert!(!takes.takes(&Format::Packets(high)) && !takes.takes(&Format::Encoded(VP8)));
        let packets = Accepts::Packets(Media::Video);
        assert!(packets.takes(&Format::Packets(baseline)) && !packets.takes(&Format::Packets(OPUS)));
    }
}
