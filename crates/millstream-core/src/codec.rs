//! A codec with its parameters: built in as a constant, or learnt at run time from a session description.

mod profile;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::media::Media;

/// A codec with its parameters. Cloning one copies a reference or counts it.
///
/// The set is open: a plug-in defines its own constant, and a session description may name any codec.
/// ```
/// use millstream_core::{Codec, Media, VP8};
///
/// let offered = Codec::from_rtpmap(Media::Video, "H264/90000")?.with_fmtp("profile-level-id=42e01f;packetization-mode=1")?;
/// assert_eq!(offered.parameter("packetization-mode"), Some("1"));
/// assert_eq!(Codec::from_rtpmap(Media::Video, "vp8/90000")?, VP8);
/// # Ok::<(), millstream_core::Error>(())
/// ```
///
/// Two codecs are equal if a negotiation takes them for the same payload format: the encoding (in any case), the
/// clock rate and the channels are the same, and so is what a decoder must support to read any of it (H.264:
/// profile and `packetization-mode`; VP9 and AV1: profile; H.265: profile, tier and `tx-mode`). The level and
/// all other format parameters may differ. Joins inside a pipeline compare less: see [`Codec::same_encoding`].
#[derive(Clone)]
pub struct Codec(Parameters);

#[derive(Clone)]
enum Parameters {
    Static(&'static CodecParameters),
    Shared(Arc<CodecParameters>),
}

/// What RTP and SDP need to know of a [`Codec`], which derefs to it: the W3C's `RTCRtpCodec`, and a name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodecParameters {
    /// The name people write: `vp8`, `opus`.
    pub name: Cow<'static, str>,
    /// Sound or picture.
    pub media: Media,
    /// The encoding name of its RTP payload format, as registered with IANA: `VP8`, `opus`.
    pub encoding: Cow<'static, str>,
    /// The RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Channels in the SDP `rtpmap`; 0 for video.
    pub channels: u16,
    /// The format parameters, as they stand behind `a=fmtp:N ` in SDP.
    pub fmtp: Cow<'static, str>,
}

impl CodecParameters {
    /// The parameters of a codec that is built in; a `static` holds them for [`Codec::from_static`].
    pub const fn new(
        name: &'static str,
        media: Media,
        encoding: &'static str,
        clock_rate: u32,
        channels: u16,
        fmtp: &'static str,
    ) -> CodecParameters {
        let (name, encoding, fmtp) = (Cow::Borrowed(name), Cow::Borrowed(encoding), Cow::Borrowed(fmtp));
        CodecParameters { name, media, encoding, clock_rate, channels, fmtp }
    }

    /// The media type, as in `video/VP8`.
    pub fn mime(&self) -> String {
        format!("{}/{}", self.media, self.encoding)
    }

    /// The format parameter `name`, in any case (RFC 4855, section 1): empty if it has no value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|parameter| {
            let (found, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            found.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// The longest encoding name: RFC 6838, section 4.2, allows 127 characters.
const MAX_ENCODING: usize = 127;

/// The most bytes of format parameters. H.264 and H.265 put their parameter sets there, a few hundred bytes in
/// base64; a peer that sends more than this has no good reason.
const MAX_FMTP: usize = 4096;

impl Codec {
    /// A codec that is built in.
    pub const fn from_static(parameters: &'static CodecParameters) -> Codec {
        Codec(Parameters::Static(parameters))
    }

    /// A codec by the encoding name of its RTP payload format, without format parameters. Its name is the
    /// encoding in lower case.
    ///
    /// # Errors
    /// A bad item, if `encoding` is no media subtype (RFC 6838, section 4.2) or the clock rate is 0.
    pub fn new(media: Media, encoding: &str, clock_rate: u32, channels: u16) -> Result<Codec> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        if encoding.is_empty() || encoding.len() > MAX_ENCODING || !encoding.bytes().all(is_name) {
            let shown: String =
                encoding.chars().take(40).map(|char| if char.is_control() { ' ' } else { char }).collect();
            let message = format!(
                "`{shown}` is no encoding name: expected 1 to {MAX_ENCODING} letters, digits and signs, as in `VP8`"
            );
            return Err(Error::bad_item(message));
        }
        if clock_rate == 0 {
            return Err(Error::bad_item(format!("{encoding} has a clock rate of 0; expected one as in `VP8/90000`")));
        }
        let name = Cow::Owned(encoding.to_ascii_lowercase());
        let (encoding, fmtp) = (Cow::Owned(encoding.to_owned()), Cow::Borrowed(""));
        let parameters = CodecParameters { name, media, encoding, clock_rate, channels, fmtp };
        Ok(Codec(Parameters::Shared(Arc::new(parameters))))
    }

    /// A codec as an SDP `rtpmap` describes it behind the payload type: `H264/90000`, `opus/48000/2`. Sound
    /// without a number of channels has one (RFC 8866, section 6.6).
    ///
    /// # Errors
    /// A bad item, if a part is missing or is not what it should be.
    pub fn from_rtpmap(media: Media, rtpmap: &str) -> Result<Codec> {
        let mut parts = rtpmap.trim().split('/').map(str::trim);
        let (encoding, rate, channels) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let channels = match media {
            Media::Video => Some(0),
            Media::Audio => channels.map_or(Some(1), |channels| channels.parse().ok()),
        };
        let (Some(rate), Some(channels), None) = (rate.and_then(|rate| rate.parse().ok()), channels, parts.next())
        else {
            let shown: String = rtpmap.chars().take(40).collect();
            let message = format!(
                "cannot read the rtpmap `{shown}`: expected `ENCODING/CLOCK RATE` or `ENCODING/CLOCK RATE/CHANNELS`"
            );
            return Err(Error::bad_item(message));
        };
        Codec::new(media, encoding, rate, channels)
    }

    /// The same codec with these format parameters, as they stand behind `a=fmtp:N ` in SDP.
    ///
    /// # Errors
    /// A bad item, if they are longer than 4096 bytes or hold a control character, which could end their line.
    pub fn with_fmtp(self, fmtp: &str) -> Result<Codec> {
        if fmtp.len() > MAX_FMTP {
            let length = fmtp.len();
            let message = format!("{self} has {length} bytes of format parameters; at most {MAX_FMTP} are accepted");
            return Err(Error::bad_item(message));
        }
        if fmtp.chars().any(char::is_control) {
            return Err(Error::bad_item(format!("the format parameters of {self} hold a control character")));
        }
        let fmtp = Cow::Owned(fmtp.trim().to_owned());
        let parameters = CodecParameters { fmtp, ..CodecParameters::clone(&self) };
        Ok(Codec(Parameters::Shared(Arc::new(parameters))))
    }

    /// Whether both are encoded alike, whatever their format parameters: media, encoding, clock rate and channels
    /// are the same. Joins inside a pipeline compare this: an encoder says which profile it writes, and the
    /// packetizer behind it takes all.
    pub fn same_encoding(&self, other: &Codec) -> bool {
        std::ptr::eq::<CodecParameters>(&**self, &**other)
            || (self.clock_rate, self.channels, self.media) == (other.clock_rate, other.channels, other.media)
                && self.encoding.eq_ignore_ascii_case(&other.encoding)
    }
}

impl Deref for Codec {
    type Target = CodecParameters;
    fn deref(&self) -> &CodecParameters {
        match &self.0 {
            Parameters::Static(parameters) => parameters,
            Parameters::Shared(parameters) => parameters,
        }
    }
}

impl PartialEq for Codec {
    fn eq(&self, other: &Codec) -> bool {
        self.same_encoding(other) && (self.fmtp == other.fmtp || profile::is_same(self, other))
    }
}

impl Eq for Codec {}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// VP8: RFC 6386, in RTP RFC 7741.
pub const VP8: Codec = Codec::from_static(&VP8_PARAMETERS);

static VP8_PARAMETERS: CodecParameters = CodecParameters::new("vp8", Media::Video, "VP8", 90_000, 0, "");

/// Opus: RFC 6716, in RTP RFC 7587, whose section 4.1 fixes the clock rate and the two channels.
pub const OPUS: Codec = Codec::from_static(&OPUS_PARAMETERS);

static OPUS_PARAMETERS: CodecParameters =
    CodecParameters::new("opus", Media::Audio, "opus", 48_000, 2, "minptime=10;useinbandfec=1;stereo=1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_description_says_is_the_codec_that_is_built_in() {
        let learnt = Codec::from_rtpmap(Media::Audio, "OPUS/48000/2").unwrap().with_fmtp("minptime=20").unwrap();
        assert_eq!(learnt, OPUS);
        assert_eq!(
            (learnt.name.as_ref(), learnt.encoding.as_ref(), learnt.mime()),
            ("opus", "OPUS", "audio/OPUS".into())
        );
        for other in ["opus/48000", "opus/48000/1", "opus/24000/2", "multiopus/48000/2"] {
            let other = Codec::from_rtpmap(Media::Audio, other).unwrap();
            assert!(other != OPUS && !other.same_encoding(&OPUS), "{other:?}");
        }
        assert_ne!(Codec::new(Media::Audio, "VP8", 90_000, 0).unwrap(), VP8);
    }

    #[test]
    fn a_format_parameter_is_found_in_any_case_and_between_blanks() {
        let codec = Codec::new(Media::Video, "H264", 90_000, 0).unwrap();
        let codec = codec.with_fmtp("Profile-Level-ID=42e01f; packetization-mode = 1 ;flag;=x;;").unwrap();
        let parameters = ["profile-level-id", "packetization-mode", "flag", "mode"].map(|name| codec.parameter(name));
        assert_eq!(parameters, [Some("42e01f"), Some("1"), Some(""), None]);
    }

    #[test]
    fn what_a_peer_says_is_bounded_and_cannot_end_its_line() {
        let long = "x".repeat(MAX_ENCODING + 1);
        let maps = ["", "/90000", "VP8", "VP8/", "VP8/0", "VP8/-1", "VP8/90000/1/2", "V P8/90000", "VP8\r\na=x/90000"];
        for map in maps.into_iter().chain([format!("{long}/90000").as_str(), "Ü/8000", "VP8/99999999999"]) {
            let error = Codec::from_rtpmap(Media::Audio, map).unwrap_err().to_string();
            assert!(error.len() < 200 && !error.contains('\r'), "{map:?}: {error}");
        }
        assert!(Codec::from_rtpmap(Media::Audio, "L16/44100/70000").is_err(), "too many channels");
        let fmtp = |fmtp: &str| VP8.with_fmtp(fmtp).map(|codec| codec.fmtp.len());
        assert_eq!(fmtp(&"x".repeat(MAX_FMTP)).unwrap(), MAX_FMTP);
        assert!(fmtp(&"x".repeat(MAX_FMTP + 1)).is_err() && fmtp("a=1\r\na=sendonly").is_err());
    }

    #[test]
    fn clones_share_their_parameters() {
        let codec = Codec::new(Media::Video, "H264", 90_000, 0).unwrap();
        assert!(std::ptr::eq::<CodecParameters>(&*codec.clone(), &*codec));
        assert!(std::ptr::eq::<CodecParameters>(&*VP8, &*VP8.clone()));
    }
}
