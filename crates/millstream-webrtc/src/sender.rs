//! A track that a peer sends: a pipeline's sink.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use millstream_core::throttle::Throttle;
use millstream_core::{Clock, Codec, Control, Cx, Error, Item, Layers, Result, Role, RtpPackets, Sink, Timestamp};

use crate::queue::{Pushed, Queue};
use crate::{EventSender, Feed, Feedback, LocalTrack, PeerEvent, SenderStatistics, TrackStatistics};

/// Names a track within its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub(crate) u32);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "track {}", self.0)
    }
}

/// What a track is added with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackOptions {
    /// What it carries.
    pub codec: Codec,
    /// The media stream it belongs to: a browser plays the tracks of one stream in sync.
    pub stream: String,
    /// Its own name within the stream.
    pub id: String,
}

/// A track that a peer sends. Dropping it ends the track.
///
/// It is a [`Sink`] for a pipeline, which hears its key-frame wishes upstream, or is given frames
/// by hand with [`send`](Sender::send). Upstream goes one wish per
/// [`KEY_FRAME_INTERVAL`](crate::KEY_FRAME_INTERVAL), and fewer the longer the remote side goes on wishing;
/// events tell of every one.
#[derive(Debug)]
pub struct Sender(Arc<Track>);

impl Sender {
    pub(crate) fn new(id: TrackId, options: TrackOptions, clock: Clock, events: EventSender) -> (Sender, LocalTrack) {
        let TrackOptions { codec, stream, id: name } = options;
        let queue = Queue::new(codec.media);
        let (throttle, wanted) = (Mutex::new(Throttle::backing_off()), AtomicBool::new(false));
        let track = Arc::new(Track {
            id,
            codec: codec.clone(),
            queue,
            events,
            clock,
            throttle,
            wanted,
            listener: OnceLock::new(),
        });
        let (feed, feedback) = (Feed(Arc::clone(&track)), Feedback(Arc::clone(&track)));
        (Sender(track), LocalTrack { track: id, codec, stream, id: name, feed, feedback })
    }

    /// How events and statistics name it.
    pub fn id(&self) -> TrackId {
        self.0.id
    }

    /// What it carries.
    pub fn codec(&self) -> Codec {
        self.0.codec.clone()
    }

    /// Sends the packets of one frame. Never blocks: what the network does not take in time is
    /// dropped in whole frames, and a frame to start from is wished for.
    ///
    /// # Errors
    /// If the peer is closed, or `packets` carry another codec.
    pub fn send(&self, packets: &RtpPackets) -> Result<()> {
        if !packets.codec.same_encoding(&self.0.codec) {
            let message = format!("{} packets on a track of {}; add a track for them", packets.codec, self.0.codec);
            return Err(Error::bad_item(message));
        }
        match self.0.queue.push(packets) {
            Pushed::Fine => {
                if packets.role == Role::Start && packets.is_referred_to() {
                    self.0.throttle().satisfied(self.0.clock.now());
                }
                Ok(())
            }
            Pushed::Gap => {
                self.0.want_key_frame();
                Ok(())
            }
            Pushed::Closed => Err(Error::lost("the peer of this track is closed; open another with Engine::peer")),
        }
    }

    /// What it sent.
    pub fn statistics(&self) -> SenderStatistics {
        self.0.queue.counts()
    }

    /// How many frames wait for the engine now; packets, for sound. The queue is bounded.
    pub fn queued(&self) -> usize {
        self.0.queue.queued()
    }

    /// Whether its peer is closed.
    pub fn is_closed(&self) -> bool {
        self.0.queue.is_ended()
    }

    /// Ends the track: what waits is sent, and nothing after it.
    pub(crate) fn end(&self) {
        self.0.queue.end(false);
    }

    /// Calls `listener` with each wish of the remote side; once now if a key frame was wanted before.
    pub(crate) fn on_wish(&self, listener: impl Fn(&Track, Wish) + Send + Sync + 'static) {
        if self.0.listener.set(Box::new(listener)).is_ok() && self.0.wanted.load(Ordering::Acquire) {
            self.0.tell(Wish::Start);
        }
    }

    pub(crate) fn track(&self) -> &Arc<Track> {
        &self.0
    }
}

impl Sink<RtpPackets> for Sender {
    fn consume(&mut self, packets: RtpPackets, cx: &mut Cx) -> Result<()> {
        if !self.0.is_heard() {
            let (upstream, waker) = (cx.upstream().clone(), cx.waker().clone());
            self.on_wish(move |track, wish| {
                if wish == Wish::Start {
                    track.throttle().want();
                }
                if track.asks(track.clock.now()) {
                    upstream.ask(Control::KeyFrame(Layers::ALL));
                } else if wish != Wish::Bitrate {
                    waker.wake_by_ref();
                }
            });
        }
        self.send(&packets)?;
        self.wake(cx)
    }

    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        let now = cx.now();
        if self.0.asks(now) {
            cx.ask(Control::KeyFrame(Layers::ALL));
        }
        let due = [self.0.due(), self.0.queue.release(now)];
        due.into_iter().flatten().for_each(|due| cx.wake_at(due));
        Ok(())
    }

    fn takes(&self) -> Option<Codec> {
        Some(self.0.codec.clone())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.end();
    }
}

/// Hears each wish of a track's remote side.
type Listener = Box<dyn Fn(&Track, Wish) + Send + Sync>;

/// What a sender, its feed and its feedback share.
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) codec: Codec,
    pub(crate) queue: Queue,
    pub(crate) events: EventSender,
    pub(crate) clock: Clock,
    /// One remote side that loses much is not to cost the others their bit rate.
    throttle: Mutex<Throttle>,
    /// Whether a key frame was wanted before anybody listened.
    wanted: AtomicBool,
    listener: OnceLock<Listener>,
}

/// What the remote side of a track wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A frame to start from: it got nothing yet.
    Start,
    /// A frame to start from, noted in the throttle.
    KeyFrame,
    /// Another bit rate: its estimate has changed.
    Bitrate,
    /// That what was kept for it is [released](Queue::release).
    Pace,
}

impl Track {
    /// Tells the pipeline and the events that a frame to start from is needed, by one that got nothing yet.
    pub(crate) fn want_start(&self) {
        self.want(Wish::Start);
    }

    /// Tells the pipeline and the events that a frame to start from is needed.
    pub(crate) fn want_key_frame(&self) {
        self.throttle().want();
        self.want(Wish::KeyFrame);
    }

    fn want(&self, wish: Wish) {
        self.queue.count(|counts| counts.key_frames_wanted += 1);
        self.wanted.store(true, Ordering::Release);
        self.tell(wish);
        self.events.send(PeerEvent::KeyFrameWanted { track: self.id });
    }

    /// Whether to ask for a key frame now.
    pub(crate) fn asks(&self, now: Timestamp) -> bool {
        self.throttle().ask(now)
    }

    /// From when on to ask for one, if one is wanted.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.throttle().due()
    }

    /// Whether anybody listens to its wishes.
    pub(crate) fn is_heard(&self) -> bool {
        self.listener.get().is_some()
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn statistics(&self) -> TrackStatistics {
        TrackStatistics { track: self.id, sender: self.queue.counts() }
    }

    pub(crate) fn tell(&self, wish: Wish) {
        if let Some(listener) = self.listener.get() {
            if matches!(wish, Wish::Start | Wish::KeyFrame) {
                self.wanted.store(false, Ordering::Release);
            }
            listener(self, wish);
        }
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Track").field("id", &self.id).field("codec", &self.codec.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, frame, video_track};
    use millstream_core::{OPUS, Run, Upstream};
    use std::task::Waker;

    #[test]
    fn a_wish_from_before_the_first_frame_goes_upstream_with_it() {
        let (clock, hand) = Clock::manual();
        let (fake, peer) = fake::peer_on(clock.clone());
        let mut sender = peer.add_track(video_track()).unwrap();
        fake.connect();
        let mut cx = Cx::new(clock, Waker::noop().clone(), Upstream::default(), Run::default());
        sender.consume(frame(0, Role::Reference, 1), &mut cx).unwrap();
        let asked: Vec<_> = cx.upstream().take().expect("asked").iter().collect();
        assert_eq!(asked, [Control::KeyFrame(Layers::ALL)]);
        sender.consume(frame(1, Role::Start, 3), &mut cx).unwrap();
        assert_eq!(cx.upstream().take(), None);
        hand.set(Timestamp::from_millis(500));
        fake.feedback(0).key_frame_wanted();
        assert!(cx.upstream().take().is_some());
        let mut events = peer.take_events().unwrap();
        assert!(
            std::iter::from_fn(|| events.try_recv()).any(|e| e == PeerEvent::KeyFrameWanted { track: sender.id() })
        );
        assert_eq!(fake.sent(0), [(1, 3)]);
    }

    #[test]
    fn a_sink_of_its_own_passes_on_one_wish_per_interval_and_fewer_later() {
        let (clock, hand) = Clock::manual();
        let (fake, peer) = fake::peer_on(clock.clone());
        let mut sender = peer.add_track(video_track()).unwrap();
        fake.connect();
        let mut cx = Cx::new(clock, Waker::noop().clone(), Upstream::default(), Run::default());
        let mut asked = Vec::new();
        sender.consume(frame(0, Role::Reference, 1), &mut cx).unwrap();
        for millis in (0..10_000).step_by(20) {
            hand.set(Timestamp::from_millis(millis));
            // The remote side goes on wishing, and no frame comes.
            fake.feedback(0).key_frame_wanted();
            if cx.take_alarm(cx.now()) {
                sender.wake(&mut cx).unwrap();
            }
            if cx.upstream().take().is_some() {
                asked.push(millis);
            }
        }
        assert_eq!(asked, [0, 500, 1500, 3500, 7500]);
        assert_eq!(sender.statistics().key_frames_wanted, 501, "each is counted");
    }

    #[test]
    fn another_codec_and_a_closed_peer_are_errors() {
        let (_fake, peer) = fake::peer();
        let sender = peer.add_track(video_track()).unwrap();
        let mut sound = frame(0, Role::Start, 1);
        sound.codec = OPUS;
        assert!(sender.send(&sound).unwrap_err().to_string().contains("opus packets on a track of vp8"));
        peer.close().wait().unwrap();
        assert!(sender.send(&frame(0, Role::Start, 1)).unwrap_err().to_string().contains("closed"));
        assert!(peer.add_track(video_track()).unwrap_err().to_string().contains("closed"));
    }
}
