//! Composing a summary: news, open problems, alerts of the laboratory, and the messages that it
//! refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::context::NotificationContext;
use super::delivery::{InFlight, NotifiedState};
use super::route_notifier::{Round, RouteNotifier};
use crate::experiments::experiment::Experiment;
use crate::groups::bookings::Affected;
use crate::model::Gather as _;
use crate::model::{Health, Moment, Stub};
use crate::protocol::{
    Alert, Known, Line, MailThread, MessageId, Notification, Occasion, Steadiness, Summary, Thread,
};

/// The most earlier messages that one refers to. A mail program needs one of an incident's to sort
/// a message into its thread.
const MAX_REFERENCES: usize = 10;

impl RouteNotifier {
    /// Composes a summary and marks it as in flight.
    pub(super) fn send(
        &mut self,
        occasion: Occasion,
        news: Vec<(Line, NotifiedState)>,
        digest: Option<Timestamp>,
        round: &Round<'_>,
    ) -> Notification {
        let (context, message) = (round.context, round.message);
        let alert_states = &round.alert_states;
        let (news, entries): (Vec<Line>, Vec<NotifiedState>) = news.into_iter().unzip();
        let problems = self.problems(context);
        let is_news = occasion == Occasion::News;
        let mut alerts = self.alert_states.alerts(is_news, alert_states, context);
        let closing = self.closing.iter().filter(|_| is_news);
        alerts.extend(closing.clone().map(|(stub, closing)| closing.line(stub)));
        let closings = closing.map(|(stub, _)| stub.clone()).collect();
        let references = self.references(occasion, &news, &problems, alert_states);
        let background = context.background(&self.route, &alerts);
        let mut summary = Summary {
            id: message.id,
            route: self.route.name.clone(),
            channel: self.route.channel,
            occasion,
            thread: Thread {
                id: message,
                references,
            },
            at: message.at,
            news,
            problems,
            alerts,
            counts: context.views.counts_of(&self.route),
            background,
            reminder: (occasion == Occasion::Reminder)
                .then(|| self.reminder(context.now))
                .flatten(),
        };
        context.add_context(&mut summary);
        let summary = Arc::new(summary);
        self.delivery.send(InFlight {
            summary: Arc::clone(&summary),
            since: context.now,
            begun: None,
            entries,
            alert_states: alert_states.clone(),
            closings,
            digest,
            attempt: 0,
            finish_by: None,
        });
        Notification {
            summary,
            audience: self.audience.clone(),
            digest,
        }
    }

    /// The news of each experiment, problems first, with what recipients will have been notified of
    /// after delivery. Of a suppressed experiment, only its recovery, if it was notified as bad.
    pub(super) fn news(&self, context: &NotificationContext<'_>) -> Vec<(Line, NotifiedState)> {
        let known = self
            .pending
            .iter()
            .filter(|(stub, pending)| !context.is_half_known(stub, pending))
            .map(|(stub, _)| stub)
            .filter(|stub| !self.is_held(stub, context.now))
            .filter_map(|stub| context.experiment(stub))
            .filter_map(|experiment| {
                let known = Known::of(experiment, context.switching.manifest_known)?;
                let is_recovery = known.health == Health::Ok && self.knows_bad(&experiment.stub);
                (is_recovery || !context.suppressions.covers(&experiment.stub))
                    .then_some((experiment, known))
            });
        let mut news: Vec<_> = known
            .map(|(experiment, known)| {
                let entry = (!known.is_plain()).then_some((known, experiment.bad_since));
                let mut line = self.line(experiment, context);
                line.steadiness = self.steadiness(&line, context.now);
                (line, (experiment.stub.clone(), entry))
            })
            .collect();
        news.sort_by(|(a, _), (b, _)| {
            is_well(a)
                .cmp(&is_well(b))
                .then_with(|| a.stub.cmp(&b.stub))
        });
        news
    }

    /// Whether an experiment's lines announce that it is unsteady, or stable again.
    fn steadiness(&self, line: &Line, now: Moment) -> Option<Steadiness> {
        let (stub, is, was) = (&line.stub, line.health, line.notified);
        let for_students = is.is_unusable() || was.is_unusable();
        let lost = || self.losses.times(stub).filter(|_| !for_students);
        if let Some(times) = self.unsteady.times(stub).or_else(lost) {
            return Some(Steadiness::Steady(times));
        }
        let becomes = match (is.is_unusable(), was.is_unusable()) {
            (true, false) => self.unsteady.becomes(stub, now),
            (false, false) if is.is_bad() && !was.is_bad() => self.losses.becomes(stub, now),
            _ => None,
        };
        becomes.map(Steadiness::Unsteady)
    }

    /// Every open problem that is not suppressed.
    pub(super) fn problems(&self, context: &NotificationContext<'_>) -> Vec<Line> {
        let all = context.fleet.experiments();
        let open = all.filter(|experiment| {
            self.is_problem(experiment) && self.route.covers(&experiment.stub)
        });
        let notified = open.filter(|experiment| {
            self.notified.contains_key(&experiment.stub)
                || !context.suppressions.covers(&experiment.stub)
        });
        let lines = notified.map(|experiment| {
            let stub = &experiment.stub;
            let unsteady = self
                .unsteady
                .times(stub)
                .or_else(|| self.losses.times(stub));
            let is_held = self.is_held(&experiment.stub, context.now);
            Line {
                steadiness: unsteady.filter(|_| is_held).map(Steadiness::Unsteady),
                ..self.line(experiment, context)
            }
        });
        lines.collect()
    }

    /// Whether an experiment is among the open problems: it is bad, or it was notified as bad and
    /// is not evaluated now.
    fn is_problem(&self, experiment: &Experiment) -> bool {
        match experiment.health {
            Health::Degraded | Health::Flapping | Health::Down => true,
            Health::Unknown => self
                .notified
                .get(&experiment.stub)
                .is_some_and(|notified| notified.said.known.health != Health::Ok),
            Health::Ok => false,
        }
    }

    fn knows_bad(&self, stub: &Stub) -> bool {
        self.notified
            .get(stub)
            .is_some_and(|notified| notified.said.known.health.is_bad())
    }

    fn line(&self, experiment: &Experiment, context: &NotificationContext<'_>) -> Line {
        let notified = self.notified.get(&experiment.stub);
        let unconfirmed = self.unconfirmed.get(&experiment.stub).copied();
        let bad_since = notified
            .and_then(|notified| notified.bad_since)
            .or(unconfirmed);
        let is_well = experiment.health == Health::Ok;
        let known = notified.map(|notified| notified.said.known.health);
        let seen = self.worst.get(&experiment.stub).copied();
        let worst = [known, seen, experiment.worst].into_iter().flatten().max();
        let well_since = self
            .well_since
            .get(&experiment.stub)
            .copied()
            .unwrap_or(experiment.since);
        Line {
            stub: experiment.stub.clone(),
            health: experiment.health,
            notified: notified.map_or(Health::Ok, |notified| notified.said.known.health),
            bookable: context.bookable(experiment),
            listed: experiment.listed() || !context.switching.manifest_known,
            issues: experiment.issues.clone(),
            since: experiment.bad_since.unwrap_or(experiment.since).wall(),
            lasted: bad_since
                .filter(|_| is_well)
                .map(|since| well_since.since(since)),
            affected: Affected::default(),
            advice: None,
            notified_issues: notified.map_or_else(Vec::new, |last| last.said.known.issues.clone()),
            last_seen: None,
            worst: worst.filter(|worst| bad_since.is_some() && is_well && worst.is_bad()),
            steadiness: None,
            acknowledged: None,
        }
    }

    /// Earlier messages about the incidents of this one.
    fn references(
        &self,
        occasion: Occasion,
        news: &[Line],
        problems: &[Line],
        alert_states: &BTreeMap<Alert, Moment>,
    ) -> Vec<MessageId> {
        let of_line = |line: &Line| {
            self.notified
                .get(&line.stub)
                .and_then(|last| last.said.thread)
        };
        let strands: Vec<MailThread> = match occasion {
            Occasion::News => news
                .iter()
                .filter_map(of_line)
                .chain(self.alert_states.strands_of_ended(alert_states))
                .collect(),
            Occasion::Reminder => problems
                .iter()
                .filter_map(of_line)
                .chain(self.alert_states.strands())
                .collect(),
            Occasion::Digest | Occasion::Test => Vec::new(),
        };
        let all: BTreeSet<MessageId> = strands
            .iter()
            .flat_map(|strand| [strand.root, strand.last])
            .gather();
        let surplus = all.len().saturating_sub(MAX_REFERENCES);
        all.into_iter().skip(surplus).collect()
    }
}

fn is_well(line: &Line) -> bool {
    line.health == Health::Ok && line.listed
}
