//! Availability reports: the history of a time, counted by a rule that is printed on each of them.
//! The accounting is pure: records go in, a report comes out, and other modules write it as JSON,
//! CSV, a page or a mail. It evaluates no experiment and notifies no one.

mod account;
mod compare;
mod csv;
mod due;
mod failure;
mod html;
mod mail;
mod period;
mod report;
mod restore;
mod rule;
mod symptom;
mod text;
mod timeline;
mod window;
pub mod words;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

pub use compare::{Compared, Difference, Uncompared, compare};
pub use csv::csv;
pub use due::month_due;
pub use html::html;
pub use mail::{ReportMail, mail};
pub use period::{MAX_DAYS, Period, PeriodError};
pub use report::{By, Minutes, Report, Restore, Row};
pub use rule::RULE;
pub use symptom::cause;
pub use text::text;

use account::{Account, Session, Subject};
use failure::failures;
use restore::Restores;
use timeline::{Span, Timeline, joined};
use window::Windows;

use crate::store::{self, Gap, KeptBooking, Past, Range, ReadError};
use engine::Maintenance;
use engine::model::Stub;

/// How many experiments are named as the worst.
const WORST: usize = 5;

/// The name of the row of the total.
const TOTAL: &str = "all";

/// Makes the report about a period from a data folder, which may be in use. It blocks meanwhile,
/// until `latest` at most.
///
/// # Errors
/// [`ReadError`] when the history cannot be read, is too long, or takes too long.
pub fn of_folder(
    folder: &Path,
    period: &Period,
    planned: &[Maintenance],
    now: Timestamp,
    latest: Instant,
) -> Result<Report, ReadError> {
    let range = Range {
        from: period.from(),
        until: period.until(),
    };
    let past = store::look_back(folder, range, now, latest)?;
    Ok(make(&past, period, planned, now))
}

/// Makes the report about a period. `planned` is the maintenance of the configuration; the time
/// after `now` is not counted.
#[must_use]
pub fn make(past: &Past, period: &Period, planned: &[Maintenance], now: Timestamp) -> Report {
    let over = period.span().within(Span::new(Timestamp::MIN, now));
    let counted = Counted::new(&subjects(past, planned, over), period);
    let worst = counted.worst();
    Report {
        period: period.name().to_owned(),
        from: period.from(),
        until: period.until(),
        zone: period.zone().to_owned(),
        made: now,
        rule: RULE.to_owned(),
        total: Row::new(
            TOTAL,
            counted.experiments.len(),
            &sum(counted.experiments.values()),
        ),
        experiments: Some(
            counted
                .experiments
                .iter()
                .map(|(stub, account)| Row::new(stub.as_str(), 1, account))
                .collect(),
        ),
        pools: Some(
            past.pools
                .iter()
                .filter_map(|(name, members)| counted.pool(name, members))
                .collect(),
        ),
        months: Some(counted.months),
        worst,
        restore: counted.restores.rows(),
    }
}

/// The counts of a report.
struct Counted {
    experiments: BTreeMap<Stub, Account>,
    months: Vec<Row>,
    restores: Restores,
}

impl Counted {
    fn new(subjects: &BTreeMap<Stub, Subject>, period: &Period) -> Self {
        let mut experiments: BTreeMap<Stub, Account> = BTreeMap::new();
        let mut restores = Restores::default();
        for (stub, subject) in subjects {
            restores.add(&subject.failures, period.span());
            experiments.insert(stub.clone(), Account::default());
        }
        let month = |(name, span): &(String, Span)| {
            let mut all = Account::default();
            for (stub, subject) in subjects {
                let account = subject.count(*span);
                all += account;
                experiments
                    .entry(stub.clone())
                    .and_modify(|sum| *sum += account);
            }
            Row::new(name, subjects.len(), &all)
        };
        let months = period.months().iter().map(month).collect();
        Self {
            experiments,
            months,
            restores,
        }
    }

    /// A pool of which at least one experiment has a count.
    fn pool(&self, name: &str, members: &[Stub]) -> Option<Row> {
        let accounts: Vec<&Account> = members
            .iter()
            .filter_map(|stub| self.experiments.get(stub))
            .collect();
        (!accounts.is_empty())
            .then(|| Row::new(name, accounts.len(), &sum(accounts.iter().copied())))
    }

    /// The experiments that cost students the most time; if none did, those that were unusable
    /// longest.
    fn worst(&self) -> Vec<Row> {
        let mut bad: Vec<_> = self
            .experiments
            .iter()
            .filter(|(_, account)| account.all.unusable() > 0)
            .collect();
        bad.sort_by_key(|(stub, account)| {
            (
                Reverse((account.students_lost, account.all.unusable())),
                *stub,
            )
        });
        bad.into_iter()
            .take(WORST)
            .map(|(stub, account)| Row::new(stub.as_str(), 1, account))
            .collect()
    }
}

fn sum<'a>(accounts: impl Iterator<Item = &'a Account>) -> Account {
    accounts.fold(Account::default(), |mut all, account| {
        all += *account;
        all
    })
}

/// Every experiment that was evaluated or booked in the time, with the data for its counts.
fn subjects(past: &Past, planned: &[Maintenance], over: Span) -> BTreeMap<Stub, Subject> {
    let first = past
        .changes
        .values()
        .filter_map(|changes| changes.first())
        .map(|change| change.at.as_millisecond())
        .min();
    let windows = Windows::new(
        past,
        planned,
        Span {
            from: first.map_or(over.from, |first| first.min(over.from)),
            ..over
        },
    );
    let off = joined(
        past.gaps
            .iter()
            .map(|gap: &Gap| Span::new(gap.since, gap.until))
            .collect(),
    );
    let mut sessions: BTreeMap<&Stub, Vec<Session>> = BTreeMap::new();
    for kept in &past.bookings {
        sessions
            .entry(&kept.booked.stub)
            .or_default()
            .extend(session(kept, over));
    }
    let mut withdrawals: BTreeMap<&Stub, Vec<i64>> = BTreeMap::new();
    for (at, stub) in &past.withdrawals {
        withdrawals
            .entry(stub)
            .or_default()
            .push(at.as_millisecond());
    }
    let stubs: BTreeSet<&Stub> = past
        .changes
        .keys()
        .chain(sessions.keys().copied())
        .collect();
    let mut all = BTreeMap::new();
    for stub in stubs {
        let changes = past
            .changes
            .get(stub)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let timeline = Timeline::new(changes, over, &windows.of(stub), &off);
        let failures = failures(&timeline);
        let sessions = sessions.remove(stub).unwrap_or_default();
        if sessions.is_empty() && timeline.spent(over).evaluated() == 0 {
            continue;
        }
        all.insert(
            stub.clone(),
            Subject::new(
                timeline,
                failures,
                sessions,
                withdrawals.remove(stub).unwrap_or_default(),
            ),
        );
    }
    all
}

/// The past part of a booking; `None` when it has not begun.
fn session(kept: &KeptBooking, over: Span) -> Option<Session> {
    let booked = &kept.booked;
    let mut span = Span::new(
        booked.start,
        kept.ended.map_or(booked.end, |ended| ended.min(booked.end)),
    );
    span.until = span.until.min(over.until);
    (span.length() > 0).then_some(Session {
        span,
        students: booked.students,
        unfulfilled: booked.unfulfilled,
    })
}
