//! The suppressions of this moment: which begin and end, what they cover, and which of them a
//! change of health ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{
    Acknowledgement, ActiveSuppressions, Ended, Ending, Maintenance, NoteView, Silence, Subject,
    Suppression, SuppressionEntry, SuppressionId, SuppressionKind,
};
use crate::experiments::fleet::Fleet;
use crate::model::Gather as _;
use crate::model::{Health, Moment, NamePattern, SourceName, Stub, spell_time_in};
use crate::notifications::route::Route;
use crate::protocol::{Acknowledged, Alert, Issue, Record, Step};

/// An acknowledgement that is older than this looks forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Who has acknowledged what a policy acknowledges.
const POLICY: &str = "policy";

/// All suppressions, and a cache of those that are active until the next change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suppressions {
    active: Arc<ActiveSuppressions>,
    /// What is active now; `None` when that has to be computed anew.
    now: Option<Current>,
}

/// What is active from one change to the next.
#[derive(Debug, Clone)]
struct Current {
    from: Timestamp,
    until: Option<Timestamp>,
    /// The silences that are active and the windows that are open.
    open: Vec<NamePattern>,
    notes: Arc<Vec<NoteView>>,
}

impl Current {
    fn of(active: &ActiveSuppressions, at: Timestamp) -> Self {
        let notes = active.entries().map(|(id, entry)| {
            let (next, last, is_active) = match &entry {
                SuppressionEntry::Maintenance(Maintenance { schedule, .. }) => (
                    schedule.next_occurrence(at),
                    schedule.last_occurrence(at),
                    schedule.open_until(at).is_some(),
                ),
                SuppressionEntry::Silence(silence) => (None, None, silence.holds(at)),
                SuppressionEntry::Acknowledgement(_) => {
                    (None, None, entry.over_at().is_none_or(|end| at < end))
                }
            };
            NoteView {
                id,
                entry,
                active: is_active,
                next,
                last,
            }
        });
        Self {
            from: at,
            until: active.next_change(at),
            open: active.open_at(at),
            notes: Arc::new(notes.collect()),
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// The active suppressions, for queries about experiments.
#[derive(Clone, Copy)]
pub(crate) struct SuppressionLookup<'a> {
    now: Option<&'a Current>,
    active: &'a ActiveSuppressions,
    fleet: &'a Fleet,
    at: Timestamp,
    /// Whether relay's outage is acknowledged.
    relay_acknowledged: bool,
}

impl SuppressionLookup<'_> {
    /// Whether notifications about an experiment wait: by its name, or because it is down by an
    /// acknowledged outage of relay.
    pub(crate) fn covers(self, stub: &Stub) -> bool {
        self.is_open(stub)
            || self.is_acknowledged(stub)
            || (self.relay_acknowledged && self.suffers_from_relay(stub))
    }

    /// Why notifications about an experiment wait.
    pub(crate) fn suppression(self, stub: &Stub) -> Option<Suppression> {
        self.covers(stub)
            .then(|| self.active.suppression_of(stub, self.at))
            .flatten()
    }

    /// Whether it is acknowledged itself.
    pub(crate) fn is_acknowledged(self, stub: &Stub) -> bool {
        self.active
            .acknowledged(&Subject::Experiment(stub.clone()), self.at)
            .is_some()
    }

    /// Who has acknowledged it itself.
    pub(crate) fn acknowledgement(self, stub: &Stub) -> Option<Acknowledged> {
        let subject = Subject::Experiment(stub.clone());
        let suppression = self.active.acknowledged(&subject, self.at)?;
        Some(Acknowledged {
            who: suppression.by,
            text: suppression.text,
        })
    }

    /// Whether it is in a maintenance window, without another suppression of higher priority.
    pub(crate) fn is_in_maintenance(self, stub: &Stub) -> bool {
        let is_maintenance =
            |suppression: Suppression| suppression.kind == SuppressionKind::Maintenance;
        self.is_open(stub)
            && self
                .active
                .suppression_of(stub, self.at)
                .is_some_and(is_maintenance)
    }

    fn is_open(self, stub: &Stub) -> bool {
        is_open(self.now, stub.as_str())
    }

    fn suffers_from_relay(self, stub: &Stub) -> bool {
        self.fleet
            .named(stub.as_str())
            .is_some_and(|experiment| experiment.issues.contains(&Issue::RelayOutage))
    }

    /// The silences that recipients of a route may want to know, as text: every silence, and
    /// acknowledgements that are so old that they look forgotten. Maintenance is planned and shown
    /// elsewhere.
    pub(crate) fn silences(self, route: &Route) -> Vec<String> {
        let notes = self.now.iter().flat_map(|now| now.notes.iter());
        let of_route = notes.filter(|note| note.active && self.is_of_route(&note.entry, route));
        of_route
            .filter_map(|note| silence_words(&note.entry, self.at, &route.zone))
            .collect()
    }

    fn is_of_route(self, entry: &SuppressionEntry, route: &Route) -> bool {
        let any = |pattern: &NamePattern| {
            let stubs = self.fleet.experiments().map(|experiment| &experiment.stub);
            stubs
                .filter(|stub| route.covers(stub))
                .any(|stub| pattern.matches(stub.as_str()))
        };
        match entry {
            SuppressionEntry::Acknowledgement(Acknowledgement {
                subject: Subject::Experiment(stub),
                ..
            }) => route.covers(stub),
            SuppressionEntry::Acknowledgement(Acknowledgement {
                subject: Subject::Component(_) | Subject::Installation,
                ..
            }) => route.alerts,
            SuppressionEntry::Silence(Silence { pattern, .. })
            | SuppressionEntry::Maintenance(Maintenance { pattern, .. }) => any(pattern),
        }
    }
}

impl Suppressions {
    /// Restores stored suppressions.
    pub(crate) fn restore(
        &mut self,
        entries: Vec<(SuppressionId, SuppressionEntry)>,
        last_id: u64,
    ) {
        self.active = Arc::new(ActiveSuppressions::restore(entries, last_id));
        self.now = None;
    }

    /// Sets the maintenance windows of the configuration.
    pub(crate) fn configure(&mut self, windows: Vec<Maintenance>) {
        if self.active.configured() != windows {
            self.change().configure(windows);
        }
    }

    /// Sets the acknowledgements of a policy. One that was in it before keeps its age.
    pub(crate) fn acknowledge_by_policy(
        &mut self,
        subjects: Vec<(Subject, String)>,
        at: Timestamp,
    ) {
        let known = self.active.policy();
        let entry = |(subject, text): (Subject, String)| {
            let same = known.get(&subject).filter(|entry| entry.text == text);
            let entry = same.cloned().unwrap_or_else(|| Acknowledgement {
                subject: subject.clone(),
                health: Health::Down,
                who: POLICY.to_owned(),
                text,
                since: at,
                until: None,
            });
            (subject, entry)
        };
        let all: BTreeMap<Subject, Acknowledgement> = subjects.into_iter().map(entry).gather();
        if *known != all {
            self.change().acknowledge_by_policy(all);
        }
    }

    /// Adds an entry. Returns its number; `None` where a bound refuses it.
    pub(crate) fn add(&mut self, entry: SuppressionEntry) -> Option<SuppressionId> {
        self.change().add(entry).ok()
    }

    /// Ends an entry before its time; `None` where there is none of this number.
    pub(crate) fn remove(&mut self, id: SuppressionId, by: &str, at: Timestamp) -> Option<Ended> {
        self.change().remove(id, by, at).ok()
    }

    fn change(&mut self) -> &mut ActiveSuppressions {
        self.now = None;
        Arc::make_mut(&mut self.active)
    }

    pub(crate) fn active(&self) -> &Arc<ActiveSuppressions> {
        &self.active
    }

    /// All suppressions at this time; also before the first step, which evaluates them only then.
    pub(crate) fn notes(&self, at: Timestamp) -> Arc<Vec<NoteView>> {
        match &self.now {
            Some(now) => Arc::clone(&now.notes),
            None => Current::of(&self.active, at).notes,
        }
    }

    pub(crate) fn lookup<'a>(&'a self, fleet: &'a Fleet, at: Timestamp) -> SuppressionLookup<'a> {
        SuppressionLookup {
            now: self.now.as_ref(),
            active: &self.active,
            fleet,
            at,
            relay_acknowledged: self.is_component_acknowledged(SourceName::Relay.as_str(), at),
        }
    }

    /// Removes what is over. Returns whether a suppression began or ended.
    pub(crate) fn maintain(&mut self, at: Timestamp, step: &mut Step) -> bool {
        if self.now.as_ref().is_some_and(|now| now.holds(at)) {
            return false;
        }
        let over = Arc::make_mut(&mut self.active).expire(at).into_iter();
        step.records
            .extend(over.map(|ended| Record::SuppressionEnded(Box::new(ended))));
        self.now = Some(Current::of(&self.active, at));
        true
    }

    /// When a suppression begins or ends next.
    pub(crate) fn deadline(&self, now: Moment) -> Option<Moment> {
        let until = self.now.as_ref()?.until?;
        Some(now + Duration::try_from(until.duration_since(now.wall())).unwrap_or_default())
    }

    /// Whether notifications about an alert wait: its subject is acknowledged, or it is a component
    /// that is silenced or in maintenance.
    pub(crate) fn covers_alert(&self, alert: &Alert, at: Timestamp) -> bool {
        let component = match alert {
            Alert::Blind => return false,
            Alert::Source(name) => name.as_str(),
            Alert::ManifestLost => SourceName::Book.as_str(),
            Alert::Sampling => SourceName::Relay.as_str(),
            Alert::Component(name) => {
                let name = name.as_str();
                return self.is_component_acknowledged(name, at)
                    || is_open(self.now.as_ref(), name);
            }
        };
        self.is_component_acknowledged(component, at)
    }

    /// Whether a component is acknowledged itself.
    pub(crate) fn is_component_acknowledged(&self, name: &str, at: Timestamp) -> bool {
        let subject = Subject::Component(name.to_owned());
        self.active.acknowledged(&subject, at).is_some()
    }

    /// Whether the whole laboratory is acknowledged, so that nothing is notified.
    pub(crate) fn is_all_acknowledged(&self, at: Timestamp) -> bool {
        self.active
            .acknowledged(&Subject::Installation, at)
            .is_some()
    }

    /// Ends the acknowledgement of an experiment that is ok again, or worse than it was.
    pub(crate) fn health_changed(
        &mut self,
        stub: &Stub,
        health: Health,
        at: Timestamp,
        step: &mut Step,
    ) {
        let subject = Subject::Experiment(stub.clone());
        let Some((_, known)) = self.active.acknowledgement(&subject) else {
            return;
        };
        let is_worse = health.is_unusable() && !known.health.is_unusable();
        match health {
            Health::Ok => self.end(&subject, Ending::Recovered, at, step),
            Health::Degraded | Health::Flapping | Health::Down if is_worse => {
                self.end(&subject, Ending::Worse, at, step);
            }
            Health::Unknown | Health::Degraded | Health::Flapping | Health::Down => {}
        }
    }

    /// Ends the acknowledgement of a source that reports again.
    pub(crate) fn source_is_well(&mut self, name: SourceName, at: Timestamp, step: &mut Step) {
        let subject = Subject::Component(name.as_str().to_owned());
        self.end(&subject, Ending::Recovered, at, step);
    }

    /// Ends the acknowledgements of experiments that are forgotten.
    pub(crate) fn forget(&mut self, stubs: &[Stub], at: Timestamp, step: &mut Step) {
        for subject in stubs.iter().map(|stub| Subject::Experiment(stub.clone())) {
            self.end(&subject, Ending::Gone, at, step);
        }
    }

    /// Ends an acknowledgement, where there is one.
    fn end(&mut self, subject: &Subject, ending: Ending, at: Timestamp, step: &mut Step) {
        if self.active.acknowledgement(subject).is_none() {
            return;
        }
        let ended = self.change().end(subject, ending, at);
        let ended = ended.map(|ended| Record::SuppressionEnded(Box::new(ended)));
        step.records.extend(ended);
    }
}

/// Whether an active silence or an open window matches this name.
fn is_open(now: Option<&Current>, name: &str) -> bool {
    now.is_some_and(|now| now.open.iter().any(|open| open.matches(name)))
}

fn silence_words(entry: &SuppressionEntry, now: Timestamp, zone: &TimeZone) -> Option<String> {
    let (about, who, text) = (entry.about(), entry.who(), entry.text());
    match entry {
        SuppressionEntry::Silence(Silence { until, .. }) => Some(format!(
            "{about} is silenced until {} by {who}: {text}",
            spell_time_in(*until, now, zone)
        )),
        SuppressionEntry::Acknowledgement(Acknowledgement { since, .. })
            if now.duration_since(*since) >= FORGOTTEN_AFTER =>
        {
            Some(format!(
                "{about} has been acknowledged since {} by {who}: {text}",
                since.to_zoned(zone.clone()).strftime("%-d %b %Y")
            ))
        }
        SuppressionEntry::Acknowledgement(_) | SuppressionEntry::Maintenance(_) => None,
    }
}
