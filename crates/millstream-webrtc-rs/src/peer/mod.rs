//! The task behind a peer: commands in order, events of the crate in between.

mod negotiation;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use millstream_webrtc::{
    Candidate, Command, Description, DescriptionKind, EventSender, LocalTrack, PeerEvent, PeerOptions, PeerState,
    Responder, SignalingState, TransportStatistics,
};
use rtc::statistics::StatsSelector;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout, timeout_at};
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState};

use crate::NAME;
use crate::handler::ConnectionEvent;
use crate::plan::Plan;
use crate::reports::Streams;
use crate::runtime::{Caught, PeerRuntime};
use crate::track::{self, Track};
use crate::wake_list::WakeList;

/// Runs a peer until it is closed; then nothing of it is left.
pub(crate) async fn run(
    options: PeerOptions,
    events: EventSender,
    mut commands: UnboundedReceiver<Command>,
    wake_list: WakeList,
) {
    let (reporter, reported) = unbounded_channel();
    let runtime = PeerRuntime::new(reporter.clone());
    let task = PeerTask {
        options,
        events: events.clone(),
        runtime: Arc::clone(&runtime),
        wake_list,
        reporter,
        streams: Streams::default(),
        cname: track::random_cname(),
        tracks: Vec::new(),
        connection: None,
        is_current: Arc::default(),
        signaling: SignalingState::Stable,
        offered: None,
        agreed: None,
        created: None,
        gathered: false,
        waiting: Vec::new(),
        deadline: None,
        connected: false,
    };
    let done = match Caught(Box::pin(task.run(&mut commands, reported))).await {
        Ok(done) => done,
        Err(()) => {
            tracing::error!("the webrtc crate panicked; the peer it happened in is closed");
            events.send(PeerEvent::State(PeerState::Failed));
            None
        }
    };
    runtime.end();
    events.send(PeerEvent::State(PeerState::Closed));
    events.send(PeerEvent::Closed);
    if let Some(done) = done {
        done.send(Ok(()));
    }
    // To close it again is no error; all other commands are answered that the peer is closed.
    commands.close();
    while let Ok(command) = commands.try_recv() {
        if let Command::Close(done) = command {
            done.send(Ok(()));
        }
    }
}

struct PeerTask {
    options: PeerOptions,
    events: EventSender,
    runtime: Arc<PeerRuntime>,
    /// Of the thread this runs on.
    wake_list: WakeList,
    reporter: UnboundedSender<ConnectionEvent>,
    streams: Streams,
    /// What reports and descriptions call this side.
    cname: String,
    tracks: Vec<Track>,
    connection: Option<Arc<dyn PeerConnection>>,
    /// Whether that is still the one whose events count.
    is_current: Arc<AtomicBool>,
    signaling: SignalingState,
    /// What can be agreed on the remote side's offer, until it is answered.
    offered: Option<Plan>,
    /// What was agreed last.
    agreed: Option<Plan>,
    /// The newest description of this side, as the crate made it and as it was shown.
    created: Option<(String, String)>,
    gathered: bool,
    waiting: Vec<Responder<Description>>,
    deadline: Option<Instant>,
    connected: bool,
}

enum Step {
    Command(Option<Command>),
    Event(Option<ConnectionEvent>),
    TooLate,
}

impl PeerTask {
    /// Runs to the end; the responder of the command that asked for it, if one did.
    async fn run(
        mut self,
        commands: &mut UnboundedReceiver<Command>,
        mut reported: UnboundedReceiver<ConnectionEvent>,
    ) -> Option<Responder<()>> {
        let done = loop {
            let step = async {
                tokio::select! {
                    biased;
                    event = reported.recv() => Step::Event(event),
                    command = commands.recv() => Step::Command(command),
                }
            };
            let step = match self.deadline {
                Some(deadline) => timeout_at(deadline, step).await.unwrap_or(Step::TooLate),
                None => step.await,
            };
            match step {
                Step::Command(Some(Command::Close(done))) => break Some(done),
                Step::Command(Some(command)) => self.command(command).await,
                Step::Event(Some(event)) => {
                    if self.event(event).await {
                        break None;
                    }
                }
                Step::TooLate => self.failed(),
                // A peer closes before it is dropped.
                Step::Command(None) | Step::Event(None) => break None,
            }
        };
        if let Some(connection) = self.connection.take() {
            let _ = timeout(self.options.time_outs.close, connection.close()).await;
        }
        done
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::SetRemoteDescription(description, done) => done.send(self.set_remote(description).await),
            Command::CreateOffer(done) => done.send(self.create(DescriptionKind::Offer).await),
            Command::CreateAnswer(done) => done.send(self.create(DescriptionKind::Answer).await),
            Command::SetLocalDescription(description, done) => done.send(self.set_local(description).await),
            Command::LocalDescription(done) => {
                let description = self.local_description().await;
                done.send(Ok(description));
            }
            Command::Gathered(done) => self.gathered(done).await,
            Command::AddIceCandidate(candidate, done) => done.send(self.add_candidate(candidate).await),
            Command::AddTrack(track) => self.add_track(track),
            Command::RestartIce(done) => done.send(self.restart_ice().await),
            Command::Statistics(done) => {
                let statistics = self.statistics().await;
                done.send(Ok(statistics));
            }
            other => other.unsupported(NAME),
        }
    }

    /// Follows `event`; whether it is the end.
    async fn event(&mut self, event: ConnectionEvent) -> bool {
        match event {
            ConnectionEvent::Candidate(init) => {
                let (mid, line) = match self.plan() {
                    Some(plan) => (plan.tagged().0.map(str::to_owned), Some(plan.tagged().1)),
                    None => (init.sdp_mid.filter(|mid| !mid.is_empty()), init.sdp_mline_index),
                };
                let candidate = Candidate { candidate: init.candidate, mid, line, ufrag: init.username_fragment };
                self.events.send(PeerEvent::Candidate(Some(candidate)));
            }
            ConnectionEvent::Gathered => {
                self.gathered = true;
                self.events.send(PeerEvent::Candidate(None));
                for done in std::mem::take(&mut self.waiting) {
                    self.gathered(done).await;
                }
            }
            ConnectionEvent::Ended if self.offered.is_none() => self.remove_ended().await,
            ConnectionEvent::Ended => {}
            ConnectionEvent::NegotiationNeeded => self.events.send(PeerEvent::NegotiationNeeded),
            ConnectionEvent::Panicked => {
                tracing::error!("a task of the webrtc crate panicked; the peer it belongs to is closed");
                self.failed();
                return true;
            }
            ConnectionEvent::State(state) => match state {
                RTCPeerConnectionState::Connecting => self.events.send(PeerEvent::State(PeerState::Connecting)),
                RTCPeerConnectionState::Connected => {
                    self.connected = true;
                    self.deadline = None;
                    // Before it is reported: what is sent from then on is sent.
                    self.start_tracks();
                    self.events.send(PeerEvent::State(PeerState::Connected));
                }
                RTCPeerConnectionState::Disconnected => self.events.send(PeerEvent::State(PeerState::Disconnected)),
                RTCPeerConnectionState::Failed => self.failed(),
                RTCPeerConnectionState::Closed => return true,
                _ => {}
            },
        }
        false
    }

    /// The connection has failed. An ICE restart may make it again.
    fn failed(&mut self) {
        self.connected = false;
        self.deadline = None;
        self.events.send(PeerEvent::State(PeerState::Failed));
    }

    fn add_track(&mut self, track: LocalTrack) {
        self.tracks.push(Track::new(track, &self.cname));
    }

    /// Removes the tracks that have ended: the next descriptions do without them. Not while an offer waits
    /// for its answer, which is planned with them.
    async fn remove_ended(&mut self) {
        let ended: Vec<_> = self.tracks.extract_if(.., |track| track.is_ended()).collect();
        for track in ended {
            track.stream.end();
            let (Some(connection), Some(sender)) = (&self.connection, &track.sender) else { continue };
            if let Err(error) = connection.remove_track(sender).await {
                tracing::debug!("a track that has ended stays in descriptions: {error}");
            }
        }
    }

    /// Starts to send the tracks that were agreed.
    fn start_tracks(&mut self) {
        for track in self.tracks.iter_mut().filter(|track| track.agreed.now().is_some()) {
            let Some(frames) = track.frames.take() else { continue };
            frames.connected();
            let (local, stream, agreed) =
                (Arc::clone(&track.local), Arc::clone(&track.stream), Arc::clone(&track.agreed));
            let (wake_list, clock) = (self.wake_list.clone(), self.options.clock.clone());
            let reporter = self.reporter.clone();
            self.runtime.run(async move {
                track::send(frames, wake_list, local, Arc::clone(&stream), agreed, clock).await;
                stream.end();
                // A peer that has ended does not need to know.
                let _ = reporter.send(ConnectionEvent::Ended);
            });
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the webrtc crate counts its statistics on the system's clock")]
    async fn statistics(&mut self) -> TransportStatistics {
        let mut statistics = TransportStatistics::default();
        let Some(connection) = &self.connection else { return statistics };
        let report = connection.get_stats(std::time::Instant::now(), StatsSelector::None).await;
        if let Some(transport) = report.transport() {
            statistics.bytes_sent = transport.bytes_sent;
            statistics.bytes_received = transport.bytes_received;
            statistics.srtp_cipher = Some(transport.srtp_cipher.clone()).filter(|cipher| !cipher.is_empty());
        }
        let pair = report.candidate_pairs().find(|pair| pair.nominated && pair.responses_received > 0);
        let trip = pair.map(|pair| pair.current_round_trip_time).filter(|trip| trip.is_finite() && *trip >= 0.0);
        statistics.round_trip = trip.map(Duration::from_secs_f64);
        statistics
    }
}
