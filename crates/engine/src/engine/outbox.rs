//! Which summaries are still undelivered. A later summary on the same route supersedes earlier ones
//! as far as it covers the same subjects, so there are never more entries than subjects.

use std::sync::Arc;

use jiff::Timestamp;

use super::durable::DurableState;
use crate::model::{RouteName, Stub};
use crate::protocol::{
    Alert, Notification, NotificationSubject, OutboxEntry, OutboxNews, StateKey, StateValue,
    UnconfirmedAlert,
};

/// The longest message that is stored unchanged, in lines: an entry of the state has to fit,
/// compressed, into a request to etcd (1.5 MiB). A longer one is composed anew after a restart.
const KEPT_LINES: usize = 5_000;

/// What another message covers, or what need not be notified any more.
#[derive(Debug, Default)]
pub(super) struct Covered {
    stubs: Vec<Stub>,
    alerts: Vec<Alert>,
}

/// An experiment that is forgotten, or that a route is not notified of any more.
pub(super) fn about(stub: &Stub) -> Covered {
    Covered {
        stubs: vec![stub.clone()],
        alerts: Vec::new(),
    }
}

/// A subject that is over, or that a route is not notified of any more.
pub(super) fn over(subject: &NotificationSubject) -> Covered {
    match subject {
        NotificationSubject::Experiment(stub) => about(stub),
        NotificationSubject::Alert(alert) => Covered {
            stubs: Vec::new(),
            alerts: vec![alert.clone()],
        },
    }
}

/// The number of the summary of an outbox key.
pub(super) fn id(key: &StateKey) -> Option<u64> {
    if let StateKey::Outbox(id) = key {
        Some(*id)
    } else {
        None
    }
}

/// Adds a message that is about to be sent. Returns those that it supersedes.
pub(super) fn send(
    state: &mut DurableState,
    notification: &Notification,
    at: Timestamp,
) -> Vec<u64> {
    let mut entry = entry(notification, at);
    for (_, earlier) in entries(state, Some(&entry.route)) {
        keep_times(&mut entry, &earlier);
    }
    let covered = Covered {
        stubs: entry.news.iter().map(|news| news.stub.clone()).collect(),
        alerts: entry
            .alerts
            .iter()
            .map(|alert| alert.alert.clone())
            .collect(),
    };
    let superseded = cross_out(state, Some(&entry.route), &covered);
    state.set(StateKey::Outbox(notification.id), StateValue::Outbox(entry));
    superseded
}

/// Removes what is covered elsewhere from the summaries of a route, or of all. Returns those
/// without remaining content.
pub(super) fn cross_out(
    state: &mut DurableState,
    route: Option<&RouteName>,
    covered: &Covered,
) -> Vec<u64> {
    let mut superseded = Vec::new();
    for (id, mut entry) in entries(state, route) {
        let before = entry.news.len() + entry.alerts.len();
        entry
            .news
            .retain(|news| !covered.stubs.contains(&news.stub));
        entry
            .alerts
            .retain(|alert| !covered.alerts.contains(&alert.alert));
        if entry.news.is_empty() && entry.alerts.is_empty() {
            state.remove(&StateKey::Outbox(id));
            superseded.push(id);
        } else if entry.news.len() + entry.alerts.len() < before {
            // The stored message says something that is covered elsewhere.
            entry.message = None;
            state.set(StateKey::Outbox(id), StateValue::Outbox(entry));
        }
    }
    superseded
}

/// Notes that a message waits for its retry, for the recipients of this lane.
pub(super) fn wait(
    state: &mut DurableState,
    id: u64,
    lane: &RouteName,
    until: Timestamp,
    may_have_arrived: bool,
) {
    let key = StateKey::Outbox(id);
    if let Some(StateValue::Outbox(entry)) = state.map().get(&key) {
        let entry = OutboxEntry {
            route: lane.clone(),
            not_before: Some(until),
            may_have_arrived,
            ..entry.clone()
        };
        state.set(key, StateValue::Outbox(entry));
    }
}

fn entries(state: &DurableState, route: Option<&RouteName>) -> Vec<(u64, OutboxEntry)> {
    let all = state
        .map()
        .range(StateKey::Outbox(0)..=StateKey::Outbox(u64::MAX));
    let entries = all.filter_map(|(key, value)| {
        if let StateValue::Outbox(entry) = value {
            Some((id(key)?, entry.clone()))
        } else {
            None
        }
    });
    entries
        .filter(|(_, entry)| route.is_none_or(|route| entry.route == *route))
        .collect()
}

fn entry(notification: &Notification, at: Timestamp) -> OutboxEntry {
    let summary = &notification.summary;
    let lines = summary.news.len() + summary.problems.len();
    let news = summary.news.iter().map(|line| OutboxNews {
        stub: line.stub.clone(),
        health: line.health,
        since: line.since,
    });
    let new = summary.alerts.iter().filter(|alert| alert.new);
    let alerts = new.filter_map(|line| {
        let ended = line
            .ended
            .and_then(|lasted| line.since.checked_add(lasted).ok());
        Some(UnconfirmedAlert {
            alert: line.alert.clone()?,
            since: line.since,
            ended,
        })
    });
    OutboxEntry {
        route: notification.lane().clone(),
        created: at,
        news: news.collect(),
        alerts: alerts.collect(),
        message: (lines <= KEPT_LINES).then(|| Arc::clone(summary)),
        digest: notification.digest,
        not_before: None,
        may_have_arrived: false,
    }
}

/// Keeps the beginning of what was bad when an earlier undelivered summary was composed.
fn keep_times(entry: &mut OutboxEntry, earlier: &OutboxEntry) {
    for news in &mut entry.news {
        let known = earlier.news.iter().filter(|known| known.stub == news.stub);
        let first = known.map(|known| known.since).min();
        news.since = first.map_or(news.since, |first| first.min(news.since));
    }
}
