//! The wanted availability of each resource in book, compared with the last one read: the
//! difference becomes switches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{Availability, Bookable, Moment, ResourceName, Stub, Topic};
use crate::protocol::{ManualOverride, ResourceReading, ResourceView, Switch, SwitchOutcome};
use crate::switching::resource::{HoldChange, Resource, Wanted};

/// The most switches under way at once.
pub(crate) const MAX_SWITCHES_AT_ONCE: usize = 16;

/// The wait after the first failed switch; it doubles with each further one, up to
/// [`RETRY_AT_MOST`].
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The longest wait before a failed switch is retried.
const RETRY_AT_MOST: Duration = Duration::from_secs(300);

/// A switch that is under way.
#[derive(Debug, Clone)]
struct UnderWay {
    set: Availability,
    /// The manual override that it is for, where it is for one.
    manual_override: Option<ManualOverride>,
}

/// All resources that book lists.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resources {
    all: BTreeMap<ResourceName, Resource>,
    /// Those that may differ from the wanted availability.
    open: BTreeSet<ResourceName>,
    /// Switches under way, also of resources that book's manifest has lost meanwhile.
    under_way: BTreeMap<ResourceName, UnderWay>,
    retries: BTreeSet<(Moment, ResourceName)>,
    /// Manual overrides, until book confirms them. They take precedence over the experiment's
    /// health.
    manual_overrides: BTreeMap<ResourceName, ManualOverride>,
    /// Resources whose manual override was fulfilled or dropped, since this was last read.
    fulfilled: Vec<ResourceName>,
}

impl Resources {
    pub(crate) fn stub(&self, name: &ResourceName) -> Option<&Stub> {
        self.all.get(name).map(|resource| &resource.stub)
    }

    /// Applies book's list. Returns the names that are new and the names that are gone.
    pub(crate) fn list(
        &mut self,
        readings: &[ResourceReading],
    ) -> (Vec<ResourceName>, Vec<ResourceName>) {
        let listed: BTreeSet<&ResourceName> =
            readings.iter().map(|reading| &reading.name).collect();
        let is_gone = |name: &&ResourceName| !listed.contains(name);
        let removed: Vec<ResourceName> = self.all.keys().filter(is_gone).cloned().collect();
        for name in &removed {
            self.let_go(name);
        }
        let wished = self.manual_overrides.keys();
        let unlisted: Vec<ResourceName> = wished.filter(is_gone).cloned().collect();
        for name in &unlisted {
            self.grant(name);
        }
        let mut added = Vec::new();
        for reading in readings {
            if let Some(resource) = self.all.get_mut(&reading.name) {
                resource.stub.clone_from(&reading.stub);
                resource.streams.clone_from(&reading.streams);
            } else {
                self.all
                    .insert(reading.name.clone(), Resource::new(reading));
                added.push(reading.name.clone());
            }
        }
        (added, removed)
    }

    /// The resources in book and the streams that they need, by experiment.
    pub(crate) fn by_stub(&self) -> BTreeMap<Stub, (Vec<ResourceName>, BTreeSet<Topic>)> {
        let mut experiments: BTreeMap<Stub, (Vec<ResourceName>, BTreeSet<Topic>)> = BTreeMap::new();
        for (name, resource) in &self.all {
            let (names, streams) = experiments.entry(resource.stub.clone()).or_default();
            names.push(name.clone());
            streams.extend(resource.streams.iter().cloned());
        }
        experiments
    }

    /// Applies book's availability of a resource. While a switch of it is under way, the switch's
    /// own answer counts instead.
    pub(crate) fn read(
        &mut self,
        name: &ResourceName,
        said: &Availability,
        now: Moment,
    ) -> Option<HoldChange> {
        if self.under_way.contains_key(name) {
            return None;
        }
        let resource = self.all.get_mut(name)?;
        self.open.insert(name.clone());
        let hold = resource.note_reading(name, said, now);
        let wish = self.manual_overrides.get(name);
        if wish.is_some_and(|wish| wish.is_granted_by(said)) {
            self.grant(name);
        }
        hold
    }

    /// Applies a manual override. The newest one counts, and it is tried at once.
    pub(crate) fn manual_override(&mut self, name: ResourceName, manual_override: ManualOverride) {
        if let Some(resource) = self.all.get_mut(&name) {
            resource.failures = 0;
            resource
                .retry_at
                .take()
                .map(|at| self.retries.remove(&(at, name.clone())));
            self.open.insert(name.clone());
        }
        self.manual_overrides.insert(name, manual_override);
    }

    fn grant(&mut self, name: &ResourceName) {
        if self.manual_overrides.remove(name).is_some() {
            self.fulfilled.push(name.clone());
        }
    }

    /// Resources whose manual override ended: book confirmed it, or has lost them.
    pub(crate) fn take_fulfilled(&mut self) -> Vec<ResourceName> {
        std::mem::take(&mut self.fulfilled)
    }

    /// Applies the outcome of a switch. Returns the manual hold that it found.
    pub(crate) fn switched(
        &mut self,
        name: &ResourceName,
        outcome: &SwitchOutcome,
        now: Moment,
    ) -> Option<HoldChange> {
        let done = self.under_way.remove(name);
        let resource = self.all.get_mut(name)?;
        self.open.insert(name.clone());
        let mut hold = None;
        // A book that does not keep what was written is not written the same again and again at
        // once.
        let mut is_done = false;
        match outcome {
            SwitchOutcome::Confirmed(said) | SwitchOutcome::Held(said) => {
                resource.fault = None;
                is_done = done.as_ref().is_none_or(|done| done.set == *said)
                    || said.bookable() == Bookable::Held;
                hold = resource.note_reading(name, said, now);
                let wish = self.manual_overrides.get(name);
                let is_answer = done.is_some_and(|done| done.manual_override.as_ref() == wish);
                let is_granted = |wish: &ManualOverride| {
                    wish.is_granted_by(said) || (is_answer && wish.is_near(said))
                };
                if wish.is_some_and(is_granted) {
                    self.grant(name);
                }
            }
            // A book that has lost it has lost a manual hold too; a manual override waits for its
            // return, or for a manifest without it.
            SwitchOutcome::Gone => {
                hold = resource.held_for().map(|_| (name.clone(), None));
                resource.said = None;
            }
            SwitchOutcome::Failed(fault) => resource.fault = Some(fault.clone()),
        }
        if !is_done {
            self.back_off(name, now);
        }
        hold
    }

    /// Waits before the next switch of a resource, longer each time.
    fn back_off(&mut self, name: &ResourceName, now: Moment) {
        let Some(resource) = self.all.get_mut(name) else {
            return;
        };
        let wait =
            (RETRY_AFTER * 2_u32.saturating_pow(resource.failures.min(16))).min(RETRY_AT_MOST);
        resource.failures = resource.failures.saturating_add(1);
        let at = now + wait;
        if let Some(old) = resource.retry_at.replace(at) {
            self.retries.remove(&(old, name.clone()));
        }
        self.retries.insert((at, name.clone()));
    }

    /// Marks these for a new comparison.
    pub(crate) fn reconsider<'a>(&mut self, names: impl IntoIterator<Item = &'a ResourceName>) {
        let known = names
            .into_iter()
            .filter(|name| self.all.contains_key(*name));
        self.open.extend(known.cloned());
    }

    /// Marks all for a new comparison.
    pub(crate) fn reconsider_all(&mut self) {
        self.open = self.all.keys().cloned().collect();
    }

    /// The switches that are due, as far as there is room for more.
    pub(crate) fn due(&mut self, now: Moment, wanted: impl Fn(&Stub) -> Wanted) -> Vec<Switch> {
        while let Some((at, name)) = self.retries.first().filter(|(at, _)| *at <= now).cloned() {
            self.retries.remove(&(at, name.clone()));
            if let Some(resource) = self.all.get_mut(&name) {
                resource.retry_at = None;
            }
            self.open.insert(name);
        }
        let mut switches = Vec::new();
        let mut later = BTreeSet::new();
        for name in std::mem::take(&mut self.open) {
            let Some(resource) = self.all.get_mut(&name) else {
                continue;
            };
            if self.under_way.contains_key(&name) {
                continue;
            }
            let manual_override = self.manual_overrides.get(&name);
            match resource.difference(&wanted(&resource.stub), manual_override) {
                Some((available, reason)) if self.under_way.len() < MAX_SWITCHES_AT_ONCE => {
                    let under_way = UnderWay {
                        set: Availability {
                            available,
                            reason: reason.clone(),
                        },
                        manual_override: manual_override.cloned(),
                    };
                    self.under_way.insert(name.clone(), under_way);
                    switches.push(Switch {
                        resource: name,
                        stub: resource.stub.clone(),
                        available,
                        reason,
                        by_person: manual_override.is_some(),
                    });
                }
                Some(_) => {
                    later.insert(name);
                }
                None => {}
            }
        }
        self.open = later;
        switches
    }

    /// Whether any switch is decided or under way.
    pub(crate) fn is_moving(&self) -> bool {
        !self.under_way.is_empty() || !self.open.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Whether a resource can be booked, by book's last answer.
    pub(crate) fn bookable(&self, name: &ResourceName) -> Option<Bookable> {
        let (said, _) = self.all.get(name)?.said.as_ref()?;
        Some(said.bookable())
    }

    pub(crate) fn view(&self, name: &ResourceName) -> ResourceView {
        let resource = self.all.get(name);
        let said = resource.and_then(|resource| resource.said.as_ref());
        ResourceView {
            name: name.clone(),
            bookable: said.map(|(said, _)| said.bookable()),
            reason: said.map_or_else(String::new, |(said, _)| said.reason.clone()),
            read: said.map(|(_, at)| at.wall()),
            fault: resource.and_then(|resource| resource.fault.clone()),
            manual_override: self.manual_overrides.get(name).cloned(),
        }
    }

    fn let_go(&mut self, name: &ResourceName) {
        if let Some(at) = self.all.remove(name).and_then(|gone| gone.retry_at) {
            self.retries.remove(&(at, name.clone()));
        }
        self.open.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::CallError;

    fn at(seconds: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    fn name(n: usize) -> ResourceName {
        ResourceName::try_new(&format!("r{n:03}")).expect("a name")
    }

    fn reading(n: usize) -> ResourceReading {
        let stub = Stub::try_new(&format!("e{n:03}")).expect("a name");
        ResourceReading {
            name: name(n),
            streams: vec![Topic::of(&stub, "st-a").expect("a name")],
            stub,
            availability: None,
        }
    }

    fn resources(count: usize, said: (bool, &str)) -> Resources {
        let mut resources = Resources::default();
        resources.list(&(0..count).map(reading).collect::<Vec<_>>());
        for n in 0..count {
            resources.read(&name(n), &Availability::from_book(said.0, said.1), at(0));
        }
        resources
    }

    fn bad() -> Wanted {
        Wanted::Withdrawn("labwatch: broken".into())
    }

    fn good() -> Wanted {
        Wanted::Bookable("labwatch: working again".into())
    }

    #[test]
    fn every_pair_of_said_and_wanted() {
        #[rustfmt::skip]
        let rows = [
            ((true, "Loaded at x"), Wanted::AsItIs, None),
            ((true, "Loaded at x"), good(), None),
            ((true, "Loaded at x"), bad(), Some(false)),
            ((false, "unavailable because labwatch: broken"), Wanted::AsItIs, None),
            ((false, "unavailable because labwatch: broken"), good(), Some(true)),
            ((false, "unavailable because labwatch: broken"), bad(), None),
            ((false, "unavailable because labwatch: broken otherwise"), bad(), Some(false)),
            ((false, "unavailable because maintenance"), Wanted::AsItIs, None),
            ((false, "unavailable because maintenance"), good(), None),
            ((false, "unavailable because maintenance"), bad(), None),
        ];
        for (said, wanted, expected) in rows {
            let due = resources(1, said).due(at(1), |_| wanted.clone());
            assert_eq!(
                due.first().map(|switch| switch.available),
                expected,
                "{said:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn what_book_has_not_said_is_not_switched() {
        let mut resources = Resources::default();
        resources.list(&[reading(0)]);
        resources.reconsider_all();
        assert!(resources.due(at(1), |_| bad()).is_empty());
    }

    #[test]
    fn at_most_sixteen_at_once_and_one_per_resource() {
        let mut resources = resources(40, (true, "new"));
        let first = resources.due(at(1), |_| bad());
        assert_eq!(first.len(), MAX_SWITCHES_AT_ONCE);
        resources.reconsider_all();
        assert!(
            resources.due(at(1), |_| bad()).is_empty(),
            "all places are taken"
        );
        let done = Availability::from_book(false, "unavailable because labwatch: broken");
        resources.switched(&first[3].resource, &SwitchOutcome::Confirmed(done), at(2));
        let next = resources.due(at(2), |_| bad());
        assert_eq!(next.len(), 1);
        assert_ne!(next[0].resource, first[3].resource);
    }

    #[test]
    fn a_failed_switch_is_tried_again_less_and_less_often() {
        let mut resources = resources(1, (true, "new"));
        let mut tried = Vec::new();
        for second in 0..1500 {
            if !resources.due(at(second), |_| bad()).is_empty() {
                tried.push(second);
                resources.switched(
                    &name(0),
                    &SwitchOutcome::Failed(CallError::TimedOut),
                    at(second),
                );
            }
        }
        assert_eq!(
            tried,
            [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111, 1411]
        );
    }

    #[test]
    fn a_book_that_keeps_another_reason_is_not_written_again_at_once() {
        let mut resources = resources(1, (true, "new"));
        let mut tried = Vec::new();
        for second in 0..100 {
            if !resources.due(at(second), |_| bad()).is_empty() {
                tried.push(second);
                let kept = Availability::from_book(false, "unavailable because labwatch: brok");
                resources.switched(&name(0), &SwitchOutcome::Confirmed(kept), at(second));
            }
        }
        assert_eq!(tried, [0, 1, 3, 7, 15, 31, 63]);
    }

    #[test]
    fn a_hold_that_a_switch_finds_is_a_persons() {
        let mut resources = resources(1, (true, "new"));
        resources.due(at(1), |_| bad());
        let hold = Availability::from_book(false, "unavailable because fire drill");
        let change = resources.switched(&name(0), &SwitchOutcome::Held(hold), at(2));
        assert_eq!(change, Some((name(0), Some("fire drill".into()))));
        assert!(resources.due(at(3), |_| bad()).is_empty());
        let change = resources.read(&name(0), &Availability::from_book(true, "new"), at(4));
        assert_eq!(change, Some((name(0), None)));
        assert_eq!(resources.due(at(5), |_| bad()).len(), 1);
    }

    #[test]
    fn a_reading_does_not_overtake_a_switch_that_is_under_way() {
        let mut resources = resources(1, (true, "new"));
        resources.due(at(1), |_| bad());
        resources.read(&name(0), &Availability::from_book(true, "new"), at(2));
        assert!(resources.due(at(2), |_| bad()).is_empty());
    }

    #[test]
    fn what_is_gone_from_the_manifest_is_let_go() {
        let mut resources = resources(2, (true, "new"));
        resources.due(at(1), |_| bad());
        let (added, removed) = resources.list(&[reading(1), reading(2)]);
        assert_eq!((added, removed), (vec![name(2)], vec![name(0)]));
        assert_eq!(
            resources.switched(&name(0), &SwitchOutcome::Gone, at(2)),
            None
        );
        assert_eq!(resources.under_way.len(), 1);
    }

    #[test]
    fn what_is_listed_again_waits_for_the_switch_from_before() {
        let mut resources = resources(1, (true, "new"));
        assert_eq!(resources.due(at(1), |_| bad()).len(), 1);
        resources.list(&[]);
        resources.list(&[reading(0)]);
        let said = Availability::from_book(true, "new");
        resources.read(&name(0), &said, at(2));
        assert!(resources.due(at(2), |_| bad()).is_empty());
        resources.switched(&name(0), &SwitchOutcome::Failed(CallError::TimedOut), at(3));
        resources.read(&name(0), &said, at(5));
        assert_eq!(resources.due(at(5), |_| bad()).len(), 1);
    }

    fn hold(reason: &str) -> ManualOverride {
        ManualOverride::Hold(reason.to_owned())
    }

    #[test]
    fn every_pair_of_read_and_wanted() {
        let (held, ours, free) = (
            (false, "unavailable because exam"),
            (false, "unavailable because labwatch: broken"),
            (true, "Loaded at x"),
        );
        #[rustfmt::skip]
        let rows = [
            (held, hold("fire"), bad(), (false, "fire")),
            (ours, hold("fire"), good(), (false, "fire")),
            (free, hold("fire"), bad(), (false, "fire")),
            (held, ManualOverride::Enable, good(), (true, "labwatch: working again")),
            (held, ManualOverride::Enable, Wanted::AsItIs, (true, "labwatch: enabled by a maintainer")),
            (held, ManualOverride::Enable, bad(), (false, "labwatch: broken")),
        ];
        for (said, manual_override, wanted, (available, reason)) in rows {
            let mut resources = resources(1, said);
            resources.manual_override(name(0), manual_override.clone());
            let due = resources.due(at(1), |_| wanted.clone());
            let got = due
                .first()
                .map(|switch| (switch.available, switch.reason.as_str(), switch.by_person));
            assert_eq!(
                got,
                Some((available, reason, true)),
                "{said:?} {manual_override:?}"
            );
            assert_eq!(
                resources.view(&name(0)).manual_override,
                Some(manual_override),
                "it waits for book's word"
            );
            resources.switched(
                &name(0),
                &SwitchOutcome::Confirmed(Availability {
                    available,
                    reason: reason.to_owned(),
                }),
                at(2),
            );
            assert_eq!(
                (
                    resources.view(&name(0)).manual_override,
                    resources.take_fulfilled()
                ),
                (None, vec![name(0)])
            );
        }
    }

    #[test]
    fn a_manual_override_waits_for_a_switch_under_way_and_outlives_failures() {
        let mut resources = resources(1, (true, "new"));
        assert_eq!(resources.due(at(1), |_| bad()).len(), 1);
        resources.manual_override(name(0), hold("exam"));
        assert!(resources.due(at(1), |_| bad()).is_empty(), "one at a time");
        let person = Availability::from_book(false, "unavailable because fire drill");
        resources.switched(&name(0), &SwitchOutcome::Held(person), at(2));
        let mut failed = 0;
        for second in 2..40 {
            for switch in resources.due(at(second), |_| bad()) {
                assert_eq!(
                    (switch.reason.as_str(), switch.by_person),
                    ("exam", true),
                    "another person's hold is written over"
                );
                resources.switched(
                    &name(0),
                    &SwitchOutcome::Failed(CallError::TimedOut),
                    at(second),
                );
                failed += 1;
            }
        }
        assert_eq!((failed, resources.take_fulfilled()), (6, vec![]));
        resources.switched(&name(0), &SwitchOutcome::Gone, at(40));
        assert_eq!(
            resources.view(&name(0)).manual_override,
            Some(hold("exam")),
            "book may come back with it"
        );
        resources.list(&[reading(7)]);
        assert_eq!(resources.take_fulfilled(), [name(0)], "book has it no more");
    }

    #[test]
    fn a_hold_that_book_keeps_in_other_words_is_a_hold() {
        let mut resources = resources(1, (true, "new"));
        resources.manual_override(name(0), hold("exam until Friday, 17:00"));
        assert_eq!(resources.due(at(1), |_| good()).len(), 1);
        resources.switched(
            &name(0),
            &SwitchOutcome::Confirmed(Availability::from_book(false, "unavailable because exam")),
            at(2),
        );
        assert_eq!(resources.take_fulfilled(), [name(0)]);
        assert!(resources.due(at(3), |_| bad()).is_empty());
    }

    #[test]
    fn a_book_that_has_lost_a_resource_has_lost_its_hold() {
        let mut resources = resources(1, (false, "unavailable because exam"));
        resources.manual_override(name(0), ManualOverride::Enable);
        assert_eq!(resources.due(at(1), |_| good()).len(), 1);
        let change = resources.switched(&name(0), &SwitchOutcome::Gone, at(2));
        assert_eq!(change, Some((name(0), None)));
    }
}
