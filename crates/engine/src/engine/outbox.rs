//! Which summaries are still undelivered. A later summary on the same route supersedes earlier ones
//! as far as it covers the same subjects, so there are never more entries than subjects.

use std::sync::Arc;

use jiff::Timestamp;

use super::durable::DurableState;
use crate::model::RouteName;
use crate::protocol::{
    Notification, NotificationSubject, OutboxEntry, OutboxNews, StateKey, StateValue,
    UnconfirmedAlert,
};

/// The longest message that is stored unchanged, in lines: an entry of the state has to fit,
/// compressed, into a request to etcd (1.5 MiB). A longer one is composed anew after a restart.
const KEPT_LINES: usize = 5_000;

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
    let covered: Vec<NotificationSubject> = subjects(&entry).collect();
    let superseded = cross_out(state, Some(&entry.route), &covered);
    state.set(StateKey::Outbox(notification.id), StateValue::Outbox(entry));
    superseded
}

/// Removes what is covered elsewhere from the summaries of a route, or of all. Returns those
/// without remaining content.
pub(super) fn cross_out(
    state: &mut DurableState,
    route: Option<&RouteName>,
    covered: &[NotificationSubject],
) -> Vec<u64> {
    let mut superseded = Vec::new();
    for (id, mut entry) in entries(state, route) {
        let before = entry.news.len() + entry.alerts.len();
        let is_open = |subject| !covered.contains(&subject);
        let of = NotificationSubject::Experiment;
        entry.news.retain(|news| is_open(of(news.stub.clone())));
        let of = NotificationSubject::Alert;
        entry.alerts.retain(|one| is_open(of(one.alert.clone())));
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

/// What a summary covers.
fn subjects(entry: &OutboxEntry) -> impl Iterator<Item = NotificationSubject> {
    let stubs = entry.news.iter().map(|news| news.stub.clone());
    let alerts = entry.alerts.iter().map(|alert| alert.alert.clone());
    let stubs = stubs.map(NotificationSubject::Experiment);
    stubs.chain(alerts.map(NotificationSubject::Alert))
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
