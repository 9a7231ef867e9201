//! What only the fuzz targets may call: built with `--cfg fuzzing` alone.

use std::sync::Arc;

use millstream_core::{Clock, OPUS, Timestamp, VP8};
use millstream_webrtc::Feedback;
use rtc::interceptor::{AttributedPacket, Packet, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;

use crate::reports::{Reports, Stream, Streams};

/// Our interceptor, with a stream of pictures (SSRC 1) and one of sound (SSRC 2).
pub struct Rtcp {
    reports: Reports,
    now: std::time::Instant,
}

impl Rtcp {
    /// An interceptor that has sent something; `video` and `audio` get what is reported.
    pub fn new(video: Feedback, audio: Feedback) -> Rtcp {
        let (streams, clock) = (Streams::default(), Clock::system());
        for (ssrc, codec, feedback) in [(1, VP8, video), (2, OPUS, audio)] {
            let stream = Stream::new(ssrc, &codec, "fuzz".to_owned(), feedback);
            stream.captured(90_000, Timestamp::from_millis(1000));
            streams.add(Arc::new(stream));
        }
        let now = tokio::time::Instant::now().into_std();
        Rtcp { reports: Reports::new(clock, streams), now }
    }

    /// Takes `bytes` as a datagram that was decrypted.
    ///
    /// # Panics
    /// If our interceptor keeps what it should pass on.
    pub fn read(&mut self, mut bytes: &[u8]) {
        let Ok(packets) = rtc::rtcp::packet::unmarshal(&mut bytes) else { return };
        let (now, transport) = (self.now, TransportContext::default());
        let message = AttributedPacket::new(Packet::Rtcp(packets));
        self.reports.handle_read(TaggedPacket { now, transport, message }).expect("nothing is refused");
        assert!(self.reports.poll_read().is_some() && self.reports.poll_read().is_none(), "passed on once");
        let _ = self.reports.handle_timeout(now);
        while self.reports.poll_write().is_some() {}
    }
}
