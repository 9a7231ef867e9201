//! RTP packets that travel together: those of one access unit, or whatever arrived at once.

use std::ops::Range;

use bytes::Bytes;

use super::extension::Extensions;
use crate::codec::Codec;
use crate::encoded::EncodedFrame;
use crate::error::{Error, Result};
use crate::media::Media;
use crate::pool::Buffer;
use crate::role::{Layer, Role};
use crate::time::Timestamp;

/// What an RTP header says of one packet (RFC 3550, section 5.1), and where its payload lies.
///
/// Payload type and SSRC belong to a connection: a sender writes its own into each packet, and the
/// [`Arrival`] of a received packet has those it came with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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

impl RtpHeader {
    /// The header of a packet without the marker, whose payload lies at `payload` in the data of its packets.
    #[inline]
    pub const fn new(sequence: u16, timestamp: u32, payload: Range<u32>) -> RtpHeader {
        RtpHeader { sequence, timestamp, marker: false, start: payload.start, end: payload.end }
    }

    /// The same header with the marker set if `marker`.
    #[inline]
    #[must_use]
    pub const fn with_marker(self, marker: bool) -> RtpHeader {
        RtpHeader { marker, ..self }
    }
}

/// What is known of one packet because it was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// When it arrived.
    pub time: Timestamp,
    /// Its payload type, 7 bits.
    pub payload_type: u8,
    /// The stream it belongs to.
    pub ssrc: u32,
    /// Where its header extensions start in the data of its [`RtpPackets`], as
    /// [`write_extension`](super::write_extension) wrote them.
    pub extensions_start: u32,
    /// Where they end.
    pub extensions_end: u32,
}

impl Arrival {
    /// A packet of the stream `ssrc` that arrived at `time`, without header extensions.
    pub const fn new(time: Timestamp, payload_type: u8, ssrc: u32) -> Arrival {
        Arrival { time, payload_type, ssrc, extensions_start: 0, extensions_end: 0 }
    }

    /// The same packet, whose header extensions lie at `extensions` in the data of its packets.
    #[must_use]
    pub const fn with_extensions(self, extensions: Range<u32>) -> Arrival {
        Arrival { extensions_start: extensions.start, extensions_end: extensions.end, ..self }
    }
}

/// RTP packets that travel together. Cloning counts references.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RtpPackets {
    /// When what they carry was captured.
    pub time: Timestamp,
    /// Whether `time` is only estimated from when the packets arrived: no sender report has arrived yet.
    pub time_is_estimated: bool,
    /// What their payloads are.
    pub codec: Codec,
    /// How other frames depend on the one they carry.
    pub role: Role,
    /// The layer it belongs to.
    pub layer: Layer,
    /// One for each packet, in order.
    pub headers: Buffer<RtpHeader>,
    /// For packets that were received, one beside each header.
    pub arrivals: Option<Buffer<Arrival>>,
    /// All payloads, and the header extensions of packets that were received, one behind the other.
    pub data: Bytes,
}

impl RtpPackets {
    /// Packets of `codec` whose frame was captured at `time`: [`Role::Start`] for sound, [`Role::Unknown`] for
    /// pictures until [`with_role`](RtpPackets::with_role) says more; of the lowest layer.
    pub fn new(
        codec: Codec,
        time: Timestamp,
        headers: impl Into<Buffer<RtpHeader>>,
        data: impl Into<Bytes>,
    ) -> RtpPackets {
        let role = if codec.media == Media::Audio { Role::Start } else { Role::Unknown };
        RtpPackets {
            time,
            time_is_estimated: false,
            codec,
            role,
            layer: Layer::default(),
            headers: headers.into(),
            arrivals: None,
            data: data.into(),
        }
    }

    /// The packets that carry `frame`: its time, codec, role and layer. What a packetizer gives.
    pub fn of(frame: &EncodedFrame, headers: impl Into<Buffer<RtpHeader>>, data: impl Into<Bytes>) -> RtpPackets {
        RtpPackets::new(frame.codec.clone(), frame.time, headers, data)
            .with_role(frame.role)
            .with_layer(frame.layer)
            .with_estimated_time(frame.time_is_estimated)
    }

    /// The same packets, whose frame has the role `role`.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> RtpPackets {
        self.role = role;
        self
    }

    /// The same packets, whose frame is of the layer `layer`.
    #[must_use]
    pub fn with_layer(mut self, layer: Layer) -> RtpPackets {
        self.layer = layer;
        self
    }

    /// The same packets, whose time is only estimated if `estimated`.
    #[must_use]
    pub fn with_estimated_time(mut self, estimated: bool) -> RtpPackets {
        self.time_is_estimated = estimated;
        self
    }

    /// The same packets, received: one arrival for each.
    #[must_use]
    pub fn with_arrivals(mut self, arrivals: impl Into<Buffer<Arrival>>) -> RtpPackets {
        self.arrivals = Some(arrivals.into());
        self
    }

    /// Refuses packets that are not encoded as `codec` is; see
    /// [`EncodedFrame::require`](crate::EncodedFrame::require).
    ///
    /// # Errors
    /// A bad item that names both codecs.
    pub fn require(&self, codec: &Codec) -> Result<()> {
        if self.codec.same_encoding(codec) {
            return Ok(());
        }
        Err(Error::bad_item(format!("packets of {}, where {codec} is taken; join what gives {codec}", self.codec)))
    }

    /// The packets, in order: header and payload. Nothing is copied.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (RtpHeader, Bytes)> + '_ {
        self.headers.iter().map(|header| (*header, self.data.slice(header.start as usize..header.end as usize)))
    }

    /// What is known of packet `index` because it was received; nothing of one that was made here.
    pub fn arrival(&self, index: usize) -> Option<Arrival> {
        self.arrivals.as_ref()?.get(index).copied()
    }

    /// The header extensions with which packet `index` was received.
    pub fn extensions(&self, index: usize) -> Extensions<'_> {
        let range =
            self.arrival(index).map(|arrival| arrival.extensions_start as usize..arrival.extensions_end as usize);
        Extensions(range.and_then(|range| self.data.get(range)).unwrap_or_default())
    }

    /// The payloads of all packets together, in bytes.
    pub(crate) fn payload_len(&self) -> usize {
        match self.arrivals {
            None => self.data.len(),
            Some(_) => self.headers.iter().map(|header| header.end.saturating_sub(header.start) as usize).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::write_extension;
    use crate::{ByteRing, Item, Pool, VP8};

    #[test]
    fn packets_that_were_received_keep_what_they_arrived_with() {
        let (mut ring, mut headers, mut arrivals) = (ByteRing::new(4096, 2), Pool::new(2), Pool::new(2));
        let (mut spots, mut ends) = (Vec::new(), Vec::new());
        let data = ring.fill(64, |data| {
            for number in 0..3u8 {
                let start = data.len() as u32;
                write_extension(data, 3, &[number, 0, 0]);
                if number == 1 {
                    write_extension(data, 5, b"mid");
                }
                let payload = data.len() as u32;
                data.extend_from_slice(&[number; 10]);
                spots.push(start..payload);
                ends.push(payload..data.len() as u32);
            }
        });
        let headers =
            headers.collect((0u16..).zip(ends).map(|(index, payload)| RtpHeader::new(500 + index, 90_000, payload)));
        let arrived = (0u64..).zip(spots).map(|(index, extensions)| {
            Arrival::new(Timestamp::from_millis(40 + index), 96, 0xABCD).with_extensions(extensions)
        });
        let packets = RtpPackets::new(VP8, Timestamp::from_millis(40), headers, data)
            .with_estimated_time(true)
            .with_arrivals(arrivals.collect(arrived));

        assert_eq!(
            (packets.role(), packets.is_referred_to(), packets.time_is_estimated()),
            (Role::Unknown, false, true)
        );
        assert_eq!(packets.size(), 30, "payloads alone count");
        assert!(packets.iter().enumerate().all(|(index, (_, payload))| payload[..] == [index as u8; 10]));
        let second = packets.arrival(1).unwrap();
        assert_eq!((second.time, second.payload_type, second.ssrc), (Timestamp::from_millis(41), 96, 0xABCD));
        let extensions = |index| packets.extensions(index).collect::<Vec<_>>();
        assert_eq!(extensions(0), [(3, &[0, 0, 0][..])]);
        assert_eq!(extensions(1), [(3, &[1, 0, 0][..]), (5, b"mid")]);
        assert_eq!((packets.arrival(3), extensions(3).len()), (None, 0));
    }

    #[test]
    fn a_range_outside_of_the_data_holds_no_extensions() {
        for (start, end) in [(0, 11), (11, 12), (5, 4), (u32::MAX, u32::MAX)] {
            let arrivals = vec![Arrival::new(Timestamp::ZERO, 96, 1).with_extensions(start..end)];
            let headers = vec![RtpHeader::new(1, 1, 0..10)];
            let packets = RtpPackets::new(VP8, Timestamp::ZERO, headers, vec![1; 10]).with_arrivals(arrivals);
            assert_eq!(packets.extensions(0).count(), 0);
        }
    }

    #[test]
    fn what_a_packetizer_gives_says_what_its_frame_says() {
        let frame = EncodedFrame::new(VP8, Timestamp::from_millis(7), vec![1])
            .with_role(Role::Discardable)
            .with_layer(Layer::stacked(1, 2))
            .with_estimated_time(true);
        let packets = RtpPackets::of(&frame, vec![RtpHeader::new(1, 2, 0..1)], vec![1]);
        assert_eq!((packets.time, packets.role, packets.layer), (frame.time, frame.role, frame.layer));
        assert!(packets.time_is_estimated && packets.arrivals.is_none() && packets.codec == VP8);
    }
}
