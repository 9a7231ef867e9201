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
use super::cable::Cable;
use crate::connection::{ABS_CAPTURE_TIME, PLAYOUT_DELAY};

/// Something that arrived at the viewer.
pub(super) enum Received {
    Gathered,
    Connected,
    Track(Arc<dyn TrackRemote>),
    Rtp(rtc::rtp::Packet),
    /// Any packet, whether or not it is of a track: its header.
    Packet(rtc::rtp::Header),
    Report(SenderReport),
    Cname(Vec<u8>),
    /// These sources have ended.
    Goodbye(Vec<u32>),
}

type Handled<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

struct Handler(UnboundedSender<Received>);

impl PeerConnectionEventHandler for Handler {
    fn on_ice_gathering_state_change<'a, 'b>(&'a self, state: RTCIceGatheringState) -> Handled<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        if state == RTCIceGatheringState::Complete {
            let _ = self.0.send(Received::Gathered);
        }
        Box::pin(ready(()))
    }

    fn on_connection_state_change<'a, 'b>(&'a self, state: RTCPeerConnectionState) -> Handled<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.0.send(Received::Connected);
        }
        Box::pin(ready(()))
    }

    fn on_track<'a, 'b>(&'a self, track: Arc<dyn TrackRemote>) -> Handled<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let sender = self.0.clone();
        let _ = sender.send(Received::Track(Arc::clone(&track)));
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = sender.send(Received::Rtp(packet));
                }
            }
        });
        Box::pin(ready(()))
    }
}

/// Passes on sender reports, which the crate keeps to itself.
#[derive(Default)]
struct Tap {
    sender: Option<UnboundedSender<Received>>,
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
        if let Some(sender) = &self.sender {
            if let Packet::Rtp(packet) = &packet.message.packet {
                let _ = sender.send(Received::Packet(packet.header.clone()));
            }
            if let Packet::Rtcp(packets) = &packet.message.packet {
                for packet in packets {
                    if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                        let _ = sender.send(Received::Report(report.clone()));
                    } else if let Some(description) = packet.as_any().downcast_ref::<SourceDescription>() {
                        let chunk = &description.chunks[0];
                        let _ = sender.send(Received::Cname(chunk.items[0].text.to_vec()));
                    } else if let Some(goodbye) = packet.as_any().downcast_ref::<Goodbye>() {
                        let _ = sender.send(Received::Goodbye(goodbye.sources.clone()));
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
    received: UnboundedReceiver<Received>,
    /// Between it and the network.
    pub(super) cable: Cable,
}

impl Viewer {
    pub(super) async fn new() -> Viewer {
        let (sender, received) = unbounded_channel();
        let (mut media, cable) = (MediaEngine::default(), Cable::default());
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
        let tap = Tap { sender: Some(sender.clone()), ..Tap::default() };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_setting_engine(
                SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build(),
            )
            .with_interceptor_registry(registry.with(Slot::from(14_000), tap))
            .with_handler(Arc::new(Handler(sender)))
            .with_runtime(Arc::new(cable.clone()))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await
            .unwrap();
        Viewer { connection: Arc::new(connection), received, cable }
    }

    /// Offers to receive sound and pictures, and gets the answer of `peer`.
    pub(super) async fn watch(&mut self, peer: &Peer) {
        let offer = self.offer(&[RtpCodecKind::Audio, RtpCodecKind::Video]).await;
        let answer = self.ask(peer, offer).await.unwrap();
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
        self.until(|received| matches!(received, Received::Gathered).then_some(())).await;
        self.connection.local_description().await.unwrap().sdp
    }

    /// Gives `peer` the offer, and gets its answer.
    pub(super) async fn ask(&mut self, peer: &Peer, offer: String) -> Result<String, Error> {
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
        self.until(|received| matches!(received, Received::Gathered).then_some(())).await;
        self.connection.local_description().await.unwrap().sdp
    }

    /// Offers again, under another ICE user fragment; the answer of `peer`.
    pub(super) async fn restart(&mut self, peer: &Peer) -> String {
        let restart = RTCOfferOptions { ice_restart: true };
        let offer = self.connection.create_offer(Some(restart)).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.until(|received| matches!(received, Received::Gathered).then_some(())).await;
        let offer = self.connection.local_description().await.unwrap().sdp;
        peer.set_remote_description(Description::offer(offer)).await.unwrap();
        peer.set_local_description(None).await.unwrap();
        let answer = timeout(DEADLINE, peer.gathered()).await.expect("gathered again").unwrap().sdp;
        self.connection.set_remote_description(RTCSessionDescription::answer(answer.clone()).unwrap()).await.unwrap();
        answer
    }

    /// Adds `count` more packets to `got`: their headers.
    pub(super) async fn packets(&mut self, mut count: usize, got: &mut Vec<rtc::rtp::Header>) {
        let take = |received| {
            if let Received::Packet(header) = received {
                got.push(header);
                count -= 1;
            }
            (count == 0).then_some(())
        };
        self.until(take).await;
    }

    /// Source and sequence number of the next packet.
    pub(super) async fn sequence(&mut self) -> (u32, u16) {
        // Those that came before have waited.
        while self.received.try_recv().is_ok() {}
        let mut got = Vec::new();
        self.packets(1, &mut got).await;
        (got[0].ssrc, got[0].sequence_number)
    }

    /// It can decrypt what comes: before that, what the other side has sent already is lost.
    pub(super) async fn connected(&mut self) {
        self.until(|received| matches!(received, Received::Connected).then_some(())).await;
    }

    /// The first thing received in which `find` finds something.
    pub(super) async fn until<T>(&mut self, mut find: impl FnMut(Received) -> Option<T>) -> T {
        let found = async {
            loop {
                let received = self.received.recv().await.expect("the viewer lives");
                if let Some(found) = find(received) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, found).await.expect("received in time")
    }
}
