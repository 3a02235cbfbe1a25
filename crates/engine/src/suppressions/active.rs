//! All suppressions, in one place: whether notifications about an experiment are suppressed now,
//! and why. Sends and reports nothing.
//!
//! Suppression is a level, evaluated anew each time, and not an event. What is not notified while
//! it is suppressed stays pending and is notified when the suppression ends, if it still differs
//! from what was last notified. So what happened inside a window need not be stored.
//!
//! Times are wall-clock times, because users and calendars mean that clock. The answer to
//! [`ActiveSuppressions::suppression_of`] depends on the time alone, not on whether
//! [`ActiveSuppressions::expire`] was called meanwhile.

mod policy;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::entry::{
    Acknowledgement, Ended, Ending, Maintenance, Silence, Subject, Suppression, SuppressionEntry,
    SuppressionId, SuppressionKind,
};
use super::limits::{
    MAX_ACKNOWLEDGEMENTS, MAX_MAINTENANCES, MAX_SILENCES, check_end, check_length, check_order,
    check_room, check_text,
};
use super::refusal::Refused;
use super::window::Schedule;
use crate::model::{NamePattern, Stub};

/// All suppressions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveSuppressions {
    acknowledgements: BTreeMap<Subject, (SuppressionId, Acknowledgement)>,
    silences: BTreeMap<SuppressionId, Silence>,
    maintenances: BTreeMap<SuppressionId, Maintenance>,
    /// Maintenance windows of the configuration: they have no number, and are ended only there.
    configured: Vec<Maintenance>,
    /// Acknowledgements of a policy: they have no number, and are ended only there.
    policy: BTreeMap<Subject, Acknowledgement>,
    last_id: u64,
}

impl ActiveSuppressions {
    /// Restores stored suppressions. `last_id` is the highest number ever assigned, so that none is
    /// assigned twice; 0 when none was.
    ///
    /// All is taken, however much: bounds are for what is added. What has ended meanwhile is
    /// reported by [`ActiveSuppressions::expire`].
    pub fn restore(
        entries: impl IntoIterator<Item = (SuppressionId, SuppressionEntry)>,
        last_id: u64,
    ) -> Self {
        let mut restored = Self {
            last_id,
            ..Self::default()
        };
        for (id, entry) in entries {
            restored.last_id = restored.last_id.max(id.0);
            restored.insert(id, entry);
        }
        restored
    }

    /// Sets the maintenance windows of the configuration.
    pub fn configure(&mut self, windows: Vec<Maintenance>) {
        self.configured = windows;
    }

    /// The maintenance windows of the configuration.
    pub fn configured(&self) -> &[Maintenance] {
        &self.configured
    }

    /// Why `stub` is suppressed at `at`; `None` when it is not.
    ///
    /// Of several reasons the most specific one is given: an acknowledgement, else the silence or
    /// else the window that ends last.
    pub fn suppression_of(&self, stub: &Stub, at: Timestamp) -> Option<Suppression> {
        let acknowledged = self.acknowledged(&Subject::Experiment(stub.clone()), at);
        acknowledged
            .or_else(|| self.silenced(stub.as_str(), at))
            .or_else(|| self.maintained(stub.as_str(), at))
    }

    /// The acknowledgement of `subject`, also one that is over and not removed yet.
    pub fn acknowledgement(&self, subject: &Subject) -> Option<(SuppressionId, &Acknowledgement)> {
        self.acknowledgements
            .get(subject)
            .map(|(id, entry)| (*id, entry))
    }

    /// The patterns of all silences that are active and all windows that are open at `at`. They
    /// change only at [`ActiveSuppressions::next_change`].
    pub fn open_at(&self, at: Timestamp) -> Vec<NamePattern> {
        let silences = self
            .silences
            .values()
            .filter(|silence| silence.holds(at))
            .map(|silence| &silence.pattern);
        let open = self
            .windows()
            .filter(|(_, maintenance)| maintenance.schedule.open_until(at).is_some());
        silences
            .chain(open.map(|(_, maintenance)| &maintenance.pattern))
            .cloned()
            .collect()
    }

    /// When a suppression begins or ends next, strictly after `at`.
    ///
    /// Looks at every entry: ask again only when that time has come, or something was added,
    /// removed or ended.
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        let acknowledged = self
            .acknowledgements
            .values()
            .filter_map(|(_, entry)| entry.until);
        let ends = acknowledged
            .chain(self.silences.values().flat_map(Silence::changes))
            .filter(|end| *end > at);
        let windows = self
            .windows()
            .filter_map(|(_, entry)| entry.schedule.next_change(at));
        ends.chain(windows).min()
    }

    /// A copy of all entries, by kind and then by subject or number, for lists and digests. Those
    /// of the configuration have no number.
    pub fn entries(&self) -> impl Iterator<Item = (Option<SuppressionId>, SuppressionEntry)> {
        let given = self.acknowledgements.values();
        let given = given.map(|(id, entry)| (Some(*id), entry));
        // Where both are there, readers go by the one that a maintainer gave: it comes last.
        let policy = self.policy.values().map(|entry| (None, entry));
        let acknowledgements = policy
            .chain(given)
            .map(|(id, entry)| (id, SuppressionEntry::Acknowledgement(entry.clone())));
        let silences = self
            .silences
            .iter()
            .map(|(id, entry)| (Some(*id), SuppressionEntry::Silence(entry.clone())));
        acknowledgements.chain(silences).chain(
            self.windows()
                .map(|(id, entry)| (id, SuppressionEntry::Maintenance(entry.clone()))),
        )
    }

    /// Whether an entry has this number.
    pub fn has(&self, id: SuppressionId) -> bool {
        self.silences.contains_key(&id)
            || self.maintenances.contains_key(&id)
            || self
                .acknowledgements
                .values()
                .any(|(other, _)| *other == id)
    }

    /// Whether this can be added, made at its `since`.
    ///
    /// # Errors
    /// [`Refused`] for what cannot be, and for an experiment that is not bad or anything that is
    /// acknowledged already. An entry that is over counts until [`ActiveSuppressions::expire`]
    /// removes it, so that its end is reported.
    pub fn check(&self, entry: &SuppressionEntry) -> Result<(), Refused> {
        check_text("who", entry.who())?;
        match entry {
            SuppressionEntry::Acknowledgement(acknowledgement) => {
                self.check_acknowledgement(acknowledgement)
            }
            SuppressionEntry::Silence(silence) => {
                check_text("reason", &silence.reason)?;
                check_end(silence.until, silence.since)?;
                check_length(silence.since, silence.until)?;
                check_room("silences", self.silences.len(), MAX_SILENCES)
            }
            SuppressionEntry::Maintenance(maintenance) => {
                check_text("reason", &maintenance.reason)?;
                if let Schedule::Once { from, until } = maintenance.schedule {
                    check_order(from, until)?;
                    check_end(until, maintenance.since)?;
                    check_length(from, until)?;
                }
                check_room(
                    "maintenance windows",
                    self.maintenances.len(),
                    MAX_MAINTENANCES,
                )
            }
        }
    }

    fn check_acknowledgement(&self, entry: &Acknowledgement) -> Result<(), Refused> {
        check_text("text", &entry.text)?;
        match &entry.subject {
            Subject::Experiment(stub) if !entry.health.is_bad() => {
                return Err(Refused::NotBad {
                    stub: stub.clone(),
                    health: entry.health,
                });
            }
            Subject::Component(name) => check_text("component", name)?,
            Subject::Experiment(_) | Subject::Installation => {}
        }
        entry
            .until
            .map_or(Ok(()), |until| check_end(until, entry.since))?;
        if let Some((id, other)) = self.acknowledgements.get(&entry.subject) {
            return Err(Refused::AlreadyAcknowledged {
                subject: entry.subject.clone(),
                id: *id,
                who: other.who.clone(),
            });
        }
        check_room(
            "acknowledgements",
            self.acknowledgements.len(),
            MAX_ACKNOWLEDGEMENTS,
        )
    }

    /// Adds an entry: see [`ActiveSuppressions::check`].
    ///
    /// # Errors
    /// [`Refused`] where it cannot be added.
    pub fn add(&mut self, entry: SuppressionEntry) -> Result<SuppressionId, Refused> {
        self.check(&entry)?;
        self.last_id += 1;
        let id = SuppressionId(self.last_id);
        self.insert(id, entry);
        Ok(id)
    }

    /// Ends an entry on a maintainer's command.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is nothing with this number; [`Refused::Text`] when no name
    /// is given.
    pub fn remove(
        &mut self,
        id: SuppressionId,
        who: &str,
        at: Timestamp,
    ) -> Result<Ended, Refused> {
        check_text("who", who)?;
        let entry = self.take(id).ok_or(Refused::NotFound(id))?;
        let who = who.to_owned();
        Ok(Ended::of(id, entry, Ending::Removed { who }, at))
    }

    /// Removes everything that is over at `at`, in the order in which it ended. Weekly windows are
    /// never over.
    pub fn expire(&mut self, at: Timestamp) -> Vec<Ended> {
        let is_over = |end: Option<Timestamp>| end.is_some_and(|end| end <= at);
        let subjects: Vec<Subject> = self
            .acknowledgements
            .values()
            .filter(|(_, e)| is_over(e.until))
            .map(|(_, e)| e.subject.clone())
            .collect();
        let silences = self
            .silences
            .iter()
            .filter(|(_, entry)| is_over(Some(entry.until)))
            .map(|(id, _)| *id);
        let windows = self
            .maintenances
            .iter()
            .filter(|(_, entry)| is_over(entry.schedule.over_at()))
            .map(|(id, _)| *id);
        let ids: Vec<SuppressionId> = silences.chain(windows).collect();
        let mut over: Vec<Ended> = subjects
            .iter()
            .filter_map(|subject| self.end(subject, Ending::Expired, at))
            .collect();
        over.extend(
            ids.into_iter()
                .filter_map(|id| Some(Ended::of(id, self.take(id)?, Ending::Expired, at))),
        );
        over.sort_by_key(|ended| (ended.at, ended.id));
        over
    }

    fn silenced(&self, stub: &str, at: Timestamp) -> Option<Suppression> {
        let holding = self
            .silences
            .iter()
            .filter(|(_, silence)| silence.holds(at) && silence.pattern.matches(stub));
        let (id, silence) = holding.max_by_key(|(_, silence)| silence.until)?;
        Some(Suppression {
            id: Some(*id),
            kind: SuppressionKind::Silenced,
            by: silence.who.clone(),
            text: silence.reason.clone(),
            until: Some(silence.until),
        })
    }

    fn maintained(&self, stub: &str, at: Timestamp) -> Option<Suppression> {
        let matching = self
            .windows()
            .filter(|(_, maintenance)| maintenance.pattern.matches(stub));
        let open = matching.filter_map(|(id, maintenance)| {
            Some((id, maintenance, maintenance.schedule.open_until(at)?))
        });
        let (id, Maintenance { who, reason, .. }, until) =
            open.max_by_key(|(_, _, until)| *until)?;
        Some(Suppression {
            id,
            kind: SuppressionKind::Maintenance,
            by: who.clone(),
            text: reason.clone(),
            until: Some(until),
        })
    }

    /// All maintenance windows, of maintainers and of the configuration.
    fn windows(&self) -> impl Iterator<Item = (Option<SuppressionId>, &Maintenance)> {
        self.maintenances
            .iter()
            .map(|(id, entry)| (Some(*id), entry))
            .chain(self.configured.iter().map(|entry| (None, entry)))
    }

    fn insert(&mut self, id: SuppressionId, entry: SuppressionEntry) {
        match entry {
            SuppressionEntry::Acknowledgement(entry) => drop(
                self.acknowledgements
                    .insert(entry.subject.clone(), (id, entry)),
            ),
            SuppressionEntry::Silence(entry) => drop(self.silences.insert(id, entry)),
            SuppressionEntry::Maintenance(entry) => drop(self.maintenances.insert(id, entry)),
        }
    }

    fn take(&mut self, id: SuppressionId) -> Option<SuppressionEntry> {
        if let Some(silence) = self.silences.remove(&id) {
            return Some(SuppressionEntry::Silence(silence));
        }
        if let Some(maintenance) = self.maintenances.remove(&id) {
            return Some(SuppressionEntry::Maintenance(maintenance));
        }
        let mut all = self.acknowledgements.iter();
        let (subject, _) = all.find(|(_, (other, _))| *other == id)?;
        let subject = subject.clone();
        let (_, entry) = self.acknowledgements.remove(&subject)?;
        Some(SuppressionEntry::Acknowledgement(entry))
    }

    /// Ends an acknowledgement because of what became of its subject.
    pub fn end(&mut self, subject: &Subject, ending: Ending, at: Timestamp) -> Option<Ended> {
        let (id, entry) = self.acknowledgements.remove(subject)?;
        let entry = SuppressionEntry::Acknowledgement(entry);
        Some(Ended::of(id, entry, ending, at))
    }
}
