//! Which summaries are still owed. A later summary on the same route makes those before it needless
//! as far as it tells the same, so there are never more of them than there are things to tell.

use std::sync::Arc;

use jiff::Timestamp;

use super::durable::DurableState;
use crate::model::RouteName;
use crate::protocol::{
    Notification, NotificationSubject, OutboxEntry, OutboxNews, StateKey, StateValue,
    UnconfirmedAlert,
};

/// The longest message that is kept as it is, in lines: an entry of the state has to fit,
/// compressed, into a request to etcd (1.5 MiB). After a restart a longer one is put together anew.
const KEPT_LINES: usize = 5_000;

/// The number of the summary that a key is about.
pub(super) fn id(key: &StateKey) -> Option<u64> {
    if let StateKey::Outbox(id) = key {
        Some(*id)
    } else {
        None
    }
}

/// A message is about to be sent. Returns those that it makes needless.
pub(super) fn send(
    state: &mut DurableState,
    notification: &Notification,
    at: Timestamp,
) -> Vec<u64> {
    let mut entry = entry(notification, at);
    for (_, earlier) in entries(state, Some(&entry.route)) {
        keep_times(&mut entry, &earlier);
    }
    let told: Vec<NotificationSubject> = subjects(&entry).collect();
    let superseded = cross_out(state, Some(&entry.route), &told);
    state.set(StateKey::Outbox(notification.id), StateValue::Outbox(entry));
    superseded
}

/// Crosses out of the summaries of a route, or of all, what is told elsewhere. Returns those that
/// have nothing left to tell.
pub(super) fn cross_out(
    state: &mut DurableState,
    route: Option<&RouteName>,
    told: &[NotificationSubject],
) -> Vec<u64> {
    let mut superseded = Vec::new();
    for (id, mut entry) in entries(state, route) {
        let before = entry.news.len() + entry.alerts.len();
        let is_open = |subject| !told.contains(&subject);
        let of = NotificationSubject::Experiment;
        entry.news.retain(|news| is_open(of(news.stub.clone())));
        let of = NotificationSubject::Alert;
        entry.alerts.retain(|one| is_open(of(one.alert.clone())));
        if entry.news.is_empty() && entry.alerts.is_empty() {
            state.remove(&StateKey::Outbox(id));
            superseded.push(id);
        } else if entry.news.len() + entry.alerts.len() < before {
            // The message as it was says something that is told elsewhere.
            entry.message = None;
            state.set(StateKey::Outbox(id), StateValue::Outbox(entry));
        }
    }
    superseded
}

/// A message waits to be tried again, for those of this lane.
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

/// What a summary tells.
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

/// What was bad when an earlier summary was put together and was never told is bad since then.
fn keep_times(entry: &mut OutboxEntry, earlier: &OutboxEntry) {
    for news in &mut entry.news {
        let known = earlier.news.iter().filter(|known| known.stub == news.stub);
        let first = known.map(|known| known.since).min();
        news.since = first.map_or(news.since, |first| first.min(news.since));
    }
}
