//! Manual holds on resources: since when, why, what they block, and which of them look forgotten.
//! Never ends one: only operators do.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::groups::bookings::{Affected, Calendar, ahead};
use crate::model::ResourceName;

/// A hold that was not touched for this long counts as forgotten, unless the settings say
/// otherwise.
pub const DEFAULT_OVERDUE_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// All holds. Times are wall-clock times: a hold outlives many restarts of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualHolds {
    overdue_after: Duration,
    held: BTreeMap<ResourceName, Hold>,
}

/// A hold, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it was first seen.
    pub since: Timestamp,
    /// When its reason last changed: an operator who changes it has not forgotten it.
    pub touched: Timestamp,
    /// The reason that the operator gave.
    pub reason: String,
}

/// The view of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldView {
    /// The resource that is held.
    pub resource: ResourceName,
    /// The hold itself.
    pub hold: Hold,
    /// The bookings that cannot start while it lasts.
    pub blocked: Affected,
    /// Since when the experiment has been ok; `None` while it is not.
    pub healthy_since: Option<Timestamp>,
    /// Whether it looks forgotten.
    pub overdue: bool,
}

impl Default for ManualHolds {
    fn default() -> Self {
        Self {
            overdue_after: DEFAULT_OVERDUE_AFTER,
            held: BTreeMap::new(),
        }
    }
}

impl ManualHolds {
    /// Sets after which time an untouched hold looks forgotten. Returns whether that changed.
    pub fn forgotten_after(&mut self, overdue_after: Duration) -> bool {
        std::mem::replace(&mut self.overdue_after, overdue_after) != overdue_after
    }

    /// Restores a hold after a restart. It ends like any other when book next reports so.
    pub fn restore(&mut self, resource: ResourceName, hold: Hold) {
        self.held.insert(resource, hold);
    }

    /// Notes that a resource is held. Returns the hold where it is new or changed, to be stored.
    pub fn held(&mut self, resource: &ResourceName, reason: &str, now: Timestamp) -> Option<&Hold> {
        let known = self.held.get(resource);
        let is_news = known.is_none_or(|hold| hold.reason != reason);
        let hold = self.held.entry(resource.clone()).or_insert_with(|| Hold {
            since: now,
            touched: now,
            reason: String::new(),
        });
        if is_news {
            hold.touched = now;
            reason.clone_into(&mut hold.reason);
        }
        is_news.then_some(&*hold)
    }

    /// Notes that a resource is not held. Returns the hold that ended.
    pub fn released(&mut self, resource: &ResourceName) -> Option<Hold> {
        self.held.remove(resource)
    }

    /// Whether a resource is held.
    pub fn is_held(&self, resource: &ResourceName) -> bool {
        self.held.contains_key(resource)
    }

    /// Every hold with its resource, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceName, &Hold)> {
        self.held.iter()
    }

    /// Every hold: first those that block bookings, the earliest first; then the others, the oldest
    /// first. `healthy_since` gives since when the experiment of a resource has been ok.
    pub fn list(
        &self,
        calendar: &Calendar,
        now: Timestamp,
        healthy_since: impl Fn(&ResourceName) -> Option<Timestamp>,
    ) -> Vec<HoldView> {
        let view = |(resource, hold): (&ResourceName, &Hold)| HoldView {
            resource: resource.clone(),
            hold: hold.clone(),
            blocked: calendar.affected(std::slice::from_ref(resource), now),
            healthy_since: healthy_since(resource),
            overdue: self.overdue_at(hold) <= now,
        };
        let mut views: Vec<HoldView> = self.held.iter().map(view).collect();
        views.sort_by_key(|view| {
            (
                view.blocked.first_start.unwrap_or(Timestamp::MAX),
                view.hold.since,
            )
        });
        views
    }

    /// The holds that look forgotten, in the order of [`ManualHolds::list`].
    pub fn overdue(
        &self,
        calendar: &Calendar,
        now: Timestamp,
        healthy_since: impl Fn(&ResourceName) -> Option<Timestamp>,
    ) -> Vec<HoldView> {
        let mut views = self.list(calendar, now, healthy_since);
        views.retain(|view| view.overdue);
        views
    }

    /// When the next hold begins to look forgotten; `None` when none will.
    pub fn next_overdue(&self, now: Timestamp) -> Option<Timestamp> {
        self.held
            .values()
            .map(|hold| self.overdue_at(hold))
            .filter(|at| *at > now)
            .min()
    }

    fn overdue_at(&self, hold: &Hold) -> Timestamp {
        ahead(hold.touched, self.overdue_after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::groups::bookings::testing::{HOUR, at, resource, timetable};

    const DAY: i64 = 24 * HOUR;

    fn holds() -> ManualHolds {
        ManualHolds::default()
    }

    fn overdue(holds: &ManualHolds, now: i64) -> Vec<String> {
        holds
            .overdue(&Calendar::default(), at(now), |_| None)
            .into_iter()
            .map(|view| view.resource.to_string())
            .collect()
    }

    #[test]
    fn a_hold_is_news_once_and_again_when_its_reason_changes() {
        let mut holds = holds();
        let a = resource("r-a");
        let hold = |since, touched, reason: &str| Hold {
            since: at(since),
            touched: at(touched),
            reason: reason.into(),
        };
        assert_eq!(holds.held(&a, "fire", at(10)), Some(&hold(10, 10, "fire")));
        assert_eq!(holds.held(&a, "fire", at(20)), None);
        assert_eq!(
            holds.held(&a, "flood", at(30)),
            Some(&hold(10, 30, "flood"))
        );
        assert_eq!(
            holds.held(&resource("r-b"), "", at(30)),
            Some(&hold(30, 30, ""))
        );
        assert_eq!(holds.released(&a), Some(hold(10, 30, "flood")));
        assert_eq!(holds.released(&a), None);
        assert_eq!(
            holds.held(&a, "flood", at(40)),
            Some(&hold(40, 40, "flood"))
        );
    }

    #[test]
    fn an_untouched_hold_looks_forgotten() {
        let mut holds = holds();
        holds.held(&resource("r-a"), "fire", at(0));
        holds.held(&resource("r-b"), "fire", at(DAY));
        holds.held(&resource("r-a"), "still fire", at(6 * DAY));
        holds.restore(
            resource("r-c"),
            Hold {
                since: at(-9 * DAY),
                touched: at(-9 * DAY),
                reason: "old".into(),
            },
        );
        for (now, expected) in [
            (0, vec!["r-c"]),
            (8 * DAY - 1, vec!["r-c"]),
            (8 * DAY, vec!["r-c", "r-b"]),
            (13 * DAY, vec!["r-c", "r-a", "r-b"]),
        ] {
            assert_eq!(overdue(&holds, now), expected, "{now}");
        }
        assert_eq!(holds.next_overdue(at(0)), Some(at(8 * DAY)));
        assert_eq!(holds.next_overdue(at(13 * DAY)), None);
        let mut patient = ManualHolds::default();
        patient.forgotten_after(Duration::MAX);
        patient.held(&resource("r-a"), "fire", at(0));
        assert!(overdue(&patient, 1_000 * DAY).is_empty());
    }

    #[test]
    fn what_blocks_first_is_listed_first() {
        let mut holds = holds();
        for (name, since) in [("r-a", 5), ("r-b", 4), ("r-c", 3), ("r-d", 2)] {
            holds.held(&resource(name), "fire", at(since));
        }
        let bookings = [
            ("r-a", DAY, DAY + HOUR, false),
            ("r-a", 3 * DAY, 4 * DAY, false),
            ("r-b", HOUR, 2 * HOUR, false),
            ("r-c", 0, 9, true),
        ];
        let calendar = Calendar::of(&timetable(&[], &bookings));
        let well = |resource: &ResourceName| (resource.as_str() == "r-d").then(|| at(7));
        let words = |view: HoldView| {
            format!(
                "{} {} {:?}",
                view.resource,
                view.blocked.next_week,
                view.healthy_since.map(Timestamp::as_second)
            )
        };
        let listed: Vec<String> = holds
            .list(&calendar, at(10), well)
            .into_iter()
            .map(words)
            .collect();
        assert_eq!(
            listed,
            ["r-b 1 None", "r-a 2 None", "r-d 0 Some(7)", "r-c 0 None"]
        );
    }

    proptest! {
        /// The list always has what was last held, and a hold's age counts from when it was first
        /// seen.
        #[test]
        fn what_is_listed_is_what_is_held(seen in prop::collection::vec((0..4_usize, prop::option::of(0..3_usize)), 0..60)) {
            let (mut holds, mut model) = (holds(), BTreeMap::new());
            for (now, (which, reason)) in (0..).zip(seen) {
                let name = resource(["r-a", "r-b", "r-c", "r-d"][which]);
                if let Some(reason) = reason.map(|reason| ["fire", "flood", ""][reason]) {
                    holds.held(&name, reason, at(now));
                    model.entry(name).or_insert((now, reason)).1 = reason;
                } else {
                    prop_assert_eq!(holds.released(&name).is_some(), model.remove(&name).is_some());
                }
            }
            let listed: BTreeMap<ResourceName, (i64, String)> = holds
                .list(&Calendar::default(), at(100), |_| None)
                .into_iter()
                .map(|view| (view.resource, (view.hold.since.as_second(), view.hold.reason)))
                .collect();
            let expected: BTreeMap<ResourceName, (i64, String)> = model.into_iter().map(|(name, (since, reason))| (name, (since, reason.to_owned()))).collect();
            prop_assert_eq!(listed, expected);
        }
    }
}
