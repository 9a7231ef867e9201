//! The exchange of descriptions and candidates, as the `webrtc` crate wants it.

use std::sync::Arc;

use millstream_core::{Error, Result};
use millstream_webrtc::{Candidate, Description, DescriptionKind, Feed, Responder};
use tokio::time::Instant;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSdpType, RTCSessionDescription};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

use super::{CONNECT, Task};
use crate::handler::Handler;
use crate::{connection, sdp};

impl Task {
    /// The connection, made when the first description needs it: by then all codecs are known.
    async fn connection(&mut self) -> Result<Arc<dyn PeerConnection>> {
        let connection = match &self.connection {
            Some(connection) => Arc::clone(connection),
            None => {
                for track in &self.tracks {
                    if !self.codecs.contains(&track.codec) {
                        self.codecs.push(track.codec);
                    }
                }
                let (handler, runtime) = (Handler(self.signals.clone()), Arc::clone(&self.runtime));
                let connection = connection::open(&self.options, &self.codecs, &self.streams, handler, runtime).await?;
                Arc::clone(self.connection.insert(connection))
            }
        };
        for track in self.tracks.iter_mut().filter(|track| track.sender.is_none()) {
            if !self.codecs.contains(&track.codec) {
                let message = format!("a track of {} came after the first description; add it before", track.codec);
                return Err(Error::config(message));
            }
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Sendonly,
                streams: Vec::new(),
                send_encodings: Vec::new(),
            };
            let local = Arc::clone(&track.local);
            let transceiver = connection
                .add_transceiver_from_track(local, Some(init))
                .await
                .map_err(|error| Error::config(format!("cannot add a track of {}", track.codec)).caused_by(error))?;
            track.sender = transceiver.sender().await.map_err(refused("add a track"))?;
        }
        Ok(connection)
    }

    pub(super) async fn set_remote(&mut self, Description { kind, sdp }: Description) -> Result<()> {
        let mut any = self.tracks.is_empty();
        for track in &mut self.tracks {
            track.taken = sdp::takes(&sdp, &track.codec)?;
            any |= track.taken;
        }
        let ufrag = sdp::ufrag(&sdp).map(str::to_owned);
        let (what, description) = match kind {
            DescriptionKind::Offer => ("read the offer", RTCSessionDescription::offer(sdp)),
            DescriptionKind::Answer => ("read the answer", RTCSessionDescription::answer(sdp)),
            DescriptionKind::ProvisionalAnswer => ("read the answer", RTCSessionDescription::pranswer(sdp)),
        };
        let unreadable = |error| Error::bad_item(format!("cannot {what}")).caused_by(error);
        let description = description.map_err(unreadable)?;
        if !any {
            return Err(Error::config(
                "the other side has no section for any of the tracks; it has to offer to receive",
            ));
        }
        let connection = self.connection().await?;
        connection.set_remote_description(description).await.map_err(unreadable)?;
        // Another user fragment is an ICE restart (RFC 8445, section 9): this side gathers anew.
        if self.remote_ufrag.is_some() && self.remote_ufrag != ufrag && kind == DescriptionKind::Offer {
            self.gathered = false;
        }
        self.remote_ufrag = ufrag;
        self.answering = kind == DescriptionKind::Offer;
        self.described(kind == DescriptionKind::Answer).await;
        Ok(())
    }

    pub(super) async fn restart_ice(&mut self) -> Result<()> {
        let connection = self.connection.as_ref();
        let connection = connection.ok_or_else(|| Error::config("there is no connection to restart yet"))?;
        connection.restart_ice().await.map_err(refused("restart ICE"))?;
        self.gathered = false;
        Ok(())
    }

    pub(super) async fn create(&mut self, kind: DescriptionKind) -> Result<Description> {
        let connection = self.connection().await?;
        let made = match kind {
            DescriptionKind::Offer => connection.create_offer(None).await.map_err(refused("make an offer"))?,
            _ => connection.create_answer(None).await.map_err(refused("make an answer"))?,
        };
        let sdp = sdp::mended(&made.sdp);
        self.created = Some(made.sdp);
        Ok(Description { kind, sdp })
    }

    pub(super) async fn set_local(&mut self, description: Option<Description>) -> Result<()> {
        let connection = self.connection().await?;
        let Description { kind, sdp } = match description {
            Some(description) => description,
            None if self.answering => self.create(DescriptionKind::Answer).await?,
            None => self.create(DescriptionKind::Offer).await?,
        };
        // The crate takes what it has made, to the letter.
        let created = self.created.take().filter(|created| sdp::mended(created) == sdp);
        let sdp = created.unwrap_or(sdp);
        let description = match kind {
            DescriptionKind::Offer => RTCSessionDescription::offer(sdp),
            DescriptionKind::Answer => RTCSessionDescription::answer(sdp),
            DescriptionKind::ProvisionalAnswer => RTCSessionDescription::pranswer(sdp),
        };
        let description = description.map_err(refused("apply the local description"))?;
        connection.set_local_description(description).await.map_err(refused("apply the local description"))?;
        if kind == DescriptionKind::Answer {
            self.answering = false;
        }
        self.described(kind == DescriptionKind::Answer).await;
        Ok(())
    }

    /// A description was applied; if that ended an exchange, media is due.
    async fn described(&mut self, both: bool) {
        if self.connected {
            self.start_tracks().await;
        } else if both {
            self.deadline = Some(Instant::now() + CONNECT);
            let taken = self.tracks.iter().filter(|track| track.taken);
            taken.filter_map(|track| track.feed.as_ref()).for_each(Feed::prepare);
        }
    }

    pub(super) async fn local_description(&mut self) -> Option<Description> {
        let description = self.connection.as_ref()?.local_description().await?;
        let kind = match description.sdp_type {
            RTCSdpType::Offer => DescriptionKind::Offer,
            RTCSdpType::Pranswer => DescriptionKind::ProvisionalAnswer,
            _ => DescriptionKind::Answer,
        };
        Some(Description { kind, sdp: sdp::mended(&description.sdp) })
    }

    pub(super) async fn gathered(&mut self, done: Responder<Description>) {
        if !self.gathered {
            return self.waiting.push(done);
        }
        let description = self.local_description().await;
        done.send(description.ok_or_else(|| Error::config("there is no local description yet; set it first")));
    }

    pub(super) async fn add_candidate(&mut self, candidate: Option<Candidate>) -> Result<()> {
        let connection = self.connection.as_ref();
        let connection = connection.ok_or_else(|| Error::config("a candidate came before the remote description"))?;
        // An empty one says that there are no more. One with a name instead of an address is for
        // those who ask the network for names; its owner will call us.
        let Candidate { candidate, mid, line, ufrag } = candidate.unwrap_or_default();
        if candidate.split(' ').nth(4).is_some_and(|address| address.ends_with(".local")) {
            return Ok(());
        }
        let init =
            RTCIceCandidateInit { candidate, sdp_mid: mid, sdp_mline_index: line, username_fragment: ufrag, url: None };
        connection.add_ice_candidate(init).await.map_err(refused("read the candidate"))
    }
}

/// Says what was refused, and why.
fn refused(what: &'static str) -> impl Fn(webrtc::error::Error) -> Error {
    move |error| Error::config(format!("cannot {what}")).caused_by(error)
}
