//! One axis of a scaling: which samples make each new sample, and with what weights.

/// Which samples of one axis make each sample of the scaled one.
///
/// Downwards each new sample is the mean of the area it covers; upwards it is interpolated between
/// its two neighbours. The weights of each new sample add up to exactly the unit given.
#[derive(Debug, Default)]
pub(crate) struct Axis {
    from: usize,
    to: usize,
    unit: u16,
    taps: usize,
    starts: Vec<u32>,
    weights: Vec<u16>,
}

impl Axis {
    /// Makes it the axis from `from` samples to `to`, with weights that add up to `unit`.
    pub(crate) fn set(&mut self, from: usize, to: usize, unit: u16) {
        if (self.from, self.to, self.unit) == (from, to, unit) {
            return;
        }
        (self.from, self.to, self.unit) = (from, to, unit);
        // A new sample of a length that is no whole number touches one more at either end.
        self.taps = if to < from { from.div_ceil(to) + 1 } else { 2 };
        self.starts.clear();
        self.weights.clear();
        self.weights.reserve(to * self.taps);
        for index in 0..to {
            if to < from {
                self.cover(index)
            } else {
                self.interpolate(index)
            }
            self.weights.resize((index + 1) * self.taps, 0);
        }
    }

    /// How many samples each new one is made of. Those of weight 0 may lie beyond the last.
    pub(crate) fn taps(&self) -> usize {
        self.taps
    }

    /// The first sample of each new sample.
    pub(crate) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// As many weights for each new sample as it has taps.
    pub(crate) fn weights(&self) -> &[u16] {
        &self.weights
    }

    /// New sample `index` as the mean of what it covers; lengths are in `1 / to` of a sample.
    fn cover(&mut self, index: usize) {
        let (from, to, unit) = (self.from as u64, self.to as u64, u64::from(self.unit));
        let (low, high) = (index as u64 * from, (index as u64 + 1) * from);
        let (start, end) = (low / to, high.div_ceil(to));
        // Differences of rounded sums, so that the weights add up whatever was rounded.
        let upto = |sample: u64| (((sample * to).clamp(low, high) - low) * unit + from / 2) / from;
        self.starts.push(start as u32);
        self.weights.extend((start..end).map(|sample| (upto(sample + 1) - upto(sample)) as u16));
    }

    /// New sample `index` between the two nearest to its centre; lengths are in `1 / (2 * to)` of a sample.
    fn interpolate(&mut self, index: usize) {
        let (from, to, unit) = (self.from as u64, self.to as u64, u64::from(self.unit));
        let centre = ((2 * index as u64 + 1) * from).saturating_sub(to);
        let start = (centre / (2 * to)).min(from - 1);
        let second = if start + 1 < from { (centre % (2 * to)) * unit / (2 * to) } else { 0 };
        self.starts.push(start as u32);
        self.weights.extend([(unit - second) as u16, second as u16]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_and_stay_inside_for_every_ratio() {
        let mut axis = Axis::default();
        for (from, to) in
            (1..40).flat_map(|from| (1..40).map(move |to| (from, to))).chain([(16383, 1), (1, 16383), (16383, 16382)])
        {
            axis.set(from, to, 256);
            assert_eq!((axis.starts().len(), axis.weights().len()), (to, to * axis.taps()));
            for (start, weights) in axis.starts().iter().zip(axis.weights().chunks(axis.taps())) {
                assert_eq!(weights.iter().sum::<u16>(), 256, "{from} to {to}");
                let used = weights.iter().rposition(|weight| *weight > 0).unwrap() + 1;
                assert!(*start as usize + used <= from, "{from} to {to}");
            }
        }
    }
}
