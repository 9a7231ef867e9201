//! What is fixed where two stages are joined: the kind of item and its codec.

use std::fmt;

/// Sound or picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// A codec by its registered name, with what RTP and SDP need to know of it.
///
/// The set is open: a plug-in defines its own constant and nothing here changes.
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    /// The name people write: `vp8`, `opus`.
    pub name: &'static str,
    /// Sound or picture.
    pub media: Media,
    /// The encoding name of its RTP payload format, as registered with IANA: `VP8`, `opus`.
    pub encoding: &'static str,
    /// The RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Channels in the SDP `rtpmap`; 0 for video.
    pub channels: u16,
    /// The SDP format parameters that we offer and answer with, as they stand behind `a=fmtp:N `.
    pub fmtp: &'static str,
}

impl Codec {
    /// The media type, as in `video/VP8`.
    pub fn mime(&self) -> String {
        format!("{}/{}", self.media, self.encoding)
    }
}

impl PartialEq for Codec {
    fn eq(&self, other: &Codec) -> bool {
        self.name == other.name
    }
}

impl Eq for Codec {}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// VP8: RFC 6386, in RTP RFC 7741.
pub const VP8: Codec =
    Codec { name: "vp8", media: Media::Video, encoding: "VP8", clock_rate: 90_000, channels: 0, fmtp: "" };

/// Opus: RFC 6716, in RTP RFC 7587, whose section 4.1 fixes the clock rate and the two channels.
pub const OPUS: Codec = Codec {
    name: "opus",
    media: Media::Audio,
    encoding: "opus",
    clock_rate: 48_000,
    channels: 2,
    fmtp: "minptime=10;useinbandfec=1;stereo=1",
};

/// What flows over one join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub fn codec(&self) -> Option<Codec> {
        match self {
            Format::Video | Format::Audio => None,
            Format::Encoded(codec) | Format::Packets(codec) => Some(*codec),
        }
    }
}

/// What an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepts {
    /// Whatever comes.
    Anything,
    /// Exactly this.
    Only(Format),
    /// RTP packets of any codec of this media.
    Packets(Media),
}

impl Accepts {
    /// Whether `format` may be joined here.
    pub fn takes(&self, format: Format) -> bool {
        match self {
            Accepts::Anything => true,
            Accepts::Only(only) => *only == format,
            Accepts::Packets(media) => matches!(format, Format::Packets(codec) if codec.media == *media),
        }
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Media::Video => "video",
            Media::Audio => "audio",
        })
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
