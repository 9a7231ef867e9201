//! What a peer sent and received, named after W3C's webrtc-stats where those have a name.

use std::time::Duration;

use millstream_core::units::Bitrate;

use crate::TrackId;

/// What the remote side last reported about one of our tracks (RFC 3550, section 6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reception {
    /// The share of packets lost since the report before, 0 to 1.
    pub loss: f32,
    /// How far a packet travels and back, once that is known.
    pub round_trip: Option<Duration>,
    /// How unevenly packets arrive.
    pub jitter: Duration,
}

/// What one track sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SenderStatistics {
    /// Frames handed to the engine.
    pub frames: u64,
    /// Packets in them.
    pub packets: u64,
    /// Payload bytes in them.
    pub bytes: u64,
    /// Frames dropped because the network did not keep up, those of the gap after them included.
    /// Frames from before the connection stood do not count.
    pub dropped: u64,
    /// Key frames requested by the remote side, or after a drop.
    pub key_frames_requested: u64,
    /// The newest receiver report.
    pub reception: Option<Reception>,
    /// How much the remote side last said that it can take, all tracks together (REMB).
    pub bitrate_estimate: Option<Bitrate>,
}

/// One track in [`Statistics`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrackStatistics {
    /// Which one.
    pub track: TrackId,
    /// What it sent.
    pub sender: SenderStatistics,
}

/// What the engine knows about the transport.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TransportStatistics {
    /// Bytes sent, headers included.
    pub bytes_sent: u64,
    /// Bytes received, headers included.
    pub bytes_received: u64,
    /// The round trip that ICE measured.
    pub round_trip: Option<Duration>,
    /// The SRTP profile in use, as the IANA registry calls it.
    pub srtp_cipher: Option<String>,
}

/// What a peer sent and received.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Its tracks, in the order in which they were added.
    pub tracks: Vec<TrackStatistics>,
    /// The transport.
    pub transport: TransportStatistics,
}
