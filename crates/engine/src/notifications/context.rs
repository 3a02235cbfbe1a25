//! Inputs of notifications: an experiment's state, alerts of the laboratory, and derived data.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::engine::views::Views;
use crate::experiments::experiment::Experiment;
use crate::experiments::fleet::Fleet;
use crate::groups::Groups;
use crate::groups::pool::{Pool, Severity};
use crate::model::{
    Bookable, Health, JumpHealth, Moment, PageFault, PageName, Stub, Visibility, spell_time_in,
};
use crate::notifications::correlation::{Cause, FEWEST_OF_A_CAUSE};
use crate::notifications::own;
use crate::notifications::pending::Pending;
use crate::notifications::route::Route;
use crate::protocol::{Alert, AlertLine, Background, Issue, Known, Line, RouteView, Summary};
use crate::suppressions::SuppressionLookup;
use crate::switching::Switching;

/// An outage of a source, of book's manifest, or of a component that is shorter than this is not
/// notified: servers are restarted, and come back within seconds.
pub(crate) const NOTIFY_OUTAGE_AFTER: Duration = Duration::from_secs(60);

/// Replaces an advice that depends on the remote login while that is unknown.
const LOGIN_UNKNOWN: &str =
    "Whether its computer is up is not known yet: jump has not confirmed it since the loss.";

/// An active alert, with its text.
#[derive(Debug, Clone)]
pub(crate) struct ActiveAlert {
    pub(crate) alert: Alert,
    pub(crate) text: String,
    pub(crate) since: Moment,
    /// Whether to notify recipients who do not know it: it has lasted, and is no part of a larger
    /// alert. Those who do are notified until it ends.
    pub(crate) is_notifiable: bool,
}

/// Inputs for summaries: read access to the other parts.
pub(crate) struct NotificationContext<'a> {
    pub(crate) now: Moment,
    pub(crate) fleet: &'a Fleet,
    pub(crate) switching: &'a Switching,
    pub(crate) groups: &'a Groups,
    pub(crate) suppressions: SuppressionLookup<'a>,
    pub(crate) views: &'a Views,
    /// Whether a switch is decided or under way.
    pub(crate) is_switching: bool,
    /// The older of the last reports of relay and jump, as far as they report at all.
    pub(crate) reported: Option<Moment>,
    /// Until when relay or jump settle.
    pub(crate) settles_until: Option<Moment>,
    pub(crate) active_alerts: Vec<ActiveAlert>,
    /// The state of the routes.
    pub(crate) routes: Vec<RouteView>,
    /// When jump last reported.
    pub(crate) jump_reported: Option<Moment>,
}

impl NotificationContext<'_> {
    pub(super) fn experiment(&self, stub: &Stub) -> Option<&Experiment> {
        self.fleet.named(stub.as_str())
    }

    pub(super) fn bookable(&self, experiment: &Experiment) -> Option<Bookable> {
        let resources = experiment.resources.iter();
        resources
            .filter_map(|name| self.switching.resources.bookable(name))
            .max()
    }

    /// Whether an experiment is in use or booked for soon.
    pub(super) fn is_booked_within(&self, stub: &Stub, within: Duration) -> bool {
        let now = self.now.wall();
        let Some(experiment) = self.experiment(stub) else {
            return false;
        };
        let soon = (self.now + within).wall();
        let affected = self.groups.calendar.affected(&experiment.resources, now);
        affected.first_start.is_some_and(|start| start <= soon)
    }

    /// The text for the end of an alert.
    pub(super) fn ended_text(&self, alert: &Alert) -> String {
        match alert {
            Alert::Blind => "labwatch gets reports from the laboratory again".to_owned(),
            Alert::Source(name) => format!("{name} reports again"),
            Alert::ManifestLost => "book has a manifest again".to_owned(),
            Alert::Sampling => "streams are sampled again".to_owned(),
            Alert::Component(name) if self.groups.components.contains_key(name.as_str()) => {
                format!("{name} works again")
            }
            Alert::Component(name) => format!("{name} is not watched any more"),
        }
    }

    /// From when on something about an experiment may be notified: no later report of another
    /// source is to be waited for.
    pub(super) fn ready(&self, stub: &Stub, pending: &Pending) -> Moment {
        let is_leaving = self.experiment(stub).is_some_and(|experiment| {
            experiment.login() == JumpHealth::Up && !experiment.is_login_reported()
        });
        pending.ready(self.reported, is_leaving)
    }

    /// Whether a report of the experiment's other source is still to be waited for.
    pub(super) fn is_half_known(&self, stub: &Stub, pending: &Pending) -> bool {
        pending.changed.is_some() && self.ready(stub, pending) > self.now
    }

    /// Adds derived data to the problems of a summary, and sorts them by how soon students need
    /// them.
    pub(crate) fn add_context(&self, summary: &mut Summary) {
        let now = self.now.wall();
        for line in summary.news.iter_mut().chain(&mut summary.problems) {
            let Some(experiment) = self.fleet.named(line.stub.as_str()) else {
                continue;
            };
            line.affected = self.groups.calendar.affected(&experiment.resources, now);
            line.advice = line.advice.take().or_else(|| self.advice(experiment));
            line.last_seen = experiment.last_complete().map(Moment::wall);
            line.acknowledged = self.suppressions.acknowledgement(&experiment.stub);
        }
        summary.news.sort_by_key(urgency);
        summary.problems.sort_by_key(urgency);
        let causes = self.causes_of_new(summary);
        summary.background.causes = causes
            .iter()
            .map(cause_words)
            .chain(pages_of_new(summary))
            .collect();
    }

    /// Background information for a route, whatever is new.
    pub(crate) fn background(&self, route: &Route, alerts: &[AlertLine]) -> Background {
        let now = self.now.wall();
        Background {
            causes: Vec::new(),
            short_pools: self.short_pools(route, now),
            forgotten_holds: self.forgotten_holds(route, now),
            silences: self.suppressions.silences(route),
            own: own::problems(
                &self.groups.components,
                &self.routes,
                alerts,
                now,
                &route.zone,
            ),
        }
    }

    /// The advice for an experiment. While jump has not reported since the loss, advice that
    /// depends on the remote login is replaced.
    fn advice(&self, experiment: &Experiment) -> Option<String> {
        let is_newer = |reported| reported >= experiment.decided;
        let is_login_old = experiment.last_complete().is_some()
            && !(experiment.is_login_reported() && self.jump_reported.is_some_and(is_newer));
        let advice = |is_login_old| self.views.derived.advice_for(experiment, is_login_old);
        let unknown = || {
            advice(false)
                .filter(|_| is_login_old)
                .map(|_| LOGIN_UNKNOWN)
        };
        advice(is_login_old).or_else(unknown).map(str::to_owned)
    }

    /// What the new losses of a summary have in common.
    fn causes_of_new(&self, summary: &Summary) -> Vec<Cause> {
        let new = summary.news.iter().filter(|line| line.health.is_unusable());
        let lost: Vec<&Experiment> = new
            .filter_map(|line| self.fleet.named(line.stub.as_str()))
            .collect();
        self.fleet.causes(&lost)
    }

    /// Pools with less capacity left than is booked.
    fn short_pools(&self, route: &Route, now: Timestamp) -> Vec<String> {
        let covers = |pool: &&Pool| pool.members().any(|stub| route.covers(stub));
        let is_usable = |stub: &Stub| self.fleet.is_usable(stub);
        let standings = self.groups.pools.iter().filter(covers).map(|pool| {
            let standing = pool.standing(&self.groups.calendar, now, is_usable);
            (&pool.name, standing)
        });
        let short = standings.filter_map(|(name, standing)| match standing.severity {
            Severity::Short { missing, first_at } => {
                let at = spell_time_in(first_at, now, &route.zone);
                Some(format!(
                    "{name}: {} of {} work, {missing} too few for what is booked from {at} on",
                    standing.usable, standing.members
                ))
            }
            Severity::NoneAffected | Severity::Spare(_) => None,
        });
        short.collect()
    }

    /// Resources that have been held for so long that they look forgotten.
    fn forgotten_holds(&self, route: &Route, now: Timestamp) -> Vec<String> {
        let groups = self.groups;
        let overdue = groups.holds.overdue(&groups.calendar, now, |_| None);
        let covers = |resource| {
            let stub = self.switching.resources.stub(resource);
            stub.is_some_and(|stub| route.covers(stub))
        };
        let words = overdue
            .iter()
            .filter(|view| covers(&view.resource))
            .map(|view| {
                let since = view.hold.since.to_zoned(route.zone.clone());
                let since = since.strftime("%-d %b %Y");
                let blocked = match view.blocked.next_week {
                    0 => String::new(),
                    1 => "; 1 booking of the next 7 days cannot start".to_owned(),
                    n => format!("; {n} bookings of the next 7 days cannot start"),
                };
                format!(
                    "{} is held by a person since {since}: {}{blocked}",
                    view.resource, view.hold.reason
                )
            });
        words.collect()
    }
}

/// Problems first, by the start of their next booking; then recoveries.
fn urgency(line: &Line) -> (bool, Timestamp, Stub) {
    let is_well = line.health == Health::Ok && line.listed;
    (
        is_well,
        line.affected
            .first_start
            .filter(|_| !is_well)
            .unwrap_or(Timestamp::MAX),
        line.stub.clone(),
    )
}

/// The failing pages that several of the news have in common.
fn pages_of_new(summary: &Summary) -> Vec<String> {
    let mut opened_on: BTreeMap<(&PageName, PageFault), usize> = BTreeMap::new();
    for line in &summary.news {
        let is_new = |(issue, _): &(&Issue, _)| !line.notified_issues.contains(issue);
        let pages = line.issues.iter().filter_map(|it| Some((it, it.page()?)));
        for (_, page) in pages.filter(is_new) {
            *opened_on.entry(page).or_default() += 1;
        }
    }
    let common = opened_on
        .into_iter()
        .filter(|(_, count)| *count >= FEWEST_OF_A_CAUSE);
    let words = common.map(|((page, fault), count)| {
        format!("{count} experiments are opened on one page, which {fault}: {page}")
    });
    words.collect()
}

fn cause_words(cause: &Cause) -> String {
    format!(
        "{} of {} {} {} were lost at about the same time: probably one cause",
        cause.stubs.len(),
        cause.of,
        cause.kind,
        cause
            .label_private
            .show(Visibility::MAINTAINER)
            .map_or("", String::as_str)
    )
}

impl Known {
    /// The state of an experiment to be notified now; `None` while nothing is known.
    pub(super) fn of(experiment: &Experiment, manifest_known: bool) -> Option<Self> {
        let is_known = experiment.is_evaluated() && experiment.health != Health::Unknown;
        is_known.then(|| Self {
            health: experiment.health,
            issues: experiment.issues.clone(),
            listed: experiment.listed() || !manifest_known,
            bad_since: experiment.bad_since.map(Moment::wall),
        })
    }

    /// The state that recipients assume without any notification.
    pub(super) fn assumed() -> Self {
        Self {
            health: Health::Ok,
            issues: Vec::new(),
            listed: true,
            bad_since: None,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.health == Health::Ok && self.issues.is_empty() && self.listed
    }

    /// Whether it is the same but for its beginning.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.health, &self.issues, self.listed) == (other.health, &other.issues, other.listed)
    }

    pub(super) fn is_news_after(&self, notified: &Self) -> bool {
        self.health != notified.health
            || self.issues != notified.issues
            || (!self.listed && notified.listed)
    }
}
