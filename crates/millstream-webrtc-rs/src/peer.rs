//! The task behind a peer: commands in order, signals of the crate in between.

mod negotiation;

use std::sync::Arc;
use std::time::Duration;

use millstream_core::Codec;
use millstream_webrtc::{
    Candidate, Command, Description, DescriptionKind, EventSender, LocalTrack, PeerEvent, PeerOptions, PeerState,
    Responder, TransportStatistics,
};
use rtc::statistics::StatsSelector;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout, timeout_at};
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState};

use crate::bell::Bell;
use crate::handler::Signal;
use crate::plan::Plan;
use crate::reports::Streams;
use crate::runtime::{Caught, PeerRuntime};
use crate::track::{self, Track};

/// After both descriptions, the connection stands within this time or never: ICE alone gives up after 8 s,
/// but a remote side that stops in the middle of DTLS would be waited for without end.
const CONNECT: Duration = Duration::from_secs(15);
/// The crate may take this long to close before its tasks are ended without it.
const CLOSE: Duration = Duration::from_secs(1);

/// Runs a peer until it is closed or fails; then nothing of it is left.
pub(crate) async fn run(
    options: PeerOptions,
    events: EventSender,
    mut commands: UnboundedReceiver<Command>,
    bell: Bell,
) {
    let (signals, heard) = unbounded_channel();
    let runtime = PeerRuntime::new(signals.clone());
    let task = Task {
        options,
        events: events.clone(),
        runtime: Arc::clone(&runtime),
        bell,
        signals,
        streams: Streams::default(),
        cname: track::random_cname(),
        tracks: Vec::new(),
        codecs: Vec::new(),
        connection: None,
        offered: None,
        agreed: None,
        created: None,
        gathered: false,
        waiting: Vec::new(),
        deadline: None,
        connected: false,
    };
    let done = match Caught(Box::pin(task.run(&mut commands, heard))).await {
        Ok(done) => done,
        Err(()) => {
            tracing::error!("the webrtc crate panicked; the peer it happened in is closed");
            events.send(PeerEvent::State(PeerState::Failed));
            None
        }
    };
    runtime.end();
    events.send(PeerEvent::Closed);
    if let Some(done) = done {
        done.send(Ok(()));
    }
    // To close what has failed is no error; whatever else waits here hears that the peer is closed.
    commands.close();
    while let Ok(command) = commands.try_recv() {
        if let Command::Close(done) = command {
            done.send(Ok(()));
        }
    }
}

struct Task {
    options: PeerOptions,
    events: EventSender,
    runtime: Arc<PeerRuntime>,
    /// Of the thread this runs on.
    bell: Bell,
    signals: UnboundedSender<Signal>,
    streams: Streams,
    /// What reports and descriptions call this side.
    cname: String,
    tracks: Vec<Track>,
    /// Those that the connection was made for.
    codecs: Vec<Codec>,
    connection: Option<Arc<dyn PeerConnection>>,
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
    Signal(Option<Signal>),
    TooLate,
}

impl Task {
    /// Runs to the end, and gives whoever asked for it.
    async fn run(
        mut self,
        commands: &mut UnboundedReceiver<Command>,
        mut heard: UnboundedReceiver<Signal>,
    ) -> Option<Responder<()>> {
        let done = loop {
            let step = async {
                tokio::select! {
                    biased;
                    signal = heard.recv() => Step::Signal(signal),
                    command = commands.recv() => Step::Command(command),
                }
            };
            let step = match self.deadline {
                Some(deadline) => timeout_at(deadline, step).await.unwrap_or(Step::TooLate),
                None => step.await,
            };
            match step {
                Step::Command(Some(Command::Close(done))) => {
                    self.events.send(PeerEvent::State(PeerState::Closed));
                    break Some(done);
                }
                Step::Command(Some(command)) => self.command(command).await,
                Step::Signal(Some(signal)) => {
                    if let Some(last) = self.signal(signal).await {
                        self.events.send(PeerEvent::State(last));
                        break None;
                    }
                }
                Step::TooLate => {
                    self.events.send(PeerEvent::State(PeerState::Failed));
                    break None;
                }
                // A peer closes before it lets go.
                Step::Command(None) | Step::Signal(None) => break None,
            }
        };
        if let Some(connection) = self.connection.take() {
            let _ = timeout(CLOSE, connection.close()).await;
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
            // What the capabilities do not promise is never asked for; a new command answers by being dropped.
            other => tracing::warn!("the engine `webrtc-rs` does not know {other:?}"),
        }
    }

    /// Hears `signal`; the last state, if that is what it means.
    async fn signal(&mut self, signal: Signal) -> Option<PeerState> {
        match signal {
            Signal::Candidate(init) => {
                let (mid, line) = match self.plan() {
                    Some(plan) => (plan.tagged().0.map(str::to_owned), Some(plan.tagged().1)),
                    None => (init.sdp_mid.filter(|mid| !mid.is_empty()), init.sdp_mline_index),
                };
                let candidate = Candidate { candidate: init.candidate, mid, line, ufrag: init.username_fragment };
                self.events.send(PeerEvent::Candidate(Some(candidate)));
            }
            Signal::Gathered => {
                self.gathered = true;
                self.events.send(PeerEvent::Candidate(None));
                for done in std::mem::take(&mut self.waiting) {
                    self.gathered(done).await;
                }
            }
            Signal::Ended if self.offered.is_none() => self.let_go().await,
            Signal::Ended => {}
            Signal::NegotiationNeeded => self.events.send(PeerEvent::NegotiationNeeded),
            Signal::Panicked => {
                tracing::error!("a task of the webrtc crate panicked; the peer it belongs to is closed");
                return Some(PeerState::Failed);
            }
            Signal::State(state) => {
                let state = match state {
                    RTCPeerConnectionState::Connecting => PeerState::Connecting,
                    RTCPeerConnectionState::Connected => PeerState::Connected,
                    RTCPeerConnectionState::Disconnected => PeerState::Disconnected,
                    RTCPeerConnectionState::Failed => return Some(PeerState::Failed),
                    RTCPeerConnectionState::Closed => return Some(PeerState::Closed),
                    _ => return None,
                };
                if state == PeerState::Connected {
                    self.connected = true;
                    self.deadline = None;
                    // Before it is told: what is sent from then on is sent.
                    self.start_tracks();
                }
                self.events.send(PeerEvent::State(state));
            }
        }
        None
    }

    fn add_track(&mut self, track: LocalTrack) {
        self.tracks.push(Track::new(track, &self.cname));
    }

    /// Lets go of the tracks that have ended: the next descriptions do without them. Not while an offer waits
    /// for its answer, which is planned with them.
    async fn let_go(&mut self) {
        let ended: Vec<_> = self.tracks.extract_if(.., |track| track.is_ended()).collect();
        for track in ended {
            track.stream.end();
            let (Some(connection), Some(sender)) = (&self.connection, &track.sender) else { continue };
            if let Err(error) = connection.remove_track(sender).await {
                tracing::debug!("a track that has ended stays in descriptions: {error}");
            }
        }
    }

    /// Lets the tracks that were agreed run.
    fn start_tracks(&mut self) {
        for track in self.tracks.iter_mut().filter(|track| track.agreed.now().is_some()) {
            let Some(feed) = track.feed.take() else { continue };
            feed.open();
            let (local, stream, agreed) =
                (Arc::clone(&track.local), Arc::clone(&track.stream), Arc::clone(&track.agreed));
            let (bell, clock) = (self.bell.clone(), self.options.clock.clone());
            let signals = self.signals.clone();
            self.runtime.run(async move {
                track::send(feed, bell, local, Arc::clone(&stream), agreed, clock).await;
                stream.end();
                // A peer that is gone needs no news.
                let _ = signals.send(Signal::Ended);
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
