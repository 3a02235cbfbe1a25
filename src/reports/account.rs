//! The counts of one experiment in one part of a time. Accounts add up: of experiments to a pool,
//! of months to a year.

use std::ops::AddAssign;

use super::failure::Failure;
use super::timeline::{Span, Spent, Timeline, joined, real};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A session is spoiled when the experiment could not be used for this long, or for all of a
/// shorter session.
pub(super) const SPOILED_AFTER: i64 = 5 * MINUTE;

/// A withdrawal is regretted when the experiment is found usable this soon after it.
pub(super) const REGRETTED_WITHIN: i64 = 5 * MINUTE;

/// A booking as it took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) span: Span,
    pub(super) students: u32,
    /// Whether book reports that it could not be started.
    pub(super) unfulfilled: bool,
}

/// The data of one experiment from which its counts are made.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) timeline: Timeline,
    pub(super) failures: Vec<Failure>,
    pub(super) sessions: Vec<Session>,
    /// The times that are booked, each once.
    pub(super) booked: Vec<Span>,
    pub(super) withdrawals: Vec<i64>,
}

/// The counts of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Account {
    pub(super) all: Spent,
    pub(super) booked: Spent,
    pub(super) failures: u32,
    pub(super) failures_booked: u32,
    pub(super) restored: u32,
    /// The total duration of the failures that were restored, in milliseconds.
    pub(super) restoring: i64,
    /// Milliseconds, multiplied by the number of students.
    pub(super) students_lost: i64,
    pub(super) sessions: u32,
    pub(super) spoiled: u32,
    pub(super) withdrawals: u32,
    pub(super) regretted: u32,
    pub(super) missed: u32,
}

impl Subject {
    pub(super) fn new(
        timeline: Timeline,
        failures: Vec<Failure>,
        sessions: Vec<Session>,
        withdrawals: Vec<i64>,
    ) -> Self {
        let booked = joined(sessions.iter().map(|session| session.span).collect());
        Self {
            timeline,
            failures,
            sessions,
            booked,
            withdrawals,
        }
    }

    /// Counts a part of the time. A point in time counts where it is, a duration counts for its
    /// share of the part.
    pub(super) fn count(&self, part: Span) -> Account {
        let mut account = Account {
            all: self.timeline.spent(part),
            ..Account::default()
        };
        for span in &self.booked {
            account.booked += self.timeline.spent(span.within(part));
        }
        self.count_failures(part, &mut account);
        for session in &self.sessions {
            self.count_session(session, part, &mut account);
        }
        for at in self.withdrawals.iter().filter(|at| part.holds(**at)) {
            account.withdrawals += 1;
            account.regretted += u32::from(self.is_regretted(*at));
        }
        account
    }

    fn count_failures(&self, part: Span, account: &mut Account) {
        for failure in &self.failures {
            if part.holds(failure.begin) {
                account.failures += 1;
                account.failures_booked += u32::from(self.is_booked(failure.begin));
            }
            if let Some(end) = failure.end.filter(|end| failure.seen && part.holds(*end)) {
                account.restored += 1;
                account.restoring += end - failure.begin;
            }
        }
    }

    fn is_booked(&self, at: i64) -> bool {
        let first = self.booked.partition_point(|span| span.until <= at);
        self.booked.get(first).is_some_and(|span| span.holds(at))
    }

    fn count_session(&self, session: &Session, part: Span, account: &mut Account) {
        let here = self.timeline.spent(session.span.within(part));
        account.students_lost += here.unusable() * i64::from(session.students);
        if !part.holds(session.span.from) {
            return;
        }
        let spent = self.timeline.spent(session.span);
        account.sessions += session.students;
        if spent.unusable() > 0 && spent.unusable() >= SPOILED_AFTER.min(session.span.length()) {
            account.spoiled += session.students;
        }
        if session.unfulfilled && spent.unusable() == 0 && spent.usable() > 0 {
            account.missed += 1;
        }
    }

    fn is_regretted(&self, at: i64) -> bool {
        let soon = Span {
            from: at,
            until: at + REGRETTED_WITHIN,
        };
        self.timeline
            .touching(soon)
            .any(|segment| segment.state.usable() == Some(true))
    }
}

impl Account {
    /// Usable time for each failure, in hours.
    pub(super) fn hours_between_failures(&self) -> Option<f64> {
        (self.failures > 0).then(|| real(self.all.usable()) / real(HOUR) / f64::from(self.failures))
    }

    /// How long a failure lasted, in minutes, where both its ends were seen.
    pub(super) fn minutes_to_restore(&self) -> Option<f64> {
        (self.restored > 0).then(|| minutes(self.restoring) / f64::from(self.restored))
    }

    /// Failures for each 100 h that were booked and evaluated.
    pub(super) fn failures_per_100_booked_hours(&self) -> Option<f64> {
        let hours = real(self.booked.evaluated()) / real(HOUR);
        (hours > 0.0).then(|| f64::from(self.failures_booked) * 100.0 / hours)
    }
}

impl AddAssign for Account {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.booked += other.booked;
        self.failures += other.failures;
        self.failures_booked += other.failures_booked;
        self.restored += other.restored;
        self.restoring += other.restoring;
        self.students_lost += other.students_lost;
        self.sessions += other.sessions;
        self.spoiled += other.spoiled;
        self.withdrawals += other.withdrawals;
        self.regretted += other.regretted;
        self.missed += other.missed;
    }
}

pub(super) fn minutes(millis: i64) -> f64 {
    real(millis) / real(MINUTE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::failure::failures;
    use super::super::timeline::testing::{changes, span};
    use super::*;

    /// Changes and sessions (from, until, students, unfulfilled) in minutes over two hours.
    fn subject(
        of: &[(i64, char)],
        sessions: &[(i64, i64, u32, bool)],
        withdrawals: &[i64],
    ) -> Subject {
        let of: Vec<_> = of
            .iter()
            .map(|(at, letter)| (at * MINUTE, *letter))
            .collect();
        let timeline = Timeline::new(&changes(&of), span(0, 120 * MINUTE), &[], &[]);
        let session = |&(from, until, students, unfulfilled)| Session {
            span: span(from * MINUTE, until * MINUTE),
            students,
            unfulfilled,
        };
        let failures = failures(&timeline);
        Subject::new(
            timeline,
            failures,
            sessions.iter().map(session).collect(),
            withdrawals.iter().map(|at| at * MINUTE).collect(),
        )
    }

    fn whole(subject: &Subject) -> Account {
        subject.count(span(0, 120 * MINUTE))
    }

    #[test]
    fn booked_time_counts_once_and_students_each() {
        let account = whole(&subject(
            &[(0, 'o'), (30, 'd'), (60, 'o')],
            &[(20, 50, 2, false), (40, 70, 1, false)],
            &[],
        ));
        assert_eq!(
            (account.booked.usable(), account.booked.unusable()),
            (20 * MINUTE, 30 * MINUTE)
        );
        assert_eq!(account.students_lost, (2 * 20 + 20) * MINUTE);
        assert_eq!((account.sessions, account.spoiled), (3, 3));
        assert_eq!(
            (
                account.failures,
                account.failures_booked,
                account.restored,
                account.restoring
            ),
            (1, 1, 1, 30 * MINUTE)
        );
        assert_eq!(account.hours_between_failures(), Some(1.5));
        assert_eq!(account.minutes_to_restore(), Some(30.0));
        assert_eq!(
            account.failures_per_100_booked_hours(),
            Some(100.0 / (50.0 / 60.0))
        );
    }

    #[test]
    fn a_session_is_spoiled_by_five_minutes_or_all_of_it() {
        for (length, expect) in [(4, 0), (5, 1)] {
            let account = whole(&subject(
                &[(0, 'o'), (30, 'd'), (30 + length, 'o')],
                &[(20, 80, 1, false)],
                &[],
            ));
            assert_eq!(account.spoiled, expect, "{length}");
        }
        assert_eq!(
            whole(&subject(&[(0, 'd')], &[(20, 23, 1, false)], &[])).spoiled,
            1
        );
        assert_eq!(
            whole(&subject(&[(0, 'o')], &[(20, 23, 1, false)], &[])).spoiled,
            0
        );
        assert_eq!(
            whole(&subject(&[], &[(20, 80, 1, false)], &[])).spoiled,
            0,
            "time without evaluation is not lost"
        );
    }

    #[test]
    fn wrong_switches_are_found() {
        let of = [(0, 'o'), (10, 'd'), (14, 'o'), (40, 'd'), (60, 'o')];
        let account = whole(&subject(&of, &[], &[10, 40, 56]));
        assert_eq!((account.withdrawals, account.regretted), (3, 2));
        let missed = |of: &[(i64, char)]| {
            whole(&subject(of, &[(20, 30, 1, true), (20, 30, 1, false)], &[])).missed
        };
        assert_eq!(missed(&[(0, 'o')]), 1);
        assert_eq!(missed(&[(0, 'd')]), 0);
        assert_eq!(missed(&[]), 0);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let account = Account::default();
        let all = [
            account.hours_between_failures(),
            account.minutes_to_restore(),
            account.failures_per_100_booked_hours(),
        ];
        assert_eq!(all, [None; 3]);
    }

    proptest! {
        /// The counts of two halves add up to that of the whole.
        #[test]
        fn parts_add_up(
            mut of in prop::collection::vec((0..120_i64, prop::sample::select(vec!['o', 'd', 'u', 'f'])), 0..10),
            sessions in prop::collection::vec((0..100_i64, 1..60_i64, 1..3_u32, any::<bool>()), 0..6),
            withdrawals in prop::collection::vec(0..120_i64, 0..4),
            cut in 0..120_i64,
        ) {
            of.sort_by_key(|(at, _)| *at);
            let sessions: Vec<_> = sessions.into_iter().map(|(from, length, students, bad)| (from, (from + length).min(120), students, bad)).collect();
            let subject = subject(&of, &sessions, &withdrawals);
            let mut parts = subject.count(span(0, cut * MINUTE));
            parts += subject.count(span(cut * MINUTE, 120 * MINUTE));
            prop_assert_eq!(parts, whole(&subject));
        }
    }
}
