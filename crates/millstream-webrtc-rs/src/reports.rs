//! RTCP: sender reports in capture time, and what receivers report.
//!
//! It takes the place of the crate's own sender reports, which map the moment a packet left to its
//! RTP timestamp. Ours map the moment of *capture*, so that sound and picture meet again whatever
//! encoding cost. The same interceptor reads what comes back: the crate would not let it out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millstream_core::units::Bitrate;
use millstream_core::{Clock, Codec, Media, Timestamp};
use millstream_webrtc::{Feedback, Reception};
use rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;

/// Between two reports of a stream: what libwebrtc does for video, and often enough for clocks that
/// drift by 100 ppm (0.1 ms).
const INTERVAL: Duration = Duration::from_secs(1);

/// A stream we send, as its sender and the reports share it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) ssrc: u32,
    rate: u32,
    video: bool,
    cname: String,
    feedback: Feedback,
    ended: AtomicBool,
    /// The newest frame: its RTP timestamp and the moment it was captured.
    captured: Mutex<Option<(u32, Timestamp)>>,
}

impl Stream {
    pub(crate) fn new(ssrc: u32, codec: &Codec, cname: String, feedback: Feedback) -> Stream {
        let (rate, video) = (codec.clock_rate, codec.media == Media::Video);
        let (ended, captured) = (AtomicBool::new(false), Mutex::default());
        Stream { ssrc, rate, video, cname, feedback, ended, captured }
    }

    pub(crate) fn feedback(&self) -> &Feedback {
        &self.feedback
    }

    /// Nothing more is sent: the next report is the last, and says so.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Requests a frame to start from, for the other side.
    pub(crate) fn request_key_frame(&self) {
        self.feedback.key_frame_requested();
    }

    /// Notes that what was captured at `time` has the RTP timestamp `ticks`.
    pub(crate) fn captured(&self, ticks: u32, time: Timestamp) {
        *lock(&self.captured) = Some((ticks, time));
    }

    /// `report` with who reports, and with its goodbye if it is the `last` (RFC 3550, sections 6.5 and 6.6).
    fn compound(&self, report: SenderReport, last: bool) -> Vec<Box<dyn rtcp::Packet>> {
        let text = Bytes::copy_from_slice(self.cname.as_bytes());
        let cname = SourceDescriptionItem { sdes_type: SdesType::SdesCname, text };
        let chunk = SourceDescriptionChunk { source: self.ssrc, items: vec![cname] };
        let mut compound: Vec<Box<dyn rtcp::Packet>> =
            vec![Box::new(report), Box::new(SourceDescription { chunks: vec![chunk] })];
        if last {
            compound.push(Box::new(Goodbye { sources: vec![self.ssrc], reason: Bytes::new() }));
        }
        compound
    }

    /// The RTP timestamp of what is captured at `now`.
    fn ticks_at(&self, now: Timestamp) -> Option<u32> {
        let (ticks, time) = (*lock(&self.captured))?;
        // A frame may be stamped a little ahead of the clock: sound by the length of its block.
        let ahead = Timestamp::ZERO + now.since(time);
        let behind = Timestamp::ZERO + time.since(now);
        Some(ticks.wrapping_add(ahead.ticks(self.rate) as u32).wrapping_sub(behind.ticks(self.rate) as u32))
    }
}

/// The streams that one peer sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<Mutex<Vec<Arc<Stream>>>>);

impl Streams {
    pub(crate) fn add(&self, stream: Arc<Stream>) {
        lock(&self.0).push(stream);
    }

    pub(crate) fn remove(&self, ssrc: u32) {
        lock(&self.0).retain(|stream| stream.ssrc != ssrc);
    }
}

/// The interceptor.
pub(crate) struct Reports {
    clock: Clock,
    streams: Streams,
    sent: Vec<SentCount>,
    due: Option<Instant>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

struct SentCount {
    ssrc: u32,
    packets: u32,
    octets: u32,
}

impl Reports {
    pub(crate) fn new(clock: Clock, streams: Streams) -> Reports {
        Reports { clock, streams, sent: Vec::new(), due: None, read: VecDeque::new(), write: VecDeque::new() }
    }

    /// Counts what leaves; `true` for the first packet of a stream.
    fn count(&mut self, ssrc: u32, octets: usize) -> bool {
        let first = !self.sent.iter().any(|sent| sent.ssrc == ssrc);
        if first {
            self.sent.push(SentCount { ssrc, packets: 0, octets: 0 });
        }
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.ssrc == ssrc) {
            sent.packets = sent.packets.wrapping_add(1);
            sent.octets = sent.octets.wrapping_add(octets as u32);
        }
        first
    }

    /// Reports on the streams that `of` picks and that have sent something, and forgets those that have ended.
    fn report(&mut self, instant: Instant, of: impl Fn(u32) -> bool) {
        let now = self.clock.now();
        let Reports { clock, streams, sent, write, .. } = self;
        lock(&streams.0).retain(|stream| {
            if !of(stream.ssrc) {
                return true;
            }
            let ended = stream.is_ended();
            let counts = sent.iter().find(|sent| sent.ssrc == stream.ssrc);
            if let (Some(counts), Some(rtp_time)) = (counts, stream.ticks_at(now)) {
                let report = SenderReport {
                    ssrc: stream.ssrc,
                    ntp_time: clock.utc(now).ntp(),
                    rtp_time,
                    packet_count: counts.packets,
                    octet_count: counts.octets,
                    ..SenderReport::default()
                };
                write.push_back(TaggedPacket {
                    now: instant,
                    transport: TransportContext::default(),
                    message: AttributedPacket::new(Packet::Rtcp(stream.compound(report, ended))),
                });
            }
            !ended
        });
    }

    fn read_packet(&self, packet: &dyn rtcp::Packet) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            report.reports.iter().for_each(|block| self.reception(block));
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            report.reports.iter().for_each(|block| self.reception(block));
        } else if let Some(loss) = any.downcast_ref::<PictureLossIndication>() {
            self.of(loss.media_ssrc, Feedback::key_frame_requested);
        } else if let Some(request) = any.downcast_ref::<FullIntraRequest>() {
            request.fir.iter().for_each(|entry| self.of(entry.ssrc, Feedback::key_frame_requested));
        } else if let Some(estimate) = any.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
            // It is one for the whole transport, whichever streams it lists; pictures are what can follow it.
            let streams = lock(&self.streams.0);
            let stream = streams.iter().find(|stream| stream.video).or(streams.first()).cloned();
            drop(streams);
            if let Some(stream) = stream {
                stream.feedback.bitrate_estimate(Bitrate::from_bps(estimate.bitrate as u64));
            }
        }
    }

    fn reception(&self, block: &ReceptionReport) {
        let Some(stream) = lock(&self.streams.0).iter().find(|stream| stream.ssrc == block.ssrc).cloned() else {
            return;
        };
        // RFC 3550, section 6.4.1: all in 1/65536 s of the middle 32 bits of NTP time.
        let now = (self.clock.utc(self.clock.now()).ntp() >> 16) as u32;
        let trip = now.wrapping_sub(block.last_sender_report).wrapping_sub(block.delay) as i32;
        let known = block.last_sender_report != 0;
        stream.feedback.reception(Reception {
            loss: f32::from(block.fraction_lost) / 256.0,
            round_trip: known.then(|| Duration::from_secs_f64(f64::from(trip.max(0)) / 65536.0)),
            jitter: Duration::from_secs_f64(f64::from(block.jitter) / f64::from(stream.rate)),
        });
    }

    /// Calls `report` with the feedback of the stream `ssrc`. Its lock is not held meanwhile.
    fn of(&self, ssrc: u32, report: impl Fn(&Feedback)) {
        let stream = lock(&self.streams.0).iter().find(|stream| stream.ssrc == ssrc).cloned();
        if let Some(stream) = stream {
            report(&stream.feedback);
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Reports {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            packets.iter().for_each(|packet| self.read_packet(packet.as_ref()));
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        let now = packet.now;
        let sent = match &packet.message.packet {
            Packet::Rtp(rtp) => Some((rtp.header.ssrc, rtp.payload.len())),
            _ => None,
        };
        self.write.push_back(packet);
        // The first report follows the first packet, so that a receiver can align at once.
        if let Some((ssrc, octets)) = sent
            && self.count(ssrc, octets)
        {
            self.report(now, |of| of == ssrc);
            self.due.get_or_insert(now + INTERVAL);
        }
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.due.is_some_and(|due| due <= now) {
            self.due = Some(now + INTERVAL);
            self.report(now, |_| true);
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.due
    }
}

impl Interceptor for Reports {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
