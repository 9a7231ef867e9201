//! The stages `pcmu-decoder` and `pcma-decoder`.

use std::time::Duration;

use millstream_core::{
    AudioFrame, Control, Cx, EncodedFrame, Error, Out, Pool, Result, Stage, Timestamp, samples_to_time,
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
    /// Where the frame before ends, once there was one.
    end: Option<Timestamp>,
}

/// Blocks that are used again: as many as a link and a sound card hold.
const BLOCKS: usize = 16;

/// What stamps may be wrong by: RTP rounds them to half a sample.
const ROUNDING: Duration = samples_to_time(1, RATE);

impl Decoder {
    /// A decoder of `law`.
    pub fn new(law: Law) -> Decoder {
        Decoder { law, pool: Pool::new(BLOCKS), end: None }
    }
}

impl Stage<EncodedFrame, AudioFrame> for Decoder {
    fn process(&mut self, frame: EncodedFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        if frame.data.is_empty() {
            return Err(Error::bad_item("a G.711 frame without a byte: its encoder pushed what it dropped"));
        }
        let astray = |end: Timestamp| end.since(frame.time).max(frame.time.since(end)) > ROUNDING;
        let discontinuity = self.end.is_some_and(astray);
        self.end = Some(frame.time + samples_to_time(frame.data.len() as u64, RATE));
        let samples = self.pool.collect(frame.data.iter().map(|code| self.law.expand(*code)));
        out.push(AudioFrame { time: frame.time, samples, rate: RATE, channels: 1, discontinuity });
        Ok(())
    }

    fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
        Some(wish)
    }
}
