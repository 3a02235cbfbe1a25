//! Sticky categories: a fault that lasts long enough closes one, and a maintainer opens it again.
//! Experiments that fail in a closed one can be quarantined: they stay withdrawn, whatever their
//! health, until then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::Gather as _;
use crate::model::pattern::{matches, stem};
use crate::model::{Moment, Stub};
use crate::protocol::{
    CategoryCause, CategoryRule, CategoryRules, CategoryState, CategoryStates, Fitness, Quarantined,
};

/// The category of everything.
const DEFAULT: &str = "default";

/// The category of all components.
const SYSTEM: &str = "system";

/// How often a category is evaluated where none is configured.
const PERIOD: Duration = Duration::from_secs(60);

/// The name under which a fault closes a category.
const OURSELVES: &str = "labwatch";

/// The most failing members that a reason names.
const NAMED: usize = 5;

/// An experiment or a component that may be in categories.
#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind<'a>,
    pub(crate) fitness: Fitness,
    /// Whether its failure counts: held, in maintenance or not fatal does not.
    pub(crate) counts: bool,
    pub(crate) acknowledged: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'a> {
    Experiment(&'a Stub),
    /// With the categories that it names itself.
    Component(&'a [String]),
}

/// A category that changed by itself, with its new state.
pub(crate) type Changed = (String, CategoryState);

/// The categories: which are closed, and how often in a row each sticky one has failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Categories {
    rules: CategoryRules,
    states: Arc<CategoryStates>,
    failing: BTreeMap<String, Failing>,
    quarantined: Arc<Quarantined>,
    /// Whether the inputs of a category may have changed since the last evaluation.
    dirty: bool,
}

/// Evaluations in a row that a category has failed.
#[derive(Debug, Clone, Copy)]
struct Failing {
    count: u32,
    last: Moment,
    pace: Duration,
}

impl Categories {
    /// Applies other rules. Returns the experiments whose quarantine changes.
    pub(crate) fn adopt(&mut self, rules: CategoryRules) -> Vec<Stub> {
        self.dirty |= self.rules != rules;
        self.rules = rules;
        self.refresh_quarantine()
    }

    /// Restores the state of a category.
    pub(crate) fn restore(&mut self, name: String, state: CategoryState) {
        Arc::make_mut(&mut self.states).insert(name, state);
        self.refresh_quarantine();
    }

    pub(crate) fn states(&self) -> &Arc<CategoryStates> {
        &self.states
    }

    pub(crate) fn quarantined(&self) -> &Arc<Quarantined> {
        &self.quarantined
    }

    /// Whether a component's failure counts.
    pub(crate) fn is_fatal(&self, component: &str) -> bool {
        !self.rules.non_fatal.contains(component)
    }

    pub(crate) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    /// When an evaluation may count although nothing changed: a lasting fault counts as a failure
    /// again after each period.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.failing
            .values()
            .map(|failing| failing.last + failing.pace)
            .min()
    }

    /// Whether an evaluation could change anything now.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        let is_sticky = self.rules.categories.iter().any(|rule| rule.sticky);
        is_sticky && (self.dirty || self.deadline().is_some_and(|at| at <= now))
    }

    /// Evaluates every sticky category, and closes those that have failed often enough. An
    /// evaluation counts again only when the category's period has passed since the last that
    /// counted: many changes within one fault are one failure. A passed evaluation resets the
    /// count.
    pub(crate) fn evaluate(&mut self, members: &[Member<'_>], now: Moment) -> Vec<Changed> {
        self.dirty = false;
        let rules = self.rules.clone();
        let mut changed = Vec::new();
        for rule in rules.categories.iter().filter(|rule| rule.sticky) {
            let members: Vec<&Member<'_>> = members
                .iter()
                .filter(|member| rules.is_in(member, &rule.name))
                .collect();
            let state = match self.states.get(&rule.name).filter(|state| !state.enabled) {
                Some(closed) if closed.quarantines(rule) => grown(closed, &members),
                Some(_) => None,
                None => self.closed(rule, &members, now),
            };
            changed.extend(state.map(|state| (rule.name.clone(), state)));
        }
        for (name, state) in &changed {
            self.set(name, state.clone());
        }
        changed
    }

    /// Opens or closes a category. Returns the experiments whose quarantine changes.
    pub(crate) fn set(&mut self, name: &str, state: CategoryState) -> Vec<Stub> {
        self.failing.remove(name);
        self.dirty = true;
        Arc::make_mut(&mut self.states).insert(name.to_owned(), state);
        self.refresh_quarantine()
    }

    /// The state of an open category that has failed often enough to be closed.
    fn closed(
        &mut self,
        rule: &CategoryRule,
        members: &[&Member<'_>],
        now: Moment,
    ) -> Option<CategoryState> {
        let known: Vec<&Member<'_>> = members
            .iter()
            .copied()
            .filter(|member| member.fitness != Fitness::Unknown)
            .collect();
        let failing = self.rules.failing(rule, &known);
        if failing.is_empty() {
            self.failing.remove(&rule.name);
            return None;
        }
        if self.count(&rule.name, self.rules.pace(&known), now) < rule.failure_threshold {
            return None;
        }
        let named: Vec<&str> = failing.into_iter().take(NAMED).collect();
        let quarantined = if rule.sticky_booking {
            faulty(&known).collect()
        } else {
            BTreeSet::new()
        };
        Some(CategoryState {
            enabled: false,
            at: now.wall(),
            by: OURSELVES.to_owned(),
            cause: CategoryCause::Fault,
            reason: format!("failing: {}", named.join(", ")),
            quarantined,
        })
    }

    fn count(&mut self, name: &str, pace: Duration, now: Moment) -> u32 {
        let failing = self.failing.entry(name.to_owned()).or_insert(Failing {
            count: 0,
            last: now,
            pace,
        });
        failing.pace = pace;
        if failing.count == 0 || now.since(failing.last) >= pace {
            failing.count += 1;
            failing.last = now;
        }
        failing.count
    }

    fn refresh_quarantine(&mut self) -> Vec<Stub> {
        let closed = self.rules.categories.iter().filter_map(|rule| {
            let state = self.states.get(&rule.name)?;
            state.quarantines(rule).then_some((rule, state))
        });
        let quarantined: Quarantined = closed
            .flat_map(|(rule, state)| {
                let stubs = state.quarantined.iter();
                stubs.map(|stub| (stub.clone(), rule.name.clone()))
            })
            .gather();
        let was = std::mem::replace(&mut self.quarantined, Arc::new(quarantined));
        let is_other =
            |stub: &&Stub| was.contains_key(*stub) != self.quarantined.contains_key(*stub);
        let all: BTreeSet<&Stub> = was.keys().chain(self.quarantined.keys()).gather();
        all.into_iter().filter(is_other).cloned().collect()
    }
}

impl CategoryState {
    /// The state after a maintainer's command.
    pub(crate) fn by_person(open: bool, by: &str, reason: &str, at: Timestamp) -> Self {
        Self {
            enabled: open,
            at,
            by: by.to_owned(),
            cause: CategoryCause::Person,
            reason: reason.to_owned(),
            quarantined: BTreeSet::new(),
        }
    }

    /// Whether a fault closed it, so that its experiments wait for an inspection.
    fn quarantines(&self, rule: &CategoryRule) -> bool {
        rule.sticky_booking && !self.enabled && self.cause == CategoryCause::Fault
    }
}

/// A closed category with the members that failed meanwhile; `None` where there are no new ones.
fn grown(closed: &CategoryState, members: &[&Member<'_>]) -> Option<CategoryState> {
    let quarantined: BTreeSet<Stub> = closed
        .quarantined
        .iter()
        .cloned()
        .chain(faulty(members))
        .collect();
    (quarantined != closed.quarantined).then(|| CategoryState {
        quarantined,
        ..closed.clone()
    })
}

/// The experiments among these that fail without being acknowledged.
fn faulty(members: &[&Member<'_>]) -> impl Iterator<Item = Stub> {
    members
        .iter()
        .filter(|member| member.fails())
        .filter_map(|member| match member.kind {
            Kind::Experiment(stub) => Some(stub.clone()),
            Kind::Component(_) => None,
        })
}

impl Member<'_> {
    fn fails(&self) -> bool {
        self.counts && !self.acknowledged && self.fitness == Fitness::Fails
    }
}

/// Whether a pattern matches a member. One that fits every name means every experiment and every
/// part of labwatch; an outside service counts only where it is meant.
fn takes_in(pattern: &str, member: &Member<'_>) -> bool {
    let is_service = std::matches!(member.kind, Kind::Component([_, ..]));
    let is_meant = pattern.chars().any(|sign| !std::matches!(sign, '*' | '?'));
    (is_meant || !is_service) && matches(pattern, member.name)
}

impl CategoryRules {
    fn is_in(&self, member: &Member<'_>, category: &str) -> bool {
        let configured = self.categories.iter().find(|rule| rule.name == category);
        let is_taken_in = configured.is_some_and(|rule| self.takes_in(rule, member));
        match member.kind {
            Kind::Component([]) => category == DEFAULT || category == SYSTEM || is_taken_in,
            Kind::Component(own) => own.iter().any(|name| name == category) || is_taken_in,
            Kind::Experiment(_) => {
                category == DEFAULT
                    || is_taken_in
                    || (configured.is_some_and(|rule| rule.by_stem)
                        && stem(member.name) == category
                        && !self.takes_in_anywhere(member))
            }
        }
    }

    fn takes_in_anywhere(&self, member: &Member<'_>) -> bool {
        self.categories
            .iter()
            .any(|rule| self.takes_in(rule, member))
    }

    fn takes_in(&self, rule: &CategoryRule, member: &Member<'_>) -> bool {
        let by_pool = match member.kind {
            Kind::Experiment(_) => rule.pools.iter().any(|pool| pool == self.pool(member).1),
            Kind::Component(_) => false,
        };
        by_pool
            || rule
                .patterns
                .iter()
                .any(|pattern| takes_in(pattern, member))
    }

    /// The group of interchangeable members of a member, separate from groups of the same name of
    /// another kind, and how many of it are enough. The instances of a service are a group; any
    /// other component is a group of its own.
    fn pool<'a>(&'a self, member: &Member<'a>) -> (bool, &'a str, usize) {
        match member.kind {
            Kind::Component([]) => (true, member.name, 1),
            Kind::Component(_) => (true, stem(member.name), 1),
            Kind::Experiment(_) => self
                .pools
                .iter()
                .find(|pool| pool.members.iter().any(|one| matches(one, member.name)))
                .map_or_else(
                    || (false, stem(member.name), 1),
                    |pool| (false, &pool.name, pool.min_healthy),
                ),
        }
    }

    /// The members that make a category fail, by name: any member that fails, or of a resilient one
    /// the first of each group of which too few work.
    fn failing<'a>(&self, rule: &CategoryRule, members: &[&Member<'a>]) -> Vec<&'a str> {
        let counting = members.iter().copied().filter(|member| member.counts);
        if !rule.resilient {
            let failing = counting.filter(|member| member.fails());
            return failing.map(|member| member.name).collect();
        }
        let mut groups: BTreeMap<(bool, &str), Vec<&Member<'a>>> = BTreeMap::new();
        for member in counting {
            let (kind, group, _) = self.pool(member);
            groups.entry((kind, group)).or_default().push(member);
        }
        let short = groups.into_values().filter_map(|group| {
            let healthy = group
                .iter()
                .filter(|member| member.fitness == Fitness::Works)
                .count();
            let enough = rule
                .min_healthy
                .or_else(|| group.first().map(|member| self.pool(member).2))
                .unwrap_or(1);
            // A group that is smaller than its minimum cannot be required to have more than it has.
            let is_short = healthy < enough.clamp(1, group.len().max(1));
            let failing = group.iter().filter(|member| member.fails());
            failing.map(|member| member.name).min().filter(|_| is_short)
        });
        short.collect()
    }

    /// The shortest period of the categories of any of these, which is how often they are
    /// evaluated.
    fn pace(&self, members: &[&Member<'_>]) -> Duration {
        let default = self.categories.iter().find(|rule| rule.name == DEFAULT);
        let of_members = self
            .categories
            .iter()
            .filter(|rule| members.iter().any(|one| self.is_in(one, &rule.name)));
        of_members
            .map(|rule| rule.period)
            .fold(default.map_or(PERIOD, |rule| rule.period), Duration::min)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::protocol::CategoryPool;

    pub(crate) fn rule(name: &str) -> CategoryRule {
        CategoryRule {
            name: name.to_owned(),
            patterns: vec!["*".to_owned()],
            pools: Vec::new(),
            by_stem: false,
            resilient: false,
            min_healthy: None,
            period: PERIOD,
            sticky: true,
            failure_threshold: 1,
            sticky_booking: false,
        }
    }

    fn categories(categories: Vec<CategoryRule>) -> Categories {
        let mut made = Categories::default();
        made.adopt(CategoryRules {
            categories,
            ..CategoryRules::default()
        });
        made
    }

    fn at(second: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO) + Duration::from_secs(second)
    }

    fn stubs() -> [Stub; 3] {
        ["pend00", "pend01", "spin00"].map(|stub| Stub::try_new(stub).expect("a name"))
    }

    fn members<'a>(stubs: &'a [Stub; 3], failing: &[&str]) -> Vec<Member<'a>> {
        let member = |stub: &'a Stub| Member {
            name: stub.as_str(),
            kind: Kind::Experiment(stub),
            fitness: if failing.contains(&stub.as_str()) {
                Fitness::Fails
            } else {
                Fitness::Works
            },
            counts: true,
            acknowledged: false,
        };
        stubs.iter().map(member).collect()
    }

    /// The categories that close when these fail at this second.
    fn closes(categories: &mut Categories, second: u64, failing: &[&str]) -> Vec<String> {
        let stubs = stubs();
        let changed = categories.evaluate(&members(&stubs, failing), at(second));
        let words = |(name, state): Changed| format!("{name} {}", state.reason);
        changed.into_iter().map(words).collect()
    }

    #[test]
    fn a_fault_closes_and_recovery_does_not_open() {
        let mut exam = categories(vec![rule("exam")]);
        assert_eq!(closes(&mut exam, 1, &["spin00"]), ["exam failing: spin00"]);
        assert_eq!(closes(&mut exam, 2, &[]), [""; 0]);
        assert!(!exam.states()["exam"].enabled);
        exam.set(
            "exam",
            CategoryState::by_person(true, "ann", "inspected", at(3).wall()),
        );
        assert_eq!(closes(&mut exam, 3, &[]), [""; 0]);
        assert!(exam.states()["exam"].enabled);
    }

    #[test]
    fn blips_apart_and_evaluations_of_one_blip_close_nothing() {
        let exam = CategoryRule {
            failure_threshold: 3,
            ..rule("exam")
        };
        let mut exam = categories(vec![exam]);
        for blip in 0..5 {
            let start = blip * 100;
            for second in 0..4 {
                assert_eq!(closes(&mut exam, start + second, &["spin00"]), [""; 0]);
            }
            assert_eq!(closes(&mut exam, start + 4, &[]), [""; 0]);
        }
        assert_eq!(exam.deadline(), None);
        for (second, closed) in [
            (1_000, false),
            (1_059, false),
            (1_060, false),
            (1_120, true),
        ] {
            let now = closes(&mut exam, second, &["spin00"]);
            assert_eq!(!now.is_empty(), closed, "{second}");
            let next = [(1_000, 1_060), (1_059, 1_060), (1_060, 1_120)];
            let next = next.iter().find(|(at, _)| *at == second);
            assert_eq!(exam.deadline(), next.map(|(_, next)| at(*next)));
        }
        assert_eq!(closes(&mut exam, 1_180, &["spin00"]), [""; 0], "said once");
    }

    #[test]
    fn the_shortest_period_wins() {
        let exam = CategoryRule {
            failure_threshold: 2,
            ..rule("exam")
        };
        let quick = CategoryRule {
            period: Duration::from_secs(5),
            sticky: false,
            ..rule("quick")
        };
        let mut both = categories(vec![exam, quick]);
        assert_eq!(closes(&mut both, 1, &["spin00"]), [""; 0]);
        assert_eq!(closes(&mut both, 5, &["spin00"]), [""; 0]);
        assert_eq!(closes(&mut both, 6, &["spin00"]), ["exam failing: spin00"]);
    }

    #[test]
    fn a_resilient_one_closes_when_too_few_of_a_group_work() {
        let mut exam = Categories::default();
        exam.adopt(CategoryRules {
            categories: vec![CategoryRule {
                resilient: true,
                ..rule("exam")
            }],
            pools: vec![CategoryPool {
                name: "pendulums".to_owned(),
                members: vec!["pend*".to_owned()],
                min_healthy: 1,
            }],
            ..CategoryRules::default()
        });
        assert_eq!(closes(&mut exam, 1, &["pend01"]), [""; 0]);
        assert_eq!(
            closes(&mut exam, 2, &["pend01", "pend00"]),
            ["exam failing: pend00"]
        );
    }

    #[test]
    fn what_is_acknowledged_or_not_known_or_away_closes_nothing() {
        let stubs = stubs();
        for change in [
            (|member| member.acknowledged = true) as fn(&mut Member<'_>),
            |member| member.fitness = Fitness::Unknown,
            |member| member.counts = false,
        ] {
            let mut members = members(&stubs, &["spin00"]);
            change(&mut members[2]);
            let mut exam = categories(vec![rule("exam")]);
            assert_eq!(exam.evaluate(&members, at(1)), []);
        }
    }

    #[test]
    fn what_fails_is_quarantined_until_a_person_opens() {
        let inspected = CategoryRule {
            sticky_booking: true,
            ..rule("exam")
        };
        let names = |exam: &Categories| -> Vec<String> {
            exam.quarantined().keys().map(ToString::to_string).collect()
        };
        let mut exam = categories(vec![inspected.clone()]);
        closes(&mut exam, 1, &["spin00"]);
        closes(&mut exam, 2, &[]);
        assert_eq!(names(&exam), ["spin00"], "recovery does not release it");
        closes(&mut exam, 3, &["pend00"]);
        assert_eq!(names(&exam), ["pend00", "spin00"]);
        assert_eq!(exam.adopt(CategoryRules::default()).len(), 2);
        assert!(names(&exam).is_empty(), "it is not configured any more");
        exam.adopt(CategoryRules {
            categories: vec![inspected.clone()],
            ..CategoryRules::default()
        });
        assert_eq!(names(&exam), ["pend00", "spin00"]);
        exam.set(
            "exam",
            CategoryState::by_person(true, "ann", "seen", at(4).wall()),
        );
        assert!(names(&exam).is_empty());
        let mut closed = categories(vec![inspected]);
        closed.set(
            "exam",
            CategoryState::by_person(false, "labwatch", "x", at(1).wall()),
        );
        closes(&mut closed, 2, &["spin00"]);
        assert!(names(&closed).is_empty(), "a person closed it, not a fault");
    }

    /// An outside service counts in its own categories and where a pattern means it; its instances
    /// are interchangeable.
    #[test]
    fn a_service_counts_in_its_own_categories_alone() {
        let own = ["exam".to_owned()];
        let service = |name, fitness| Member {
            name,
            kind: Kind::Component(&own),
            fitness,
            counts: true,
            acknowledged: false,
        };
        let fails = service("web0", Fitness::Fails);
        let closes = |rule: CategoryRule, members: &[Member<'_>]| {
            let mut categories = categories(vec![rule]);
            !categories.evaluate(members, at(1)).is_empty()
        };
        for (name, pattern, expected) in [
            ("exam", "none", true),
            ("default", "*", false),
            ("system", "*", false),
            ("other", "*", false),
            ("other", "web*", true),
        ] {
            let rule = CategoryRule {
                patterns: vec![pattern.to_owned()],
                ..rule(name)
            };
            assert_eq!(
                closes(rule, std::slice::from_ref(&fails)),
                expected,
                "{name} {pattern}"
            );
        }
        let resilient = CategoryRule {
            resilient: true,
            patterns: Vec::new(),
            ..rule("exam")
        };
        let both = [fails.clone(), service("web1", Fitness::Works)];
        assert!(!closes(resilient.clone(), &both));
        assert!(closes(resilient, &[fails]));
    }
}
