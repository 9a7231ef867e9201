//! What can be chosen about `vp8-packetizer`.

use millstream_core::units::ByteSize;
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of `vp8-packetizer`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// The most bytes of payload in a packet, the VP8 descriptor included: 100 B to 65 kB,
    /// "1200 B" if not given.
    pub max_payload: MaxPayload,
    /// Fixes the first sequence number, timestamp and picture id, so that two runs give the same
    /// packets. Random if not given, as RFC 3550 requires.
    pub seed: Option<u64>,
}

/// The most bytes of payload in a packet: 100 to 65 000.
///
/// The default of 1200 is what every WebRTC sender uses: it leaves room for RTP, SRTP, TURN, UDP and
/// IPv6 in the smallest MTU that links carry, 1280 (RFC 8200, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "ByteSize")]
pub struct MaxPayload(u16);

impl MaxPayload {
    /// `bytes` bytes, if that is from 100 to 65 000: a UDP datagram holds 65 535 with all headers.
    pub const fn new(bytes: u16) -> Option<MaxPayload> {
        if bytes >= 100 && bytes <= 65_000 { Some(MaxPayload(bytes)) } else { None }
    }

    /// How many bytes.
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }
}

impl Default for MaxPayload {
    fn default() -> MaxPayload {
        MaxPayload(1200)
    }
}

impl TryFrom<ByteSize> for MaxPayload {
    type Error = String;
    fn try_from(size: ByteSize) -> Result<MaxPayload, String> {
        let fits = u16::try_from(size.bytes()).ok().and_then(MaxPayload::new);
        fits.ok_or_else(|| format!("expected a size from 100 B to 65000 B, found {size}; WebRTC uses 1200 B"))
    }
}
