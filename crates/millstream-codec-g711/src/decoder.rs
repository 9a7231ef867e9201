//! The stages `pcmu-decoder` and `pcma-decoder`.

use std::time::Duration;

use millstream_core::{
    AudioFrame, Codec, Control, Cx, EncodedFrame, Error, Out, Pool, Result, Stage, Timestamp, samples_to_time,
};

use crate::RATE;
use crate::law::Law;

/// Decodes G.711 into mono at 8 kHz: a frame of any length into a block of as many samples as it has bytes.
///
/// A frame that does not start where the one before it ended gives a discontinuity. What is lost is
/// not made up for.
#[derive(Debug)]
pub struct Decoder {
    law: Law,
    pool: Pool<f32>,
    /// Where the count of samples began, and how many there were since, once there was a frame.
    count: Option<(Timestamp, u64)>,
}

/// Blocks that are used again: as many as a link and a sound card hold.
const BLOCKS: usize = 16;

/// What stamps may be wrong by: RTP rounds them to half a sample.
const ROUNDING: Duration = samples_to_time(1, RATE);

impl Decoder {
    /// A decoder of `law`.
    pub fn new(law: Law) -> Decoder {
        Decoder { law, pool: Pool::new(BLOCKS), count: None }
    }
}

impl Stage<EncodedFrame, AudioFrame> for Decoder {
    fn process(&mut self, frame: EncodedFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        frame.require(&self.law.codec())?;
        if frame.data.is_empty() {
            return Err(Error::bad_item("a G.711 frame without a byte: its encoder pushed what it dropped"));
        }
        // Stamps follow from the count as long as the frame's own agrees, so that blocks touch exactly.
        let due = self.count.map(|(start, samples)| start + samples_to_time(samples, RATE));
        let in_step = due.is_some_and(|due| due.since(frame.time).max(frame.time.since(due)) <= ROUNDING);
        let discontinuity = due.is_some() && !in_step;
        let (start, before) = self.count.filter(|_| in_step).unwrap_or((frame.time, 0));
        self.count = Some((start, before + frame.data.len() as u64));
        let time = start + samples_to_time(before, RATE);
        let samples = self.pool.collect(frame.data.iter().map(|code| self.law.expand(*code)));
        let block = AudioFrame::new(RATE, 1, time, samples).with_discontinuity(discontinuity);
        out.push(block.with_estimated_time(frame.time_is_estimated));
        Ok(())
    }

    fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
        Some(wish)
    }

    fn takes(&self) -> Option<Codec> {
        Some(self.law.codec())
    }
}
