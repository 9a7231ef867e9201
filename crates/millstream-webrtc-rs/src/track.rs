//! One track of one peer: headers are written, payloads are shared.

use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use millstream_core::{Clock, Codec, Media, RtpHeader, Timestamp};
use millstream_webrtc::{Feed, Frame, LocalTrack};
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters, RTCRtpSendParameters,
};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::rtp_transceiver::RtpSender;

use crate::bell::Bell;
use crate::connection::{self, ABS_CAPTURE_TIME, PLAYOUT_DELAY};
use crate::reports::Stream;

/// Between two capture stamps on sound, whose receiver counts on from the last; pictures carry one each.
const CAPTURE_INTERVAL: Duration = Duration::from_secs(1);

/// A track that was added, and, once the connection stands, runs.
pub(crate) struct Track {
    pub(crate) codec: Codec,
    pub(crate) stream: Arc<Stream>,
    pub(crate) local: Arc<TrackLocalStaticRTP>,
    /// The other side takes it, as far as its last description says.
    pub(crate) taken: bool,
    pub(crate) sender: Option<Arc<dyn RtpSender>>,
    /// Gone once it runs.
    pub(crate) feed: Option<Feed>,
}

impl Track {
    pub(crate) fn new(track: LocalTrack) -> Track {
        let LocalTrack { codec, stream: name, id, feed, feedback, .. } = track;
        let ssrc = random_ssrc();
        let coding = RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx: (codec.media == Media::Video).then(|| RTCRtpRtxParameters { ssrc: random_ssrc() }),
            ..RTCRtpCodingParameters::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: coding,
            active: true,
            codec: connection::rtp_codec(&codec),
            ..RTCRtpEncodingParameters::default()
        };
        let kind = connection::kind(codec.media);
        // The crate writes the stream's name into the description as the CNAME too.
        let media = MediaStreamTrack::new(name.clone(), id.clone(), id, kind, vec![encoding]);
        let stream = Arc::new(Stream::new(ssrc, &codec, name, feedback));
        let local = Arc::new(TrackLocalStaticRTP::new(media));
        Track { codec, stream, local, taken: false, sender: None, feed: Some(feed) }
    }
}

/// What was negotiated for a track.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiated {
    payload_type: u8,
    capture_time: Option<u8>,
    playout_delay: Option<u8>,
}

impl Negotiated {
    /// What `parameters` say about `codec`, if they mention it.
    pub(crate) fn find(parameters: &RTCRtpSendParameters, codec: &Codec) -> Option<Negotiated> {
        let parameters = &parameters.rtp_parameters;
        let mime = codec.mime();
        let found = parameters.codecs.iter().find(|found| found.rtp_codec.mime_type.eq_ignore_ascii_case(&mime))?;
        let extension = |uri| {
            let found = parameters.header_extensions.iter().find(|extension| extension.uri == uri);
            found.and_then(|extension| u8::try_from(extension.id).ok())
        };
        Some(Negotiated {
            payload_type: found.payload_type,
            capture_time: extension(ABS_CAPTURE_TIME),
            playout_delay: extension(PLAYOUT_DELAY),
        })
    }
}

/// Sends the frames of `feed` until it ends or the connection does.
pub(crate) async fn send(
    mut feed: Feed,
    bell: Bell,
    local: Arc<TrackLocalStaticRTP>,
    stream: Arc<Stream>,
    to: Negotiated,
    clock: Clock,
) {
    let mut stamped: Option<Timestamp> = None;
    let mut cord = None;
    while let Some(Frame { sequence, packets }) = poll_fn(|cx| {
        // The waker of a task is the same for as long as it lives.
        let cord = cord.get_or_insert_with(|| bell.cord(cx.waker()));
        feed.poll_next(&mut Context::from_waker(cord))
    })
    .await
    {
        let Some(first) = packets.headers.first() else { continue };
        stream.captured(first.timestamp, packets.time);
        let due = packets.codec.media == Media::Video
            || stamped.is_none_or(|at| packets.time < at || packets.time.since(at) >= CAPTURE_INTERVAL);
        if due {
            stamped = Some(packets.time);
        }
        for (index, (header, payload)) in packets.iter().enumerate() {
            let stamp = (due && index == 0).then(|| clock.utc(packets.time).ntp());
            let header = to.header(&header, stream.ssrc, sequence.wrapping_add(index as u16), stamp);
            if local.write_rtp(rtp::Packet { header, payload }).await.is_err() {
                return;
            }
        }
    }
}

impl Negotiated {
    fn header(&self, from: &RtpHeader, ssrc: u32, sequence_number: u16, stamp: Option<u64>) -> rtp::header::Header {
        let mut header = rtp::header::Header {
            version: 2,
            marker: from.marker,
            payload_type: self.payload_type,
            sequence_number,
            timestamp: from.timestamp,
            ssrc,
            ..rtp::header::Header::default()
        };
        // Ids were negotiated in 1 to 14 and the data is short, so that neither can be refused.
        if let Some(id) = self.playout_delay {
            // Least and most delay in units of 10 ms, 12 bits each: show it at once.
            let _ = header.set_extension(id, Bytes::from_static(&[0; 3]));
        }
        if let (Some(id), Some(ntp)) = (self.capture_time, stamp) {
            let _ = header.set_extension(id, Bytes::copy_from_slice(&ntp.to_be_bytes()));
        }
        header
    }
}

/// An SSRC nobody foresees (RFC 3550, section 8.1), from the keys that the standard library draws
/// for its hash tables.
fn random_ssrc() -> u32 {
    (RandomState::new().build_hasher().finish() as u32).max(1)
}
