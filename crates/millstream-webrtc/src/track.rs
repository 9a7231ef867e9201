//! What a track's sink, its handles and its engine share.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::throttle::Throttle;
use millstream_core::{Clock, Codec, Timestamp};

use crate::queue::Queue;
use crate::{EventSender, PeerEvent, TrackId, TrackStatistics};

/// What a track's sink, its handles and its engine share.
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) codec: Codec,
    pub(crate) queue: Queue,
    pub(crate) events: EventSender,
    pub(crate) clock: Clock,
    /// One remote side that loses much must not cost the others their bit rate.
    throttle: Mutex<Throttle>,
    /// A key frame was requested while no sink was joined.
    requested: AtomicBool,
    listener: Mutex<Option<Listener>>,
    /// Why the track cannot be sent.
    failure: Mutex<Option<String>>,
    /// Whether there is such a reason: read for each frame, without a lock.
    has_failed: AtomicBool,
}

/// Is called with each request for a track.
type Listener = Arc<dyn Fn(&Track, Request) + Send + Sync>;

/// What is requested of the source of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A frame to start from: the remote side got nothing yet.
    Start,
    /// A frame to start from, noted in the throttle.
    KeyFrame,
    /// Another bit rate: the remote side's estimate has changed.
    Bitrate,
    /// More or less error correction of sound: the remote side's loss has changed.
    Loss,
    /// That what was kept for the remote side is [released](Queue::release).
    Pace,
    /// A pause, or its end: the track was muted or is not any more.
    Mute,
}

impl Track {
    pub(crate) fn new(id: TrackId, codec: Codec, clock: Clock, events: EventSender) -> Track {
        Track {
            id,
            queue: Queue::new(codec.media),
            codec,
            events,
            clock,
            throttle: Mutex::new(Throttle::backing_off()),
            requested: AtomicBool::new(false),
            listener: Mutex::default(),
            failure: Mutex::default(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Requests a frame to start from, for a remote side that got nothing yet.
    pub(crate) fn request_start(&self) {
        self.request(Request::Start);
    }

    /// Requests a frame to start from.
    pub(crate) fn request_key_frame(&self) {
        self.throttle().want();
        self.request(Request::KeyFrame);
    }

    fn request(&self, request: Request) {
        self.queue.count(|counts| counts.key_frames_requested += 1);
        // A muted track requests one when it goes on.
        if !self.queue.is_muted() {
            self.requested.store(true, Ordering::Release);
            self.notify(request);
        }
        self.events.send(PeerEvent::KeyFrameRequested { track: self.id });
    }

    /// Passes `request` on to the source of the track.
    pub(crate) fn notify(&self, request: Request) {
        let listener = lock(&self.listener).clone();
        let Some(listener) = listener else { return };
        if matches!(request, Request::Start | Request::KeyFrame) {
            self.requested.store(false, Ordering::Release);
        }
        listener(self, request);
    }

    /// Calls `listener` with each request from now on; once now if a key frame was requested before.
    pub(crate) fn listen(&self, listener: impl Fn(&Track, Request) + Send + Sync + 'static) {
        *lock(&self.listener) = Some(Arc::new(listener));
        if self.requested.load(Ordering::Acquire) {
            self.notify(Request::Start);
        }
    }

    /// The source is gone. If a frame to start from is needed, the next source is asked for one.
    pub(crate) fn stop_listening(&self) {
        *lock(&self.listener) = None;
        self.requested.store(self.queue.is_awaited(), Ordering::Release);
    }

    pub(crate) fn has_listener(&self) -> bool {
        lock(&self.listener).is_some()
    }

    /// Whether to ask for a key frame now.
    pub(crate) fn asks(&self, now: Timestamp) -> bool {
        self.throttle().ask(now)
    }

    /// From when on to ask for one, if one is requested.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.throttle().due()
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.throttle)
    }

    pub(crate) fn fail(&self, reason: String) {
        let mut failure = lock(&self.failure);
        if failure.as_ref() == Some(&reason) {
            return;
        }
        *failure = Some(reason.clone());
        self.has_failed.store(true, Ordering::Release);
        drop(failure);
        self.events.send(PeerEvent::TrackFailed { track: self.id, reason });
    }

    pub(crate) fn accept(&self) {
        *lock(&self.failure) = None;
        self.has_failed.store(false, Ordering::Release);
    }

    pub(crate) fn failure(&self) -> Option<String> {
        if self.has_failed.load(Ordering::Acquire) { lock(&self.failure).clone() } else { None }
    }

    pub(crate) fn statistics(&self) -> TrackStatistics {
        TrackStatistics { track: self.id, sender: self.queue.counts() }
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Track").field("id", &self.id).field("codec", &self.codec.name).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
