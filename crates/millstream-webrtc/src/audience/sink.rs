//! The sink that takes an audience's pictures or its sound.

use std::sync::Arc;

use millstream_core::{Codec, Cx, Result, RtpPackets, Sink};

use super::end::End;

/// An end of an [`Audience`](crate::Audience): the sink that takes its pictures or its sound.
///
/// The key-frame requests of all viewers go upstream as one, at most every
/// [`KEY_FRAME_INTERVAL`](crate::KEY_FRAME_INTERVAL), and those of a viewer that requests again and again ever
/// less often. A viewer that subscribes within that interval gets the frames since the last key frame.
#[derive(Debug)]
pub struct AudienceSink(Arc<End>);

impl AudienceSink {
    pub(super) fn new(end: Arc<End>) -> AudienceSink {
        AudienceSink(end)
    }
}

impl Sink<RtpPackets> for AudienceSink {
    fn consume(&mut self, packets: RtpPackets, cx: &mut Cx) -> Result<()> {
        self.0.send(&packets, cx.now())?;
        self.wake(cx)
    }

    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        self.0.settle(cx);
        Ok(())
    }

    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.0.end();
        Ok(())
    }

    fn takes(&self) -> Option<Codec> {
        Some(self.0.codec().clone())
    }
}

impl Drop for AudienceSink {
    fn drop(&mut self) {
        self.0.end();
    }
}
