//! Alerts of the whole laboratory on one route: what its recipients were notified of, what is
//! unconfirmed, and when it ended.

use std::collections::BTreeMap;

use super::context::{ActiveAlert, NotificationContext};
use crate::model::Moment;
use crate::protocol::{
    Alert, AlertLine, MailThread, MessageId, Notified, NotifiedAlert, UnconfirmedAlert,
};

/// The last notification of an alert.
#[derive(Debug, Clone, Copy)]
struct LastNotified {
    since: Moment,
    thread: Option<MailThread>,
}

/// The alerts of a route.
#[derive(Debug, Clone, Default)]
pub(super) struct Alerts {
    notified: BTreeMap<Alert, LastNotified>,
    /// Those of summaries that failed, with since when they held: delivery is unconfirmed, so they
    /// are notified although they may be over by now.
    unconfirmed: BTreeMap<Alert, Moment>,
    /// When those of both kinds ended whose end was not notified yet.
    ended: BTreeMap<Alert, Moment>,
    /// Since when there is something to notify.
    pub(super) pending_since: Option<Moment>,
}

impl LastNotified {
    /// What is kept of it.
    fn kept(self) -> NotifiedAlert {
        NotifiedAlert {
            since: self.since.wall(),
            thread: self.thread,
        }
    }
}

impl Alerts {
    pub(super) fn recall(&mut self, alert: Alert, last: &NotifiedAlert, now: Moment) {
        let (since, thread) = (now.back_at(last.since), last.thread);
        self.notified.insert(alert, LastNotified { since, thread });
    }

    pub(super) fn recall_unconfirmed(&mut self, unconfirmed: &UnconfirmedAlert, now: Moment) {
        if !self.notified.contains_key(&unconfirmed.alert) {
            self.unconfirmed
                .insert(unconfirmed.alert.clone(), now.back_at(unconfirmed.since));
        }
        match unconfirmed.ended {
            Some(at) => self
                .ended
                .insert(unconfirmed.alert.clone(), now.back_at(at)),
            None => self.ended.remove(&unconfirmed.alert),
        };
    }

    /// Whether there is no work unless an alert is active now.
    pub(super) fn is_idle(&self) -> bool {
        self.notified.is_empty() && self.unconfirmed.is_empty() && self.pending_since.is_none()
    }

    /// Whether an alert was notified and its end was not.
    pub(super) fn is_any_notified(&self) -> bool {
        !self.notified.is_empty()
    }

    /// Whether one of these was notified.
    pub(super) fn has_notified_any_of(&self, holding: &BTreeMap<Alert, Moment>) -> bool {
        self.notified
            .keys()
            .any(|alert| holding.contains_key(alert))
    }

    /// Whether it was or may have been notified, and has not ended since.
    pub(super) fn goes_on(&self, alert: &Alert) -> bool {
        (self.notified.contains_key(alert) || self.unconfirmed.contains_key(alert))
            && !self.ended.contains_key(alert)
    }

    /// All that was or may have been notified.
    pub(super) fn into_known(self) -> impl Iterator<Item = Alert> {
        self.notified
            .into_keys()
            .chain(self.unconfirmed.into_keys())
    }

    /// Those that go on.
    pub(super) fn going_on(&self) -> impl Iterator<Item = &Alert> {
        let known = self.notified.keys().chain(self.unconfirmed.keys());
        known.filter(|alert| !self.ended.contains_key(*alert))
    }

    /// The active alerts to be notified, with since when. Notes what began and ended.
    pub(super) fn evaluate(
        &mut self,
        context: &NotificationContext<'_>,
    ) -> BTreeMap<Alert, Moment> {
        let mut holding = BTreeMap::new();
        for active_alert in &context.active_alerts {
            let alert = &active_alert.alert;
            if active_alert.is_notifiable
                || self.goes_on(alert)
                || self.notified.contains_key(alert)
            {
                self.begin_anew(active_alert);
                let since = self.since(alert).unwrap_or(active_alert.since);
                holding.insert(alert.clone(), since);
            }
        }
        self.note(&holding, context.now);
        holding
    }

    /// Where it began anew before its end could be notified, the later time is notified, once it
    /// has lasted long enough. Until then the notified one is not reported as ended, and a short
    /// alert does not hide the end of a long one.
    fn begin_anew(&mut self, active_alert: &ActiveAlert) {
        let (alert, since) = (&active_alert.alert, active_alert.since);
        if active_alert.is_notifiable && self.ended.remove(alert).is_some() {
            self.unconfirmed
                .entry(alert.clone())
                .and_modify(|known| *known = since);
            self.notified
                .entry(alert.clone())
                .and_modify(|last| last.since = since);
        }
    }

    fn note(&mut self, holding: &BTreeMap<Alert, Moment>, now: Moment) {
        let known = self.notified.keys().chain(self.unconfirmed.keys());
        for alert in known.filter(|alert| !holding.contains_key(*alert)) {
            self.ended.entry(alert.clone()).or_insert(now);
        }
        let differs = !self.unconfirmed.is_empty() || !holding.keys().eq(self.notified.keys());
        self.pending_since = differs.then(|| self.pending_since.unwrap_or(now));
    }

    /// Since when it holds, as far as that was or may have been notified.
    fn since(&self, alert: &Alert) -> Option<Moment> {
        let notified = self.notified.get(alert).map(|last| last.since);
        notified.or_else(|| self.unconfirmed.get(alert).copied())
    }

    /// The alert lines of a summary. Only news report an end.
    pub(super) fn alerts(
        &self,
        is_news: bool,
        holding: &BTreeMap<Alert, Moment>,
        context: &NotificationContext<'_>,
    ) -> Vec<AlertLine> {
        let listed = context
            .active_alerts
            .iter()
            .filter_map(|active_alert| Some((active_alert, holding.get(&active_alert.alert)?)));
        let open = listed.map(|(active_alert, since)| AlertLine {
            alert: Some(active_alert.alert.clone()),
            text: active_alert.text.clone(),
            since: since.wall(),
            ended: None,
            new: is_news && !self.notified.contains_key(&active_alert.alert),
            experiment: None,
        });
        let mut all = self.unconfirmed.clone();
        let notified = self.notified.iter();
        all.extend(notified.map(|(alert, last)| (alert.clone(), last.since)));
        let over = all
            .into_iter()
            .filter(|(alert, _)| is_news && !holding.contains_key(alert))
            .map(|(alert, since)| {
                let ended = self.ended.get(&alert).copied().unwrap_or(context.now);
                AlertLine {
                    text: context.ended_text(&alert),
                    alert: Some(alert),
                    since: since.wall(),
                    ended: Some(ended.since(since)),
                    new: true,
                    experiment: None,
                }
            });
        open.chain(over).collect()
    }

    /// The mail threads of alerts that have ended.
    pub(super) fn strands_of_ended(
        &self,
        holding: &BTreeMap<Alert, Moment>,
    ) -> impl Iterator<Item = MailThread> {
        self.notified
            .iter()
            .filter(|(alert, _)| !holding.contains_key(alert))
            .filter_map(|(_, last)| last.thread)
    }

    /// The mail threads of all notified alerts.
    pub(super) fn strands(&self) -> impl Iterator<Item = MailThread> {
        self.notified.values().filter_map(|last| last.thread)
    }

    /// Applies the delivery of a summary with these alerts: all others are thereby reported as
    /// ended. Returns the changed entries.
    pub(super) fn learn(
        &mut self,
        holding: BTreeMap<Alert, Moment>,
        message: MessageId,
    ) -> Vec<Notified> {
        let before = std::mem::take(&mut self.notified);
        self.unconfirmed.clear();
        self.ended.retain(|alert, _| holding.contains_key(alert));
        self.pending_since = None;
        let ended = before
            .keys()
            .filter(|alert| !holding.contains_key(alert))
            .map(|alert| Notified::Alert(alert.clone(), None));
        let mut notified: Vec<Notified> = ended.collect();
        for (alert, since) in holding {
            let fresh = LastNotified {
                since,
                thread: Some(MailThread {
                    root: message,
                    last: message,
                }),
            };
            let last = before.get(&alert).copied().unwrap_or(fresh);
            if !before.contains_key(&alert) {
                notified.push(Notified::Alert(alert.clone(), Some(last.kept())));
            }
            self.notified.insert(alert, last);
        }
        notified
    }

    /// Whether both routes were notified of the same, and nothing is open.
    pub(super) fn is_level_with(&self, other: &Self) -> bool {
        self.notified.keys().eq(other.notified.keys())
            && self.unconfirmed.is_empty()
            && other.unconfirmed.is_empty()
    }

    /// All that was notified, to be stored.
    pub(super) fn all_notified(&self) -> impl Iterator<Item = Notified> {
        self.notified
            .iter()
            .map(|(alert, last)| Notified::Alert(alert.clone(), Some(last.kept())))
    }

    /// Marks as unconfirmed here what is unconfirmed on another route of these recipients.
    pub(super) fn owe_also(&mut self, other: &Self) {
        for (alert, since) in &other.unconfirmed {
            self.unconfirmed.entry(alert.clone()).or_insert(*since);
        }
        for (alert, at) in &other.ended {
            self.ended.entry(alert.clone()).or_insert(*at);
        }
    }

    /// Marks the alerts of a failed summary as unconfirmed: it may have arrived.
    pub(super) fn owe(&mut self, holding: BTreeMap<Alert, Moment>) {
        for (alert, since) in holding {
            if !self.notified.contains_key(&alert) {
                self.unconfirmed.entry(alert).or_insert(since);
            }
        }
    }
}
