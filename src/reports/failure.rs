//! The failures of one experiment: from when it could not be used until it could be again. Pure.

use super::symptom::Symptom;
use super::timeline::{State, Timeline};

/// A time in which an experiment could not be used, including times in between that were not
/// evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// When it was first found unusable.
    pub(super) begin: i64,
    /// When it was found usable again; `None` while it was not.
    pub(super) end: Option<i64>,
    /// Whether its start and end were observed: usable directly before, and unusable directly
    /// before it was usable again.
    pub(super) seen: bool,
    /// The most severe symptom during it.
    pub(super) symptom: Symptom,
}

/// All failures, in order. One that begins during maintenance counts only from the end of that.
pub(super) fn failures(timeline: &Timeline) -> Vec<Failure> {
    let mut all = Vec::new();
    let mut open: Option<Failure> = None;
    let mut before: Option<State> = None;
    for segment in timeline.segments() {
        let usable_before = before.and_then(State::usable);
        match (segment.state.usable(), &mut open) {
            (Some(false), None) => {
                open = Some(Failure {
                    begin: segment.span.from,
                    end: None,
                    seen: usable_before == Some(true),
                    symptom: segment.symptom,
                });
            }
            (Some(false), Some(failure)) => failure.symptom = failure.symptom.min(segment.symptom),
            (Some(true), failure) => all.extend(failure.take().map(|failure| Failure {
                end: Some(segment.span.from),
                seen: failure.seen && usable_before == Some(false),
                ..failure
            })),
            (None, _) => {}
        }
        before = Some(segment.state);
    }
    all.extend(open.map(|failure| Failure {
        seen: false,
        ..failure
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::super::timeline::testing::{changes, span};
    use super::*;

    /// Failures as `begin-end`, with `?` where an end was not seen.
    fn check(of: &[(i64, char)], maintenance: &[(i64, i64)], off: &[(i64, i64)], expect: &[&str]) {
        let spans = |of: &[(i64, i64)]| {
            of.iter()
                .map(|(from, until)| span(*from, *until))
                .collect::<Vec<_>>()
        };
        let timeline = Timeline::new(&changes(of), span(0, 100), &spans(maintenance), &spans(off));
        let words = |failure: Failure| {
            let end = failure.end.map(|end| end.to_string()).unwrap_or_default();
            format!(
                "{}-{end}{}",
                failure.begin,
                if failure.seen { "" } else { "?" }
            )
        };
        assert_eq!(
            failures(&timeline)
                .into_iter()
                .map(words)
                .collect::<Vec<_>>(),
            expect,
            "{of:?}"
        );
    }

    #[test]
    fn a_failure_lasts_until_it_is_usable() {
        check(&[], &[], &[], &[]);
        check(&[(0, 'o'), (10, 'd'), (20, 'o')], &[], &[], &["10-20"]);
        check(
            &[
                (0, 'g'),
                (10, 'f'),
                (15, 'd'),
                (20, 'g'),
                (25, 'o'),
                (30, 'd'),
            ],
            &[],
            &[],
            &["10-20", "30-?"],
        );
        check(&[(-20, 'o'), (-10, 'd'), (5, 'o')], &[], &[], &["-10-5"]);
    }

    #[test]
    fn unevaluated_time_ends_no_failure_and_hides_its_ends() {
        check(
            &[(0, 'o'), (10, 'd'), (20, 'u'), (30, 'd'), (40, 'o')],
            &[],
            &[],
            &["10-40"],
        );
        check(
            &[(0, 'o'), (10, 'd'), (20, 'u'), (30, 'o')],
            &[],
            &[],
            &["10-30?"],
        );
        check(&[(10, 'd'), (20, 'o')], &[], &[], &["10-20?"]);
        check(
            &[(0, 'o'), (10, 'd'), (20, 'o')],
            &[],
            &[(5, 15)],
            &["15-20?"],
        );
        check(
            &[(0, 'o'), (10, 'd'), (20, 'o')],
            &[],
            &[(12, 15)],
            &["10-20"],
        );
        check(
            &[(0, 'o'), (10, 'd'), (20, 'o')],
            &[],
            &[(15, 30)],
            &["10-30?"],
        );
    }

    #[test]
    fn what_breaks_in_maintenance_counts_from_its_end() {
        check(&[(0, 'o'), (10, 'd'), (20, 'o')], &[(5, 30)], &[], &[]);
        check(
            &[(0, 'o'), (10, 'd'), (50, 'o')],
            &[(5, 30)],
            &[],
            &["30-50?"],
        );
        check(
            &[(0, 'o'), (10, 'd'), (50, 'o')],
            &[(20, 30)],
            &[],
            &["10-50"],
        );
    }
}
