//! Medians, percentiles, and what is sure of the median of pairs.
//!
//! The interval is the sign test's: the median of the pairs lies between the k-th smallest and the
//! k-th largest of n values, unless fewer than k of n tosses of a coin fall on one side. It supposes
//! nothing of how the values are spread, only that rounds do not know of each other. (H. A. David,
//! H. N. Nagaraja, Order Statistics, section 7.1.)

/// The median of what was measured, and where it lies for sure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Median {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// How sure, 0 to 1: at least 0.95, unless there are fewer than six values, whose least and greatest
    /// hold it with less.
    pub(crate) sure: f64,
}

/// The median of `values` with its 95 % interval; none for no value.
pub(crate) fn median(values: &[f64]) -> Option<Median> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 {
        return None;
    }
    // The largest rank that leaves at most 2.5 % outside on each side.
    let rank = (1..=n.div_ceil(2)).rev().find(|&rank| tail(n, rank) <= 0.025).unwrap_or(1);
    Some(Median {
        median: percentile(&sorted, 50.0),
        low: sorted[rank - 1],
        high: sorted[n - rank],
        sure: (1.0 - 2.0 * tail(n, rank)).max(0.0),
    })
}

/// The share `percent` of sorted values lies at or below it; between two values it is interpolated.
///
/// # Panics
/// For no value.
pub(crate) fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// Of each round that has both, the median of `values` and that of `baseline`. What is measured several times
/// in a round counts once in it.
pub(crate) fn pairs(values: &[(u32, f64)], baseline: &[(u32, f64)]) -> Vec<(f64, f64)> {
    let of = |all: &[(u32, f64)], round: u32| {
        let of_round: Vec<f64> = all.iter().filter(|(other, _)| *other == round).map(|(_, value)| *value).collect();
        median(&of_round).map(|median| median.median)
    };
    let mut rounds: Vec<u32> = values.iter().map(|(round, _)| *round).collect();
    rounds.sort_unstable();
    rounds.dedup();
    rounds.into_iter().filter_map(|round| Some((of(values, round)?, of(baseline, round)?))).collect()
}

/// The chance that fewer than `rank` of `n` tosses of a coin show heads.
fn tail(n: usize, rank: usize) -> f64 {
    let mut term = 0.5f64.powi(n as i32);
    let mut sum = 0.0;
    for heads in 0..rank {
        sum += term;
        term *= (n - heads) as f64 / (heads + 1) as f64;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(n: usize) -> Vec<f64> {
        (1..=n).rev().map(|value| value as f64).collect()
    }

    #[test]
    fn ranks_are_those_of_the_sign_test() {
        // From the tables of the sign test at 5 %, both sides: n, rank.
        for (n, rank) in [(6, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (50, 18)] {
            let found = median(&up_to(n)).unwrap();
            assert_eq!((found.low, found.high), (rank as f64, (n + 1 - rank) as f64), "of {n}");
            assert!(found.sure >= 0.95, "of {n}: {}", found.sure);
        }
    }

    #[test]
    fn of_few_values_it_says_how_little_is_sure() {
        let five = median(&up_to(5)).unwrap();
        assert_eq!((five.low, five.median, five.high, five.sure), (1.0, 3.0, 5.0, 0.9375));
        assert_eq!(median(&[7.0]).unwrap(), Median { median: 7.0, low: 7.0, high: 7.0, sure: 0.0 });
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_percentile_lies_between_its_neighbours() {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 50.0), 2.5);
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 100.0), 3.0);
        assert_eq!(percentile(&[5.0], 95.0), 5.0);
    }

    #[test]
    fn only_what_both_did_in_a_round_is_a_pair() {
        let ours = [(1, 10.0), (2, 20.0), (2, 40.0), (3, 5.0)];
        let theirs = [(2, 15.0), (1, 20.0), (4, 1.0)];
        assert_eq!(pairs(&ours, &theirs), [(10.0, 20.0), (30.0, 15.0)]);
    }
}
