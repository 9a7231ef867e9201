//! One rate into another, whose ratio can be changed by parts per million while sound flows.

use millstream_core::{Error, Result};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Adjustable as _, Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use crate::steer::MOST;

/// Points of the filter: what is below 0.85 of the lower rate's half passes (20.4 kHz at 48 kHz; Opus has 20), and
/// images are below -90 dB.
const FILTER: usize = 96;

/// A windowed sinc of `rubato`, with one side of fixed length. Allocates nothing after it is made.
pub(crate) struct Resampler {
    inner: Async<f32>,
    channels: usize,
    nominal: f64,
    out: Vec<f32>,
}

impl Resampler {
    /// From `from` to `to` samples per second, `chunk` frames at a time on the side that is `fixed`.
    pub(crate) fn new(from: u32, to: u32, channels: u16, chunk: usize, fixed: FixedAsync) -> Result<Resampler> {
        let nominal = f64::from(to) / f64::from(from);
        let channels = usize::from(channels);
        // Between 128 stored points a parabola is off by less than 24 bits can show.
        let filter = SincInterpolationParameters::new(FILTER, WindowFunction::BlackmanHarris2)
            .oversampling_factor(256)
            .interpolation(SincInterpolationType::Quadratic);
        // A little room above the most that is steered, for what rounding adds.
        let inner = Async::new_sinc(nominal, 1.0 + 2.0 * MOST, &filter, chunk, channels, fixed)
            .map_err(|error| Error::config(format!("no way from {from} Hz to {to} Hz")).caused_by(error))?;
        let out = vec![0.0; inner.output_frames_max() * channels];
        Ok(Resampler { inner, channels, nominal, out })
    }

    /// Frames of input behind which the output is: half the filter.
    pub(crate) fn delay(&self) -> f64 {
        self.inner.output_delay() as f64 / self.nominal
    }

    /// Frames that [`process`](Resampler::process) takes next.
    pub(crate) fn wants(&self) -> usize {
        self.inner.input_frames_next()
    }

    /// The most that it ever takes.
    pub(crate) fn wants_at_most(&self) -> usize {
        self.inner.input_frames_max()
    }

    /// Gives `faster` more frames out of as many: a share, at most [`MOST`]. Returns frames of input per frame of output.
    pub(crate) fn steer(&mut self, faster: f64) -> f64 {
        let ratio = self.nominal * (1.0 + faster.clamp(-MOST, MOST));
        self.inner.set_resample_ratio(ratio, false).expect("twice as much was allowed for when it was made");
        1.0 / ratio
    }

    /// Forgets what it has taken.
    pub(crate) fn reset(&mut self) {
        self.inner.reset();
    }

    /// Resamples exactly as many interleaved frames as it [wants](Resampler::wants).
    pub(crate) fn process(&mut self, input: &[f32]) -> &[f32] {
        let (frames, room) = (input.len() / self.channels, self.out.len() / self.channels);
        let from = InterleavedSlice::new(input, self.channels, frames).expect("whole frames");
        let mut to = InterleavedSlice::new_mut(&mut self.out, self.channels, room).expect("whole frames");
        let (_, given) = self
            .inner
            .process_into_buffer(&from, &mut to, None)
            .expect("as many frames as it wants, and room for the most");
        &self.out[..given * self.channels]
    }
}
