//! RTP packets that travel together: those of one access unit, or whatever arrived at once.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::Codec;
use crate::item::{Layer, Role};
use crate::pool::Buffer;
use crate::time::Timestamp;

/// What an RTP header says of one packet (RFC 3550, section 5.1), and where its payload lies.
///
/// Payload type and SSRC belong to a connection: whoever sends a packet writes its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtpHeader {
    /// Counts packets.
    pub sequence: u16,
    /// Media time in ticks of the codec's clock.
    pub timestamp: u32,
    /// For video the last packet of a picture, for audio the first after silence.
    pub marker: bool,
    /// Where the payload starts in the data of its [`RtpPackets`].
    pub start: u32,
    /// Where it ends.
    pub end: u32,
}

/// RTP packets that travel together. Cloning counts references.
#[derive(Clone, Debug)]
pub struct RtpPackets {
    /// When what they carry was captured.
    pub time: Timestamp,
    /// What their payloads are.
    pub codec: Codec,
    /// What hangs on the frame they carry.
    pub role: Role,
    /// The layer it belongs to.
    pub layer: Layer,
    /// One for each packet, in order.
    pub headers: Buffer<RtpHeader>,
    /// All payloads, one behind the other.
    pub data: Bytes,
}

impl RtpPackets {
    /// Refuses packets that are not of `codec`; see [`EncodedFrame::require`](crate::EncodedFrame::require).
    ///
    /// # Errors
    /// A bad item that names both codecs.
    pub fn require(&self, codec: Codec) -> Result<()> {
        if self.codec == codec {
            return Ok(());
        }
        Err(Error::bad_item(format!("packets of {}, where {codec} is taken; join what gives {codec}", self.codec)))
    }

    /// The packets, in order: header and payload. Nothing is copied.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (RtpHeader, Bytes)> + '_ {
        self.headers.iter().map(|header| (*header, self.data.slice(header.start as usize..header.end as usize)))
    }
}
