//! Data derived for readers: bookings, pools, holds, neighbours, common causes. Each part is
//! recomputed only when something that it depends on changed, and is shared between snapshots
//! otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::experiments::experiment::Experiment;
use crate::experiments::fleet::{Id, Repainted};
use crate::groups::holds::HoldView;
use crate::model::pattern::stem;
use crate::model::{Bookable, Health, Stub};
use crate::notifications::advice::{Advice, Neighbours};
use crate::notifications::correlation::Cause;
use crate::protocol::{ExperimentView, PoolView, Seen};

/// From this many on, more neighbours that are up or lost do not change the advice for an
/// experiment.
const NEIGHBOURS_THAT_MATTER: usize = 3;

/// The derived data, and which parts of it are stale.
#[derive(Debug, Clone, Default)]
pub(crate) struct DerivedViews {
    advice: Advice,
    /// When time alone changes the upcoming bookings of an experiment.
    pub(super) agenda: BTreeSet<(Timestamp, Id)>,
    /// How many experiments of each name stem have a sign of life, and how many have none.
    pub(super) near: BTreeMap<String, Neighbours>,
    pub(super) pools_of: BTreeMap<Stub, Vec<Arc<str>>>,
    pub(super) stale_pools: BTreeSet<Arc<str>>,
    /// When time alone changes a pool's status.
    pub(super) pool_agenda: BTreeSet<(Timestamp, Arc<str>)>,
    pub(super) stale_holds: bool,
    pub(super) next_overdue: Option<Timestamp>,
    pub(super) stale_causes: bool,
    pub(super) pools: Arc<Vec<PoolView>>,
    pub(super) holds: Arc<Vec<HoldView>>,
    pub(super) causes: Arc<Vec<Cause>>,
}

impl DerivedViews {
    /// Sets the texts for maintainers. Returns whether they changed.
    pub(super) fn adopt(&mut self, advice: Advice) -> bool {
        let is_other = self.advice != advice;
        self.advice = advice;
        is_other
    }

    /// Marks the holds as stale.
    pub(super) fn holds_changed(&mut self) {
        self.stale_holds = true;
    }

    /// Marks what depends on a changed experiment as stale. Returns its stem where its neighbours'
    /// advice depends on it.
    pub(super) fn note<'a>(&mut self, change: &'a Repainted) -> Option<&'a str> {
        let (was, is) = (change.was.as_deref(), change.is.as_deref());
        if was.map(standing) != is.map(standing) {
            let stub = was.or(is).map(|view| &view.stub)?;
            self.stale_pools
                .extend(self.pools_of.get(stub).into_iter().flatten().cloned());
        }
        let is_held = |view: Option<&ExperimentView>| {
            view.and_then(ExperimentView::bookable) == Some(Bookable::Held)
        };
        self.stale_holds |= is_held(was) || is_held(is);
        self.stale_causes |= match (was, is) {
            (Some(was), Some(is)) => part_of_a_cause(was).ne(part_of_a_cause(is)),
            (None, _) | (_, None) => true,
        };
        self.count_neighbours(was, is)
    }

    fn count_neighbours<'a>(
        &mut self,
        was: Option<&'a ExperimentView>,
        is: Option<&'a ExperimentView>,
    ) -> Option<&'a str> {
        let is_lost = |view: Option<&ExperimentView>| view.map(|view| view.is_lost);
        if is_lost(was) == is_lost(is) {
            return None;
        }
        let stem = stem(was.or(is)?.stub.as_str());
        let near = self.near.entry(stem.to_owned()).or_default();
        let before = significance(*near);
        match is_lost(was) {
            Some(true) => near.lost = near.lost.saturating_sub(1),
            Some(false) => near.up = near.up.saturating_sub(1),
            None => {}
        }
        match is_lost(is) {
            Some(true) => near.lost += 1,
            Some(false) => near.up += 1,
            None => {}
        }
        let after = significance(*near);
        if near.up + near.lost == 0 {
            self.near.remove(stem);
        }
        (before != after).then_some(stem)
    }
}

/// Takes what is due out of an agenda.
pub(super) fn take_due<T: Ord>(agenda: &mut BTreeSet<(Timestamp, T)>, now: Timestamp) -> Vec<T> {
    let mut due = Vec::new();
    while agenda.first().is_some_and(|(at, _)| *at <= now) {
        due.extend(agenda.pop_first().map(|(_, what)| what));
    }
    due
}

/// The part of an experiment that a pool's status depends on, besides bookings and time.
fn standing(view: &ExperimentView) -> (Health, Option<Bookable>) {
    (view.health, view.bookable())
}

/// The part of an experiment that common causes depend on: when it was lost, and the addresses of
/// its streams, which may change whenever one connects or disconnects.
fn part_of_a_cause(
    view: &ExperimentView,
) -> impl Iterator<Item = (Option<Timestamp>, Option<Seen>)> {
    let lost = view.health.is_unusable().then_some(view.since);
    view.streams
        .iter()
        .map(|stream| Some(stream.seen))
        .chain([None])
        .map(move |seen| (lost, seen))
}

fn significance(near: Neighbours) -> (usize, usize) {
    (
        near.up.min(NEIGHBOURS_THAT_MATTER),
        near.lost.min(NEIGHBOURS_THAT_MATTER),
    )
}

pub(super) fn is_bad(experiment: &Experiment) -> bool {
    experiment.health.is_bad()
}

impl DerivedViews {
    /// Advice for an experiment; `None` when nothing is wrong or its symptoms fit no advice. With
    /// `is_login_old`, the remote login may have been reported before the fault.
    pub(crate) fn advice_for(&self, experiment: &Experiment, is_login_old: bool) -> Option<&str> {
        if !is_bad(experiment) {
            return None;
        }
        let facts = experiment.facts(self.neighbours(experiment));
        self.advice.of(&if is_login_old {
            facts.without_login_seen()
        } else {
            facts
        })
    }

    /// The other experiments of its name stem.
    fn neighbours(&self, experiment: &Experiment) -> Neighbours {
        let mut near = self
            .near
            .get(stem(experiment.stub.as_str()))
            .copied()
            .unwrap_or_default();
        if experiment.is_wholly_lost() {
            near.lost = near.lost.saturating_sub(1);
        } else {
            near.up = near.up.saturating_sub(1);
        }
        near
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::engine::Engine;
    use crate::groups::pool::Severity;
    use crate::model::ResourceName;
    use crate::model::{Availability, Moment, SourceName, Topic};
    use crate::protocol::{
        BookReading, Booking, Connection, Input, Policy, Report, ResourceReading, Scopes, Slot,
        Snapshot, Timetable, Traffic,
    };

    const HOUR: i64 = 3_600;

    /// Experiments of two stems. The second resource of each is booked in another way than the
    /// first.
    const STUBS: [&str; 7] = [
        "pend0", "pend1", "pend2", "pend3", "spin0", "spin1", "spin2",
    ];

    /// An input of the property test. A set of experiments is given as the bits of a number.
    #[derive(Debug, Clone)]
    enum Deed {
        /// Relay reports the streams of these.
        Streams(u8),
        /// Jump reports the hosts of these.
        Hosts(u8),
        /// Book lists all but the first set, and reports the second resource of the second set as
        /// held.
        Manifest(u8, u8),
        /// Book reports these bookings: experiment, start and end in hours, and whether it is
        /// started.
        Timetable(Vec<(usize, i64, i64, bool)>),
        /// This many minutes pass.
        Passes(u16),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let booking = (0..STUBS.len(), 0..400_i64, 1..30_i64, any::<bool>());
        prop_oneof![
            3 => any::<u8>().prop_map(Deed::Streams),
            3 => any::<u8>().prop_map(Deed::Hosts),
            1 => (any::<u8>(), any::<u8>()).prop_map(|(gone, held)| Deed::Manifest(gone & 1, held)),
            1 => prop::collection::vec(booking, 0..12).prop_map(Deed::Timetable),
            2 => (1..2_000_u16).prop_map(Deed::Passes),
        ]
    }

    fn chosen(set: u8) -> impl Iterator<Item = &'static str> {
        STUBS
            .iter()
            .enumerate()
            .filter(move |(at, _)| set & (1 << at) != 0)
            .map(|(_, stub)| *stub)
    }

    fn resource(stub: &str, second: bool) -> ResourceName {
        ResourceName::try_new(&format!("r-{stub}{}", if second { "-b" } else { "" }))
            .expect("a name")
    }

    fn report(source: SourceName, topics: impl Iterator<Item = String>, scopes: Scopes) -> Input {
        let mut report = Report::default();
        for topic in topics {
            let tx = Some(Traffic {
                last: Some(Duration::ZERO),
                size: 1,
                fps: 1.0,
            });
            // An address for each stem, so that losses can have one in common.
            let remote = format!("10.0.0.{}", topic.len() + topic.matches('p').count());
            report.push(Connection {
                topic: &topic,
                scopes,
                connected: "",
                expires: "",
                remote: &remote,
                user_agent: "",
                tx,
                rx: None,
            });
        }
        Input::Report(source, Arc::new(report))
    }

    fn manifest(gone: u8, held: u8) -> Input {
        let reading = |(stub, second): (&str, bool)| {
            let is_held = second && chosen(held).any(|held| held == stub);
            let stub = Stub::try_new(stub).expect("a name");
            let streams = vec![Topic::of(&stub, "st-data").expect("a name")];
            let availability = Some(Availability {
                available: !is_held,
                reason: "a person's words".to_owned(),
            });
            ResourceReading {
                name: resource(stub.as_str(), second),
                stub,
                streams,
                availability,
            }
        };
        let listed = STUBS
            .into_iter()
            .filter(|stub| chosen(gone).all(|gone| gone != *stub));
        Input::Book(BookReading {
            resources: listed
                .flat_map(|stub| [(stub, false), (stub, true)])
                .map(reading)
                .collect(),
        })
    }

    fn timetable(bookings: &[(usize, i64, i64, bool)]) -> Input {
        let at = |hour: i64| Timestamp::from_second(hour * HOUR).expect("in range");
        let both = STUBS
            .into_iter()
            .flat_map(|stub| [(stub, false), (stub, true)]);
        let slot = |(stub, second): (&str, bool)| Slot {
            resource: resource(stub, second),
            policy: format!("{}{second}", stem(stub)),
            ui_set: "ui".to_owned(),
        };
        let booking = |(which, start, length, started): &(usize, i64, i64, bool)| Booking {
            start: at(*start),
            end: at(start + length),
            resource: resource(STUBS[*which], which % 2 == 0),
            started: *started,
            unfulfilled: false,
        };
        let (slots, bookings) = (
            both.map(slot).collect(),
            bookings.iter().map(booking).collect(),
        );
        Input::Timetable(Timetable {
            slots,
            bookings,
            pages: Vec::new(),
            slots_read: Some(at(0)),
            bookings_read: Some(at(0)),
        })
    }

    fn input(deed: &Deed) -> Input {
        match deed {
            Deed::Streams(set) => report(
                SourceName::Relay,
                chosen(*set).map(|stub| format!("{stub}-st-data")),
                Scopes::EXPT,
            ),
            Deed::Hosts(set) => report(
                SourceName::Jump,
                chosen(*set).map(str::to_owned),
                Scopes::HOST,
            ),
            Deed::Manifest(gone, held) => manifest(*gone, *held),
            Deed::Timetable(bookings) => timetable(bookings),
            Deed::Passes(_) => Input::Wake,
        }
    }

    /// The same engine with all derived data recomputed.
    fn from_scratch(engine: &Engine) -> Snapshot {
        let mut engine = engine.clone();
        engine.views.experiments = Arc::default();
        engine.views.derived = DerivedViews {
            stale_causes: true,
            ..DerivedViews::default()
        };
        engine.timetable_changed();
        engine.snapshot()
    }

    /// A pool's status from `now` on: bookings under way count from now.
    fn from_now(pool: &PoolView, now: Timestamp) -> PoolView {
        let mut pool = pool.clone();
        pool.standing.peak_at = pool.standing.peak_at.map(|at| at.max(now));
        if let Severity::Short { first_at, .. } = &mut pool.standing.severity {
            *first_at = (*first_at).max(now);
        }
        pool
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Incrementally updated views equal views that are recomputed from scratch.
        #[test]
        fn what_is_counted_by_parts_is_what_is_counted_whole(deeds in prop::collection::vec(deed(), 1..60)) {
            let mut now = Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO);
            let policy = Policy { startup: Duration::ZERO, settle: Duration::ZERO, ..Policy::default() };
            let mut engine = Engine::new(policy, now);
            engine.step(manifest(0, 0), now);
            for deed in deeds {
                now = now + Duration::from_secs(if let Deed::Passes(minutes) = deed { u64::from(minutes) * 60 } else { 1 });
                engine.step(input(&deed), now);
                let (shown, whole, at) = (engine.snapshot(), from_scratch(&engine), now.wall());
                prop_assert_eq!(&shown.experiments, &whole.experiments);
                let pools = |snapshot: &Snapshot| snapshot.standings.iter().map(|pool| from_now(pool, at)).collect::<Vec<_>>();
                prop_assert_eq!(pools(&shown), pools(&whole));
                prop_assert_eq!(&shown.holds, &whole.holds);
                prop_assert_eq!(&shown.causes, &whole.causes);
                prop_assert_eq!(engine.views.derived.near.clone(), {
                    let mut near: BTreeMap<String, Neighbours> = BTreeMap::new();
                    for view in shown.experiments.iter() {
                        let near = near.entry(stem(view.stub.as_str()).to_owned()).or_default();
                        if view.is_lost { near.lost += 1 } else { near.up += 1 }
                    }
                    near
                });
                let again = engine.snapshot();
                prop_assert_eq!(again.changed, shown.changed);
                prop_assert!(Arc::ptr_eq(&again.experiments, &shown.experiments) && Arc::ptr_eq(&again.standings, &shown.standings));
            }
        }
    }
}
