//! Pools of interchangeable experiments, and whether enough of them work for what is booked. Counts
//! only; decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::groups::bookings::{Calendar, DAY, ahead};
use crate::model::Gather as _;
use crate::model::pattern::{matches, stem};
use crate::model::{ResourceName, Stub};
use crate::protocol::Timetable;

/// The most stems that a pool's name is made of.
const NAMED_STEMS: usize = 3;

/// A pool that is configured by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRule {
    /// The pool's name.
    pub name: String,
    /// Patterns of the experiments in it: `*` stands for any text, `?` for one character.
    pub patterns: Vec<String>,
}

/// All pools, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pools(Vec<Pool>);

/// Interchangeable experiments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name, unique among pools.
    pub name: String,
    /// Its experiments, each with those of its resources in book that are in this pool.
    members: BTreeMap<Stub, BTreeSet<ResourceName>>,
}

/// A pool's capacity and demand now and within the next 24 h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// How many experiments it has.
    pub members: usize,
    /// How many of them are usable now.
    pub usable: usize,
    /// How many are booked at the same time, at the busiest.
    pub peak: usize,
    /// When the peak first occurs; `None` when nothing is booked.
    pub peak_at: Option<Timestamp>,
    /// Whether the usable ones are enough.
    pub severity: Severity,
}

/// Whether the working experiments suffice for what is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is booked within 24 h.
    NoneAffected,
    /// They suffice, and this many are left at the busiest time.
    Spare(usize),
    /// They do not suffice.
    Short {
        /// How many are missing at the busiest time.
        missing: usize,
        /// When the working ones first do not suffice.
        first_at: Timestamp,
    },
}

/// The ways in which a resource can be booked: policy and UI set of each of its slots.
type Ways<'a> = BTreeSet<(&'a str, &'a str)>;

impl Pools {
    /// The pools of a timetable. An experiment that matches a configured pool is in that one, the
    /// first where there are several; of the others, those form a pool whose resources can be
    /// booked in exactly the same ways (policy and UI set). A resource of which `stub_of` knows
    /// no experiment is in none.
    pub fn of(
        timetable: &Timetable,
        configured: &[PoolRule],
        stub_of: impl Fn(&ResourceName) -> Option<Stub>,
    ) -> Self {
        let mut named: BTreeMap<String, Pool> = BTreeMap::new();
        let mut alike: BTreeMap<Ways<'_>, Pool> = BTreeMap::new();
        for (resource, ways) in ways(timetable) {
            let Some(stub) = stub_of(resource) else {
                continue;
            };
            let pool = match configured.iter().find(|rule| rule.takes_in(stub.as_str())) {
                Some(rule) => named
                    .entry(rule.name.clone())
                    .or_insert_with(|| Pool::new(&rule.name)),
                None => alike.entry(ways).or_insert_with(|| Pool::new("")),
            };
            pool.members
                .entry(stub)
                .or_default()
                .insert(resource.clone());
        }
        Self::with_names(named, alike.into_values().collect())
    }

    /// Every pool, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Pool> {
        self.0.iter()
    }

    /// The pool of this name.
    pub fn get(&self, name: &str) -> Option<&Pool> {
        self.0
            .binary_search_by(|pool| pool.name.as_str().cmp(name))
            .ok()
            .and_then(|at| self.0.get(at))
    }

    /// The names of the pools that each experiment is in: one, unless its resources can be booked
    /// in different ways.
    pub fn by_experiment(&self) -> BTreeMap<Stub, Vec<Arc<str>>> {
        let mut names: BTreeMap<Stub, Vec<Arc<str>>> = BTreeMap::new();
        for pool in &self.0 {
            let name: Arc<str> = Arc::from(pool.name.as_str());
            for stub in pool.members() {
                names
                    .entry(stub.clone())
                    .or_default()
                    .push(Arc::clone(&name));
            }
        }
        names
    }

    /// The pools that an experiment is in: one, unless its resources can be booked in different
    /// ways.
    pub fn of_experiment(&self, stub: &Stub) -> impl Iterator<Item = &Pool> {
        self.0
            .iter()
            .filter(move |pool| pool.members.contains_key(stub))
    }

    /// Names the pools without a configured name, in the order of their first members, so that
    /// names are stable.
    fn with_names(mut named: BTreeMap<String, Pool>, mut nameless: Vec<Pool>) -> Self {
        nameless.sort_by(|a, b| {
            a.members
                .first_key_value()
                .cmp(&b.members.first_key_value())
        });
        for mut pool in nameless {
            let stem = pool.stem();
            let mut name = stem.clone();
            for number in 2_usize.. {
                if !named.contains_key(&name) {
                    break;
                }
                name = format!("{stem}-{number}");
            }
            pool.name.clone_from(&name);
            named.insert(name, pool);
        }
        Self(named.into_values().collect())
    }
}

impl Pool {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            members: BTreeMap::new(),
        }
    }

    /// Its experiments, sorted.
    pub fn members(&self) -> impl Iterator<Item = &Stub> {
        self.members.keys()
    }

    /// Its status, given which experiments are usable now.
    pub fn standing(
        &self,
        calendar: &Calendar,
        now: Timestamp,
        usable: impl Fn(&Stub) -> bool,
    ) -> PoolStatus {
        let usable = self.members().filter(|stub| usable(stub)).count();
        let demand = self.demand(calendar, now);
        let peak = demand.iter().map(|(_, needed)| *needed).max().unwrap_or(0);
        let first = |enough: usize| {
            demand
                .iter()
                .find(|(_, needed)| *needed > enough)
                .map(|(at, _)| *at)
        };
        let severity = match first(usable) {
            Some(first_at) => Severity::Short {
                missing: peak - usable,
                first_at,
            },
            None if peak == 0 => Severity::NoneAffected,
            None => Severity::Spare(usable - peak),
        };
        let peak_at = peak.checked_sub(1).and_then(first);
        PoolStatus {
            members: self.members.len(),
            usable,
            peak,
            peak_at,
            severity,
        }
    }

    /// When time alone changes its status next; `None` when it does not.
    pub fn next_change(&self, calendar: &Calendar, now: Timestamp) -> Option<Timestamp> {
        calendar.next_change(self.members.values().flatten(), now)
    }

    /// How many of its experiments are booked, from each moment within the next 24 h at which that
    /// changes.
    fn demand(&self, calendar: &Calendar, now: Timestamp) -> Vec<(Timestamp, usize)> {
        let mut changes: BTreeMap<Timestamp, (usize, usize)> = BTreeMap::new();
        for resources in self.members.values() {
            for (start, end) in needed(resources, calendar, now) {
                changes.entry(start).or_default().0 += 1;
                changes.entry(end).or_default().1 += 1;
            }
        }
        let counted = changes
            .into_iter()
            .scan(0_usize, |booked, (at, (starts, ends))| {
                *booked = (*booked + starts).saturating_sub(ends);
                Some((at, *booked))
            });
        counted.collect()
    }

    /// The stems of its experiments' names, joined.
    fn stem(&self) -> String {
        let stems: BTreeSet<&str> = self.members().map(|stub| stem(stub.as_str())).gather();
        let mut name = stems
            .iter()
            .take(NAMED_STEMS)
            .copied()
            .collect::<Vec<_>>()
            .join("+");
        if stems.len() > NAMED_STEMS {
            name.push_str("+more");
        }
        name
    }
}

impl PoolRule {
    /// Whether an experiment of this name is in the pool.
    pub fn takes_in(&self, stub: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, stub))
    }
}

impl Severity {
    /// How many experiments are to spare, below zero where some are missing; `None` when nothing is
    /// booked.
    pub fn spare(self) -> Option<i64> {
        match self {
            Self::NoneAffected => None,
            Self::Spare(left) => Some(i64::try_from(left).unwrap_or(i64::MAX)),
            Self::Short { missing, .. } => {
                Some(i64::try_from(missing).map_or(i64::MIN, |missing| -missing))
            }
        }
    }
}

fn ways(timetable: &Timetable) -> BTreeMap<&ResourceName, Ways<'_>> {
    let mut ways: BTreeMap<&ResourceName, Ways<'_>> = BTreeMap::new();
    for slot in &timetable.slots {
        ways.entry(&slot.resource)
            .or_default()
            .insert((&slot.policy, &slot.ui_set));
    }
    ways
}

/// The times within the next 24 h at which an experiment is booked. Overlapping bookings, as of
/// many users at once, need it only once.
fn needed(
    resources: &BTreeSet<ResourceName>,
    calendar: &Calendar,
    now: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let until = ahead(now, DAY);
    let mut stretches: Vec<_> = resources
        .iter()
        .flat_map(|resource| calendar.stretches(resource, now, until))
        .collect();
    stretches.sort();
    let mut merged: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(stretches.len());
    for (start, end) in stretches {
        match merged.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => merged.push((start, end)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::groups::bookings::testing::{HOUR, at, timetable};

    fn stub(name: &str) -> Stub {
        Stub::try_new(name).expect("a name")
    }

    /// `r-pend00` and `r-pend00/second` are both `pend00`; what does not start with `r-` is no
    /// experiment.
    fn stub_of(resource: &ResourceName) -> Option<Stub> {
        let name = resource.as_str().strip_prefix("r-")?;
        Some(stub(name.split('/').next().unwrap_or(name)))
    }

    fn rule(name: &str, patterns: &[&str]) -> PoolRule {
        PoolRule {
            name: name.into(),
            patterns: patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect(),
        }
    }

    fn in_words(pools: &Pools) -> Vec<String> {
        let words = |pool: &Pool| {
            format!(
                "{}: {}",
                pool.name,
                pool.members()
                    .map(Stub::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
            )
        };
        pools.iter().map(words).collect()
    }

    fn check(slots: &[(&str, &str, &str)], configured: &[PoolRule], expected: &[&str]) {
        let pools = Pools::of(&timetable(slots, &[]), configured, stub_of);
        assert_eq!(in_words(&pools), expected, "{slots:?}");
        for pool in pools.iter() {
            assert_eq!(pools.get(&pool.name), Some(pool));
        }
    }

    #[test]
    fn what_is_booked_in_the_same_ways_is_a_pool() {
        check(&[], &[], &[]);
        check(
            &[
                ("r-pend01", "p", "u"),
                ("r-pend00", "p", "u"),
                ("no stub", "p", "u"),
            ],
            &[],
            &["pend: pend00 pend01"],
        );
        check(
            &[
                ("r-pend00", "p", "u"),
                ("r-pend01", "q", "u"),
                ("r-pend02", "p", "v"),
            ],
            &[],
            &["pend: pend00", "pend-2: pend01", "pend-3: pend02"],
        );
        check(
            &[
                ("r-pend00", "p", "u"),
                ("r-pend00", "q", "u"),
                ("r-pend01", "q", "u"),
                ("r-pend01", "p", "u"),
            ],
            &[],
            &["pend: pend00 pend01"],
        );
        check(
            &[
                ("r-pend00", "p", "u"),
                ("r-pend00", "q", "u"),
                ("r-pend01", "p", "u"),
            ],
            &[],
            &["pend: pend00", "pend-2: pend01"],
        );
        check(
            &[("r-spin30", "p", "u"), ("r-pend00", "p", "u")],
            &[],
            &["pend+spin: pend00 spin30"],
        );
        check(
            &[
                ("r-d1", "p", "u"),
                ("r-b1", "p", "u"),
                ("r-c1", "p", "u"),
                ("r-a1", "p", "u"),
            ],
            &[],
            &["a+b+c+more: a1 b1 c1 d1"],
        );
        check(
            &[("r-pend00", "p", "u"), ("r-pend00/second", "p", "u")],
            &[],
            &["pend: pend00"],
        );
    }

    #[test]
    fn a_configured_pool_goes_first() {
        let slots = [
            ("r-pend00", "p", "u"),
            ("r-pend01", "p", "u"),
            ("r-pend02", "q", "v"),
            ("r-spin30", "p", "u"),
        ];
        check(
            &slots,
            &[rule("pend", &["pend01", "*02"])],
            &["pend: pend01 pend02", "pend+spin: pend00 spin30"],
        );
        check(
            &slots[..2],
            &[rule("pend", &["*1"])],
            &["pend: pend01", "pend-2: pend00"],
        );
        check(
            &slots[..2],
            &[rule("a", &["*1"]), rule("b", &["*"]), rule("c", &["*"])],
            &["a: pend01", "b: pend00"],
        );
    }

    /// Resource, start, end, started.
    type Booked = (&'static str, i64, i64, bool);

    /// The status of a pool of three at 0, when these of it are usable.
    fn standing(bookings: &[Booked], usable: &[&str]) -> PoolStatus {
        let slots = [
            ("r-p0", "p", "u"),
            ("r-p1", "p", "u"),
            ("r-p2", "p", "u"),
            ("r-p2/second", "p", "u"),
        ];
        let timetable = timetable(&slots, bookings);
        let pools = Pools::of(&timetable, &[], stub_of);
        assert_eq!(
            pools.by_experiment().get(&stub("p2")).map(Vec::len),
            Some(1)
        );
        let pool = pools.get("p").expect("the pool");
        pool.standing(&Calendar::of(&timetable), at(0), |stub| {
            usable.contains(&stub.as_str())
        })
    }

    #[test]
    fn severity_is_what_is_left_at_the_busiest_time() {
        use Severity::{NoneAffected, Short, Spare};
        const DAY: i64 = 24 * HOUR;
        let all = ["p0", "p1", "p2"];
        let check = |bookings: &[Booked], usable: &[&str], peak, peak_at: Option<i64>, severity| {
            let expected = PoolStatus {
                members: 3,
                usable: usable.len(),
                peak,
                peak_at: peak_at.map(at),
                severity,
            };
            assert_eq!(standing(bookings, usable), expected, "{bookings:?}");
        };
        let short = |missing, first| Short {
            missing,
            first_at: at(first),
        };
        check(&[], &[], 0, None, NoneAffected);
        check(
            &[
                ("r-p0", -20, 0, true),
                ("r-p0", DAY, 2 * DAY, false),
                ("r-x", 1, 2, false),
            ],
            &[],
            0,
            None,
            NoneAffected,
        );
        check(&[("r-p0", 10, 20, false)], &all, 1, Some(10), Spare(2));
        check(&[("r-p0", 10, 20, false)], &["p1"], 1, Some(10), Spare(0));
        check(&[("r-p0", -10, 20, false)], &[], 1, Some(0), short(1, 0));
        check(
            &[("r-p0", DAY - 1, 2 * DAY, false)],
            &[],
            1,
            Some(DAY - 1),
            short(1, DAY - 1),
        );
        check(
            &[("r-p0", 10, 20, false), ("r-p1", 20, 30, false)],
            &["p2"],
            1,
            Some(10),
            Spare(0),
        );
        let overlapping = [
            ("r-p0", 10, 40, false),
            ("r-p1", 15, 30, false),
            ("r-p2", 20, 25, false),
        ];
        check(&overlapping[..2], &["p2"], 2, Some(15), short(1, 15));
        check(&overlapping, &["p2"], 3, Some(20), short(2, 15));
        // many users of one experiment at once need it once
        check(
            &[
                ("r-p0", 10, 40, false),
                ("r-p0", 15, 30, true),
                ("r-p0", 40, 50, false),
            ],
            &all,
            1,
            Some(10),
            Spare(2),
        );
        check(
            &[("r-p2", 10, 40, false), ("r-p2/second", 15, 30, true)],
            &all,
            1,
            Some(10),
            Spare(2),
        );
    }

    #[test]
    fn what_is_missing_is_less_than_nothing() {
        let short = Severity::Short {
            missing: 3,
            first_at: at(0),
        };
        assert_eq!(
            [Severity::NoneAffected, Severity::Spare(2), short].map(Severity::spare),
            [None, Some(2), Some(-3)]
        );
    }

    proptest! {
        /// Compares with a count, for every hour, of the experiments that are booked in it.
        #[test]
        fn the_peak_is_that_of_counting_hour_by_hour(
            bookings in prop::collection::vec((0..4_usize, -10..30_i64, 1..12_i64), 0..40),
            usable in 0..4_usize,
        ) {
            let resources = ["r-p0", "r-p1", "r-p2", "r-p2/second"];
            let stubs = ["p0", "p1", "p2", "p2"];
            let rows: Vec<_> = bookings.iter().map(|(which, start, len)| (resources[*which], start * HOUR, (start + len) * HOUR, false)).collect();
            let needed = |hour: i64| {
                let booked = bookings.iter().filter(|(_, start, len)| (*start..start + len).contains(&hour));
                booked.map(|(which, ..)| stubs[*which]).collect::<BTreeSet<_>>().len()
            };
            let peak = (0..24).map(needed).max().unwrap_or(0);
            let first = |enough: usize| (0..24).find(|hour| needed(*hour) > enough).map(|hour| at(hour * HOUR));
            let severity = match (peak, first(usable)) {
                (0, _) => Severity::NoneAffected,
                (_, Some(first_at)) => Severity::Short { missing: peak - usable, first_at },
                (_, None) => Severity::Spare(usable - peak),
            };
            let peak_at = if peak == 0 { None } else { first(peak - 1) };
            let expected = PoolStatus { members: 3, usable, peak, peak_at, severity };
            prop_assert_eq!(standing(&rows, &["p0", "p1", "p2"][..usable]), expected);
        }

        /// For any slots: each experiment with a resource is in a pool, names are unique, and the
        /// slots' order does not matter.
        #[test]
        fn every_experiment_is_in_a_pool(slots in prop::collection::vec((0..12_usize, 0..3_usize, 0..2_usize), 0..30)) {
            let names: Vec<String> = (0..12).map(|n| format!("r-{}{n:02}", ["pend", "spin"][n % 2])).collect();
            let slots: Vec<_> = slots.iter().map(|(name, policy, ui)| (names[*name].as_str(), ["p", "q", "s"][*policy], ["u", "v"][*ui])).collect();
            let pools = Pools::of(&timetable(&slots, &[]), &[rule("spin", &["spin0*"])], stub_of);
            let members: Vec<&Stub> = pools.iter().flat_map(Pool::members).collect();
            let distinct: BTreeSet<&str> = slots.iter().map(|(name, ..)| *name).collect();
            prop_assert_eq!(members.len(), distinct.len());
            prop_assert!(pools.0.windows(2).all(|pair| pair[0].name < pair[1].name));
            let backwards: Vec<_> = slots.iter().rev().copied().collect();
            prop_assert_eq!(Pools::of(&timetable(&backwards, &[]), &[rule("spin", &["spin0*"])], stub_of), pools);
        }
    }
}
