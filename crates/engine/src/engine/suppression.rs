//! Keeping quiet: what keeps mail quiet is asked for, ends in time, and is shown. It changes no judgement and no switch.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use crate::experiments::fleet::Fleet;
use crate::model::{Health, Moment, SourceName, Stub};
use crate::notifications::route::Route;
use crate::protocol::effect::Step;
use crate::protocol::event::Issue;
use crate::protocol::record::Record;
use crate::protocol::state::Alert;
use crate::suppressions::{
    Acknowledgement, ActiveSuppressions, Ended, Maintenance, NamePattern, NoteView, Silence,
    Subject, Suppression, SuppressionEntry, SuppressionKind,
};

/// An acknowledgement that is older than this looks forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How quiet it is between two changes of that.
#[derive(Debug, Clone)]
pub(super) struct SuppressedNow {
    from: Timestamp,
    until: Option<Timestamp>,
    /// The silences that hold and the windows that are open.
    open: Vec<NamePattern>,
    pub(super) notes: Arc<Vec<NoteView>>,
}

impl SuppressedNow {
    fn of(quiet: &ActiveSuppressions, at: Timestamp) -> Self {
        let notes = quiet.entries().map(|(id, entry)| {
            let (next, last, active) = match &entry {
                SuppressionEntry::Maintenance(Maintenance { schedule, .. }) => (
                    schedule.next_occurrence(at),
                    schedule.last_occurrence(at),
                    schedule.open_until(at).is_some(),
                ),
                SuppressionEntry::Acknowledgement(_) | SuppressionEntry::Silence(_) => {
                    (None, None, entry.over_at().is_none_or(|end| at < end))
                }
            };
            NoteView {
                id,
                entry,
                active,
                next,
                last,
            }
        });
        Self {
            from: at,
            until: quiet.next_change(at),
            open: quiet.open_at(at),
            notes: Arc::new(notes.collect()),
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Whether mail about an experiment is kept quiet, as it is now.
#[derive(Clone, Copy)]
pub(super) struct SuppressionLookup<'a> {
    suppressed_now: Option<&'a SuppressedNow>,
    quiet: &'a ActiveSuppressions,
    fleet: &'a Fleet,
    at: Timestamp,
    /// Whether somebody knows of relay's outage.
    knows_of_relay: bool,
}

impl SuppressionLookup<'_> {
    /// Whether it is: by its name, or because relay's outage, of which somebody knows, is what is wrong with it.
    pub(super) fn covers(self, stub: &Stub) -> bool {
        self.is_open(stub)
            || self.is_acknowledged(stub)
            || (self.knows_of_relay && self.suffers_from_relay(stub))
    }

    /// Whether it is acknowledged itself.
    pub(super) fn is_acknowledged(self, stub: &Stub) -> bool {
        self.quiet
            .acknowledged(&Subject::Experiment(stub.clone()), self.at)
            .is_some()
    }

    /// Whether it is in a maintenance window, and by nothing else suppressed that goes before that.
    pub(super) fn is_in_maintenance(self, stub: &Stub) -> bool {
        self.is_open(stub)
            && self
                .quiet
                .quiet(stub, self.at)
                .is_some_and(|suppression| suppression.kind == SuppressionKind::Maintenance)
    }

    fn is_open(self, stub: &Stub) -> bool {
        self.suppressed_now
            .iter()
            .flat_map(|suppressed_now| &suppressed_now.open)
            .any(|open| open.matches(stub.as_str()))
    }

    fn suffers_from_relay(self, stub: &Stub) -> bool {
        self.fleet
            .named(stub.as_str())
            .is_some_and(|experiment| experiment.issues.contains(&Issue::RelayOutage))
    }
}

impl Engine {
    pub(super) fn suppression_lookup(&self) -> SuppressionLookup<'_> {
        let at = self.now.wall();
        let knows_of_relay = self
            .quiet
            .acknowledged(&component_of(SourceName::Relay), at)
            .is_some();
        SuppressionLookup {
            suppressed_now: self.suppressed_now.as_ref(),
            quiet: &self.quiet,
            fleet: &self.fleet,
            at,
            knows_of_relay,
        }
    }

    /// Lets go of what is over, and takes note of what begins or ends to keep quiet.
    pub(super) fn maintain_suppressions(&mut self, step: &mut Step) {
        let at = self.now.wall();
        if self
            .suppressed_now
            .as_ref()
            .is_some_and(|suppressed_now| suppressed_now.holds(at))
        {
            return;
        }
        let over = Arc::make_mut(&mut self.quiet).expire(at);
        step.records.extend(
            over.into_iter()
                .map(|ended| Record::SuppressionEnded(Box::new(ended))),
        );
        self.suppressed_now = Some(SuppressedNow::of(&self.quiet, at));
        self.categories.mark_dirty();
        self.fleet.touch_all();
    }

    /// When something begins or ends to keep quiet next.
    pub(super) fn suppression_deadline(&self) -> Option<Moment> {
        let until = self.suppressed_now.as_ref()?.until?;
        Some(
            self.now
                + Duration::try_from(until.duration_since(self.now.wall())).unwrap_or_default(),
        )
    }

    /// Why mail about an experiment is kept quiet.
    pub(super) fn quieted(&self, stub: &Stub) -> Option<Suppression> {
        if self.suppression_lookup().covers(stub) {
            self.quiet.quiet(stub, self.now.wall())
        } else {
            None
        }
    }

    /// Whether somebody knows of what concerns the whole laboratory.
    pub(super) fn is_acknowledged(&self, alert: Alert) -> bool {
        let component = match alert {
            Alert::Blind => return false,
            Alert::Source(name) => name,
            Alert::ManifestLost => SourceName::Book,
            Alert::Sampling => SourceName::Relay,
        };
        self.quiet
            .acknowledged(&component_of(component), self.now.wall())
            .is_some()
    }

    /// Whether a component is acknowledged itself.
    pub(super) fn is_component_acknowledged(&self, name: &str) -> bool {
        self.quiet
            .acknowledged(&Subject::Component(name.to_owned()), self.now.wall())
            .is_some()
    }

    /// Whether no mail is to be sent at all, because the whole laboratory is acknowledged.
    pub(super) fn is_all_quiet(&self) -> bool {
        self.quiet
            .acknowledged(&Subject::Installation, self.now.wall())
            .is_some()
    }

    /// Ends the acknowledgement of an experiment that is well again, or worse than it was.
    pub(super) fn health_changed(&mut self, stub: &Stub, health: Health, step: &mut Step) {
        let subject = Subject::Experiment(stub.clone());
        let Some((_, known)) = self.quiet.acknowledgement(&subject) else {
            return;
        };
        let is_worse = health.is_unusable() && !known.health.is_unusable();
        let at = self.now.wall();
        let ended = match health {
            Health::Ok => Arc::make_mut(&mut self.quiet).recovered(&subject, at),
            Health::Degraded | Health::Flapping | Health::Down if is_worse => {
                Arc::make_mut(&mut self.quiet).worsened(&subject, at)
            }
            Health::Unknown | Health::Degraded | Health::Flapping | Health::Down => None,
        };
        self.quiet_ended(ended, step);
    }

    /// Ends the acknowledgement of a source that tells again.
    pub(super) fn source_is_well(&mut self, name: SourceName, step: &mut Step) {
        let subject = component_of(name);
        if self.quiet.acknowledgement(&subject).is_some() {
            let ended = Arc::make_mut(&mut self.quiet).recovered(&subject, self.now.wall());
            self.quiet_ended(ended, step);
        }
    }

    /// Ends the acknowledgements of experiments that are forgotten.
    pub(super) fn stubs_are_gone(&mut self, stubs: &[Stub], step: &mut Step) {
        for subject in stubs.iter().map(|stub| Subject::Experiment(stub.clone())) {
            if self.quiet.acknowledgement(&subject).is_some() {
                let ended = Arc::make_mut(&mut self.quiet).gone(&subject, self.now.wall());
                self.quiet_ended(ended, step);
            }
        }
    }

    fn quiet_ended(&mut self, ended: Option<Ended>, step: &mut Step) {
        if let Some(ended) = ended {
            self.suppressed_now = None;
            step.record(Record::SuppressionEnded(Box::new(ended)));
        }
    }

    /// What the people of a route do not hear of although they might want to, in words: every silence, and acknowledgements that are so
    /// old that they look forgotten. Maintenance is planned and shown elsewhere.
    pub(super) fn silences(&self, route: &Route, now: Timestamp) -> Vec<String> {
        let notes = self
            .suppressed_now
            .iter()
            .flat_map(|suppressed_now| suppressed_now.notes.iter())
            .filter(|note| note.active);
        let of_route = notes.filter(|note| self.is_of_route(&note.entry, route));
        of_route
            .filter_map(|note| silence_words(&note.entry, now))
            .collect()
    }

    fn is_of_route(&self, entry: &SuppressionEntry, route: &Route) -> bool {
        let any = |pattern: &NamePattern| {
            let mut heard = self
                .fleet
                .iter()
                .map(|(_, experiment)| &experiment.stub)
                .filter(|stub| route.hears_of(stub));
            heard.any(|stub| pattern.matches(stub.as_str()))
        };
        match entry {
            SuppressionEntry::Acknowledgement(Acknowledgement {
                subject: Subject::Experiment(stub),
                ..
            }) => route.hears_of(stub),
            SuppressionEntry::Acknowledgement(Acknowledgement {
                subject: Subject::Component(_) | Subject::Installation,
                ..
            }) => route.alerts,
            SuppressionEntry::Silence(Silence { pattern, .. })
            | SuppressionEntry::Maintenance(Maintenance { pattern, .. }) => any(pattern),
        }
    }
}

fn silence_words(entry: &SuppressionEntry, now: Timestamp) -> Option<String> {
    let (about, who, text) = (entry.about(), entry.who(), entry.text());
    match entry {
        SuppressionEntry::Silence(Silence { until, .. }) => Some(format!(
            "{about} is silenced until {} by {who}: {text}",
            until.strftime("%-d %b %H:%M UTC")
        )),
        SuppressionEntry::Acknowledgement(Acknowledgement { since, .. })
            if now.duration_since(*since) >= FORGOTTEN_AFTER =>
        {
            Some(format!(
                "{about} has been acknowledged since {} by {who}: {text}",
                since.strftime("%-d %b %Y")
            ))
        }
        SuppressionEntry::Acknowledgement(_) | SuppressionEntry::Maintenance(_) => None,
    }
}

fn component_of(name: SourceName) -> Subject {
    Subject::Component(name.as_str().to_owned())
}
