//! RTCP: sender reports in capture time, and what receivers report.
//!
//! It takes the place of the crate's own sender reports, which map the moment a packet left to its
//! RTP timestamp. Ours map the moment of *capture*, so that sound and picture meet again whatever
//! encoding cost. The same interceptor reads what comes back: the crate would not let it out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millstream_core::units::Bitrate;
use millstream_core::{Clock, Codec, Media, Timestamp};
use millstream_webrtc::{Feedback, Reception};
use rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
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
    /// The newest frame: its RTP timestamp and the moment it was captured.
    captured: Mutex<Option<(u32, Timestamp)>>,
}

impl Stream {
    pub(crate) fn new(ssrc: u32, codec: &Codec, cname: String, feedback: Feedback) -> Stream {
        let (rate, video) = (codec.clock_rate, codec.media == Media::Video);
        Stream { ssrc, rate, video, cname, feedback, captured: Mutex::default() }
    }

    /// Says that the other side needs a frame to start from.
    pub(crate) fn want_key_frame(&self) {
        self.feedback.key_frame_wanted();
    }

    /// Notes that what was captured at `time` has the RTP timestamp `ticks`.
    pub(crate) fn captured(&self, ticks: u32, time: Timestamp) {
        *lock(&self.captured) = Some((ticks, time));
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
    sent: Vec<Sent>,
    due: Option<Instant>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

struct Sent {
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
            self.sent.push(Sent { ssrc, packets: 0, octets: 0 });
        }
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.ssrc == ssrc) {
            sent.packets = sent.packets.wrapping_add(1);
            sent.octets = sent.octets.wrapping_add(octets as u32);
        }
        first
    }

    /// Reports on the streams that `of` picks and that have sent something.
    fn report(&mut self, instant: Instant, of: impl Fn(u32) -> bool) {
        let now = self.clock.now();
        for stream in lock(&self.streams.0).iter().filter(|stream| of(stream.ssrc)) {
            let Some(sent) = self.sent.iter().find(|sent| sent.ssrc == stream.ssrc) else { continue };
            let Some(rtp_time) = stream.ticks_at(now) else { continue };
            let report = SenderReport {
                ssrc: stream.ssrc,
                ntp_time: self.clock.utc(now).ntp(),
                rtp_time,
                packet_count: sent.packets,
                octet_count: sent.octets,
                ..SenderReport::default()
            };
            let cname = SourceDescriptionItem {
                sdes_type: SdesType::SdesCname,
                text: Bytes::copy_from_slice(stream.cname.as_bytes()),
            };
            let description =
                SourceDescription { chunks: vec![SourceDescriptionChunk { source: stream.ssrc, items: vec![cname] }] };
            let compound: Vec<Box<dyn rtcp::Packet>> = vec![Box::new(report), Box::new(description)];
            self.write.push_back(TaggedPacket {
                now: instant,
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(compound)),
            });
        }
    }

    fn hear(&self, packet: &dyn rtcp::Packet) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            report.reports.iter().for_each(|block| self.reception(block));
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            report.reports.iter().for_each(|block| self.reception(block));
        } else if let Some(loss) = any.downcast_ref::<PictureLossIndication>() {
            self.of(loss.media_ssrc, Feedback::key_frame_wanted);
        } else if let Some(request) = any.downcast_ref::<FullIntraRequest>() {
            request.fir.iter().for_each(|entry| self.of(entry.ssrc, Feedback::key_frame_wanted));
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

    /// Tells the stream `ssrc`. Its lock is not held meanwhile.
    fn of(&self, ssrc: u32, tell: impl Fn(&Feedback)) {
        let stream = lock(&self.streams.0).iter().find(|stream| stream.ssrc == ssrc).cloned();
        if let Some(stream) = stream {
            tell(&stream.feedback);
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
            packets.iter().for_each(|packet| self.hear(packet.as_ref()));
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
