//! What a picture and a sound are, in numbers.

/// How strong `hz` is in `samples` taken at `rate` per second, as the amplitude of the sine of that
/// frequency (Goertzel's algorithm).
pub fn strength(samples: &[f32], rate: u32, hz: f64) -> f64 {
    let turn = 2.0 * std::f64::consts::PI * hz / f64::from(rate);
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        (before, last) = (last, f64::from(*sample) + 2.0 * turn.cos() * last - before);
    }
    let (real, imaginary) = (last - before * turn.cos(), before * turn.sin());
    2.0 * real.hypot(imaginary) / samples.len().max(1) as f64
}

/// The strongest frequency in Hz among the multiples of `step` from `step` to 4 kHz.
pub fn tone(samples: &[f32], rate: u32, step: f64) -> f64 {
    (1..=(4000.0 / step) as u32)
        .map(|multiple| f64::from(multiple) * step)
        .max_by(|a, b| strength(samples, rate, *a).total_cmp(&strength(samples, rate, *b)))
        .unwrap_or(0.0)
}

/// How many samples of a sine of `hz`, taken at `rate` per second, are not where the two before them say that they
/// must be, by more than 0.02: a jump, a step, or a stretch that is missing.
pub fn bends(samples: &[f32], rate: u32, hz: f64) -> usize {
    let swing = 2.0 * (2.0 * std::f64::consts::PI * hz / f64::from(rate)).cos() as f32;
    samples.windows(3).filter(|three| (three[2] - swing * three[1] + three[0]).abs() > 0.02).count()
}

/// The peak signal-to-noise ratio of two planes of the same size, in dB; infinite where they are equal.
///
/// # Panics
/// If the planes differ in size: they cannot be compared.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len(), "planes of one size");
    let squares: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares as f64).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_own_frequency_and_amplitude() {
        let samples: Vec<f32> = (0..4800).map(|n| 0.5 * (n as f32 * 0.057_595_87).sin()).collect();
        assert_eq!(tone(&samples, 48_000, 10.0), 440.0);
        assert!((strength(&samples, 48_000, 440.0) - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_missing_sample_is_a_bend_and_a_whole_sine_has_none() {
        let sine = |n: usize| 0.5 * (n as f32 * 0.130_899_69).sin();
        let whole: Vec<f32> = (0..4800).map(sine).collect();
        assert_eq!(bends(&whole, 48_000, 1000.0), 0);
        let torn: Vec<f32> = (0..4800).filter(|n| *n != 1001).map(sine).collect();
        assert!((1..=2).contains(&bends(&torn, 48_000, 1000.0)));
    }

    #[test]
    fn one_step_of_error_everywhere_is_48_db() {
        assert!((psnr(&[10; 100], &[11; 100]) - 48.13).abs() < 0.01);
        assert_eq!(psnr(&[1], &[1]), f64::INFINITY);
    }
}
