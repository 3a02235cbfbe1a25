//! View models of the pages, taken from a snapshot: experiments with the answers that maintainers
//! need, and pools. Decides nothing.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::state::{Booking, STATES, State, is_usable, mismatch_words, rank};
use engine::model::{CallError, JumpHealth, SourceHealth, SourceName, StreamHealth};
use engine::{
    Affected, ExperimentView, Issue, NotifiedView, PageHealth, PoolView, Role, Snapshot,
    SuppressionKind,
};

/// An experiment on the pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Experiment<'a> {
    snapshot: &'a Snapshot,
    /// The engine's view of it.
    pub(super) view: &'a ExperimentView,
    pub(super) state: State,
    pub(super) booking: Booking,
    /// The contradiction between health and bookability, as text.
    pub(super) mismatch: Option<&'static str>,
}

impl<'a> Experiment<'a> {
    /// An experiment of a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot, view: &'a ExperimentView) -> Self {
        let (state, booking) = (view.health, Booking::of(view));
        Self {
            snapshot,
            view,
            state,
            booking,
            mismatch: view.mismatch().map(mismatch_words),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &'a str {
        self.view.stub.as_str()
    }

    /// Its pools: one, unless its resources can be booked in different ways.
    pub(super) fn pools(&self) -> impl Iterator<Item = &'a str> {
        self.view.pools.iter().map(|pool| &**pool)
    }

    /// The bookings that need it: under way, or still to come.
    pub(super) fn affected(&self) -> &'a Affected {
        &self.view.affected
    }

    /// What a maintainer can do about it, if its symptoms allow advice: for readers who may see
    /// maintainers' texts, because the advice may be theirs.
    pub(super) fn advice(&self, private: bool) -> Option<&'a str> {
        self.view.advice.as_deref().filter(|_| private)
    }

    /// Which notifications about its health were sent.
    pub(super) fn notified(&self) -> Notified<'a> {
        let notified = self.snapshot.notified(self.name());
        let waiting = self
            .snapshot
            .routes
            .iter()
            .filter_map(|route| route.waiting_since)
            .min();
        if self.snapshot.routes.is_empty() {
            Notified::NoRoute
        } else if notified.is_empty() {
            waiting.map_or(Notified::NotYet, Notified::Waiting)
        } else {
            Notified::Routes(notified)
        }
    }

    /// How often it was down within a day, where a route was notified that it is unsteady.
    pub(super) fn unsteady(&self) -> Option<u32> {
        let notified = self.snapshot.notified(self.name());
        notified.iter().filter_map(|one| one.unsteady).max()
    }

    /// Whether it has a problem, acknowledged or not.
    pub(super) fn is_problem(&self) -> bool {
        self.state.is_bad() || self.mismatch.is_some()
    }

    /// Whether maintainers know of its problem: it is acknowledged, or maintenance was planned. A
    /// silence alone does not mean that.
    pub(super) fn is_known(&self) -> bool {
        self.view.suppression.as_ref().is_some_and(|suppression| {
            matches!(
                suppression.kind,
                SuppressionKind::Acknowledged | SuppressionKind::Maintenance
            )
        })
    }

    /// Whether a maintainer should look at it now.
    pub(super) fn needs_attention(&self) -> bool {
        self.is_problem() && !self.is_known()
    }

    /// Why it is not ok, as text.
    pub(super) fn why(&self) -> String {
        let issues: Vec<String> = self.view.issues.iter().map(Issue::to_string).collect();
        match (issues.is_empty(), self.state, self.view.grace_until) {
            (true, State::Flapping, _) => "it changes too often".to_owned(),
            (false, State::Flapping, _) => {
                // While it flaps, these are the symptoms of the latest loss, which may be over.
                let over = if self.view.issues.iter().all(|issue| self.is_over(issue)) {
                    "; not at this moment"
                } else {
                    ""
                };
                format!(
                    "it changes too often, because of: {}{over}",
                    issues.join("; ")
                )
            }
            (false, ..) => issues.join("; "),
            (true, State::Unknown, Some(_)) => {
                "new: not evaluated before its start-up grace is over".to_owned()
            }
            (true, State::Unknown, None) => self.unevaluated(),
            (true, ..) => "all required streams are active".to_owned(),
        }
    }

    /// Whether a symptom is over.
    fn is_over(&self, issue: &Issue) -> bool {
        match issue {
            Issue::Required(topic, _) | Issue::Other(topic, _) => self
                .view
                .streams
                .iter()
                .any(|stream| stream.topic == *topic && stream.health == StreamHealth::Active),
            Issue::JumpLost => self.view.jump == JumpHealth::Up,
            Issue::Page(page, _) => {
                let mut pages = self.view.pages.iter();
                pages.any(|view| view.page == *page && view.health == PageHealth::Works)
            }
            Issue::NoPage => {
                let mut pages = self.view.pages.iter();
                pages.any(|view| view.health == PageHealth::Works)
            }
            Issue::RelayOutage => {
                self.snapshot.source(SourceName::Relay).health == SourceHealth::Live
            }
        }
    }

    /// Why it is not evaluated although its grace is over. Relay and book decide that, jump does
    /// not.
    fn unevaluated(&self) -> String {
        let missing: Vec<&str> = [SourceName::Relay, SourceName::Book]
            .into_iter()
            .filter(|name| self.snapshot.source(*name).health != SourceHealth::Live)
            .map(SourceName::as_str)
            .collect();
        if missing.is_empty() {
            "not evaluated: the next report decides".to_owned()
        } else {
            format!("not evaluated: no reports from {}", missing.join(" and "))
        }
    }

    /// What labwatch did about it.
    pub(super) fn done(&self, role: Role) -> String {
        if role == Role::Follower {
            return "nothing: this labwatch is a follower, the leader switches".to_owned();
        }
        let fault = self.fault();
        match (self.state, self.booking) {
            (_, Booking::Held) => "left as it is: a person holds it".to_owned(),
            (_, Booking::Unlisted) => "nothing: book does not list it".to_owned(),
            (_, Booking::Unsaid) => {
                "nothing yet: book has not said whether it can be booked".to_owned()
            }
            (State::Unknown, Booking::Bookable | Booking::Withdrawn) => {
                "left as it is until it is evaluated".to_owned()
            }
            (State::Down | State::Flapping, Booking::Withdrawn) => {
                "withdrawn, so that it cannot be booked".to_owned()
            }
            (State::Down | State::Flapping, Booking::Bookable) => fault.map_or_else(
                || "being withdrawn".to_owned(),
                |fault| format!("could not withdraw it: {fault}"),
            ),
            (State::Ok | State::Degraded, Booking::Withdrawn) => fault.map_or_else(
                || "being given back".to_owned(),
                |fault| format!("could not give it back: {fault}"),
            ),
            (State::Ok | State::Degraded, Booking::Bookable) => "left bookable".to_owned(),
        }
    }

    /// Whether the action of labwatch adds something to the bookability.
    pub(super) fn done_is_news(&self) -> bool {
        self.mismatch.is_some() || matches!(self.booking, Booking::Held | Booking::Unlisted)
    }

    /// The reason shown to students, where one is stored and it cannot be booked.
    pub(super) fn reason(&self) -> Option<&'a str> {
        let deciding = self
            .view
            .resources
            .iter()
            .find(|resource| resource.bookable == self.view.bookable())?;
        let closed = matches!(self.booking, Booking::Withdrawn | Booking::Held);
        (closed && !deciding.reason.is_empty()).then_some(deciding.reason.as_str())
    }

    fn fault(&self) -> Option<&'a CallError> {
        self.view
            .resources
            .iter()
            .find_map(|resource| resource.fault.as_ref())
    }
}

/// The notifications about an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notified<'a> {
    /// No route is configured.
    NoRoute,
    /// These routes delivered.
    Routes(&'a [NotifiedView]),
    /// A route has pending notifications since then.
    Waiting(Timestamp),
    /// Nothing was sent.
    NotYet,
}

/// Experiments that can replace each other, folded into one line.
#[derive(Debug, Clone)]
pub(super) struct PoolCard<'a> {
    /// The engine's view of it.
    pub(super) view: &'a PoolView,
    /// Its experiments, sorted by name.
    pub(super) members: Vec<Experiment<'a>>,
}

impl<'a> PoolCard<'a> {
    /// All pools, sorted by name.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let card = |view: &'a PoolView| {
            let members = view.members.iter();
            let members = members.filter_map(|stub| snapshot.experiment(stub.as_str()));
            Self {
                view,
                members: members.map(|view| Experiment::of(snapshot, view)).collect(),
            }
        };
        snapshot.standings.iter().map(card).collect()
    }

    /// Its name.
    pub(super) fn name(&self) -> &'a str {
        &self.view.name
    }

    /// How many can be used.
    pub(super) fn usable(&self) -> usize {
        let members = self.members.iter();
        members.filter(|of| is_usable(of.state)).count()
    }

    /// How many can be used and booked.
    pub(super) fn bookable(&self) -> usize {
        let usable = self.members.iter().filter(|of| is_usable(of.state));
        usable.filter(|of| of.booking == Booking::Bookable).count()
    }

    /// How many experiments it has.
    pub(super) fn total(&self) -> usize {
        self.members.len()
    }

    /// How many are not evaluated.
    pub(super) fn unknown(&self) -> usize {
        self.count(State::Unknown)
    }

    fn count(&self, state: State) -> usize {
        self.members.iter().filter(|of| of.state == state).count()
    }

    /// The states that occur in it, from bad to good, each with its count.
    pub(super) fn tally(&self) -> impl Iterator<Item = (State, usize)> {
        let all = STATES.into_iter().rev();
        all.map(|state| (state, self.count(state)))
            .filter(|(_, count)| *count > 0)
    }

    /// Its worst state.
    pub(super) fn worst(&self) -> State {
        self.tally()
            .next()
            .map_or(State::Unknown, |(state, _)| state)
    }
}

/// All experiments, sorted by name.
pub(super) fn experiments(snapshot: &Snapshot) -> impl Iterator<Item = Experiment<'_>> {
    snapshot
        .experiments
        .iter()
        .map(|view| Experiment::of(snapshot, view))
}

/// What needs attention, the most urgent first: by the next booking, then the worst, then the
/// newest.
pub(super) fn problems(snapshot: &Snapshot) -> Vec<Experiment<'_>> {
    by_urgency(experiments(snapshot).filter(Experiment::needs_attention))
}

/// The problems that maintainers know of, in the same order.
pub(super) fn known(snapshot: &Snapshot) -> Vec<Experiment<'_>> {
    by_urgency(
        experiments(snapshot).filter(|experiment| experiment.is_problem() && experiment.is_known()),
    )
}

fn by_urgency<'a>(problems: impl Iterator<Item = Experiment<'a>>) -> Vec<Experiment<'a>> {
    let mut problems: Vec<_> = problems.collect();
    problems.sort_by_key(|problem| {
        (
            problem.affected().first_start.unwrap_or(Timestamp::MAX),
            Reverse(rank(problem.state)),
            Reverse(problem.view.since),
        )
    });
    problems
}

/// The worst state of all, for the icon of the tab.
pub(super) fn worst(snapshot: &Snapshot) -> State {
    let counts = &snapshot.counts;
    if counts.down > 0 {
        State::Down
    } else if counts.flapping > 0 {
        State::Flapping
    } else if counts.degraded > 0 {
        State::Degraded
    } else if counts.unknown > 0 || counts.total == 0 || snapshot.blind.is_some() {
        State::Unknown
    } else {
        State::Ok
    }
}
