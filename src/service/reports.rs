//! The start of reports: their path in the API, and the one that is mailed on the first of each month.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::cluster::Links;
use super::reload::ConfigWatch;
use super::{TaskSet, notifications, presentation};
use crate::effects::mail::Circular;
use crate::http::{ReportSource, Reports};
use crate::reports::{self, Period, Report};
use crate::store::{Entry, Store};

/// Under which key the month stands whose report was mailed last, as `2026-10`.
const MAILED: &str = "report.mailed";

/// Under which key the month stands that was mailed before that one: what holds when a clock that was ahead has set the mark.
const MAILED_BEFORE: &str = "report.mailed_before";

/// A mark whose month ends later than this after now was set by a clock that was ahead. Less is a time zone that was changed.
const FAR: SignedDuration = SignedDuration::from_hours(3 * 24);

/// How often it is looked whether a report is due.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// How often a replica that does not lead looks whether it does.
const LEAD_EVERY: Duration = Duration::from_secs(60);

/// The pause after a report could not be made or mailed.
const RETRY_AFTER: Duration = Duration::from_secs(1_800);

/// How long making the monthly report may take. No reader waits for it.
const MAKE_WITHIN: Duration = Duration::from_secs(120);

/// The maker of reports; and starts the monthly mail. Whether it is wanted may change with the configuration.
pub(super) fn start(
    config: &ConfigWatch,
    (store, keep): (Option<&Store>, &BTreeMap<String, Value>),
    cluster: Option<&Links>,
    parts: &mut TaskSet,
    stop: &CancellationToken,
) -> Reports {
    let begun = Arc::clone(&config.borrow());
    let (Some(memory), Some(store)) = (&begun.memory, store) else {
        return Reports::of(None);
    };
    let monthly = Monthly {
        folder: memory.folder.clone(),
        config: config.clone(),
        store: store.clone(),
        cluster: cluster.cloned(),
        marks: Marks {
            mailed: month_of(keep, MAILED),
            before: month_of(keep, MAILED_BEFORE),
        },
    };
    parts.spawn("monthly report", run(monthly, stop.clone()));
    let (folder, config) = (memory.folder.clone(), config.clone());
    let reports = Reports::of(Some(Arc::new(move || source(&folder, &config))));
    parts.spawn(
        "usual time to restore",
        reports.clone().follow(stop.clone()),
    );
    reports
}

fn month_of(keep: &BTreeMap<String, Value>, key: &str) -> Option<String> {
    keep.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn source(folder: &Path, config: &ConfigWatch) -> ReportSource {
    let config = config.borrow();
    ReportSource {
        folder: folder.to_owned(),
        zone: config.telling.zone.rules.clone(),
        planned: config.planned(),
    }
}

/// The monthly report, and which was mailed last.
struct Monthly {
    folder: PathBuf,
    config: ConfigWatch,
    store: Store,
    /// Where there are several replicas, the one that leads mails, and the others take over what it has mailed.
    cluster: Option<Links>,
    marks: Marks,
}

/// Which report was mailed last, and which before that, as `2026-10`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Marks {
    mailed: Option<String>,
    before: Option<String>,
}

impl Marks {
    /// The marks without those that a clock has set which was ahead. Says whether there were any.
    fn checked(&self, now: Timestamp, zone: &TimeZone) -> (Self, bool) {
        let newest = now.checked_add(FAR).ok();
        let newest = newest.and_then(|then| reports::month_due(then, zone));
        let is_ahead = |mark: &&String| newest.as_ref().is_some_and(|newest| *mark > newest);
        if !self.mailed.as_ref().is_some_and(|mark| is_ahead(&mark)) {
            return (self.clone(), false);
        }
        let before = self.before.clone().filter(|mark| !is_ahead(&mark));
        // That there is a mark says that labwatch has not only now begun, so the month that is due is to be mailed.
        let checked = Self {
            mailed: Some(before.unwrap_or_default()),
            before: None,
        };
        (checked, true)
    }
}

/// Looks until `stop` whether a report is due, and mails it. One that is under way then is mailed after the next start.
async fn run(mut monthly: Monthly, stop: CancellationToken) {
    let mut config = monthly.config.clone();
    let looking = async {
        loop {
            let pause = monthly.look(Timestamp::now()).await;
            let changed = async {
                if config.changed().await.is_err() {
                    std::future::pending::<()>().await; // it is never read anew
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = changed => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

impl Monthly {
    /// Mails what is due. Returns after which pause to look again.
    async fn look(&mut self, now: Timestamp) -> Duration {
        let config = Arc::clone(&self.config.borrow());
        let is_wanted = config.telling.report_monthly
            && config.mail.as_ref().is_some_and(|mail| !mail.to.is_empty());
        let month = reports::month_due(now, &config.telling.zone.rules).filter(|_| is_wanted);
        let Some(month) = month else {
            return LOOK_EVERY;
        };
        let (marks, was_ahead) = self.marks.checked(now, &config.telling.zone.rules);
        if was_ahead {
            tracing::warn!(
                mark = self.marks.mailed,
                "the clock was ahead when a monthly report was last mailed: that mark does not count"
            );
            self.marks = marks;
        }
        if let Some(pause) = self.leaves_to_leader(&month) {
            return pause;
        }
        match &self.marks.mailed {
            Some(mailed) if *mailed >= month => {}
            Some(_) => {
                if let Err(why) = self.mail(&month, now).await {
                    tracing::error!(
                        month,
                        "the monthly report is not mailed, it is tried again: {why}"
                    );
                    return RETRY_AFTER;
                }
                tracing::info!(month, "the monthly report is mailed");
                self.note(&month);
            }
            // A labwatch that has only now begun reports on the months that are still to end.
            None => self.note(&month),
        }
        LOOK_EVERY
    }

    /// Whether another replica mails the report of this month, or has mailed it; then the pause after which to look again.
    fn leaves_to_leader(&mut self, month: &str) -> Option<Duration> {
        let links = self.cluster.clone()?;
        let shared = links.sharing.shared.borrow().clone();
        let mailed = shared.and_then(|shared| month_of(&shared, MAILED));
        let is_known = self.marks.mailed.as_deref() == Some(month);
        if mailed.as_deref() == Some(month) {
            if !is_known {
                self.note(month);
            }
            return Some(LOOK_EVERY);
        }
        if links.left().is_zero() {
            return Some(LEAD_EVERY);
        }
        if is_known {
            self.share(&links, month);
        }
        None
    }

    /// Lets the other replicas know. Where that is not taken now, it is handed over at the next look.
    fn share(&self, links: &Links, month: &str) {
        let mark = (MAILED.to_owned(), Some(Value::from(month)));
        let _ = links.sharing.share.try_send(vec![mark]);
    }

    fn note(&mut self, month: &str) {
        if let Some(links) = &self.cluster
            && !links.left().is_zero()
        {
            self.share(links, month);
        }
        let before = self.marks.mailed.replace(month.to_owned());
        self.marks.before = before.filter(|mark| !mark.is_empty());
        let keep = |key: &str, month: Option<&str>| Entry::Keep {
            key: key.to_owned(),
            value: month.map(Value::from),
        };
        let entries = vec![
            keep(MAILED, Some(month)),
            keep(MAILED_BEFORE, self.marks.before.as_deref()),
        ];
        if !self.store.write(entries).is_taken() {
            tracing::error!(
                month,
                "the store does not take which report was mailed; after a restart it is mailed again"
            );
        }
    }

    async fn mail(&self, month: &str, now: Timestamp) -> Result<(), String> {
        let source = source(&self.folder, &self.config);
        let period = Period::month(month, &source.zone, now).map_err(|error| error.to_string())?;
        let making = tokio::task::spawn_blocking(move || {
            reports::of_folder(
                &source.folder,
                &period,
                &source.planned,
                now,
                Instant::now() + MAKE_WITHIN,
            )
        });
        let report = making
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        let mailer =
            notifications::mailer(&self.config.borrow()).map_err(|error| error.to_string())?;
        let page = presentation::page_address(&self.config.borrow());
        let Some(mailer) = mailer else {
            return Err("mail has no recipients any more".to_owned());
        };
        mailer
            .circulate(&circular(&report, page.as_deref()))
            .await
            .map_err(|failure| failure.fault.to_string())
    }
}

fn circular(report: &Report, page: Option<&str>) -> Circular {
    let mail = reports::mail(report, page);
    Circular {
        name: format!("report-{}", report.period),
        at: report.made,
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_a_clock_that_was_ahead_does_not_count() {
        let zone = TimeZone::get("Europe/London").expect("tzdata");
        let marks = |mailed: &str, before: Option<&str>| Marks {
            mailed: Some(mailed.to_owned()),
            before: before.map(str::to_owned),
        };
        for (now, kept, expect, was_ahead) in [
            // on the first, after a start a year ahead: October was mailed before, November is due
            (
                "2026-12-01T06:00:05Z",
                marks("2027-10", Some("2026-10")),
                "2026-10",
                true,
            ),
            // in the middle of a month: what was mailed before is not mailed again
            (
                "2026-11-15T12:00:00Z",
                marks("2027-10", Some("2026-10")),
                "2026-10",
                true,
            ),
            // several marks of that clock: the month that is due is mailed
            (
                "2026-12-01T06:00:05Z",
                marks("2027-10", Some("2027-09")),
                "",
                true,
            ),
            ("2026-12-01T06:00:05Z", marks("2027-10", None), "", true),
            // a time zone that was changed on the first is no wrong clock
            (
                "2026-12-01T05:00:00Z",
                marks("2026-11", Some("2026-10")),
                "2026-11",
                false,
            ),
            (
                "2026-12-01T07:00:00Z",
                marks("2026-10", None),
                "2026-10",
                false,
            ),
        ] {
            let (checked, ahead) = kept.checked(now.parse().expect("a time"), &zone);
            assert_eq!(
                (checked.mailed.as_deref(), ahead),
                (Some(expect), was_ahead),
                "{now} {kept:?}"
            );
        }
    }
}
