//! The exchange of descriptions and candidates, as the `webrtc` crate wants it.

use std::sync::Arc;

use millstream_core::{Error, Result};
use millstream_webrtc::{Candidate, Description, DescriptionKind, Feed, Responder};
use tokio::time::Instant;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSdpType, RTCSessionDescription};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

use super::{CONNECT, Task};
use crate::connection;
use crate::handler::Handler;
use crate::plan::{self, Plan};

impl Task {
    /// The connection, made when the first description needs it: by then all codecs are known.
    async fn connection(&mut self) -> Result<Arc<dyn PeerConnection>> {
        let connection = match &self.connection {
            Some(connection) => Arc::clone(connection),
            None => {
                for track in &self.tracks {
                    if !self.codecs.contains(&track.codec) {
                        self.codecs.push(track.codec.clone());
                    }
                }
                let (handler, runtime) = (Handler(self.signals.clone()), Arc::clone(&self.runtime));
                let connection = connection::open(&self.options, &self.codecs, &self.streams, handler, runtime).await?;
                Arc::clone(self.connection.insert(connection))
            }
        };
        Ok(connection)
    }

    /// Has `connection` send `tracks`, in this order; the first section for a kind of media gets the first of them.
    async fn add_to(
        &mut self,
        connection: &Arc<dyn PeerConnection>,
        tracks: impl IntoIterator<Item = usize>,
    ) -> Result<()> {
        for index in tracks {
            let track = &mut self.tracks[index];
            if track.sender.is_some() {
                continue;
            }
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
        Ok(())
    }

    pub(super) async fn set_remote(&mut self, Description { kind, sdp }: Description) -> Result<()> {
        self.let_go().await;
        if self.tracks.is_empty() {
            return Err(Error::config("there is nothing to send; add a track before the first description"));
        }
        let codecs: Vec<_> = self.tracks.iter().map(|track| track.codec.clone()).collect();
        let plan = Plan::of(&sdp, &codecs)?.after(self.agreed.as_ref())?;
        let told = plan.told().to_owned();
        let (what, description) = match kind {
            DescriptionKind::Offer => ("read the offer", RTCSessionDescription::offer(told)),
            DescriptionKind::Answer => ("read the answer", RTCSessionDescription::answer(told)),
            DescriptionKind::ProvisionalAnswer => ("read the answer", RTCSessionDescription::pranswer(told)),
        };
        let unreadable = |error| Error::bad_item(format!("cannot {what}")).caused_by(error);
        let description = description.map_err(unreadable)?;
        let connection = self.connection().await?;
        if kind == DescriptionKind::Offer {
            self.add_to(&connection, plan.sent().map(|(track, _)| track)).await?;
        }
        connection.set_remote_description(description).await.map_err(unreadable)?;
        if kind != DescriptionKind::Offer {
            self.agree(plan);
            self.described(kind == DescriptionKind::Answer);
            return Ok(());
        }
        // Another user fragment is an ICE restart (RFC 8445, section 9): this side gathers anew.
        if self.plan().is_some_and(|before| before.ufrag() != plan.ufrag()) {
            self.gathered = false;
        }
        self.offered = Some(plan);
        Ok(())
    }

    /// What is to be agreed, or was.
    pub(super) fn plan(&self) -> Option<&Plan> {
        self.offered.as_ref().or(self.agreed.as_ref())
    }

    /// From now on what is sent is what `plan` says.
    fn agree(&mut self, plan: Plan) {
        plan.unsent().for_each(|reason| tracing::info!("{reason}: nothing is sent in it, and the rest is sent"));
        for (index, track) in self.tracks.iter().enumerate() {
            let negotiated = plan.sent().find(|(of, _)| *of == index).map(|(_, negotiated)| negotiated);
            track.agree(negotiated, &self.streams);
        }
        self.agreed = Some(plan);
    }

    pub(super) async fn restart_ice(&mut self) -> Result<()> {
        let connection = self.connection.as_ref();
        let connection = connection.ok_or_else(|| Error::config("there is no connection to restart yet"))?;
        connection.restart_ice().await.map_err(refused("restart ICE"))?;
        self.gathered = false;
        Ok(())
    }

    pub(super) async fn create(&mut self, kind: DescriptionKind) -> Result<Description> {
        if kind == DescriptionKind::Offer {
            self.let_go().await;
        }
        let connection = self.connection().await?;
        let (made, sdp) = if kind == DescriptionKind::Offer {
            self.add_to(&connection, 0..self.tracks.len()).await?;
            let made = connection.create_offer(None).await.map_err(refused("make an offer"))?.sdp;
            let sdp = plan::without_rtcp_candidates(&made);
            (made, sdp)
        } else {
            let made = connection.create_answer(None).await.map_err(refused("make an answer"))?.sdp;
            let plan = self.plan().ok_or_else(|| Error::config("there is no offer to answer; set it first"))?;
            let sdp = plan.answer(&made)?;
            (made, sdp)
        };
        let sdp = plan::named(&sdp, &self.cname);
        self.created = Some((made, sdp.clone()));
        Ok(Description { kind, sdp })
    }

    pub(super) async fn set_local(&mut self, description: Option<Description>) -> Result<()> {
        let connection = self.connection().await?;
        let Description { kind, sdp } = match description {
            Some(description) => description,
            None if self.offered.is_some() => self.create(DescriptionKind::Answer).await?,
            None => self.create(DescriptionKind::Offer).await?,
        };
        // The crate takes what it has made, to the letter.
        let created = self.created.take().filter(|(_, shown)| *shown == sdp);
        let sdp = created.map_or(sdp, |(made, _)| made);
        let description = match kind {
            DescriptionKind::Offer => RTCSessionDescription::offer(sdp),
            DescriptionKind::Answer => RTCSessionDescription::answer(sdp),
            DescriptionKind::ProvisionalAnswer => RTCSessionDescription::pranswer(sdp),
        };
        let description = description.map_err(refused("apply the local description"))?;
        connection.set_local_description(description).await.map_err(refused("apply the local description"))?;
        if kind == DescriptionKind::Answer {
            if let Some(plan) = self.offered.take() {
                self.agree(plan);
            }
            self.described(true);
        }
        Ok(())
    }

    /// A description was applied; if that ended an exchange, media is due.
    fn described(&mut self, both: bool) {
        if self.connected {
            self.start_tracks();
        } else if both {
            self.deadline = Some(Instant::now() + CONNECT);
            let agreed = self.tracks.iter().filter(|track| track.agreed.now().is_some());
            agreed.filter_map(|track| track.feed.as_ref()).for_each(Feed::prepare);
        }
    }

    pub(super) async fn local_description(&mut self) -> Option<Description> {
        let description = self.connection.as_ref()?.local_description().await?;
        let kind = match description.sdp_type {
            RTCSdpType::Offer => DescriptionKind::Offer,
            RTCSdpType::Pranswer => DescriptionKind::ProvisionalAnswer,
            _ => DescriptionKind::Answer,
        };
        let plan = if kind == DescriptionKind::Answer { self.agreed.as_ref() } else { self.plan() };
        let sdp = match plan {
            Some(plan) if kind != DescriptionKind::Offer => plan.answer(&description.sdp).ok()?,
            _ => plan::without_rtcp_candidates(&description.sdp),
        };
        Some(Description { kind, sdp: plan::named(&sdp, &self.cname) })
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
        let Candidate { candidate, mid, line, ufrag } = candidate.unwrap_or_default();
        let concerns_us = self.plan().is_none_or(|plan| plan.concerns(mid.as_deref(), line));
        // An empty one says that there are no more.
        if !concerns_us || !(candidate.is_empty() || plan::is_usable(&candidate)) {
            tracing::debug!(candidate, "a candidate that is of no use here is passed over");
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
