//! The report from which JSON, CSV, pages and mails are made. Numbers only; nothing is counted
//! here.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::account::{Account, minutes};
use super::timeline::Spent;

/// A report about a time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Report {
    /// The name of the time: a month, or its start and end.
    #[schema(example = "2026-10")]
    pub period: String,
    /// The start.
    #[serde(serialize_with = "with_millis")]
    pub from: Timestamp,
    /// The end, exclusive.
    #[serde(serialize_with = "with_millis")]
    pub until: Timestamp,
    /// The time zone in which months and days begin.
    #[schema(example = "Europe/London")]
    pub zone: String,
    /// When it was made. Later times are not counted.
    #[serde(serialize_with = "with_millis")]
    pub made: Timestamp,
    /// The rule of counting, as text.
    pub rule: String,
    /// The total.
    pub total: Row,
    /// By experiment, sorted by name. Null where it was not requested.
    #[schema(required)]
    pub experiments: Option<Vec<Row>>,
    /// By pool, sorted by name. Null where it was not requested.
    #[schema(required)]
    pub pools: Option<Vec<Row>>,
    /// By month, in order. Null where it was not requested.
    #[schema(required)]
    pub months: Option<Vec<Row>>,
    /// The experiments that cost students the most time, at most five, the worst first.
    pub worst: Vec<Row>,
    /// How long it usually takes until an experiment can be used again, by symptom.
    pub restore: Vec<Restore>,
}

/// A time as in the API: with milliseconds.
fn with_millis<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

/// The grouping of the rows of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// One row for each experiment.
    Experiment,
    /// One row for each pool.
    Pool,
    /// One row for each month.
    Month,
}

/// The counts of an experiment, of a pool, of a month, or of all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Row {
    /// Its name.
    #[schema(example = "pend00")]
    pub name: String,
    /// How many experiments are in it.
    pub experiments: usize,
    /// The usable share of the evaluated time, 0 to 1; null when nothing was evaluated.
    #[schema(required)]
    pub availability: Option<f64>,
    /// The same within booked time.
    #[schema(required)]
    pub booked_availability: Option<f64>,
    /// Minutes by state, of all time.
    pub minutes: Minutes,
    /// Minutes by state, of booked time.
    pub booked_minutes: Minutes,
    /// How often it became unusable.
    pub failures: u32,
    /// Usable hours for each failure; null when there was none.
    #[schema(required)]
    pub hours_between_failures: Option<f64>,
    /// The mean duration of a failure, in minutes, where both its start and end were observed; null
    /// when there was none.
    #[schema(required)]
    pub minutes_to_restore: Option<f64>,
    /// Failures within booked time for each 100 hours of it that were evaluated; null when there
    /// were none.
    #[schema(required)]
    pub failures_per_100_booked_hours: Option<f64>,
    /// Sessions that began.
    pub sessions: u32,
    /// Those among them that lost five minutes, or all of a shorter session.
    pub sessions_spoiled: u32,
    /// Minutes of sessions in which the experiment could not be used, multiplied by the number of
    /// students.
    pub student_minutes_lost: f64,
    /// How often labwatch withdrew an experiment.
    pub withdrawals: u32,
    /// How often that was regretted.
    pub withdrawals_regretted: u32,
    /// Bookings that could not be started although labwatch found the experiment usable.
    pub bookings_missed: u32,
}

/// The duration of each state, in minutes. They add up to the part of the time that is past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Minutes {
    /// It was ok.
    pub ok: f64,
    /// Usable, with a loss.
    pub degraded: f64,
    /// It was flapping, and was withdrawn.
    pub flapping: f64,
    /// Students could not use it.
    pub down: f64,
    /// Not evaluated.
    pub unknown: f64,
    /// In planned maintenance.
    pub maintenance: f64,
    /// labwatch itself was off, or could not write.
    pub own_downtime: f64,
}

/// How long it takes until an experiment can be used again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Restore {
    /// The symptom.
    #[schema(example = "streams lost, remote login there")]
    pub cause: String,
    /// How many failures with it were observed from start to end.
    pub cases: usize,
    /// The median duration, in minutes; null for fewer than five.
    #[schema(required)]
    pub median_minutes: Option<f64>,
    /// The 80th percentile of the duration, in minutes; null for fewer than five.
    #[schema(required)]
    pub p80_minutes: Option<f64>,
}

impl Report {
    /// Its rows in one of the groupings; empty where it does not have them.
    #[must_use]
    pub fn rows(&self, by: By) -> &[Row] {
        let rows = match by {
            By::Experiment => &self.experiments,
            By::Pool => &self.pools,
            By::Month => &self.months,
        };
        rows.as_deref().unwrap_or_default()
    }

    /// The report with rows of one kind only.
    #[must_use]
    pub fn only(self, by: By) -> Self {
        let kept = |rows: Option<Vec<Row>>, of: By| rows.filter(|_| of == by);
        Self {
            experiments: kept(self.experiments, By::Experiment),
            pools: kept(self.pools, By::Pool),
            months: kept(self.months, By::Month),
            ..self
        }
    }
}

impl By {
    pub const ALL: [Self; 3] = [Self::Experiment, Self::Pool, Self::Month];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Experiment => "experiment",
            Self::Pool => "pool",
            Self::Month => "month",
        }
    }
}

impl Row {
    pub(super) fn new(name: &str, experiments: usize, account: &Account) -> Self {
        Self {
            name: name.to_owned(),
            experiments,
            availability: account.all.availability(),
            booked_availability: account.booked.availability(),
            minutes: Minutes::from(account.all),
            booked_minutes: Minutes::from(account.booked),
            failures: account.failures,
            hours_between_failures: account.hours_between_failures(),
            minutes_to_restore: account.minutes_to_restore(),
            failures_per_100_booked_hours: account.failures_per_100_booked_hours(),
            sessions: account.sessions,
            sessions_spoiled: account.spoiled,
            student_minutes_lost: minutes(account.students_lost),
            withdrawals: account.withdrawals,
            withdrawals_regretted: account.regretted,
            bookings_missed: account.missed,
        }
    }
}

impl From<Spent> for Minutes {
    fn from(spent: Spent) -> Self {
        Self {
            ok: minutes(spent.ok),
            degraded: minutes(spent.degraded),
            flapping: minutes(spent.flapping),
            down: minutes(spent.down),
            unknown: minutes(spent.unknown),
            maintenance: minutes(spent.maintenance),
            own_downtime: minutes(spent.off),
        }
    }
}
