//! The viewers of one end, and what they request together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use millstream_core::throttle::Throttle;
use millstream_core::{Clock, Codec, Control, Cx, Layers, Media, Result, Role, RtpPackets, Timestamp, Upstream};

use super::policy::{BitratePolicy, ExpectedLoss, Limit};
use super::{lock, recent::Recent};
use crate::queue::Queue;
use crate::track::{Request, Track};
use crate::{Sender, TrackSink};

#[derive(Debug)]
pub(super) struct End {
    clock: Clock,
    codec: Codec,
    policy: BitratePolicy,
    /// Where both are needed, this is locked before `requests`.
    viewers: Mutex<Viewers>,
    requests: Mutex<Requests>,
    ended: AtomicBool,
}

#[derive(Debug)]
struct Viewers {
    all: Vec<TrackSink>,
    recent: Recent,
}

#[derive(Debug, Default)]
struct Requests {
    throttle: Throttle,
    limit: Limit,
    loss: ExpectedLoss,
    /// When to look again at a viewer whose request came too soon after its last.
    again: Option<Timestamp>,
    /// Whether what was kept for some viewer is to be sent.
    pacing: bool,
    /// How to ask, and how to have the sink set its alarm; known once a runner has called it.
    upstream: Option<(Upstream, Waker)>,
}

impl End {
    pub(super) fn new(clock: Clock, codec: Codec, policy: BitratePolicy) -> End {
        let viewers = Mutex::new(Viewers { all: Vec::new(), recent: Recent::new() });
        End { clock, codec, policy, viewers, requests: Mutex::default(), ended: AtomicBool::new(false) }
    }

    pub(super) fn codec(&self) -> &Codec {
        &self.codec
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn viewers(&self) -> usize {
        lock(&self.viewers).all.iter().filter(|viewer| !viewer.track().queue.is_ended()).count()
    }

    pub(super) fn longest_queue(&self) -> usize {
        lock(&self.viewers).all.iter().map(|viewer| viewer.track().queue.queued()).max().unwrap_or(0)
    }

    /// Sends what comes from now on to `viewer`. If this has ended in the meantime, it ends the track at once.
    pub(super) fn admit(self: &Arc<End>, viewer: TrackSink) {
        let track = Arc::clone(viewer.track());
        let number = viewer.number();
        let mut viewers = lock(&self.viewers);
        // `end` sets this before it locks the viewers: either it is seen here, or `end` finds this one too.
        if self.is_ended() {
            drop(viewers);
            return track.queue.end(false);
        }
        viewers.all.push(viewer);
        drop(viewers);
        let end = Arc::downgrade(self);
        // Only now: it may be given the last frames at once, and those after them come as to all.
        track.listen(move |track, request| {
            if let Some(end) = end.upgrade() {
                end.requested(track, number, request);
            }
        });
    }

    /// Sends nothing more to the viewer whose handle is `sender`.
    pub(super) fn dismiss(&self, sender: &Sender) {
        let mut viewers = lock(&self.viewers);
        let left: Vec<_> = viewers.all.extract_if(.., |viewer| Arc::ptr_eq(viewer.track(), sender.track())).collect();
        drop(viewers);
        drop(left);
        self.follow();
    }

    /// Ends the tracks of all viewers, and those of all that subscribe later: else they would wait for nothing.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let mut viewers = lock(&self.viewers);
        viewers.recent.forget();
        let all = std::mem::take(&mut viewers.all);
        drop(viewers);
        all.iter().for_each(|viewer| viewer.track().queue.end(false));
    }

    /// Sends `packets` to all viewers. Those that have left are forgotten.
    pub(super) fn send(&self, packets: &RtpPackets, now: Timestamp) -> Result<()> {
        packets.require(&self.codec)?;
        // Before the viewers get it: one that becomes ready in the meantime still has its request.
        if packets.role == Role::Start {
            lock(&self.requests).throttle.satisfied(now);
        }
        let mut viewers = lock(&self.viewers);
        if packets.codec.media == Media::Video {
            viewers.recent.note(packets, now);
        }
        let before = viewers.all.len();
        viewers.all.retain(|viewer| viewer.deliver(packets));
        let left = viewers.all.len() < before;
        drop(viewers);
        if left {
            self.follow();
        }
        Ok(())
    }

    /// Asks for what is due, and sets the alarm for the rest.
    pub(super) fn settle(&self, cx: &mut Cx) {
        if self.note_upstream(cx) {
            // What viewers can take was known before.
            self.follow();
        }
        let now = cx.now();
        let later = self.look_again(now);
        let mut requests = lock(&self.requests);
        if requests.throttle.ask(now) {
            cx.ask(Control::KeyFrame(Layers::ALL));
        }
        let due = [requests.throttle.due(), later];
        due.into_iter().flatten().for_each(|due| cx.wake_at(due));
    }

    /// From any thread: a viewer requests something.
    fn requested(&self, track: &Track, number: u32, request: Request) {
        match request {
            _ if self.codec.media != Media::Video => self.follow(),
            Request::Start => self.start(track, number),
            Request::KeyFrame if track.asks(self.clock.now()) => self.request_key_frame(),
            Request::KeyFrame => {
                let mut requests = lock(&self.requests);
                requests.again = [requests.again, track.due()].into_iter().flatten().min();
                requests.wake();
            }
            Request::Pace => self.pace(),
            // A muted viewer does not limit the others.
            Request::Bitrate | Request::Loss | Request::Mute => self.follow(),
        }
    }

    /// For a viewer that got nothing yet: the frames since the last key frame, if that was just now and the
    /// next may not be requested.
    fn start(&self, track: &Track, number: u32) {
        let viewers = lock(&self.viewers);
        let now = self.clock.now();
        let free = lock(&self.requests).throttle.is_free(now);
        let has_start = !free && track.queue.catch_up(number, viewers.recent.frames(), now);
        drop(viewers);
        if has_start { self.pace() } else { self.request_key_frame() }
    }

    /// Asks at once if it may, or has the sink set its alarm.
    fn request_key_frame(&self) {
        let mut requests = lock(&self.requests);
        requests.throttle.want();
        let Some((upstream, _)) = requests.upstream.clone() else { return };
        if requests.throttle.ask(self.clock.now()) {
            drop(requests);
            upstream.ask(Control::KeyFrame(Layers::ALL));
        } else {
            requests.wake();
        }
    }

    /// Has the sink release what was kept for a viewer.
    fn pace(&self) {
        let mut requests = lock(&self.requests);
        requests.pacing = true;
        requests.wake();
    }

    /// Notes how to ask; whether that was not known before.
    fn note_upstream(&self, cx: &Cx) -> bool {
        let upstream = &mut lock(&self.requests).upstream;
        let new = upstream.is_none();
        upstream.get_or_insert_with(|| (cx.upstream().clone(), cx.waker().clone()));
        new
    }

    /// Looks at those whose requests came too soon, and sends what was kept, as far as it is due; when to do so
    /// again.
    fn look_again(&self, now: Timestamp) -> Option<Timestamp> {
        let requests = lock(&self.requests);
        let due = requests.again.is_some_and(|again| again <= now);
        if !due && !requests.pacing {
            return requests.again;
        }
        drop(requests);
        let viewers = lock(&self.viewers);
        let mut requests = lock(&self.requests);
        if due {
            requests.again = None;
            for viewer in &viewers.all {
                if viewer.track().asks(now) {
                    requests.throttle.want();
                }
                requests.again = [requests.again, viewer.track().due()].into_iter().flatten().min();
            }
        }
        let mut next = requests.again;
        if requests.pacing {
            let queues = || viewers.all.iter().map(|viewer| &viewer.track().queue);
            let more = queues().filter_map(|queue| queue.release(now)).min();
            // Even if all is due: the engine may not have taken it yet, and what comes next waits behind it.
            requests.pacing = queues().any(Queue::is_paced);
            next = [next, more].into_iter().flatten().min();
        }
        next
    }

    /// From any thread: asks for the bit rate of pictures that viewers can take, if the policy says so, and for
    /// correction of the sound that they lose, if it has changed.
    fn follow(&self) {
        let is_video = self.codec.media == Media::Video;
        if is_video && self.policy == BitratePolicy::Fixed {
            return;
        }
        // Both are held until it is asked, so that the newest estimates are what is asked last.
        let viewers = lock(&self.viewers);
        let mut requests = lock(&self.requests);
        // Before a runner has called the sink nothing flows that would be too much.
        let Some((upstream, _)) = requests.upstream.clone() else { return };
        let queues = viewers.all.iter().map(|viewer| &viewer.track().queue).filter(|queue| !queue.is_muted());
        let counts = queues.map(Queue::counts);
        let request = if is_video {
            requests.limit.follow(counts.filter_map(|counts| counts.bitrate_estimate))
        } else {
            requests.loss.follow(counts.filter_map(|counts| counts.reception).map(|reception| reception.loss))
        };
        if let Some(request) = request {
            upstream.ask(request);
        }
    }
}

impl Requests {
    /// Wakes the sink, which looks what is due.
    fn wake(&self) {
        if let Some((_, waker)) = &self.upstream {
            waker.wake_by_ref();
        }
    }
}
