//! How long it usually takes until an experiment can be used again, by symptom: only counts, no
//! model.

use std::collections::BTreeMap;

use super::account::minutes;
use super::failure::Failure;
use super::report::Restore;
use super::symptom::Symptom;
use super::timeline::Span;

/// Fewer cases are left out: the result would be chance.
const FEWEST_CASES: usize = 5;

/// How long failures lasted, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Restores(BTreeMap<Symptom, Vec<i64>>);

impl Restores {
    /// Adds the failures that were observed to begin and, within `span`, to end.
    pub(super) fn add(&mut self, failures: &[Failure], span: Span) {
        for failure in failures.iter().filter(|failure| failure.seen) {
            if let Some(end) = failure.end.filter(|end| span.holds(*end)) {
                self.0
                    .entry(failure.symptom)
                    .or_default()
                    .push(end - failure.begin);
            }
        }
    }

    pub(super) fn rows(self) -> Vec<Restore> {
        let row = |(symptom, mut lasted): (Symptom, Vec<i64>)| {
            lasted.sort_unstable();
            let enough = lasted.len() >= FEWEST_CASES;
            let rank = |percent| {
                if enough {
                    nearest_rank(&lasted, percent).map(minutes)
                } else {
                    None
                }
            };
            Restore {
                cause: symptom.words().to_owned(),
                cases: lasted.len(),
                median_minutes: rank(50),
                p80_minutes: rank(80),
            }
        };
        self.0.into_iter().map(row).collect()
    }
}

/// The smallest of sorted numbers that at least `percent` of them do not exceed.
fn nearest_rank(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::super::timeline::testing::span;
    use super::*;

    const MINUTE: i64 = 60_000;

    fn rows(lasted: &[i64]) -> Vec<(usize, Option<f64>, Option<f64>)> {
        let failure = |minutes: &i64| Failure {
            begin: 0,
            end: Some(minutes * MINUTE),
            seen: *minutes != 999,
            symptom: Symptom::Silent,
        };
        let failures: Vec<_> = lasted.iter().map(failure).collect();
        let mut restores = Restores::default();
        restores.add(&failures, span(0, 100_000 * MINUTE));
        restores
            .rows()
            .into_iter()
            .map(|row| (row.cases, row.median_minutes, row.p80_minutes))
            .collect()
    }

    #[test]
    fn under_five_cases_nothing_is_said() {
        assert_eq!(rows(&[]), []);
        assert_eq!(rows(&[1, 2, 3, 4, 999]), [(4, None, None)]);
        assert_eq!(rows(&[5, 4, 3, 2, 1]), [(5, Some(3.0), Some(4.0))]);
        assert_eq!(
            rows(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000]),
            [(10, Some(5.0), Some(8.0))]
        );
        assert_eq!(rows(&[7, 7, 7, 7, 7, 7]), [(6, Some(7.0), Some(7.0))]);
    }
}
