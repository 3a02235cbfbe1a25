//! Active alerts of the laboratory and its components as text, and when a summary is due.

use std::time::Duration;

use super::Engine;
use crate::model::{
    FaultClass, Moment, SourceHealth, SourceName, Visibility, earliest, spell_duration,
};
use crate::notifications::{ActiveAlert, NOTIFY_OUTAGE_AFTER, NotificationContext, own};
use crate::protocol::{Alert, Effect, Fitness, Step};
use crate::sources::source::interruptions::{OFTEN, WITHIN};

/// How long relay must have forwarded nothing before that is notified; shorter interruptions are
/// ignored.
const NOT_FORWARDING_NOTIFIED_AFTER: Duration = Duration::from_secs(10);

/// By this long after a start, every component has reported to the engine.
const COMPONENTS_KNOWN_WITHIN: Duration = Duration::from_secs(60);

impl Engine {
    /// Whether there are routes, and the current state is known: what was restored may be over.
    pub(super) fn may_notify(&self) -> bool {
        let is_known = !self.policy.laboratory
            || (self.switching.may_evaluate(&self.sources)
                && self.sources.relay.health != SourceHealth::Starting);
        is_known
            && self.notifications.has_routes()
            && !self.suppressions.is_all_acknowledged(self.now.wall())
    }

    pub(super) fn notify(&mut self, step: &mut Step) {
        let active_alerts = self.active_alerts();
        let has_alerts = active_alerts.iter().any(|alert| alert.is_notifiable);
        if !self.may_notify() || (!has_alerts && self.notifications.is_idle(self.now)) {
            return;
        }
        self.refresh_views();
        let context = NotificationContext {
            now: self.now,
            fleet: &self.experiments.fleet,
            switching: &self.switching,
            groups: &self.groups,
            suppressions: self
                .suppressions
                .lookup(&self.experiments.fleet, self.now.wall()),
            views: &self.views,
            is_switching: self.switching.resources.is_moving()
                && self.switching.may_switch(&self.sources),
            reported: self.sources.reported(),
            settles_until: self.sources.settles_until(),
            active_alerts,
            routes: self.notifications.views(),
            jump_reported: self.sources.get(SourceName::Jump).last,
        };
        for (record, notification) in self.notifications.due(&context) {
            step.record(record);
            step.effect(Effect::Notify(notification));
        }
    }

    /// The alerts of the whole laboratory that are active now.
    pub(super) fn active_alerts(&self) -> Vec<ActiveAlert> {
        let is_laboratory = self.policy.laboratory;
        let sources = is_laboratory.then(|| self.source_alerts());
        let mut alerts: Vec<ActiveAlert> = sources.into_iter().flatten().collect();
        alerts.extend(self.component_alerts());
        if let Some(since) = self.sources.blind.filter(|_| is_laboratory) {
            // Known alerts of sources and components go on; new ones are part of being cut off.
            for alert in &mut alerts {
                alert.is_notifiable = false;
            }
            let text = "labwatch receives nothing from relay, jump and book: it is probably cut off itself; nothing is switched until they report again";
            alerts.insert(0, self.active_alert(Alert::Blind, text.to_owned(), since));
        }
        alerts
    }

    /// What concerns the sources.
    fn source_alerts(&self) -> Vec<ActiveAlert> {
        let mut active_alerts = Vec::new();
        for name in SourceName::ALL {
            let source = self.sources.get(name);
            // After a restart, a notified outage goes on until the source reports again.
            let goes_on = source.health == SourceHealth::Starting
                && self.notifications.goes_on(&Alert::Source(name));
            let (text, since) = match source.lost_often_since() {
                _ if goes_on || source.health == SourceHealth::Down => {
                    (self.outage_text(name), source.since)
                }
                Some(since) => (lost_often_text(name), since),
                None => continue,
            };
            active_alerts.push(self.active_alert(Alert::Source(name), text, since));
        }
        if let Some(since) = self.switching.manifest_lost {
            let text = "book gives an empty manifest: it has probably been restarted; upload the manifest. Nothing is switched until then";
            active_alerts.push(self.active_alert(Alert::ManifestLost, text.to_owned(), since));
        }
        active_alerts.extend(self.sampling_alert());
        active_alerts
    }

    /// The alert that streams cannot be sampled. While relay itself reports nothing, relay's alert
    /// covers it and its state is unknown; so it is after a restart, before the first sample has
    /// ended.
    fn sampling_alert(&self) -> Option<ActiveAlert> {
        let experiments = &self.experiments;
        let broken = experiments.sampler.broken();
        let goes_on =
            !experiments.sampler.has_worked && self.notifications.goes_on(&Alert::Sampling);
        let why = match broken {
            _ if !experiments.sampling => return None,
            Some((_, fault)) => format!(": {}", fault.words(Visibility::MAINTAINER)),
            None if goes_on => String::new(),
            None => return None,
        };
        let text = format!(
            "streams cannot be sampled{why}. A stream that is connected counts as active, whether it sends or not"
        );
        let since = broken.map_or(self.started, |(since, _)| since);
        let mut alert = self.active_alert(Alert::Sampling, text, since);
        alert.is_notifiable &=
            broken.is_some() && experiments.is_listening(&self.sources, self.now);
        Some(alert)
    }

    /// The alerts of components: parts of labwatch, and outside services. After a restart a
    /// notified one goes on until the component's state is known.
    fn component_alerts(&self) -> Vec<ActiveAlert> {
        let components = &self.groups.components;
        let failing = components.values().filter_map(|known| {
            let alert = own::alert_of(&known.health)?;
            let (text, since) = match own::problem(&known.health) {
                Some(text) => (text, known.since),
                None if known.health.fitness == Fitness::Unknown
                    && self.notifications.goes_on(&alert) =>
                {
                    (own::not_known(&known.health.name), known.since)
                }
                None => return None,
            };
            Some(self.active_alert(alert, text, since))
        });
        let is_early = self.now.since(self.started) < COMPONENTS_KNOWN_WITHIN;
        let notified = is_early.then(|| self.notifications.failing_components());
        let notified = notified.into_iter().flatten();
        let unreported = notified.filter(|name| !components.contains_key(name.as_str()));
        let unreported = unreported.map(|name| {
            let alert = Alert::Component(name.clone());
            self.active_alert(alert, own::not_known(name.as_str()), self.started)
        });
        failing.chain(unreported).collect()
    }

    /// An active alert. An acknowledged one is not started on routes that were not notified of it.
    fn active_alert(&self, alert: Alert, text: String, since: Moment) -> ActiveAlert {
        let is_notifiable = self.now >= self.due_at(&alert, since)
            && !self.suppressions.covers_alert(&alert, self.now.wall());
        ActiveAlert {
            alert,
            text,
            since,
            is_notifiable,
        }
    }

    /// When an alert has lasted long enough to be notified. A source that was unreachable while
    /// labwatch was cut off gets its time again: most report soon after that.
    fn due_at(&self, alert: &Alert, since: Moment) -> Moment {
        let from = if matches!(alert, Alert::Source(_)) {
            self.sources.counted_from(since)
        } else {
            since
        };
        from + self.notify_after(alert)
    }

    /// How long an alert must last to be notified. The canary has waited for missing messages
    /// already.
    fn notify_after(&self, alert: &Alert) -> Duration {
        let is_canary =
            *alert == Alert::Source(SourceName::Relay) && self.sources.relay.is_not_forwarding();
        if is_canary {
            NOT_FORWARDING_NOTIFIED_AFTER
        } else {
            NOTIFY_OUTAGE_AFTER
        }
    }

    pub(super) fn outage_text(&self, name: SourceName) -> String {
        let note = self.sources.get(name).note(Visibility::MAINTAINER);
        match (name, self.hides(name)) {
            // Nothing else is known while labwatch is cut off.
            _ if self.sources.blind.is_some() => note,
            (SourceName::Relay, hidden) if self.sources.outage => format!(
                "{note}. {} withdrawn until it reports again",
                experiments_are(hidden)
            ),
            (SourceName::Relay, hidden) if self.sources.relay.is_not_forwarding() => format!(
                "{note}. {} not evaluated, and nothing is switched because of it. If students can use experiments all the same, only the \
                 canary's topic is affected",
                experiments_are(hidden)
            ),
            (SourceName::Relay, hidden) => match self.sources.relay.class() {
                FaultClass::Theirs => format!(
                    "{note}. See that relay runs. {} not evaluated; {} withdrawn when this has lasted {}{}",
                    experiments_are(hidden),
                    if hidden == 1 { "it is" } else { "they are" },
                    spell_duration(self.policy.outage_hold),
                    if self.sources.counted_from(self.sources.relay.since)
                        > self.sources.relay.since
                    {
                        ", without the time in which labwatch was cut off"
                    } else {
                        ""
                    }
                ),
                FaultClass::Ours => format!(
                    "{note}. This is a fault of labwatch's own settings or network, or of what it can read, and not of the experiments: \
                     {} not evaluated, and nothing is switched because of it, until it is mended",
                    experiments_are(hidden)
                ),
                FaultClass::Undecided if self.sources.relay.is_proven() => format!(
                    "{note}. Whether the fault is relay's own cannot be determined from here: {} not evaluated, and nothing is switched because \
                     of it",
                    experiments_are(hidden)
                ),
                FaultClass::Undecided => format!(
                    "{note}. Relay has never reported to this labwatch, so its address may be wrong: check host_relay, scheme_relay and \
                     url_relay. {} not evaluated, and nothing is switched because of it",
                    experiments_are(hidden)
                ),
            },
            (SourceName::Jump, hidden) => format!(
                "{note}. Whether {} can be logged into is not known",
                experiments(hidden)
            ),
            (SourceName::Book, _) => format!("{note}. Availability cannot be switched"),
        }
    }

    /// How many experiments are not evaluated, or not completely, because of a source.
    pub(super) fn hides(&self, name: SourceName) -> usize {
        let down = self.sources.get(name).health == SourceHealth::Down;
        if down && name != SourceName::Book {
            self.experiments.fleet.len()
        } else {
            0
        }
    }

    pub(super) fn notify_deadline(&self) -> Option<Moment> {
        let alerts = self.active_alerts().into_iter();
        let due_at = alerts.map(|active| self.due_at(&active.alert, active.since));
        let alert = due_at.filter(|at| *at > self.now).min();
        earliest([self.notifications.deadline(self.now), alert])
    }
}

fn lost_often_text(name: SourceName) -> String {
    format!(
        "the connection to {name} is lost again and again, {OFTEN} times within {}: when {name} is restarted each time, experiments and \
         students lose theirs too. See how long {name} has run, and look into its log",
        spell_duration(WITHIN)
    )
}

fn experiments(number: usize) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} experiment{plural}")
}

fn experiments_are(number: usize) -> String {
    let are = if number == 1 { "is" } else { "are" };
    format!("{} {are}", experiments(number))
}
