//! One stream, many viewers: encoded once, packetized once.
//!
//! Per viewer there is a bounded queue of references and a sequence number; its engine writes the
//! header and encrypts. A viewer that falls behind drops its own frames and does not affect the others.

mod end;
mod policy;
mod recent;
mod sink;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_core::{Clock, Codec, Error, Media, Result};

use crate::{Peer, Sender, SenderStatistics, TrackOptions};
use end::End;

pub(crate) use policy::ExpectedLoss;
pub use policy::{BitratePolicy, TOLERABLE};
pub use sink::AudienceSink;

/// One stream, many viewers. Cloning gives another handle.
///
/// Its ends are the sinks of a pipeline; an end that was not taken is not in what viewers get.
#[derive(Clone, Debug)]
pub struct Audience(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    policy: BitratePolicy,
    ends: Mutex<Vec<Arc<End>>>,
}

impl Audience {
    /// An audience on the pipeline's `clock`, without ends and without viewers. The encoder keeps its own bit rate.
    pub fn new(clock: Clock) -> Audience {
        Audience::with_policy(clock, BitratePolicy::default())
    }

    /// The same whose encoder follows the viewers as `policy` says.
    pub fn with_policy(clock: Clock, policy: BitratePolicy) -> Audience {
        Audience(Arc::new(Inner { clock, policy, ends: Mutex::default() }))
    }

    /// The end that takes the pictures, in `codec`.
    ///
    /// # Errors
    /// If it was taken before, or `codec` is not for pictures.
    pub fn video_sink(&self, codec: Codec) -> Result<AudienceSink> {
        self.end(Media::Video, codec)
    }

    /// The end that takes the sound, in `codec`.
    ///
    /// # Errors
    /// If it was taken before, or `codec` is not for sound.
    pub fn audio_sink(&self, codec: Codec) -> Result<AudienceSink> {
        self.end(Media::Audio, codec)
    }

    /// The codecs of the ends, for [`PeerOptions::codecs`](crate::PeerOptions::codecs) of the viewers' peers.
    pub fn codecs(&self) -> Vec<Codec> {
        lock(&self.0.ends).iter().filter(|end| !end.is_ended()).map(|end| end.codec().clone()).collect()
    }

    /// Subscribes `peer`: adds a track for each end, all in one media stream called `stream`, before
    /// the first description of the peer. It gets frames once it is connected, from the next one on
    /// that a decoder can start from. Dropping the subscription ends its tracks.
    ///
    /// # Errors
    /// If the peer is closed, cannot send, or was opened for other codecs; or if there is no end.
    pub fn subscribe(&self, peer: &Peer, stream: &str) -> Result<Subscription> {
        let mut ends = lock(&self.0.ends).clone();
        ends.retain(|end| !end.is_ended());
        if ends.is_empty() {
            return Err(Error::config("there is nothing to send; take a video_sink or an audio_sink first"));
        }
        let mut subscription = Subscription { senders: Vec::new(), ends: Vec::new() };
        for end in ends {
            let codec = end.codec().clone();
            let id = codec.media.to_string();
            let (sink, sender) = peer.add_track(TrackOptions { codec, stream: stream.into(), id })?;
            end.admit(sink);
            subscription.ends.push(Arc::downgrade(&end));
            subscription.senders.push(sender);
        }
        Ok(subscription)
    }

    /// How many viewers there are.
    pub fn viewers(&self) -> usize {
        lock(&self.0.ends).iter().map(|end| end.viewers()).max().unwrap_or(0)
    }

    /// How many frames wait for the viewer that is furthest behind: at most 32 frames of video or 64
    /// packets of sound. A new viewer has up to 48 frames more: 32 from before it subscribed, and 16 that came while
    /// it connected.
    pub fn longest_queue(&self) -> usize {
        lock(&self.0.ends).iter().map(|end| end.longest_queue()).max().unwrap_or(0)
    }

    fn end(&self, media: Media, codec: Codec) -> Result<AudienceSink> {
        if codec.media != media {
            return Err(Error::config(format!("{codec} is a codec for {}; this end takes {media}", codec.media)));
        }
        let mut ends = lock(&self.0.ends);
        ends.retain(|end| !end.is_ended());
        if ends.iter().any(|end| end.codec().media == media) {
            return Err(Error::config(format!("the {media} of this audience is taken already; make another Audience")));
        }
        let end = Arc::new(End::new(self.0.clock.clone(), codec, self.0.policy));
        ends.push(Arc::clone(&end));
        Ok(AudienceSink::new(end))
    }
}

/// A viewer's subscription to an [`Audience`]. Dropping it ends its tracks.
#[derive(Debug)]
#[must_use = "dropping it ends the viewer's tracks at once"]
pub struct Subscription {
    senders: Vec<Sender>,
    /// Of the same order.
    ends: Vec<Weak<End>>,
}

impl Subscription {
    /// The handles of its tracks: pictures or sound of this viewer alone can be muted, or replaced by something else.
    pub fn senders(&self) -> &[Sender] {
        &self.senders
    }

    /// What the viewer got, by codec.
    pub fn statistics(&self) -> impl Iterator<Item = (Codec, SenderStatistics)> + '_ {
        self.senders.iter().map(|sender| (sender.codec(), sender.statistics()))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        for (sender, end) in self.senders.iter().zip(&self.ends) {
            if let Some(end) = end.upgrade() {
                end.dismiss(sender);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
