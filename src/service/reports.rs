//! Starts reports: their path in the API, and the monthly report by mail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use super::cluster::Links;
use super::config_watch::ConfigWatch;
use super::task_set::TaskSet;
use super::{notifications, presentation};
use crate::effects::mail::{Circular, Circulated};
use crate::effects::while_open;
use crate::http::{ReportSource, Reports};
use crate::reports::{self, Period, Report};
use crate::store::{Entry, Store};
use engine::Recipient;

/// The key of the month whose report was mailed last, as `2026-10`.
const MAILED: &str = "report.mailed";

/// The key of the month that was mailed before that one: it applies when a clock that was ahead has
/// set the mark.
const MAILED_BEFORE: &str = "report.mailed_before";

/// The key of the report that not all recipients have yet, with those who have it.
const OUTGOING: &str = "report.outgoing";

/// A mark whose month ends later than this was set by a clock ahead; less is a changed time zone.
const FAR: SignedDuration = SignedDuration::from_hours(3 * 24);

/// How often due reports are checked for.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// How often a follower checks whether it leads.
const LEAD_EVERY: Duration = Duration::from_secs(60);

/// The pause after a report failed to be made or mailed.
const RETRY_AFTER: Duration = Duration::from_secs(1_800);

/// The time limit for making the monthly report. No reader waits for it.
const MAKE_WITHIN: Duration = Duration::from_secs(120);

/// Starts the maker of reports and the monthly mail, which a reload may turn on or off.
pub(super) fn start(
    config: &ConfigWatch,
    (store, keep): (Option<&Store>, &BTreeMap<String, Value>),
    cluster: Option<&Links>,
    parts: &mut TaskSet,
    retry: Arc<Notify>,
) -> Reports {
    let begun = Arc::clone(&config.borrow());
    let (Some(database), Some(store)) = (&begun.database, store) else {
        return Reports::of(None);
    };
    let monthly = Monthly {
        folder: database.folder.clone(),
        config: config.clone(),
        store: store.clone(),
        cluster: cluster.cloned(),
        marks: Marks {
            mailed: month_of(keep, MAILED),
            before: month_of(keep, MAILED_BEFORE),
        },
        outgoing: outgoing_in(keep),
        retry,
    };
    parts.spawn_until_stop("monthly report", Box::pin(run(monthly)));
    let (folder, config) = (database.folder.clone(), config.clone());
    let reports = Reports::of(Some(Arc::new(move || source(&folder, &config))));
    let following = reports.clone().follow(parts.stop());
    parts.spawn("usual time to restore", following);
    reports
}

fn month_of(keep: &BTreeMap<String, Value>, key: &str) -> Option<String> {
    keep.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The report in delivery. One that cannot be read is made again.
fn outgoing_in(keep: &BTreeMap<String, Value>) -> Option<Outgoing> {
    serde_json::from_value(keep.get(OUTGOING)?.clone()).ok()
}

fn source(folder: &Path, config: &ConfigWatch) -> ReportSource {
    let config = config.borrow();
    ReportSource {
        folder: folder.to_owned(),
        zone: config.notifications.zone.rules.clone(),
        planned: config.planned(),
    }
}

/// State of the monthly report.
struct Monthly {
    folder: PathBuf,
    config: ConfigWatch,
    store: Store,
    /// In a cluster the leader mails; the other replicas take over its marks.
    cluster: Option<Links>,
    marks: Marks,
    /// The report that not all recipients have yet.
    outgoing: Option<Outgoing>,
    /// Signals that mail works again.
    retry: Arc<Notify>,
}

/// A report in delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Outgoing {
    month: String,
    circular: Circular,
    /// The recipients who have it, or are refused for good.
    has: BTreeSet<Recipient>,
}

/// The month of the report that was mailed last, and of the one before, as `2026-10`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Marks {
    mailed: Option<String>,
    before: Option<String>,
}

/// Which replica of a cluster is to mail a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// None: one of them has mailed it.
    Mailed,
    /// The leader, which is another replica.
    Leaders,
    /// This one.
    Own,
}

/// Which replica is to mail the report of this month: by what this replica, and any, mailed last.
fn turn(own: Option<&str>, shared: Option<&str>, month: &str, leads: bool) -> Turn {
    if shared == Some(month) {
        Turn::Mailed
    } else if leads || own.is_none() {
        // On its first start it mails nothing, but stores from which month on it does.
        Turn::Own
    } else {
        Turn::Leaders
    }
}

impl Marks {
    /// The marks without those that were set by a clock ahead, and whether there were any.
    fn checked(&self, now: Timestamp, zone: &TimeZone) -> (Self, bool) {
        let newest = now.checked_add(FAR).ok();
        let newest = newest.and_then(|then| reports::month_due(then, zone));
        let is_ahead = |mark: &&String| newest.as_ref().is_some_and(|newest| *mark > newest);
        if !self.mailed.as_ref().is_some_and(|mark| is_ahead(&mark)) {
            return (self.clone(), false);
        }
        let before = self.before.clone().filter(|mark| !is_ahead(&mark));
        // If there is a mark, this is not the first start: the month that is due is mailed.
        let checked = Self {
            mailed: Some(before.unwrap_or_default()),
            before: None,
        };
        (checked, true)
    }
}

/// Mails each report that is due; one that is under way when all stops after the next start.
async fn run(mut monthly: Monthly) {
    let (mut config, retry) = (monthly.config.clone(), Arc::clone(&monthly.retry));
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
            () = retry.notified() => {}
        }
    }
}

impl Monthly {
    /// Mails what is due. Returns the pause until the next check.
    async fn look(&mut self, now: Timestamp) -> Duration {
        let config = Arc::clone(&self.config.borrow());
        let is_wanted = config.notifications.report_monthly
            && config.mail.as_ref().is_some_and(|mail| !mail.to.is_empty());
        let month = reports::month_due(now, &config.notifications.zone.rules).filter(|_| is_wanted);
        let Some(month) = month else {
            return LOOK_EVERY;
        };
        let (marks, was_ahead) = self.marks.checked(now, &config.notifications.zone.rules);
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
                    let what = "the monthly report is not mailed, retrying";
                    tracing::error!(month, "{what}: {why}");
                    return RETRY_AFTER;
                }
                tracing::info!(month, "mailed the monthly report");
                self.note(&month);
            }
            // On the first start, reports begin with the months that are still to end.
            None => self.note(&month),
        }
        LOOK_EVERY
    }

    /// The pause until the next check, if another replica is to mail.
    fn leaves_to_leader(&mut self, month: &str) -> Option<Duration> {
        let links = self.cluster.clone()?;
        let shared = links.sharing.shared.borrow().clone();
        let shared = shared.and_then(|shared| month_of(&shared, MAILED));
        let is_known = self.marks.mailed.as_deref() == Some(month);
        match turn(
            self.marks.mailed.as_deref(),
            shared.as_deref(),
            month,
            !links.left().is_zero(),
        ) {
            Turn::Mailed => {
                if !is_known {
                    self.note(month);
                }
                Some(LOOK_EVERY)
            }
            Turn::Leaders => Some(LEAD_EVERY),
            Turn::Own => {
                if is_known {
                    Self::share(&links, month);
                }
                None
            }
        }
    }

    /// Shares the mark with the other replicas; if that fails, again at the next check.
    fn share(links: &Links, month: &str) {
        let mark = (MAILED.to_owned(), Some(Value::from(month)));
        let _ = links
            .sharing
            .share
            .try_send(vec![mark, (OUTGOING.to_owned(), None)]);
    }

    fn note(&mut self, month: &str) {
        if let Some(links) = &self.cluster
            && !links.left().is_zero()
        {
            Self::share(links, month);
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
            keep(OUTGOING, None),
        ];
        if !self.store.write(entries).is_taken() {
            tracing::error!(
                month,
                "cannot store which report was mailed; after a restart it is mailed again"
            );
        }
    }

    /// Mails the report of a month to those who do not have it. Each gets the same mail, however
    /// often it is retried.
    async fn mail(&mut self, month: &str, now: Timestamp) -> Result<(), String> {
        let known = [self.outgoing.take(), self.outgoing_of_all()].into_iter();
        let mut known = known.flatten().filter(|known| known.month == month);
        let mut outgoing = match known.next() {
            Some(known) => known,
            None => self.make(month, now).await?,
        };
        // Each may know of recipients of whom the other does not: a message may be lost.
        outgoing.has.extend(known.flat_map(|other| other.has));
        self.keep(&outgoing);
        let why = match self.send(&outgoing).await {
            Ok(circulated) => {
                outgoing.has.extend(circulated.settled);
                let Some(fault) = circulated.pending else {
                    return Ok(());
                };
                self.keep(&outgoing);
                format!("some recipients do not have it: {fault}")
            }
            Err(why) => why,
        };
        self.outgoing = Some(outgoing);
        Err(why)
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Circulated, String> {
        let mailer =
            notifications::mailer(&self.config.borrow()).map_err(|error| error.to_string())?;
        let Some(mailer) = mailer else {
            return Err("mail has no recipients any more".to_owned());
        };
        let window = self.cluster.as_ref().map(Links::window);
        let sending = pin!(mailer.circulate(&outgoing.circular, &outgoing.has));
        match while_open(window.as_ref(), sending).await {
            Some(sent) => sent.map_err(|failure| failure.fault.to_string()),
            None => Err("this replica leads no more".to_owned()),
        }
    }

    async fn make(&self, month: &str, now: Timestamp) -> Result<Outgoing, String> {
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
        let page = presentation::page_address(&self.config.borrow());
        Ok(Outgoing {
            month: month.to_owned(),
            circular: circular(&report, page.as_deref()),
            has: BTreeSet::new(),
        })
    }

    /// The report that the previous leader began to mail, in a cluster.
    fn outgoing_of_all(&self) -> Option<Outgoing> {
        let shared = self.cluster.as_ref()?.sharing.shared.borrow().clone();
        outgoing_in(&*shared?)
    }

    /// Stores the mail, and who has it, for the next start and for the next leader.
    fn keep(&self, outgoing: &Outgoing) {
        let value = serde_json::to_value(outgoing).ok();
        if let Some(links) = &self.cluster {
            let entry = (OUTGOING.to_owned(), value.clone());
            let _ = links.sharing.share.try_send(vec![entry]);
        }
        let entry = Entry::Keep {
            key: OUTGOING.to_owned(),
            value,
        };
        if !self.store.write(vec![entry]).is_taken() {
            tracing::warn!(
                month = outgoing.month,
                "cannot store which recipients have the monthly report; after a restart they get it again"
            );
        }
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
    use lab::{Answer, AwkwardSetup, AwkwardSmtp, Rule, TakenMail};

    use crate::config::{Config, Sources, load};
    use crate::store::StoreSettings;
    use tokio::sync::watch;

    fn config(port: u16) -> Arc<Config> {
        let port = port.to_string();
        let settings = [
            ("email_host", "127.0.0.1"),
            ("email_port", &port),
            ("email_to", "ann@x.org bob@x.org"),
            ("email_from", "lab@x.org"),
            ("report_monthly", "true"),
            ("time_zone", "UTC"),
        ];
        let sources = Sources::of_laboratory("127.0.0.1:1", &settings);
        Arc::new(load(&sources).expect("loads").config)
    }

    /// The monthly report of a process that starts on this folder.
    fn started(folder: &Path, config: &Arc<Config>) -> Monthly {
        let settings = StoreSettings {
            dir: folder.to_owned(),
            history_days: 1_000,
            ring: 1,
        };
        let (store, stored) = Store::open(&settings).expect("opens");
        Monthly {
            folder: folder.to_owned(),
            config: watch::channel(Arc::clone(config)).1,
            store,
            cluster: None,
            marks: Marks {
                mailed: Some(month_of(&stored.keep, MAILED).unwrap_or("2026-09".to_owned())),
                before: None,
            },
            outgoing: outgoing_in(&stored.keep),
            retry: Arc::default(),
        }
    }

    /// The recipients of each mail.
    fn taken(server: &AwkwardSmtp) -> Vec<(Vec<String>, String)> {
        let of = |mail: TakenMail| (mail.to, mail.content);
        server.mails().into_iter().map(of).collect()
    }

    /// Bob is deferred: Ann's mail is not sent again, and Bob gets the very same one after a
    /// restart.
    #[tokio::test]
    async fn who_is_put_off_gets_the_same_report_later_and_alone() {
        let greylisted = Rule::on("RCPT TO:<bob@", Answer::line("450 4.2.0 Greylisted"));
        let setup = AwkwardSetup {
            rules: vec![greylisted],
            ..AwkwardSetup::default()
        };
        let server = AwkwardSmtp::start(setup).await.expect("starts");
        let config = config(server.address().port());
        let folder = tempfile::tempdir().expect("a folder");
        let first: Timestamp = "2026-11-01T06:00:00Z".parse().expect("a time");
        let later = |minutes: i64| first + SignedDuration::from_mins(minutes);

        let mut monthly = started(folder.path(), &config);
        assert_eq!(monthly.look(first).await, RETRY_AFTER);
        assert_eq!(monthly.look(later(30)).await, RETRY_AFTER);
        let ticket = monthly.store.write(Vec::new());
        monthly.store.durable(ticket).await;
        drop(monthly);
        let had = taken(&server);
        assert_eq!(had.len(), 1, "{had:#?}");
        assert_eq!(had[0].0, ["ann@x.org"]);

        server.set_rules(Vec::new());
        let mut monthly = started(folder.path(), &config);
        assert_eq!(monthly.look(later(60)).await, LOOK_EVERY);
        assert_eq!(monthly.look(later(90)).await, LOOK_EVERY);
        let has = taken(&server);
        assert_eq!(has.len(), 2, "{has:#?}");
        assert_eq!(has[1], (vec!["bob@x.org".to_owned()], had[0].1.clone()));
        assert_eq!(monthly.marks.mailed.as_deref(), Some("2026-10"));
    }

    /// Bob is deferred, and then refused: that ends the delivery.
    #[tokio::test]
    async fn who_is_refused_after_the_others_have_it_is_not_tried_for_ever() {
        let rules = vec![
            Rule::on("RCPT TO:<bob@", Answer::line("450 4.2.0 Greylisted")).first(1),
            Rule::on("RCPT TO:<bob@", Answer::line("550 5.1.1 no such user")),
        ];
        let setup = AwkwardSetup {
            rules,
            ..AwkwardSetup::default()
        };
        let server = AwkwardSmtp::start(setup).await.expect("starts");
        let folder = tempfile::tempdir().expect("a folder");
        let mut monthly = started(folder.path(), &config(server.address().port()));
        let first: Timestamp = "2026-11-01T06:00:00Z".parse().expect("a time");
        assert_eq!(monthly.look(first).await, RETRY_AFTER);
        assert_eq!(monthly.look(first).await, LOOK_EVERY);
        assert_eq!(server.mails().len(), 1);
    }

    #[test]
    fn of_several_replicas_one_mails_a_report() {
        let (october, november) = (Some("2026-10"), Some("2026-11"));
        for (own, shared, leads, expected) in [
            (october, october, true, Turn::Own),
            (october, None, true, Turn::Own),
            (october, october, false, Turn::Leaders),
            (october, None, false, Turn::Leaders),
            (october, november, true, Turn::Mailed),
            (october, november, false, Turn::Mailed),
            (november, october, true, Turn::Own),
            (None, october, false, Turn::Own),
            (None, november, false, Turn::Mailed),
        ] {
            let found = turn(own, shared, "2026-11", leads);
            assert_eq!(found, expected, "{own:?} {shared:?} {leads}");
        }
    }

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
