//! The stage `remix`: sound of any number of channels in one or two.

use std::collections::BTreeMap;
use std::f32::consts::FRAC_1_SQRT_2 as HALF;

use millstream_core::known::{Given, Known, Sound, SoundGiven};
use millstream_core::options::{Table, Value};
use millstream_core::{AudioFrame, Descriptor, Error, Format, Out, Pool, Result, Stage, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::POOLED_ITEMS;

/// The most channels that are taken: 7.1.
const MAX_CHANNELS: usize = 8;

/// Options of `remix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Channels of the output, 1 or 2.
    #[schemars(range(min = 1, max = 2))]
    pub channels: u16,
}

impl Default for Options {
    fn default() -> Options {
        Options { channels: 2 }
    }
}

/// Gives sound in one channel or two, whatever it comes in and however often that changes.
///
/// Surround sound becomes stereo and mono by ITU-R BS.775, annex 4: centre and surround at -3 dB, without the
/// low-frequency channel. All of it is made so much quieter that nothing gets louder than the loudest; what is
/// mono becomes stereo as it is. Channels are taken to be in the order of a WAVE file: 3 are left, right, centre;
/// 4 quadraphonic; 5, 6, 7 and 8 are 5.0, 5.1, 6.1 and 7.1. What has the channels passes as it is.
#[derive(Debug)]
pub struct Remix {
    channels: u16,
    pool: Pool<f32>,
}

impl Remix {
    /// A stage that has taken nothing yet.
    ///
    /// # Errors
    /// A wrong configuration if it should give more than two channels, or none.
    pub fn new(options: Options) -> Result<Remix> {
        let channels = options.channels;
        if !(1..=2).contains(&channels) {
            return Err(Error::config(format!("`channels` is {channels}; it gives 1 or 2")));
        }
        Ok(Remix { channels, pool: Pool::new(POOLED_ITEMS) })
    }
}

/// How much of each channel goes to the left and to the right.
type Shares = [[f32; 2]; MAX_CHANNELS];

/// The shares of `channels` channels; `None` where nobody knows what they are.
fn stereo(channels: u16) -> Option<Shares> {
    let (left, right, both) = ([1.0, 0.0], [0.0, 1.0], [HALF, HALF]);
    let (back_left, back_right, none) = ([HALF, 0.0], [0.0, HALF], [0.0, 0.0]);
    let shares: &[[f32; 2]] = match channels {
        1 => &[[1.0, 1.0]],
        2 => &[left, right],
        3 => &[left, right, both],
        4 => &[left, right, back_left, back_right],
        5 => &[left, right, both, back_left, back_right],
        6 => &[left, right, both, none, back_left, back_right],
        // The one in the middle of the back is one of both, each at -3 dB.
        7 => &[left, right, both, none, [HALF * HALF, HALF * HALF], back_left, back_right],
        8 => &[left, right, both, none, back_left, back_right, back_left, back_right],
        _ => return None,
    };
    let mut all = [none; MAX_CHANNELS];
    all[..shares.len()].copy_from_slice(shares);
    Some(all)
}

/// The shares for `to` channels, scaled so that full scale in all channels is full scale.
fn shares(from: u16, to: u16) -> Option<Shares> {
    let mut shares = stereo(from)?;
    if to == 1 {
        shares.iter_mut().for_each(|[left, right]| *left = HALF * (*left + *right));
    }
    let sum = |side: usize| shares.iter().map(|share| share[side]).sum::<f32>();
    let most = if to == 1 { sum(0) } else { sum(0).max(sum(1)) };
    shares.iter_mut().flatten().for_each(|share| *share /= most.max(1.0));
    Some(shares)
}

impl Stage<AudioFrame, AudioFrame> for Remix {
    fn process(&mut self, block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        let (from, to) = (block.channels, self.channels);
        if from == to {
            out.push(block);
            return Ok(());
        }
        let shares = shares(from, to).filter(|_| block.samples.len().is_multiple_of(from.max(1).into()));
        let shares = shares.ok_or_else(|| {
            Error::bad_item(format!("{} samples in {from} channels; what can be mixed is 1 to 8", block.samples.len()))
        })?;
        let samples = self.pool.fill(block.len() * usize::from(to), |samples| {
            let frames = block.samples.chunks_exact(from.into());
            for (given, taken) in samples.chunks_exact_mut(to.into()).zip(frames) {
                for (side, given) in given.iter_mut().enumerate() {
                    *given = taken.iter().zip(&shares).map(|(sample, share)| sample * share[side]).sum();
                }
            }
        });
        let mut mixed = block.with_samples(samples);
        mixed.channels = to;
        out.push(mixed);
        Ok(())
    }
}

/// Describes `remix`.
pub fn descriptor() -> Descriptor {
    let gives = |options: &Options| SoundGiven { rate: Given::AsInput, channels: Given::Is(options.channels) };
    Descriptor::stage("remix", "Mixes the channels of sound to one or two", Format::Audio, Format::Audio)
        .light()
        .converting(adapt)
        .knowing(
            move |options: &Options| Known::default().gives(gives(options)),
            |options: Options, _| Ok(Worker::stage(Remix::new(options)?)),
        )
}

fn adapt(from: Sound, to: Sound) -> Option<(Table, Sound)> {
    let taken = from.channels.is_none_or(|channels| (1..=MAX_CHANNELS).contains(&usize::from(channels)));
    let channels = to.channels.filter(|given| taken && from.channels != to.channels && (1..=2).contains(given))?;
    let table = BTreeMap::from([("channels".to_owned(), Value::Integer(channels.into()))]);
    Some((table, Sound { channels: Some(channels), ..from }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::Timestamp;

    /// What full scale in one channel of `from` becomes, for each channel.
    fn remixed(from: u16, to: u16) -> Vec<Vec<f32>> {
        let mut remix = Remix::new(Options { channels: to }).unwrap();
        let mut samples = vec![0.0; usize::from(from * from)];
        (0..usize::from(from)).for_each(|at| samples[at * usize::from(from) + at] = 1.0);
        let time = Timestamp::from_millis(5);
        let block = AudioFrame::new(44_100, from, time, samples).with_discontinuity(true);
        let mut out = Out::at(Timestamp::ZERO);
        remix.process(block, &mut out).unwrap();
        let given = out.items().pop_front().unwrap();
        assert_eq!((given.time, given.rate, given.channels, given.discontinuity), (time, 44_100, to, true));
        given.samples.chunks_exact(to.into()).map(|frame| frame.to_vec()).collect()
    }

    fn is(given: &[Vec<f32>], expected: &[&[f32]]) {
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
        let same = |(a, b): (&Vec<f32>, &&[f32])| a.len() == b.len() && a.iter().zip(*b).all(near);
        assert!(given.len() == expected.len() && given.iter().zip(expected).all(same), "{given:?}");
    }

    #[test]
    fn surround_becomes_stereo_and_mono_by_bs_775() {
        // The sums of the shares: what all of it is divided by.
        let five = 1.0 + 2.0 * HALF;
        let (l, c, s) = (1.0 / five, HALF / five, HALF / five);
        is(&remixed(6, 2), &[&[l, 0.0], &[0.0, l], &[c, c], &[0.0, 0.0], &[s, 0.0], &[0.0, s]]);
        is(&remixed(5, 2), &[&[l, 0.0], &[0.0, l], &[c, c], &[s, 0.0], &[0.0, s]]);
        let seven = 1.0 + 3.0 * HALF;
        let (l, c) = (1.0 / seven, HALF / seven);
        let (left, right) = ([c, 0.0], [0.0, c]);
        is(&remixed(8, 2), &[&[l, 0.0], &[0.0, l], &[c, c], &[0.0, 0.0], &left, &right, &left, &right]);
        let quad = 1.0 + HALF;
        is(&remixed(4, 2), &[&[1.0 / quad, 0.0], &[0.0, 1.0 / quad], &[HALF / quad, 0.0], &[0.0, HALF / quad]]);
        // BS.775, table 2, 1/0: left and right at 0.7071, the centre at 1, surround at 0.5.
        let sum = 2.0 * HALF + 1.0 + 2.0 * 0.5;
        let (l, c, s) = (HALF / sum, 1.0 / sum, 0.5 / sum);
        is(&remixed(6, 1), &[&[l], &[l], &[c], &[0.0], &[s], &[s]]);
    }

    #[test]
    fn stereo_and_mono_become_each_other_and_what_fits_passes() {
        is(&remixed(2, 1), &[&[0.5], &[0.5]]);
        is(&remixed(1, 2), &[&[1.0, 1.0]]);
        is(&remixed(2, 2), &[&[1.0, 0.0], &[0.0, 1.0]]);
        for from in 1..=8 {
            for to in 1..=2 {
                let all = remixed(from, to);
                let loudest = (0..usize::from(to)).map(|side| all.iter().map(|one| one[side]).sum::<f32>());
                assert!(loudest.into_iter().all(|sum| sum < 1.000_001), "{from} {to}");
            }
        }
    }

    #[test]
    fn it_offers_itself_only_for_what_it_takes() {
        let sound = |channels| Sound { rate: None, channels };
        for (from, offers) in [(None, true), (Some(1), true), (Some(8), true), (Some(9), false), (Some(2), false)] {
            assert_eq!(adapt(sound(from), sound(Some(2))).is_some(), offers, "{from:?}");
        }
        assert!(adapt(sound(Some(9)), sound(Some(8))).is_none());
    }

    #[test]
    fn more_channels_are_bad_items() {
        let mut remix = Remix::new(Options::default()).unwrap();
        let block = AudioFrame::new(48_000, 9, Timestamp::ZERO, vec![0.0; 9]);
        let error = remix.process(block, &mut Out::at(Timestamp::ZERO)).unwrap_err().to_string();
        assert!(error.contains("9 channels; what can be mixed is 1 to 8"), "{error}");
        assert!(Remix::new(Options { channels: 3 }).is_err() && Remix::new(Options { channels: 0 }).is_err());
    }
}
