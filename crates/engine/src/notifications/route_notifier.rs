//! One route: what its people were told, what they are to be told, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::alerts::Concerns;
use super::context::Scene;
use super::delivery::{Carriage, OnItsWay};
use super::digest::Digests;
use crate::experiments::experiment::Experiment;
use crate::model::{Health, Moment, Stub};
use crate::notifications::route::Route;
use crate::protocol::input::DeliveryFault;
use crate::protocol::snapshot::{RouteView, ToldView};
use crate::protocol::state::{self, Concern, Known, MessageId, Rounds, Strand, Told};
use crate::protocol::summary::{Occasion, Summary};

/// A summary waits at most this long for switches that are under way, so that it can say what came of them.
const WAIT_FOR_SWITCHES: Duration = Duration::from_secs(10);

/// A summary waits at most this long for a source to settle after its restart or return, so that what comes back together is told together.
const WAIT_FOR_SETTLING: Duration = Duration::from_secs(60);

/// What changes nothing for students is told after this time: relay and jump, each asked every five seconds, see the same power cut
/// that far apart, and one summary is to tell it.
const PARTS_FOLLOW_WITHIN: Duration = Duration::from_secs(6);

/// Who was told that an experiment is down hears of another cause at the earliest after this time: when power goes, its remote login
/// is often seen to be lost some seconds after its streams, and nobody needs two messages for that.
const CAUSES_FOLLOW_AFTER: Duration = Duration::from_secs(60);

/// The longest wait between two reminders, unless the first one waits longer.
const REMIND_AT_LEAST_EVERY: Duration = Duration::from_secs(7 * 24 * 3600);

/// What people were last told about an experiment.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) known: Known,
    /// Since when it is bad, as they were told.
    pub(super) bad_since: Option<Moment>,
    pub(super) thread: Option<Strand>,
}

/// A route, and how it stands with its people.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) route: Route,
    pub(super) told: BTreeMap<Stub, Heard>,
    pub(super) concerns: Concerns,
    /// Experiments of which people must be told something, with from when on.
    pub(super) untold: BTreeMap<Stub, Moment>,
    /// Experiments of a summary that failed, with since when they were bad: nobody knows whether it was read, so people are told about
    /// them although they may be again as they were told before.
    pub(super) owed: BTreeMap<Stub, Moment>,
    /// Since when experiments are well again of which people do not know that yet. A source may have told nothing since.
    pub(super) well_since: BTreeMap<Stub, Moment>,
    /// Since when there is something to tell that is not held back.
    waiting_since: Option<Moment>,
    pub(super) carriage: Carriage,
    /// When a summary last arrived.
    pub(super) told_at: Option<Moment>,
    pub(super) reminders: u32,
    pub(super) digests: Option<Digests>,
    /// The time of the last digest, from before there were none any more.
    pub(super) last_digest: Option<Timestamp>,
    /// What is to be kept of a digest that had nothing to say, or whose time was over when the route came to be.
    pub(super) noted: Option<Rounds>,
}

impl Teller {
    pub(super) fn new(route: Route, now: Moment) -> Self {
        let digests = route
            .digest
            .clone()
            .map(|digest| Digests::new(digest, now.wall()));
        let passed_over = digests.as_ref().and_then(|digests| digests.last);
        Self {
            noted: passed_over.map(|digest| Rounds {
                told_at: now.wall(),
                reminders: 0,
                digest: Some(digest),
            }),
            digests,
            last_digest: None,
            route,
            told: BTreeMap::new(),
            concerns: Concerns::default(),
            untold: BTreeMap::new(),
            owed: BTreeMap::new(),
            well_since: BTreeMap::new(),
            waiting_since: None,
            carriage: Carriage::default(),
            told_at: None,
            reminders: 0,
        }
    }

    /// Whether nothing is to be done, unless there is a trouble now.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        let is_past = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        self.untold.is_empty()
            && self.concerns.is_idle()
            && self.carriage.is_idle()
            && !is_past(self.reminder_at())
            && !is_past(self.digest_at(now))
    }

    pub(super) fn goes_on(&self, concern: Concern) -> bool {
        self.concerns.goes_on(concern)
    }

    /// Takes note that an experiment changed.
    pub(super) fn consider(&mut self, experiment: &Experiment, manifest_known: bool, now: Moment) {
        let stub = &experiment.stub;
        if !self.route.hears_of(stub) {
            return;
        }
        let Some(known) = Known::of(experiment, manifest_known) else {
            return;
        };
        let heard = self.told.get(stub);
        let told = heard.map_or_else(Known::assumed, |heard| heard.known.clone());
        let owed = self.owed.contains_key(stub);
        if !owed && !known.is_worth_telling_after(&told) {
            self.untold.remove(stub);
            self.well_since.remove(stub);
            return;
        }
        let heard_at = heard
            .and_then(|heard| heard.thread)
            .map_or(now, |thread| now.back_at(thread.last.at));
        let from = match (known.health.is_unusable(), told.health.is_unusable()) {
            _ if owed => now,
            (true, true) if known.health == told.health => {
                (heard_at + CAUSES_FOLLOW_AFTER).max(now + PARTS_FOLLOW_WITHIN)
            }
            (true, true) | (false, false) => now + PARTS_FOLLOW_WITHIN,
            (true, false) | (false, true) => now,
        };
        self.carriage.consider(stub, &known);
        if known.health == Health::Ok {
            self.well_since
                .entry(stub.clone())
                .or_insert(experiment.since);
        } else {
            self.well_since.remove(stub);
        }
        let entry = self.untold.entry(stub.clone()).or_insert(from);
        *entry = from.min(*entry);
    }

    /// Takes note that an experiment is forgotten. Returns whether people knew anything of it.
    pub(super) fn forget(&mut self, stub: &Stub) -> bool {
        self.untold.remove(stub);
        self.owed.remove(stub);
        self.well_since.remove(stub);
        self.told.remove(stub).is_some()
    }

    /// The summary that is due now, if one is.
    pub(super) fn due(
        &mut self,
        scene: &Scene<'_>,
        switching_since: Option<Moment>,
        next_id: u64,
    ) -> Option<Summary> {
        let now = scene.now;
        if let Some(lost) = self.carriage.expired(now) {
            self.owe(lost, now);
        }
        let concerns = if self.route.alerts {
            self.concerns.look(scene)
        } else {
            BTreeMap::new()
        };
        self.carriage.consider_concerns(&concerns);
        let first = self
            .untold
            .iter()
            .filter(|(stub, _)| !(scene.is_quiet)(stub))
            .map(|(_, from)| *from)
            .min();
        self.waiting_since = first.into_iter().chain(self.concerns.untold_since).min();
        if !self.carriage.may_send(now) {
            return None;
        }
        let message = MessageId {
            at: now.wall(),
            id: next_id,
        };
        self.tell_news(scene, switching_since, &concerns, message)
            .or_else(|| self.tell_digest(scene, &concerns, message))
            .or_else(|| self.remind(scene, &concerns, message))
    }

    fn tell_news(
        &mut self,
        scene: &Scene<'_>,
        switching_since: Option<Moment>,
        concerns: &BTreeMap<Concern, Moment>,
        message: MessageId,
    ) -> Option<Summary> {
        let first = self.waiting_since?;
        let switched = switching_since.map(|since| since + WAIT_FOR_SWITCHES);
        let settled = scene
            .settles_until
            .map(|until| until.min(first + WAIT_FOR_SETTLING));
        if [Some(first + self.route.gather), switched, settled]
            .into_iter()
            .flatten()
            .any(|at| at > scene.now)
        {
            return None;
        }
        let news = self.news(scene);
        let is_news = self.concerns.untold_since.is_some()
            || news.iter().any(|(line, _)| !(scene.is_quiet)(&line.stub));
        is_news.then(|| self.send(Occasion::News, news, concerns.clone(), None, message, scene))
    }

    /// What is new is told as news first: a digest tells only what people know.
    fn tell_digest(
        &mut self,
        scene: &Scene<'_>,
        concerns: &BTreeMap<Concern, Moment>,
        message: MessageId,
    ) -> Option<Summary> {
        let at = self.digests.as_mut()?.due(scene.now.wall())?;
        let has_news = self.concerns.untold_since.is_some()
            || self
                .news(scene)
                .iter()
                .any(|(line, _)| !(scene.is_quiet)(&line.stub));
        if has_news {
            return None;
        }
        let when_well = self.digests.as_ref().is_some_and(Digests::when_well);
        let has_something = !concerns.is_empty()
            || !self.problems(scene).is_empty()
            || !(scene.background)(&self.route).is_empty();
        if has_something || when_well {
            return Some(self.send(
                Occasion::Digest,
                Vec::new(),
                concerns.clone(),
                Some(at),
                message,
                scene,
            ));
        }
        self.digests.as_mut()?.done(at, scene.now.wall());
        self.noted = Some(self.rounds(scene.now));
        None
    }

    fn remind(
        &mut self,
        scene: &Scene<'_>,
        concerns: &BTreeMap<Concern, Moment>,
        message: MessageId,
    ) -> Option<Summary> {
        let is_due =
            self.waiting_since.is_none() && self.reminder_at().is_some_and(|at| at <= scene.now);
        let is_open =
            is_due && (self.concerns.is_told_any_of(concerns) || self.is_still_bad(scene));
        is_open.then(|| {
            self.send(
                Occasion::Reminder,
                Vec::new(),
                concerns.clone(),
                None,
                message,
                scene,
            )
        })
    }

    fn is_still_bad(&self, scene: &Scene<'_>) -> bool {
        let is_bad_now =
            |stub| (scene.experiments)(stub).is_some_and(|experiment| experiment.health.is_bad());
        self.told.iter().any(|(stub, heard)| {
            heard.known.health.is_bad() && is_bad_now(stub) && !(scene.is_quiet)(stub)
        })
    }

    /// When to look again although nothing came.
    pub(super) fn deadline(&self, switching_since: Option<Moment>, now: Moment) -> Option<Moment> {
        if let Some(overdue) = self.carriage.deadline() {
            return Some(overdue);
        }
        let first = self.waiting_since;
        let switched = switching_since
            .filter(|_| first.is_some())
            .map(|since| since + WAIT_FOR_SWITCHES);
        let news = first
            .map(|first| [first + self.route.gather, first + WAIT_FOR_SETTLING])
            .into_iter()
            .flatten();
        let others = [switched, self.reminder_at(), self.digest_at(now)]
            .into_iter()
            .flatten();
        news.chain(others)
            .map(|at| self.carriage.earliest(at))
            .filter(|at| *at > now)
            .min()
    }

    /// When people are to be reminded of what they were told bad.
    fn reminder_at(&self) -> Option<Moment> {
        let (first, told_at) = (self.route.remind?, self.told_at?);
        let knows_bad = self.concerns.is_any_told()
            || self.told.values().any(|heard| heard.known.health.is_bad());
        let wait = first
            .saturating_mul(2_u32.saturating_pow(self.reminders))
            .min(REMIND_AT_LEAST_EVERY.max(first));
        knows_bad.then(|| told_at + wait)
    }

    fn digest_at(&self, now: Moment) -> Option<Moment> {
        let wait = self.digests.as_ref()?.next()?.duration_since(now.wall());
        Some(now + Duration::try_from(wait).unwrap_or_default())
    }

    /// Takes in what a summary came to. Returns what people now know; `None` when it is not the one on its way.
    pub(super) fn delivered(
        &mut self,
        id: u64,
        outcome: &Result<(), DeliveryFault>,
        now: Moment,
    ) -> Option<Vec<Told>> {
        let summary = self.carriage.take(id)?;
        Some(match outcome {
            Ok(()) => self.arrived(summary, now),
            Err(fault) => {
                self.carriage.failed(&summary, fault, now);
                self.owe(summary, now);
                Vec::new()
            }
        })
    }

    fn arrived(&mut self, summary: OnItsWay, now: Moment) -> Vec<Told> {
        self.carriage.arrived(now);
        self.told_at = Some(now);
        match summary.occasion {
            Occasion::News => self.reminders = 0,
            Occasion::Reminder => self.reminders = self.reminders.saturating_add(1),
            Occasion::Digest => {}
        }
        if let (Some(digests), Some(at)) = (&mut self.digests, summary.digest) {
            digests.done(at, now.wall());
        }
        let mut told = Vec::new();
        if summary.occasion == Occasion::News {
            let concerns = if self.route.alerts {
                summary.concerns
            } else {
                BTreeMap::new()
            };
            told.extend(self.concerns.learn(concerns, summary.message));
            let heard: Vec<_> = summary
                .tales
                .into_iter()
                .filter(|(stub, _)| self.route.hears_of(stub))
                .collect();
            told.extend(
                heard
                    .into_iter()
                    .map(|(stub, tale)| self.learn(stub, tale, summary.message)),
            );
        }
        told.push(Told::Rounds(self.rounds(now)));
        told
    }

    pub(super) fn rounds(&self, now: Moment) -> Rounds {
        Rounds {
            told_at: self.told_at.unwrap_or(now).wall(),
            reminders: self.reminders,
            digest: self.last_digest(),
        }
    }

    pub(super) fn last_digest(&self) -> Option<Timestamp> {
        self.digests
            .as_ref()
            .map_or(self.last_digest, |digests| digests.last)
    }

    /// What is to be kept although no summary was sent.
    pub(super) fn take_noted(&mut self) -> Option<Told> {
        self.noted.take().map(Told::Rounds)
    }

    fn learn(
        &mut self,
        stub: Stub,
        tale: Option<(Known, Option<Moment>)>,
        message: MessageId,
    ) -> Told {
        self.untold.remove(&stub);
        self.owed.remove(&stub);
        self.well_since.remove(&stub);
        let before = self.told.remove(&stub).and_then(|heard| heard.thread);
        let thread = Some(Strand {
            root: before.map_or(message, |strand| strand.root),
            last: message,
        });
        let told = tale.as_ref().map(|(known, _)| state::Heard {
            known: known.clone(),
            thread,
        });
        if let Some((known, bad_since)) = tale {
            self.told.insert(
                stub.clone(),
                Heard {
                    known,
                    bad_since,
                    thread,
                },
            );
        }
        Told::Experiment(stub, told)
    }

    /// Nobody knows whether the summary was read: what it told is to be told again.
    fn owe(&mut self, summary: OnItsWay, now: Moment) {
        if summary.occasion == Occasion::News && self.route.alerts {
            self.concerns.owe(summary.concerns);
        }
        for (stub, tale) in summary
            .tales
            .into_iter()
            .filter(|(stub, _)| self.route.hears_of(stub))
        {
            let bad_since = tale.and_then(|(_, since)| since).unwrap_or(now);
            self.owed.entry(stub.clone()).or_insert(bad_since);
            self.untold.entry(stub).or_insert(now);
        }
    }

    pub(super) fn view(&self) -> RouteView {
        let waits = !self.untold.is_empty() || self.concerns.untold_since.is_some();
        RouteView {
            name: self.route.name.clone(),
            channel: self.route.channel,
            last_sent: self.carriage.last_sent.map(Moment::wall),
            waiting_since: self.waiting_since.filter(|_| waits).map(Moment::wall),
            fault: self.carriage.fault.clone(),
            failures: self.carriage.failures,
            refused: self.carriage.refused_since().map(Moment::wall),
        }
    }

    /// What people were told bad.
    pub(super) fn told(&self) -> impl Iterator<Item = ToldView> {
        let told_at = self.told_at.map(Moment::wall);
        self.told
            .iter()
            .filter(|(_, heard)| heard.known.health.is_bad())
            .map(move |(stub, heard)| ToldView {
                stub: stub.clone(),
                route: self.route.name.clone(),
                health: heard.known.health,
                at: heard
                    .thread
                    .map(|strand| strand.last.at)
                    .or(told_at)
                    .unwrap_or(Timestamp::UNIX_EPOCH),
            })
    }
}
