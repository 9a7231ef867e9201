//! The exchange of descriptions and candidates, as the `webrtc` crate wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millstream_core::{Error, Result};
use millstream_webrtc::sdp::Session;
use millstream_webrtc::{Candidate, Description, DescriptionKind, FrameReceiver, PeerEvent, Responder, SignalingState};
use tokio::time::{Instant, timeout};
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSdpType, RTCSessionDescription};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

use super::PeerTask;
use crate::connection;
use crate::handler::Handler;
use crate::plan::{self, Plan, Wanted};

impl PeerTask {
    /// The connection, made when the first description needs it.
    async fn connection(&mut self) -> Result<Arc<dyn PeerConnection>> {
        let connection = match &self.connection {
            Some(connection) => Arc::clone(connection),
            None => {
                self.is_current = Arc::new(AtomicBool::new(true));
                let handler = Handler { events: self.reporter.clone(), is_current: Arc::clone(&self.is_current) };
                let runtime = Arc::clone(&self.runtime);
                let connection = connection::open(&self.options, &self.streams, handler, runtime).await?;
                Arc::clone(self.connection.insert(connection))
            }
        };
        Ok(connection)
    }

    /// Has `connection` send `tracks`, in this order; the first section for a kind of media gets the first of them.
    async fn add_to(&mut self, connection: &Arc<dyn PeerConnection>, tracks: Vec<usize>) -> Result<()> {
        for index in tracks {
            let track = &mut self.tracks[index];
            if track.sender.is_some() {
                continue;
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

    /// The state after a description of `kind`, if it may be applied now.
    fn next_state(&self, kind: DescriptionKind, local: bool) -> Result<SignalingState> {
        self.signaling.after(kind, local).ok_or_else(|| {
            let (side, kind) = (if local { "local" } else { "remote" }, format!("{kind:?}").to_lowercase());
            Error::config(format!("a {side} {kind} does not fit the signalling state `{}`", self.signaling))
        })
    }

    fn set_state(&mut self, state: SignalingState) {
        if self.signaling != state {
            self.signaling = state;
            self.events.send(PeerEvent::Signaling(state));
        }
    }

    pub(super) async fn set_remote(&mut self, Description { kind, sdp }: Description) -> Result<()> {
        let state = self.next_state(kind, false)?;
        if kind == DescriptionKind::Rollback {
            self.take_back_remote().await?;
            self.set_state(state);
            return Ok(());
        }
        let is_offer = kind == DescriptionKind::Offer;
        if is_offer {
            self.remove_ended().await;
        }
        let opening = is_offer && self.agreed.is_none();
        if opening && self.tracks.is_empty() {
            return Err(Error::config("there is nothing to send; add a track before the first description"));
        }
        let wanted = |track: &crate::track::Track| Wanted { codec: track.codec.clone(), mid: track.mid.clone() };
        let wanted: Vec<_> = self.tracks.iter().map(wanted).collect();
        let plan = Plan::of(&sdp, &wanted, opening)?.after(self.agreed.as_ref())?;
        let connection = self.connection().await?;
        match plan.for_crate() {
            Some(sdp) => {
                let sdp = sdp.to_owned();
                let (what, description) = match kind {
                    DescriptionKind::Offer => ("read the offer", RTCSessionDescription::offer(sdp)),
                    DescriptionKind::ProvisionalAnswer => ("read the answer", RTCSessionDescription::pranswer(sdp)),
                    _ => ("read the answer", RTCSessionDescription::answer(sdp)),
                };
                let unreadable = |error| Error::bad_item(format!("cannot {what}")).caused_by(error);
                let description = description.map_err(unreadable)?;
                if is_offer {
                    let placed: Vec<_> = plan.placed().map(|(track, _)| track).collect();
                    self.add_to(&connection, placed).await?;
                }
                connection.set_remote_description(description).await.map_err(unreadable)?;
            }
            // All that was offered is turned down: the crate stays as it was.
            None if !is_offer => take_back(&connection, true).await?,
            None => {}
        }
        if is_offer {
            // Another user fragment is an ICE restart (RFC 8445, section 9): this side gathers anew.
            if self.plan().is_some_and(|before| plan.ufrag().is_some() && before.ufrag() != plan.ufrag()) {
                self.gathered = false;
            }
            self.offered = Some(plan);
        } else {
            let transport = plan.ufrag().is_some();
            self.agree(plan);
            self.described(kind == DescriptionKind::Answer && transport);
        }
        self.set_state(state);
        Ok(())
    }

    /// Takes back the remote side's offer.
    async fn take_back_remote(&mut self) -> Result<()> {
        let plan = self.offered.take();
        if plan.is_none_or(|plan| plan.for_crate().is_none()) {
            return Ok(());
        }
        match (&self.connection, &self.agreed) {
            (Some(connection), Some(_)) => take_back(connection, false).await?,
            // The crate has begun to connect with the first offer, and does not begin twice (webrtc 0.21.1).
            _ => self.discard_connection().await,
        }
        Ok(())
    }

    /// Closes the connection; the next description makes another.
    async fn discard_connection(&mut self) {
        self.is_current.store(false, Ordering::Release);
        if let Some(connection) = self.connection.take() {
            let _ = timeout(self.options.time_outs.close, connection.close()).await;
        }
        self.tracks.iter_mut().for_each(|track| track.sender = None);
        (self.created, self.gathered) = (None, false);
    }

    /// Takes back our own offer.
    async fn take_back_local(&mut self) -> Result<()> {
        if let Some(connection) = &self.connection {
            take_back(connection, true).await?;
        }
        self.created = None;
        self.tracks.iter_mut().filter(|track| !track.settled).for_each(|track| track.mid = None);
        Ok(())
    }

    /// What is being agreed, or was.
    pub(super) fn plan(&self) -> Option<&Plan> {
        self.offered.as_ref().or(self.agreed.as_ref())
    }

    /// From now on what is sent is what `plan` says.
    fn agree(&mut self, plan: Plan) {
        plan.unsent().for_each(|reason| tracing::info!("{reason}: nothing is sent in it, and the rest is sent"));
        for (index, mid) in plan.placed() {
            self.tracks[index].mid = mid.map(str::to_owned);
        }
        for (index, track) in self.tracks.iter_mut().enumerate() {
            track.settled |= track.mid.is_some();
            let negotiated = plan.sent().find(|(of, _)| *of == index).map(|(_, negotiated)| negotiated);
            track.agree(negotiated, &self.streams);
            match plan.lacking().iter().find(|(of, _)| *of == index) {
                Some((_, reason)) => track.stream.feedback().failed(reason.clone()),
                None => track.stream.feedback().accepted(),
            }
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
            self.remove_ended().await;
        }
        let connection = self.connection().await?;
        let (made, sdp) = if kind == DescriptionKind::Offer {
            self.add_to(&connection, (0..self.tracks.len()).collect()).await?;
            let made = connection.create_offer(None).await.map_err(refused("make an offer"))?.sdp;
            let sdp = plan::without_rtcp_candidates(&made);
            (made, sdp)
        } else {
            let plan = self.offered.as_ref();
            let plan = plan.ok_or_else(|| Error::config("there is no offer to answer; set it first"))?;
            let made = match plan.for_crate() {
                Some(_) => connection.create_answer(None).await.map_err(refused("make an answer"))?.sdp,
                None => connection.local_description().await.map(|description| description.sdp).unwrap_or_default(),
            };
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
        let state = self.next_state(kind, true)?;
        if kind == DescriptionKind::Rollback {
            self.take_back_local().await?;
            self.set_state(state);
            return Ok(());
        }
        // The crate takes what it has made, to the letter.
        let created = self.created.take().filter(|(_, shown)| *shown == sdp);
        let sdp = created.map_or(sdp, |(made, _)| made);
        let places = if kind == DescriptionKind::Offer { self.places(&sdp)? } else { Vec::new() };
        let is_empty = self.offered.as_ref().is_some_and(|plan| plan.for_crate().is_none());
        if kind == DescriptionKind::Offer || !is_empty {
            let description = match kind {
                DescriptionKind::Offer => RTCSessionDescription::offer(sdp),
                DescriptionKind::ProvisionalAnswer => RTCSessionDescription::pranswer(sdp),
                _ => RTCSessionDescription::answer(sdp),
            };
            let description = description.map_err(refused("apply the local description"))?;
            connection.set_local_description(description).await.map_err(refused("apply the local description"))?;
        }
        for (track, mid) in self.tracks.iter_mut().zip(places) {
            track.mid = mid.or(track.mid.take());
        }
        if kind == DescriptionKind::Answer {
            if let Some(plan) = self.offered.take() {
                self.agree(plan);
            }
            self.described(!is_empty);
        }
        self.set_state(state);
        Ok(())
    }

    /// The names of the sections of `offer` that our tracks are in, by the SSRC that stands in each.
    fn places(&self, offer: &str) -> Result<Vec<Option<String>>> {
        let session = Session::read(offer)?;
        let place = |ssrc: u32| {
            let starts = format!("{ssrc} ");
            let has = |line: &str| line.starts_with(&starts);
            let section = session.sections.iter().find(|section| section.lines.attributes("ssrc").any(has))?;
            section.mid().map(str::to_owned)
        };
        Ok(self.tracks.iter().map(|track| place(track.stream.ssrc)).collect())
    }

    /// A description was applied; if that ended an exchange, media is due.
    fn described(&mut self, both: bool) {
        if self.connected {
            self.start_tracks();
        } else if both {
            self.deadline = Some(Instant::now() + self.options.time_outs.connect);
            let agreed = self.tracks.iter().filter(|track| track.agreed.now().is_some());
            agreed.filter_map(|track| track.frames.as_ref()).for_each(FrameReceiver::connecting);
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
            tracing::debug!(candidate, "a candidate that cannot be used here is ignored");
            return Ok(());
        }
        let init =
            RTCIceCandidateInit { candidate, sdp_mid: mid, sdp_mline_index: line, username_fragment: ufrag, url: None };
        connection.add_ice_candidate(init).await.map_err(refused("read the candidate"))
    }
}

/// Takes back the offer that is pending in the crate.
async fn take_back(connection: &Arc<dyn PeerConnection>, local: bool) -> Result<()> {
    let failed = refused("take the offer back");
    let rollback = RTCSessionDescription::rollback(None).map_err(&failed)?;
    if local {
        connection.set_local_description(rollback).await.map_err(&failed)
    } else {
        connection.set_remote_description(rollback).await.map_err(&failed)
    }
}

/// Says what was refused, and why.
fn refused(what: &'static str) -> impl Fn(webrtc::error::Error) -> Error {
    move |error| Error::config(format!("cannot {what}")).caused_by(error)
}
