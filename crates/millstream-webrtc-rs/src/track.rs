//! One track of one peer: headers are written, payloads are shared.

use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use millstream_core::{Clock, Codec, Media, RtpHeader, Timestamp};
use millstream_webrtc::{FrameReceiver, LocalTrack};
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::rtp_transceiver::RtpSender;

use crate::connection;
use crate::reports::{Stream, Streams};
use crate::wake_list::WakeList;

/// Between two capture stamps on sound, whose receiver counts on from the last; pictures carry one each.
const CAPTURE_INTERVAL: Duration = Duration::from_secs(1);

/// A track that was added and, once the connection stands, is sent.
pub(crate) struct Track {
    pub(crate) codec: Codec,
    pub(crate) stream: Arc<Stream>,
    pub(crate) local: Arc<TrackLocalStaticRTP>,
    pub(crate) agreed: Arc<Agreed>,
    pub(crate) sender: Option<Arc<dyn RtpSender>>,
    /// The section that it was offered or agreed in, by name.
    pub(crate) mid: Option<String>,
    /// That section was agreed, or turned down: taking an offer back does not change it.
    pub(crate) settled: bool,
    /// Gone once it is sent.
    pub(crate) frames: Option<FrameReceiver>,
}

impl Track {
    /// `track` of the peer that is called `cname`.
    pub(crate) fn new(track: LocalTrack, cname: &str) -> Track {
        let LocalTrack { codec, stream: name, id, frames, feedback, .. } = track;
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
        let media = MediaStreamTrack::new(name, id.clone(), id, kind, vec![encoding]);
        let stream = Arc::new(Stream::new(ssrc, &codec, cname.to_owned(), feedback));
        let local = Arc::new(TrackLocalStaticRTP::new(media));
        let frames = Some(frames);
        Track { codec, stream, local, agreed: Arc::default(), sender: None, mid: None, settled: false, frames }
    }

    /// Whether it has ended, and all that waited is sent.
    pub(crate) fn is_ended(&self) -> bool {
        self.frames.as_ref().map_or_else(|| self.stream.is_ended(), FrameReceiver::is_ended)
    }

    /// Sends it as was agreed, from the next frame on, or no more of it. What is not sent is not one of
    /// `streams`: there are no reports on it in either direction.
    pub(crate) fn agree(&self, negotiated: Option<Negotiated>, streams: &Streams) {
        let before = std::mem::replace(&mut *lock(&self.agreed.0), negotiated);
        match (before, negotiated) {
            (None, Some(_)) => streams.add(Arc::clone(&self.stream)),
            (Some(_), None) => streams.remove(self.stream.ssrc),
            _ => {}
        }
        let goes_on = before.is_none() && negotiated.is_some() && self.frames.is_none();
        if goes_on && self.codec.media == Media::Video {
            self.stream.request_key_frame();
        }
    }
}

/// What was agreed for a track, if anything: nothing else of it is sent.
#[derive(Debug, Default)]
pub(crate) struct Agreed(Mutex<Option<Negotiated>>);

impl Agreed {
    pub(crate) fn now(&self) -> Option<Negotiated> {
        *lock(&self.0)
    }
}

/// How a track is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) payload_type: u8,
    /// The ids of header extensions, from 1 to 14.
    pub(crate) capture_time: Option<u8>,
    pub(crate) playout_delay: Option<u8>,
}

/// Sends `frames` until they end or the connection does.
pub(crate) async fn send(
    mut frames: FrameReceiver,
    wake_list: WakeList,
    local: Arc<TrackLocalStaticRTP>,
    stream: Arc<Stream>,
    agreed: Arc<Agreed>,
    clock: Clock,
) {
    let mut stamped: Option<Timestamp> = None;
    let mut waker = None;
    while let Some(frame) = poll_fn(|cx| {
        // The waker of a task is the same for as long as it lives.
        let waker = waker.get_or_insert_with(|| wake_list.waker(cx.waker()));
        frames.poll_next(&mut Context::from_waker(waker))
    })
    .await
    {
        let packets = &frame.packets;
        let (Some(first), Some(to)) = (packets.headers.first(), agreed.now()) else { continue };
        stream.captured(first.timestamp.wrapping_add(frame.timestamp_offset), packets.time);
        let due = packets.codec.media == Media::Video
            || stamped.is_none_or(|at| packets.time < at || packets.time.since(at) >= CAPTURE_INTERVAL);
        if due {
            stamped = Some(packets.time);
        }
        for (index, (header, payload)) in frame.iter().enumerate() {
            let stamp = (due && index == 0).then(|| clock.utc(packets.time).ntp());
            let header = to.header(&header, stream.ssrc, stamp);
            if local.write_rtp(rtp::Packet { header, payload }).await.is_err() {
                return;
            }
        }
    }
}

impl Negotiated {
    fn header(&self, from: &RtpHeader, ssrc: u32, stamp: Option<u64>) -> rtp::header::Header {
        let mut header = rtp::header::Header {
            version: 2,
            marker: from.marker,
            payload_type: self.payload_type,
            sequence_number: from.sequence,
            timestamp: from.timestamp,
            ssrc,
            ..rtp::header::Header::default()
        };
        // Ids are 1 to 14 and the data is short, so that neither can be refused.
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

/// An SSRC that cannot be predicted (RFC 3550, section 8.1).
fn random_ssrc() -> u32 {
    (random() as u32).max(1)
}

/// The CNAME of one peer, of 96 bits that cannot be predicted (RFC 7022, section 4.2): all its tracks are by one
/// clock, and two peers of one program cannot be linked by it.
pub(crate) fn random_cname() -> String {
    format!("{:016x}{:08x}", random(), random() as u32)
}

/// From the keys that the standard library draws for its hash tables.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
