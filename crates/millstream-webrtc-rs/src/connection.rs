//! How a connection of the `webrtc` crate is made: with the codecs of the peer's options, and our own
//! reports among the interceptors.

use std::net::SocketAddr;
use std::sync::Arc;

use millstream_core::{Codec, Error, Media, Result};
use millstream_webrtc::PeerOptions;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::NackResponderBuilder;
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceServer, Registry,
    SettingEngineBuilder, Slot,
};

use crate::handler::Handler;
use crate::reports::{Reports, Streams};
use crate::runtime::PeerRuntime;

/// When the first packet of a frame was captured:
/// <https://webrtc.googlesource.com/src/+/refs/heads/main/docs/native-code/rtp-hdrext/abs-capture-time>.
pub(crate) const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
/// How long a receiver may hold pictures back; 0/0 took a third off the latency in Chromium
/// (measured, Chromium 156, loopback).
pub(crate) const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// The first dynamic payload type (RFC 3551, section 6).
const FIRST_DYNAMIC: u8 = 96;

/// Makes a connection with the codecs of `options`.
pub(crate) async fn open(
    options: &PeerOptions,
    streams: &Streams,
    handler: Handler,
    runtime: Arc<PeerRuntime>,
) -> Result<Arc<dyn PeerConnection>> {
    let time_outs = &options.time_outs;
    let settings = SettingEngineBuilder::new()
        // A browser that hides its addresses sends the first packet itself; resolving names over mDNS
        // would take a socket for each peer.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_timeouts(Some(time_outs.disconnected), Some(time_outs.failed), Some(time_outs.keep_alive))
        // The answering side may choose (RFC 5763, section 5). As the DTLS client, the crate leaves its
        // first flight lying until a timer of ICE comes round: 200 ms (measured, webrtc 0.21.1).
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .build();
    let registry = Registry::new()
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(Slot::SenderReport, Reports::new(options.clock.clone(), streams.clone()));
    let servers = options.ice_servers.iter().map(|server| RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.clone(),
    });
    let addresses: Vec<_> = options.addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().with_ice_servers(servers.collect()).build())
        .with_media_engine(media(&options.codecs)?)
        .with_setting_engine(settings)
        .with_interceptor_registry(registry)
        .with_runtime(runtime)
        .with_handler(Arc::new(handler))
        .with_udp_addrs(addresses)
        .build()
        .await
        .map_err(|error| {
            let addresses: Vec<_> = options.addresses.iter().map(ToString::to_string).collect();
            Error::config(format!("cannot open a connection on {}", addresses.join(", "))).caused_by(error)
        })?;
    Ok(Arc::new(connection))
}

/// The kind of `media` in the crate's words.
pub(crate) fn kind(media: Media) -> RtpCodecKind {
    match media {
        Media::Video => RtpCodecKind::Video,
        Media::Audio => RtpCodecKind::Audio,
    }
}

/// `codec` in the crate's words.
pub(crate) fn rtp_codec(codec: &Codec) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: codec.mime(),
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        sdp_fmtp_line: codec.fmtp.to_string(),
        rtcp_feedback: feedback(codec.media),
    }
}

fn media(codecs: &[Codec]) -> Result<MediaEngine> {
    let failed = |error| Error::config("the webrtc crate refuses a codec").caused_by(error);
    let mut media = MediaEngine::default();
    // A codec and its retransmissions have two types next to each other, as browsers write them.
    for (codec, payload_type) in codecs.iter().zip((FIRST_DYNAMIC..).step_by(2)) {
        let parameters = RTCRtpCodecParameters { rtp_codec: rtp_codec(codec), payload_type };
        media.register_codec(parameters, kind(codec.media)).map_err(failed)?;
        if codec.media == Media::Video {
            let rtx = RTCRtpCodec {
                mime_type: "video/rtx".to_owned(),
                clock_rate: codec.clock_rate,
                channels: 0,
                sdp_fmtp_line: format!("apt={payload_type}"),
                rtcp_feedback: Vec::new(),
            };
            let parameters = RTCRtpCodecParameters { rtp_codec: rtx, payload_type: payload_type + 1 };
            media.register_codec(parameters, RtpCodecKind::Video).map_err(failed)?;
        }
    }
    for (uri, kind) in [
        (ABS_CAPTURE_TIME, RtpCodecKind::Video),
        (ABS_CAPTURE_TIME, RtpCodecKind::Audio),
        (PLAYOUT_DELAY, RtpCodecKind::Video),
    ] {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        media.register_header_extension(extension, kind, None).map_err(failed)?;
    }
    Ok(media)
}

/// What a receiver of `media` may send back. Lost sound is not sent again: it would come too late.
fn feedback(media: Media) -> Vec<RTCPFeedback> {
    let kinds: &[_] = match media {
        Media::Video => &[("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", "")],
        Media::Audio => &[],
    };
    kinds.iter().map(|(typ, parameter)| RTCPFeedback { typ: (*typ).into(), parameter: (*parameter).into() }).collect()
}
