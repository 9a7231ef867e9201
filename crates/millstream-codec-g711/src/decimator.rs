//! Sound at a multiple of 8 kHz into mono at 8 kHz.

use std::collections::VecDeque;

use crate::RATE;

/// Mixes the channels and leaves out samples, behind a low-pass.
///
/// The filter is symmetric, so what leaves is late by half its length: 2.25 ms at any rate above
/// 8 kHz, and nothing at 8 kHz, where there is no filter.
#[derive(Debug)]
pub(crate) struct Decimator {
    /// Samples in for one out.
    factor: usize,
    channels: usize,
    /// Empty where there is nothing to filter.
    taps: Vec<f32>,
    /// The newest samples, mixed, one for each tap.
    heard: VecDeque<f32>,
}

/// Lobes of the filter, at samples of 8 kHz: with Blackman's window the stop band, 74 dB down, begins
/// 0.65 kHz above 4 kHz and the pass band ends as far below it (Harris, Proc. IEEE 66, 1978). G.712
/// passes up to 3.4 kHz.
const LOBES: usize = 36;

impl Decimator {
    /// For sound of `channels` channels at `rate`, if that is a multiple of 8 kHz up to 96 kHz.
    pub(crate) fn new(rate: u32, channels: u16) -> Option<Decimator> {
        let whole = rate > 0 && rate.is_multiple_of(RATE) && rate <= 12 * RATE;
        let factor = whole.then_some((rate / RATE) as usize)?;
        let taps = if factor == 1 { Vec::new() } else { low_pass(factor) };
        let heard = std::iter::repeat_n(0.0, taps.len()).collect();
        Some(Decimator { factor, channels: channels.into(), taps, heard })
    }

    /// Gives `each` the samples at 8 kHz of `samples`, whose channels are interleaved and whose length
    /// is a multiple of the factor.
    pub(crate) fn push(&mut self, samples: &[f32], mut each: impl FnMut(f32)) {
        let mono = |all: &[f32]| all.iter().sum::<f32>() / all.len() as f32;
        for group in samples.chunks_exact(self.factor * self.channels) {
            if self.taps.is_empty() {
                each(mono(group));
                continue;
            }
            for (index, all) in group.chunks_exact(self.channels).enumerate() {
                self.heard.pop_front();
                self.heard.push_back(mono(all));
                // The first of each group is the one that stays.
                if index == 0 {
                    each(self.heard.iter().zip(&self.taps).map(|(sample, tap)| sample * tap).sum());
                }
            }
        }
    }
}

/// A windowed sinc that lets through what is below 4 kHz, at 8 kHz times `factor`.
fn low_pass(factor: usize) -> Vec<f32> {
    use std::f64::consts::PI;
    let length = LOBES * factor;
    let taps: Vec<f64> = (0..=length)
        .map(|index| {
            // In samples of 8 kHz, from the middle.
            let away = (index as f64 - length as f64 / 2.0) / factor as f64;
            let sinc = if away == 0.0 { 1.0 } else { (PI * away).sin() / (PI * away) };
            let turn = 2.0 * PI * index as f64 / length as f64;
            sinc * (0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| (tap / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_testkit::strength;

    /// How strong `hz` at 48 kHz stereo is at `heard` Hz after it.
    fn gain(hz: f64, heard: f64) -> f64 {
        let mut decimator = Decimator::new(48_000, 2).expect("a multiple of 8 kHz");
        let tone = |n: usize| (2.0 * std::f64::consts::PI * hz * (n / 2) as f64 / 48_000.0).sin() as f32;
        let mut out = Vec::new();
        decimator.push(&(0..2 * 48_000).map(tone).collect::<Vec<_>>(), |sample| out.push(sample));
        assert_eq!(out.len(), 8_000);
        20.0 * strength(&out[LOBES..], RATE, heard).log10()
    }

    #[test]
    fn speech_passes_and_what_would_fold_into_it_does_not() {
        for hz in [300.0, 1_000.0, 3_000.0, 3_350.0] {
            assert!(gain(hz, hz).abs() < 0.1, "{hz} Hz: {} dB", gain(hz, hz));
        }
        for (hz, folded) in [(4_700.0, 3_300.0), (5_000.0, 3_000.0), (9_000.0, 1_000.0), (15_700.0, 300.0)] {
            assert!(gain(hz, folded) < -60.0, "{hz} Hz: {} dB", gain(hz, folded));
        }
    }

    #[test]
    fn eight_kilohertz_pass_as_they_are_and_odd_rates_not_at_all() {
        let mut out = Vec::new();
        Decimator::new(8_000, 2).expect("8 kHz").push(&[0.5, 0.25, -1.0, 0.0], |sample| out.push(sample));
        assert_eq!(out, [0.375, -0.5]);
        for rate in [0, 1, 11_025, 44_100, 104_000, u32::MAX] {
            assert!(Decimator::new(rate, 1).is_none(), "{rate} Hz");
        }
    }
}
