//! Relay, jump and book as sources of reports, and the meaning of their common silence.

pub(crate) mod source;

use std::time::Duration;

use crate::model::{Moment, SourceHealth, SourceName};
use crate::protocol::{Asking, Effect, Policy, Record, Step};
use source::Source;

/// No source is asked for reports more often than this: relay answers at most once a second.
const ASK_AT_MOST_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) relay: Source,
    pub(crate) jump: Source,
    pub(crate) book: Source,
    /// Since when all of them are down: then labwatch itself is cut off.
    pub(crate) blind: Option<Moment>,
    /// When labwatch last stopped being cut off. What a source showed before says little of it.
    reachable_since: Option<Moment>,
    /// Whether relay's silence makes its experiments unusable.
    pub(crate) outage: bool,
}

impl Sources {
    pub(crate) fn new(policy: &Policy, now: Moment) -> Self {
        let [relay, jump, book] =
            SourceName::ALL.map(|name| Source::new(name, ask_every(policy, name), now));
        Self {
            relay,
            jump,
            book,
            blind: None,
            reachable_since: None,
            outage: false,
        }
    }

    pub(crate) fn get(&self, name: SourceName) -> &Source {
        match name {
            SourceName::Relay => &self.relay,
            SourceName::Jump => &self.jump,
            SourceName::Book => &self.book,
        }
    }

    pub(crate) fn get_mut(&mut self, name: SourceName) -> &mut Source {
        match name {
            SourceName::Relay => &mut self.relay,
            SourceName::Jump => &mut self.jump,
            SourceName::Book => &mut self.book,
        }
    }

    /// Applies another policy.
    pub(crate) fn adopt(&mut self, policy: &Policy) {
        for name in SourceName::ALL {
            self.get_mut(name).is_asked(ask_every(policy, name));
        }
    }

    /// Evaluates whether all sources are silent: that says something of labwatch, not of them.
    pub(crate) fn evaluate_cut_off(&mut self, now: Moment, step: &mut Step) {
        let blind = SourceName::ALL
            .iter()
            .all(|name| self.get(*name).health == SourceHealth::Down);
        if blind != self.blind.is_some() {
            self.blind = blind.then_some(now);
            self.reachable_since = (!blind).then_some(now);
            step.record(Record::Blind(blind));
        }
    }

    /// The moment from which on observations since `since` count: not while labwatch was cut off.
    pub(crate) fn counted_from(&self, since: Moment) -> Moment {
        self.reachable_since.map_or(since, |again| since.max(again))
    }

    /// Asks sources that have long been silent for reports, and reconnects those whose connection
    /// brings none.
    pub(crate) fn maintain(&mut self, policy: &Policy, now: Moment, step: &mut Step) {
        for name in [SourceName::Relay, SourceName::Jump] {
            let every = ask_every(policy, name);
            let source = self.get_mut(name);
            if source.reconnect_due(now) {
                step.effect(Effect::Reconnect(name));
            } else if every.is_some_and(|every| source.ask_due(every, now)) {
                step.effect(Effect::Ask(name));
            }
        }
    }

    /// When a source is to be evaluated although no input came.
    pub(crate) fn deadline(&self, policy: &Policy) -> Option<Moment> {
        let deadlines =
            SourceName::ALL.map(|name| self.get(name).deadline(ask_every(policy, name)));
        deadlines.into_iter().flatten().min()
    }

    /// The older of the last reports of relay and jump; one that has not reported since the start
    /// counts as older. One that no longer reports is not waited for.
    pub(crate) fn reported(&self) -> Option<Moment> {
        let of = |source: &Source| match source.health {
            SourceHealth::Starting => Some(source.since.before(Duration::MAX)),
            SourceHealth::Live => source.last,
            SourceHealth::Late | SourceHealth::Down => None,
        };
        let reported = [&self.relay, &self.jump].into_iter().filter_map(of);
        reported.min()
    }

    /// Until when relay or jump settle after a restart or a return.
    pub(crate) fn settles_until(&self) -> Option<Moment> {
        let settling = [&self.relay, &self.jump];
        settling.into_iter().filter_map(Source::settles_until).max()
    }
}

/// How long a source may report nothing before it is asked: half of what the rules need, so that
/// the answer is there in time.
fn ask_every(policy: &Policy, name: SourceName) -> Option<Duration> {
    let auto = match name {
        SourceName::Relay => policy.last_active.min(policy.last_checked) / 2,
        SourceName::Jump => policy.last_checked / 2,
        SourceName::Book => return None,
    };
    policy.ask.map(|ask| match ask {
        Asking::Auto => auto.max(ASK_AT_MOST_EVERY),
        Asking::Every(every) => every.max(ASK_AT_MOST_EVERY),
    })
}
