//! The boot story of reports: their path in the API, and the one that is mailed on the first of each month.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::reload::ConfigWatch;
use super::{TaskSet, notifications};
use crate::effects::mail::Circular;
use crate::http::{ReportSource, Reports};
use crate::reports::{self, Period, Report};
use crate::store::{Entry, Store};

/// Under which key the month stands whose report was mailed last, as `2026-10`.
const MAILED: &str = "report.mailed";

/// How often it is looked whether a report is due.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// The pause after a report could not be made or mailed.
const RETRY_AFTER: Duration = Duration::from_secs(1_800);

/// How long making the monthly report may take. Nobody waits for it.
const MAKE_WITHIN: Duration = Duration::from_secs(120);

/// The maker of reports; and starts the monthly mail. Whether it is wanted may change with the configuration.
pub(super) fn start(
    config: &ConfigWatch,
    store: Option<&Store>,
    keep: &BTreeMap<String, Value>,
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
        mailed: keep.get(MAILED).and_then(Value::as_str).map(str::to_owned),
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
    mailed: Option<String>,
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
        match &self.mailed {
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
                self.note(month);
            }
            // Whoever has only now begun is told of the months that are still to end.
            None => self.note(month),
        }
        LOOK_EVERY
    }

    fn note(&mut self, month: String) {
        let entry = Entry::Keep {
            key: MAILED.to_owned(),
            value: Some(Value::String(month.clone())),
        };
        if !self.store.write(vec![entry]).is_taken() {
            tracing::error!(
                month,
                "the memory does not take which report was mailed; after a restart it is mailed again"
            );
        }
        self.mailed = Some(month);
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
        let Some(mailer) = mailer else {
            return Err("nobody is mailed any more".to_owned());
        };
        mailer
            .circulate(&circular(&report))
            .await
            .map_err(|failure| failure.fault.to_string())
    }
}

fn circular(report: &Report) -> Circular {
    Circular {
        name: format!("report-{}", report.period),
        at: report.made,
        subject: format!("availability in {}", report.period),
        text: reports::text(report),
        html: reports::html(report),
    }
}
