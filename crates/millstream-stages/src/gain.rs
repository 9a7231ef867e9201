//! The stage `gain`: makes sound louder or quieter, or silent.

use millstream_core::known::{Known, SoundGiven};
use millstream_core::units::Decibels;
use millstream_core::{AudioFrame, Descriptor, Format, Out, Pool, Result, Stage, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::POOLED_ITEMS;

/// Options of `gain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// The gain; below zero it is quieter.
    pub gain: Decibels,
    /// Whether to output silence.
    pub mute: bool,
}

/// Multiplies every sample by one number; blocks keep their times.
///
/// Nothing is clipped: samples may be louder than the loudest until something makes them whole
/// numbers, and quieter again before that. Where there is nothing to do, blocks pass as they are.
#[derive(Debug)]
pub struct Gain {
    factor: f32,
    pool: Pool<f32>,
}

impl Gain {
    /// A gain that has changed nothing yet.
    pub fn new(options: Options) -> Gain {
        let factor = if options.mute { 0.0 } else { options.gain.factor() as f32 };
        Gain { factor, pool: Pool::new(POOLED_ITEMS) }
    }
}

impl Stage<AudioFrame, AudioFrame> for Gain {
    fn process(&mut self, block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        let factor = self.factor;
        if factor == 1.0 {
            out.push(block);
            return Ok(());
        }
        let samples = self.pool.fill(block.samples.len(), |to| {
            // Not multiplied by 0: what is not a number would stay so.
            if factor == 0.0 {
                return to.fill(0.0);
            }
            to.iter_mut().zip(block.samples.iter()).for_each(|(to, from)| *to = from * factor);
        });
        out.push(block.with_samples(samples));
        Ok(())
    }
}

/// Describes `gain`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage("gain", "Makes sound louder, quieter or silent", Format::Audio, Format::Audio).light().knowing(
        |_: &Options| Known::default().gives(SoundGiven::AS_INPUT),
        |options: Options, _| Ok(Worker::stage(Gain::new(options))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::Timestamp;

    fn block(samples: &[f32]) -> AudioFrame {
        let time = Timestamp::from_millis(7);
        AudioFrame::new(8000, 2, time, samples.to_vec()).with_discontinuity(true)
    }

    fn given(gain: &mut Gain, samples: &[f32]) -> AudioFrame {
        let mut out = Out::at(Timestamp::ZERO);
        gain.process(block(samples), &mut out).unwrap();
        assert_eq!(out.items().len(), 1);
        out.items().pop_front().unwrap()
    }

    #[test]
    fn samples_are_multiplied_and_never_clipped() {
        let mut louder = Gain::new(Options { gain: "20 dB".parse().unwrap(), mute: false });
        let block = given(&mut louder, &[0.5, -0.25, 0.0, 1.0]);
        assert_eq!(block.samples[..], [5.0, -2.5, 0.0, 10.0]);
        assert_eq!(
            (block.time, block.rate, block.channels, block.discontinuity),
            (Timestamp::from_millis(7), 8000, 2, true)
        );
        let mut muted = Gain::new(Options { gain: "20 dB".parse().unwrap(), mute: true });
        assert_eq!(given(&mut muted, &[0.5, f32::NAN]).samples[..], [0.0, 0.0]);
    }

    #[test]
    fn a_buffer_is_used_again_and_none_where_nothing_changes() {
        let mut quieter = Gain::new(Options { gain: "-6 dB".parse().unwrap(), mute: false });
        let first = given(&mut quieter, &[0.5; 960]).samples.as_ptr();
        for _ in 0..10 {
            assert_eq!(given(&mut quieter, &[0.5; 960]).samples.as_ptr(), first);
        }
        let same = block(&[f32::NAN, 3.0]);
        let mut out = Out::at(Timestamp::ZERO);
        Gain::new(Options::default()).process(same.clone(), &mut out).unwrap();
        assert_eq!(out.items()[0].samples.as_ptr(), same.samples.as_ptr());
    }
}
