//! The sink of a track that a peer sends.

use std::sync::{Arc, Mutex, PoisonError};

use millstream_core::{Codec, Control, Cx, Error, Item, Layers, Result, Role, RtpPackets, Sink};

use crate::TrackId;
use crate::audience::ExpectedLoss;
use crate::queue::Pushed;
use crate::sender::{Owned, ended};
use crate::track::{Request, Track};

/// Where the frames of a track go in: a [`Sink`] for a pipeline, or by hand with [`send`](TrackSink::send). Its
/// [`Sender`](crate::Sender) mutes it, replaces it and reads its statistics meanwhile.
///
/// A pipeline gets the remote side's key-frame requests upstream: one per
/// [`KEY_FRAME_INTERVAL`](crate::KEY_FRAME_INTERVAL), and fewer the longer the remote side goes on requesting.
/// Events report every one. Dropping the sink leaves the track, which is silent until
/// [`Sender::replace`](crate::Sender::replace) makes another.
#[derive(Debug)]
pub struct TrackSink {
    owned: Arc<Owned>,
    /// Counts the sinks of the track.
    number: u32,
    /// Whether a pipeline gets the requests.
    joined: bool,
}

impl TrackSink {
    pub(crate) fn new(owned: Arc<Owned>, number: u32) -> TrackSink {
        TrackSink { owned, number, joined: false }
    }

    /// How events and statistics name the track.
    pub fn id(&self) -> TrackId {
        self.track().id
    }

    /// What it carries.
    pub fn codec(&self) -> Codec {
        self.track().codec.clone()
    }

    /// Sends the packets of one frame. Never blocks: what the network does not take in time is
    /// dropped in whole frames, and a frame to start from is requested.
    ///
    /// # Errors
    /// If `packets` carry another codec, if the remote side cannot take this one, if the sink was replaced, or if the
    /// track has ended.
    pub fn send(&self, packets: &RtpPackets) -> Result<()> {
        let track = self.track();
        if !packets.codec.same_encoding(&track.codec) {
            let message = format!("{} packets on a track of {}; add a track for them", packets.codec, track.codec);
            return Err(Error::bad_item(message));
        }
        match self.push(packets) {
            Pushed::Accepted => match track.failure() {
                Some(reason) => Err(Error::config(format!("{}: {reason}", track.id))),
                None => Ok(()),
            },
            Pushed::Gap => {
                track.request_key_frame();
                Ok(())
            }
            Pushed::Replaced => Err(Error::fatal(format!(
                "this sink of {} was replaced; send to the one that Sender::replace returned",
                track.id
            ))),
            Pushed::Ended => Err(ended(track)),
        }
    }

    fn push(&self, packets: &RtpPackets) -> Pushed {
        let track = self.track();
        let pushed = track.queue.push(self.number, packets);
        if pushed == Pushed::Accepted && packets.role == Role::Start && packets.is_referred_to() {
            track.throttle().satisfied(track.clock.now());
        }
        pushed
    }

    /// Sends a frame of the track's codec; whether the track goes on.
    pub(crate) fn deliver(&self, packets: &RtpPackets) -> bool {
        match self.push(packets) {
            Pushed::Accepted => true,
            Pushed::Gap => {
                self.track().request_key_frame();
                true
            }
            Pushed::Replaced | Pushed::Ended => false,
        }
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn track(&self) -> &Arc<Track> {
        &self.owned.0
    }

    /// Passes the requests for the track on upstream.
    fn join(&mut self, cx: &Cx) {
        self.joined = true;
        let (upstream, waker) = (cx.upstream().clone(), cx.waker().clone());
        let expected = Mutex::new(ExpectedLoss::default());
        let listener = move |track: &Track, request| match request {
            Request::Mute => upstream.ask(Control::Pause(track.queue.is_muted())),
            Request::Start | Request::KeyFrame => {
                if request == Request::Start {
                    track.throttle().want();
                }
                if track.asks(track.clock.now()) {
                    upstream.ask(Control::KeyFrame(Layers::ALL));
                } else {
                    waker.wake_by_ref();
                }
            }
            Request::Loss => {
                let reception = track.queue.counts().reception;
                let mut expected = expected.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(request) = expected.follow(reception.map(|reception| reception.loss).into_iter()) {
                    upstream.ask(request);
                }
            }
            Request::Pace => waker.wake_by_ref(),
            // One track alone is not adapted: an audience is.
            Request::Bitrate => {}
        };
        self.track().listen(listener);
        if self.track().queue.is_muted() {
            cx.ask(Control::Pause(true));
        }
    }

    /// Asks for what is due, releases what is due, and sets the alarm for the rest.
    fn settle(&self, cx: &mut Cx) {
        let (now, track) = (cx.now(), self.track());
        if track.asks(now) {
            cx.ask(Control::KeyFrame(Layers::ALL));
        }
        let due = [track.due(), track.queue.release(now)];
        due.into_iter().flatten().for_each(|due| cx.wake_at(due));
    }
}

impl Sink<RtpPackets> for TrackSink {
    fn consume(&mut self, packets: RtpPackets, cx: &mut Cx) -> Result<()> {
        if !self.joined && self.track().queue.is_from(self.number) {
            self.join(cx);
        }
        self.send(&packets)?;
        self.settle(cx);
        Ok(())
    }

    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        // What replaced it does the rest.
        if self.track().queue.is_from(self.number) {
            self.settle(cx);
        }
        Ok(())
    }

    fn takes(&self) -> Option<Codec> {
        Some(self.codec())
    }
}

impl Drop for TrackSink {
    fn drop(&mut self) {
        let track = self.track();
        if track.queue.is_from(self.number) {
            track.stop_listening();
        }
    }
}
