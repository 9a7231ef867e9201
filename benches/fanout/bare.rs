//! The bare `webrtc` crate as a sender: what a program would write that needs nothing but packets sent.
//!
//! It has what our engine has: two threads, each with a runtime of its own, the responder to NACK and
//! sender reports, and the header extensions about time where they were negotiated. It has nothing else: a
//! thread sends each packet to its viewers in turn, without queues, gaps, statistics or key-frame wishes.

use std::collections::hash_map::RandomState;
use std::future::{Future, ready};
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millstream::core::Bytes;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{NackResponderBuilder, SenderReportBuilder};
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RTCRtpRtxParameters, RtpCodecKind,
};
use tokio::sync::{mpsc, oneshot, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder, Slot,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use webrtc::runtime::TokioRuntime;

use super::{FRAMES_PER_SECOND, PACKETS, PAYLOAD};
use crate::rivals::gate::Gate;
use crate::rivals::{Result, at, whep};

const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
/// As many threads as our engine has.
const THREADS: usize = 2;
const RATE: u32 = 90_000;

/// An offer, and where its answer goes.
type Offer = (String, oneshot::Sender<Result<String>>);

pub(crate) fn send() -> Result<()> {
    let gate = Gate::default();
    let (frames, _) = watch::channel(0);
    let mut shards = Vec::new();
    for index in 0..THREADS {
        let (offers, taken) = mpsc::unbounded_channel();
        let frames = frames.subscribe();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(shard(taken, frames));
        };
        std::thread::Builder::new().name(format!("bare {index}")).spawn(run).map_err(at("a thread"))?;
        shards.push(offers);
    }
    let next = AtomicUsize::new(0);
    let url = whep::serve(move |offer| {
        let (reply, answer) = oneshot::channel();
        let shard = &shards[next.fetch_add(1, Ordering::Relaxed) % THREADS];
        shard.send((offer, reply)).map_err(|_| "a shard has ended")?;
        answer.blocking_recv().map_err(at("a shard"))?
    })?;
    println!("{{\"url\":\"{url}\"}}");
    let pace = {
        let gate = gate.clone();
        move || pace(&gate, &frames)
    };
    std::thread::Builder::new().name("pace".into()).spawn(pace).map_err(at("a thread"))?;
    gate.obey()
}

/// Says when a frame is due.
fn pace(gate: &Gate, frames: &watch::Sender<u32>) {
    let period = Duration::from_secs(1) / FRAMES_PER_SECOND;
    let mut due = Instant::now();
    loop {
        due = (due + period).max(Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if gate.is_open() {
            gate.count();
            frames.send_modify(|frame| *frame += 1);
        }
    }
}

/// A thread's viewers: takes offers, and sends each frame to whoever is connected.
async fn shard(mut offers: mpsc::UnboundedReceiver<Offer>, mut frames: watch::Receiver<u32>) {
    let (joined, mut joining) = mpsc::unbounded_channel();
    let mut viewers: Vec<Viewer> = Vec::new();
    // Connections that live as long as this does.
    let mut connections = Vec::new();
    let payload = Bytes::from(vec![0x55; PAYLOAD]);
    loop {
        tokio::select! {
            Some((offer, reply)) = offers.recv() => {
                let answered = answer(offer, joined.clone()).await;
                let _ = reply.send(answered.map(|(connection, sdp)| {
                    connections.push(connection);
                    sdp
                }));
            }
            Some(viewer) = joining.recv() => viewers.push(viewer),
            Ok(()) = frames.changed() => {
                let frame = *frames.borrow_and_update();
                for viewer in &mut viewers {
                    viewer.send(frame, &payload).await;
                }
            }
            else => return,
        }
    }
}

/// A viewer that is connected.
struct Viewer {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: u8,
    capture: Option<u8>,
    delay: Option<u8>,
    sequence: u16,
}

impl Viewer {
    async fn send(&mut self, frame: u32, payload: &Bytes) {
        for index in 0..PACKETS {
            let mut header = rtp::header::Header {
                version: 2,
                marker: index == PACKETS - 1,
                payload_type: self.payload_type,
                sequence_number: self.sequence,
                timestamp: frame.wrapping_mul(RATE / FRAMES_PER_SECOND),
                ssrc: self.ssrc,
                ..Default::default()
            };
            if let Some(id) = self.delay {
                let _ = header.set_extension(id, Bytes::from_static(&[0; 3]));
            }
            if let (Some(id), 0) = (self.capture, index) {
                let _ = header.set_extension(id, Bytes::copy_from_slice(&ntp().to_be_bytes()));
            }
            self.sequence = self.sequence.wrapping_add(1);
            // A viewer that is gone stays silent.
            let _ = self.track.write_rtp(rtp::Packet { header, payload: payload.clone() }).await;
        }
    }
}

/// Now, in seconds since 1900 and their fraction (RFC 5905).
fn ntp() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ((now.as_secs() + 2_208_988_800) << 32) | ((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000)
}

/// Answers an offer; the viewer goes to `joined` once it is connected.
async fn answer(offer: String, joined: mpsc::UnboundedSender<Viewer>) -> Result<(Arc<dyn PeerConnection>, String)> {
    let (signals, mut heard) = mpsc::unbounded_channel();
    let settings = SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build();
    let registry = Registry::new()
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(Slot::SenderReport, SenderReportBuilder::new().build());
    let connection: Arc<dyn PeerConnection> = Arc::new(
        PeerConnectionBuilder::new()
            .with_media_engine(media()?)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_runtime(Arc::new(TokioRuntime))
            .with_handler(Arc::new(Handler(signals)))
            .with_udp_addrs(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
            .build()
            .await
            .map_err(at("a connection"))?,
    );
    let (ssrc, track) = track();
    let only = RTCRtpTransceiverInit {
        direction: RTCRtpTransceiverDirection::Sendonly,
        streams: Vec::new(),
        send_encodings: Vec::new(),
    };
    let local: Arc<dyn TrackLocal> = track.clone();
    let transceiver = connection.add_transceiver_from_track(local, Some(only)).await.map_err(at("a track"))?;
    let sender = transceiver.sender().await.map_err(at("a sender"))?.ok_or("a track without a sender")?;
    let offer = RTCSessionDescription::offer(offer).map_err(at("the offer"))?;
    connection.set_remote_description(offer).await.map_err(at("the offer"))?;
    let made = connection.create_answer(None).await.map_err(at("the answer"))?;
    connection.set_local_description(made).await.map_err(at("the answer"))?;
    while !matches!(heard.recv().await, Some(Signal::Gathered) | None) {}
    let description = connection.local_description().await.ok_or("no answer")?;
    tokio::spawn(async move {
        while !matches!(heard.recv().await, Some(Signal::Connected) | None) {}
        let Ok(parameters) = sender.get_parameters().await else { return };
        let parameters = parameters.rtp_parameters;
        let codec = parameters.codecs.iter().find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case("video/vp8"));
        let extension =
            |uri| parameters.header_extensions.iter().find(|known| known.uri == uri).map(|known| known.id as u8);
        let Some(payload_type) = codec.map(|codec| codec.payload_type) else { return };
        let (capture, delay) = (extension(ABS_CAPTURE_TIME), extension(PLAYOUT_DELAY));
        let _ = joined.send(Viewer { track, ssrc, payload_type, capture, delay, sequence: 0 });
    });
    Ok((connection, description.sdp))
}

fn vp8() -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.into(), parameter: parameter.into() };
    RTCRtpCodec {
        mime_type: "video/VP8".into(),
        clock_rate: RATE,
        rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli"), feedback("ccm", "fir")],
        ..Default::default()
    }
}

fn media() -> Result<MediaEngine> {
    let rtx = RTCRtpCodec {
        mime_type: "video/rtx".into(),
        clock_rate: RATE,
        sdp_fmtp_line: "apt=96".into(),
        ..Default::default()
    };
    let mut media = MediaEngine::default();
    for (rtp_codec, payload_type) in [(vp8(), 96), (rtx, 97)] {
        let codec = RTCRtpCodecParameters { rtp_codec, payload_type };
        media.register_codec(codec, RtpCodecKind::Video).map_err(at("a codec"))?;
    }
    for uri in [ABS_CAPTURE_TIME, PLAYOUT_DELAY] {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.into() };
        media.register_header_extension(extension, RtpCodecKind::Video, None).map_err(at(uri))?;
    }
    Ok(media)
}

fn track() -> (u32, Arc<TrackLocalStaticRTP>) {
    let random = || (RandomState::new().build_hasher().finish() as u32).max(1);
    let ssrc = random();
    let coding = RTCRtpCodingParameters {
        ssrc: Some(ssrc),
        rtx: Some(RTCRtpRtxParameters { ssrc: random() }),
        ..Default::default()
    };
    let encoding =
        RTCRtpEncodingParameters { rtp_coding_parameters: coding, active: true, codec: vp8(), ..Default::default() };
    let media =
        MediaStreamTrack::new("bare".into(), "video".into(), "video".into(), RtpCodecKind::Video, vec![encoding]);
    (ssrc, Arc::new(TrackLocalStaticRTP::new(media)))
}

/// What of a connection's news counts here.
enum Signal {
    Gathered,
    Connected,
    Other,
}

struct Handler(mpsc::UnboundedSender<Signal>);

type Told<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

// The trait is written with `async_trait`; these are the signatures that it makes.
impl PeerConnectionEventHandler for Handler {
    fn on_ice_gathering_state_change<'a, 'b>(&'a self, state: RTCIceGatheringState) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let done = state == RTCIceGatheringState::Complete;
        let _ = self.0.send(if done { Signal::Gathered } else { Signal::Other });
        Box::pin(ready(()))
    }

    fn on_connection_state_change<'a, 'b>(&'a self, state: RTCPeerConnectionState) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let done = state == RTCPeerConnectionState::Connected;
        let _ = self.0.send(if done { Signal::Connected } else { Signal::Other });
        Box::pin(ready(()))
    }
}
