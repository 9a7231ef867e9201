//! A receiver built on the bare `webrtc` crate.

use std::collections::VecDeque;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use millstream_core::Error;
use millstream_webrtc::{Description, Peer};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::source_description::SourceDescription;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpHeaderExtensionCapability, RtpCodecKind};
use rtc::sansio::Protocol;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder, Slot, register_default_interceptors,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

use super::DEADLINE;
use crate::connection::{ABS_CAPTURE_TIME, PLAYOUT_DELAY};

/// Something the viewer heard.
pub(super) enum Heard {
    Gathered,
    Connected,
    Track(Arc<dyn TrackRemote>),
    Rtp(rtc::rtp::Packet),
    /// Any packet that came, whether or not it is of a track: its SSRC and payload type.
    Came(u32, u8),
    Report(SenderReport),
    Cname(Vec<u8>),
    /// These sources have ended.
    Goodbye(Vec<u32>),
}

type Told<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

struct Ear(UnboundedSender<Heard>);

impl PeerConnectionEventHandler for Ear {
    fn on_ice_gathering_state_change<'a, 'b>(&'a self, state: RTCIceGatheringState) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        if state == RTCIceGatheringState::Complete {
            let _ = self.0.send(Heard::Gathered);
        }
        Box::pin(ready(()))
    }

    fn on_connection_state_change<'a, 'b>(&'a self, state: RTCPeerConnectionState) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.0.send(Heard::Connected);
        }
        Box::pin(ready(()))
    }

    fn on_track<'a, 'b>(&'a self, track: Arc<dyn TrackRemote>) -> Told<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let heard = self.0.clone();
        let _ = heard.send(Heard::Track(Arc::clone(&track)));
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = heard.send(Heard::Rtp(packet));
                }
            }
        });
        Box::pin(ready(()))
    }
}

/// Hears sender reports, which the crate keeps to itself.
#[derive(Default)]
struct Tap {
    heard: Option<UnboundedSender<Heard>>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = rtc::shared::error::Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Self::Error> {
        if let Some(heard) = &self.heard {
            if let Packet::Rtp(packet) = &packet.message.packet {
                let _ = heard.send(Heard::Came(packet.header.ssrc, packet.header.payload_type));
            }
            if let Packet::Rtcp(packets) = &packet.message.packet {
                for packet in packets {
                    if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                        let _ = heard.send(Heard::Report(report.clone()));
                    } else if let Some(description) = packet.as_any().downcast_ref::<SourceDescription>() {
                        let chunk = &description.chunks[0];
                        let _ = heard.send(Heard::Cname(chunk.items[0].text.to_vec()));
                    } else if let Some(goodbye) = packet.as_any().downcast_ref::<Goodbye>() {
                        let _ = heard.send(Heard::Goodbye(goodbye.sources.clone()));
                    }
                }
            }
        }
        self.read.push_back(packet);
        Ok(())
    }
    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }
    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Self::Error> {
        self.write.push_back(packet);
        Ok(())
    }
    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

/// A receiver on the bare crate.
pub(super) struct Viewer {
    pub(super) connection: Arc<dyn PeerConnection>,
    heard: UnboundedReceiver<Heard>,
}

impl Viewer {
    pub(super) async fn new() -> Viewer {
        let (tell, heard) = unbounded_channel();
        let mut media = MediaEngine::default();
        media.register_default_codecs().unwrap();
        for (uri, kind) in [
            (ABS_CAPTURE_TIME, RtpCodecKind::Video),
            (ABS_CAPTURE_TIME, RtpCodecKind::Audio),
            (PLAYOUT_DELAY, RtpCodecKind::Video),
        ] {
            let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
            media.register_header_extension(extension, kind, None).unwrap();
        }
        let registry = register_default_interceptors(Registry::new(), &mut media).unwrap();
        let tap = Tap { heard: Some(tell.clone()), ..Tap::default() };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_setting_engine(
                SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build(),
            )
            .with_interceptor_registry(registry.with(Slot::from(14_000), tap))
            .with_handler(Arc::new(Ear(tell)))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await
            .unwrap();
        Viewer { connection: Arc::new(connection), heard }
    }

    /// Offers to receive sound and pictures, and hears the answer of `peer`.
    pub(super) async fn watch(&mut self, peer: &Peer) {
        let offer = self.offer(&[RtpCodecKind::Audio, RtpCodecKind::Video]).await;
        let answer = self.tell(peer, offer).await.unwrap();
        assert!(answer.contains("a=sendonly"), "{answer}");
    }

    /// An offer to receive `kinds`.
    pub(super) async fn offer(&mut self, kinds: &[RtpCodecKind]) -> String {
        for kind in kinds {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                streams: Vec::new(),
                send_encodings: Vec::new(),
            };
            self.connection.add_transceiver_from_kind(*kind, Some(init)).await.unwrap();
        }
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.until(|heard| matches!(heard, Heard::Gathered).then_some(())).await;
        self.connection.local_description().await.unwrap().sdp
    }

    /// Tells `peer` the offer, and hears its answer.
    pub(super) async fn tell(&mut self, peer: &Peer, offer: String) -> Result<String, Error> {
        peer.set_remote_description(Description::offer(offer)).await?;
        peer.set_local_description(None).await?;
        let answer = peer.gathered().await?.sdp;
        self.connection.set_remote_description(RTCSessionDescription::answer(answer.clone()).unwrap()).await.unwrap();
        Ok(answer)
    }

    /// Its answer to `offer`.
    pub(super) async fn answer(&mut self, offer: String) -> String {
        self.connection.set_remote_description(RTCSessionDescription::offer(offer).unwrap()).await.unwrap();
        let answer = self.connection.create_answer(None).await.unwrap();
        self.connection.set_local_description(answer).await.unwrap();
        self.until(|heard| matches!(heard, Heard::Gathered).then_some(())).await;
        self.connection.local_description().await.unwrap().sdp
    }

    /// Offers again, under another ICE user fragment; the answer of `peer`.
    pub(super) async fn restart(&mut self, peer: &Peer) -> String {
        let restart = RTCOfferOptions { ice_restart: true };
        let offer = self.connection.create_offer(Some(restart)).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.until(|heard| matches!(heard, Heard::Gathered).then_some(())).await;
        let offer = self.connection.local_description().await.unwrap().sdp;
        peer.set_remote_description(Description::offer(offer)).await.unwrap();
        peer.set_local_description(None).await.unwrap();
        let answer = timeout(DEADLINE, peer.gathered()).await.expect("gathered again").unwrap().sdp;
        self.connection.set_remote_description(RTCSessionDescription::answer(answer.clone()).unwrap()).await.unwrap();
        answer
    }

    /// It can decrypt what comes: before that, what the other side has sent already is lost.
    pub(super) async fn connected(&mut self) {
        self.until(|heard| matches!(heard, Heard::Connected).then_some(())).await;
    }

    /// The first thing heard in which `find` finds something.
    pub(super) async fn until<T>(&mut self, mut find: impl FnMut(Heard) -> Option<T>) -> T {
        let found = async {
            loop {
                let heard = self.heard.recv().await.expect("the viewer lives");
                if let Some(found) = find(heard) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, found).await.expect("heard in time")
    }
}
