//! Gain and mute, changeable from any thread while sound flows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use millstream_core::units::Decibels;

/// The gain and the mute of a microphone or a speaker. Cloning shares it; a change is heard with the next
/// block, ramped over its length so that it does not click.
#[derive(Clone, Debug)]
pub struct Volume(Arc<Setting>);

#[derive(Debug)]
struct Setting {
    decibels: AtomicU64,
    mute: AtomicBool,
}

impl Volume {
    pub(crate) fn new(gain: Decibels, mute: bool) -> Volume {
        let decibels = AtomicU64::new(gain.value().to_bits());
        Volume(Arc::new(Setting { decibels, mute: AtomicBool::new(mute) }))
    }

    /// Makes it louder, or quieter where `gain` is below zero.
    pub fn set_gain(&self, gain: Decibels) {
        self.0.decibels.store(gain.value().to_bits(), Ordering::Relaxed);
    }

    /// Makes it silent, or lets it be heard again.
    pub fn set_mute(&self, mute: bool) {
        self.0.mute.store(mute, Ordering::Relaxed);
    }

    /// How much louder it is made.
    pub fn gain(&self) -> Decibels {
        let decibels = f64::from_bits(self.0.decibels.load(Ordering::Relaxed));
        Decibels::new(decibels).expect("only what was a number of decibels is stored")
    }

    /// Whether it is silent.
    pub fn is_muted(&self) -> bool {
        self.0.mute.load(Ordering::Relaxed)
    }

    fn factor(&self) -> f32 {
        if self.is_muted() { 0.0 } else { self.gain().factor() as f32 }
    }
}

/// Applies a [`Volume`] to block after block.
#[derive(Debug)]
pub(crate) struct Ramp {
    volume: Volume,
    factor: f32,
}

impl Ramp {
    pub(crate) fn new(volume: Volume) -> Ramp {
        let factor = volume.factor();
        Ramp { volume, factor }
    }

    pub(crate) fn apply(&mut self, samples: &mut [f32], channels: usize) {
        let (from, to) = (self.factor, self.volume.factor());
        self.factor = to;
        if from == to {
            match to {
                1.0 => {}
                // Not multiplied by 0: what is not a number would stay so.
                0.0 => samples.fill(0.0),
                factor => samples.iter_mut().for_each(|sample| *sample *= factor),
            }
            return;
        }
        let frames = (samples.len() / channels).max(1) as f32;
        for (number, frame) in samples.chunks_mut(channels).enumerate() {
            let factor = from + (to - from) * (number + 1) as f32 / frames;
            frame.iter_mut().for_each(|sample| *sample *= factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_ramped_over_a_block_and_then_stands() {
        let volume = Volume::new("0 dB".parse().unwrap(), false);
        let mut ramp = Ramp::new(volume.clone());
        let mut block = |channels: usize| {
            let mut samples = vec![0.5; 480 * channels];
            ramp.apply(&mut samples, channels);
            samples
        };
        assert!(block(1).iter().all(|sample| *sample == 0.5));
        volume.set_mute(true);
        let down = block(2);
        let farthest = down.chunks(2).map(|frame| frame[0]).collect::<Vec<_>>();
        assert!(farthest.windows(2).all(|pair| pair[1] < pair[0] && pair[0] - pair[1] < 0.002), "no step");
        assert_eq!(farthest[479], 0.0);
        assert!(down.chunks(2).all(|frame| frame[0] == frame[1]));
        assert!(block(1).iter().all(|sample| *sample == 0.0));
        volume.set_mute(false);
        volume.set_gain("-20 dB".parse().unwrap());
        block(1);
        assert!(block(1).iter().all(|sample| (*sample - 0.05).abs() < 1e-6));
        assert_eq!((volume.gain().value(), volume.is_muted()), (-20.0, false));
    }
}
