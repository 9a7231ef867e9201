//! The connection of a viewer: the `rtc` crate without I/O, and a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::interceptor_registry::{Registry, register_default_interceptors};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::{RTCPeerConnectionEvent, RTCTrackEvent};
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::Packet as Rtcp;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::RTCRtpReceiverId;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpHeaderExtensionCapability, RtpCodecKind};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::video::{Packet, Taker, Video};

const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
/// How often what is missing is looked after.
const LOOK: Duration = Duration::from_millis(50);
/// Between two wishes for a key frame, as a browser does it after a loss.
const PLI_INTERVAL: Duration = Duration::from_millis(300);

/// What a viewer is told.
pub(crate) enum Command {
    /// Sends the packet, encrypted, in a datagram of its own.
    Rtcp(Box<dyn Rtcp>),
    /// Sends the bytes as they are, to where media goes.
    Raw(Vec<u8>),
    /// Does nothing for so long, as a process that is stopped: what comes waits in the kernel.
    Stall(Duration),
    /// Says farewell and ends.
    Close,
}

/// "The picture was lost" (RFC 4585, section 6.3.1).
pub(super) fn pli(media_ssrc: u32) -> Box<dyn Rtcp> {
    Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc })
}

pub(super) struct Connection {
    peer: RTCPeerConnection,
    socket: UdpSocket,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    shared: Arc<Shared>,
    video: Video,
    receiver: Option<RTCRtpReceiverId>,
    asked: Option<Instant>,
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Connection {
    pub(super) async fn open(shared: Arc<Shared>, taker: Option<Taker>) -> Result<Connection, String> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.map_err(said)?;
        let local = socket.local_addr().map_err(said)?;
        let mut media = MediaEngine::default();
        media.register_default_codecs().map_err(said)?;
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let extension = RTCRtpHeaderExtensionCapability { uri: ABS_CAPTURE_TIME.to_owned() };
            media.register_header_extension(extension, kind, None).map_err(said)?;
        }
        let registry = register_default_interceptors(Registry::new(), &mut media).map_err(said)?;
        let settings = SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build();
        let peer = RTCPeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .build(now())
            .map_err(said)?;
        let video = Video::new(taker);
        Ok(Connection { peer, socket, local, remote: None, shared, video, receiver: None, asked: None })
    }

    /// An offer to receive picture and sound, with the socket's address in it.
    pub(super) fn offer(&mut self) -> Result<String, String> {
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            self.peer.add_transceiver_from_kind(kind, None).map_err(said)?;
        }
        // The first of them is the video's: RTCP can be sent before its first packet comes.
        self.receiver = self.peer.get_receivers().next();
        let base_config = CandidateConfig {
            network: "udp".to_owned(),
            address: self.local.ip().to_string(),
            port: self.local.port(),
            component: 1,
            ..CandidateConfig::default()
        };
        let candidate = CandidateHostConfig { base_config, ..CandidateHostConfig::default() };
        let candidate = candidate.new_candidate_host().map_err(said)?;
        let offer = self.peer.create_offer(None).map_err(said)?;
        self.peer.set_local_description(now(), offer).map_err(said)?;
        let candidate = RTCIceCandidate::from(&candidate).to_json().map_err(said)?;
        self.peer.add_local_candidate(candidate).map_err(said)?;
        Ok(self.peer.local_description().ok_or("there is no offer")?.sdp)
    }

    /// Hears the answer; the address that it gives for media.
    pub(super) fn answer(&mut self, sdp: &str) -> Result<SocketAddr, String> {
        let answer = RTCSessionDescription::answer(sdp.to_owned()).map_err(said)?;
        self.peer.set_remote_description(now(), answer).map_err(said)?;
        let words =
            sdp.lines().find_map(|line| Some(line.strip_prefix("a=candidate:")?.split(' ').collect::<Vec<_>>()));
        let words = words.ok_or("the answer has no candidate")?;
        let address = (words.get(4)).zip(words.get(5)).and_then(|(ip, port)| format!("{ip}:{port}").parse().ok());
        let address = address.ok_or("the answer's candidate has no address")?;
        self.remote = Some(address);
        Ok(address)
    }

    /// Runs until it is closed or the connection has ended.
    pub(super) async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        let mut buffer = vec![0; 2048];
        let mut look = Instant::now() + LOOK;
        let why = loop {
            if let Some(why) = self.settle().await {
                break why;
            }
            let due = self.peer.poll_timeout().map_or(look, |due| Instant::from_std(due).min(look));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Rtcp(packet)) => self.send(packet),
                    Some(Command::Raw(bytes)) => if let Some(remote) = self.remote {
                        let _ = self.socket.send_to(&bytes, remote).await;
                    },
                    Some(Command::Stall(time)) => sleep_until(Instant::now() + time).await,
                    Some(Command::Close) | None => break "it left".to_owned(),
                },
                () = sleep_until(due) => {
                    let _ = self.peer.handle_timeout(now());
                }
                got = self.socket.recv_from(&mut buffer) => {
                    let mut got = got;
                    // What is there already is taken at once; a few at a time, so that commands are heard. The
                    // crate has its keys only when it was asked what is next: media right behind the
                    // handshake's last flight would be lost.
                    let most = if self.shared.lock().connected { 32 } else { 1 };
                    let mut taken = 0;
                    while let Ok((length, from)) = got {
                        self.read(&buffer[..length], from);
                        taken += 1;
                        if taken == most {
                            break;
                        }
                        got = self.socket.try_recv_from(&mut buffer);
                    }
                }
            }
            if look <= Instant::now() {
                look = Instant::now() + LOOK;
                self.look();
            }
        };
        let _ = self.peer.close();
        self.settle().await;
        self.shared.note(|log| log.ended = Some(why));
    }

    fn read(&mut self, bytes: &[u8], peer_addr: SocketAddr) {
        let transport = TransportContext {
            local_addr: self.local,
            peer_addr,
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        // A datagram that cannot be read is none.
        let _ = self.peer.handle_read(TaggedBytesMut { now: now(), transport, message: BytesMut::from(bytes) });
    }

    fn send(&mut self, packet: Box<dyn Rtcp>) {
        let Some(receiver) = self.receiver else { return };
        if let Some(mut receiver) = self.peer.rtp_receiver(receiver) {
            let _ = receiver.write_rtcp(now(), vec![packet]);
        }
    }

    /// Asks for a key frame where one is needed.
    fn look(&mut self) {
        let (mut needed, mut ssrc) = (false, 0);
        let video = &mut self.video;
        self.shared.note(|log| (needed, ssrc) = (video.look(Instant::now(), log), log.ssrc));
        if needed && self.asked.is_none_or(|asked| asked.elapsed() >= PLI_INTERVAL) {
            self.asked = Some(Instant::now());
            self.send(pli(ssrc));
        }
    }

    /// Does whatever the connection wants done; why it has ended, if it has.
    async fn settle(&mut self) -> Option<String> {
        while let Some(out) = self.peer.poll_write() {
            let _ = self.socket.send_to(&out.message, out.transport.peer_addr).await;
        }
        let mut ended = None;
        while let Some(event) = self.peer.poll_event() {
            match event {
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => match state {
                    RTCPeerConnectionState::Connected => self.shared.note(|log| log.connected = true),
                    RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => ended = Some(state.to_string()),
                    _ => {}
                },
                RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) => {
                    let receiver = self.peer.rtp_receiver(track.receiver_id);
                    if receiver.is_some_and(|receiver| receiver.track().kind() == RtpCodecKind::Video) {
                        self.shared.note(|log| log.ssrc = track.ssrc);
                    }
                }
                _ => {}
            }
        }
        while let Some(message) = self.peer.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                self.take(packet);
            }
        }
        ended
    }

    fn take(&mut self, packet: rtc::rtp::Packet) {
        let stamp = packet.header.extensions.iter().find_map(|extension| extension.payload[..].try_into().ok());
        let (at, header, video) = (Instant::now(), &packet.header, &mut self.video);
        self.shared.note(|log| {
            if header.ssrc != log.ssrc {
                log.sound += 1;
                return;
            }
            let packet = Packet {
                at,
                sequence: header.sequence_number,
                ticks: header.timestamp,
                marker: header.marker,
                captured: stamp.map(u64::from_be_bytes),
                payload: packet.payload.to_vec(),
            };
            video.take(packet, log);
        });
    }
}
