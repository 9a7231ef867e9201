//! When something has grown.
//!
//! Memory breathes with the number of viewers, so one look means nothing. It has grown if, after a
//! warm-up of a fifth of the time, either holds:
//! - a straight line through the looks of the second half rises, beyond twice its own uncertainty,
//!   by more than 2 MiB within that half;
//! - the median of the last tenth is more than a tenth and 2 MiB above that of the first tenth.

use crate::sample::Row;

/// What is not worth a word, in KiB: less than one viewer has.
const SLACK: f64 = 2048.0;

/// How memory went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The median after the warm-up and at the end, in KiB.
    pub(crate) first: f64,
    pub(crate) last: f64,
    /// How much the line rises in the second half, in KiB, and how uncertain that is (one sigma).
    pub(crate) rise: f64,
    pub(crate) sigma: f64,
}

impl Memory {
    pub(crate) fn of(rows: &[Row]) -> Memory {
        let points: Vec<_> = warm(rows).iter().map(|row| (row.seconds, row.usage.rss as f64)).collect();
        let tenth = points.len().div_ceil(10);
        let first = median(points.iter().take(tenth).map(|point| point.1));
        let last = median(points.iter().rev().take(tenth).map(|point| point.1));
        let (rise, sigma) = rise(&points[points.len() / 2..]);
        Memory { first, last, rise, sigma }
    }

    pub(crate) fn grew(&self) -> bool {
        self.rise - 2.0 * self.sigma > SLACK || self.last > 1.1 * self.first + SLACK
    }
}

/// The rows after the warm-up.
pub(crate) fn warm(rows: &[Row]) -> &[Row] {
    &rows[rows.len() / 5..]
}

/// How much the line of least squares through `points` rises from the first to the last, and the
/// standard error of that.
fn rise(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return (0.0, 0.0) };
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if count < 3.0 || spread == 0.0 {
        return (0.0, 0.0);
    }
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let errors: f64 = points.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    let span = last.0 - first.0;
    (slope * span, (errors / (count - 2.0) / spread).sqrt() * span)
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
