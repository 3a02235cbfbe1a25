//! Telling people: what concerns the whole laboratory, in words, and when a summary is due.

use std::sync::Arc;

use super::Engine;
use crate::model::{FaultClass, Moment, SourceHealth, SourceName, Visibility};
use crate::notifications::{ActiveAlert, Scene};
use crate::protocol::effect::{Action, Record};
use crate::protocol::state::Alert;
use crate::sources::source::Source;

impl Engine {
    /// Whether there is somebody to tell, and something is known of how things are now: what is only remembered may be over.
    pub(super) fn may_notify(&self) -> bool {
        self.telling.has_routes()
            && !self.is_all_quiet()
            && self.may_evaluate()
            && self.relay.health != SourceHealth::Starting
    }

    pub(super) fn notify(&mut self, actions: &mut Vec<Action>) {
        let active_alerts = self.active_alerts();
        let is_troubled = active_alerts
            .iter()
            .any(|active_alert| active_alert.is_tellable);
        if !self.may_notify() || (!is_troubled && self.telling.is_idle(self.now)) {
            return;
        }
        self.refresh_views();
        let mut telling = std::mem::take(&mut self.telling);
        let this = &*self;
        let suppression_lookup = this.suppression_lookup();
        let summaries = telling.due(&Scene {
            now: this.now,
            manifest_known: this.manifest_known,
            counts: &|route| this.counts_of(route),
            experiments: &|stub| this.fleet.named(stub.as_str()),
            all: &|| {
                this.fleet
                    .iter()
                    .map(|(_, experiment)| experiment)
                    .collect()
            },
            bookable: &|experiment| {
                experiment
                    .resources
                    .iter()
                    .filter_map(|name| this.resources.bookable(name))
                    .max()
            },
            is_quiet: &|stub| suppression_lookup.covers(stub),
            background: &|route| this.background(route),
            is_switching: this.resources.is_moving() && this.may_switch(),
            settles_until: [&this.relay, &this.jump]
                .into_iter()
                .filter_map(Source::settles_until)
                .max(),
            active_alerts,
        });
        self.telling = telling;
        for mut summary in summaries {
            self.add_context(&mut summary);
            let summary = Arc::new(summary);
            actions.push(Action::Record(Record::Telling(Arc::clone(&summary))));
            actions.push(Action::Tell(summary));
        }
    }

    /// What concerns the whole laboratory now.
    pub(super) fn active_alerts(&self) -> Vec<ActiveAlert> {
        let mut active_alerts = Vec::new();
        if let Some(since) = self.blind {
            let text = "labwatch hears from none of relay, jump and book: it is probably cut off itself; nothing is switched until it hears again";
            return vec![self.active_alert(Alert::Blind, text.to_owned(), since)];
        }
        for name in SourceName::ALL {
            let source = self.source(name);
            // After a restart of ours, an outage that people know of goes on until the source tells again.
            let goes_on = source.health == SourceHealth::Starting
                && self.telling.goes_on(Alert::Source(name));
            if goes_on || source.health == SourceHealth::Down {
                active_alerts.push(self.active_alert(
                    Alert::Source(name),
                    self.outage_text(name),
                    source.since,
                ));
            }
        }
        if let Some(since) = self.manifest_lost {
            let text = "book gives an empty manifest: it has probably been restarted; upload the manifest. Nothing is switched until then";
            active_alerts.push(self.active_alert(Alert::ManifestLost, text.to_owned(), since));
        }
        // While relay itself tells nothing, that is the story.
        if let Some((since, fault)) = self.sampler.broken().filter(|_| self.is_listening()) {
            let text = format!(
                "streams cannot be listened to: {}. A stream that is connected counts as active, whether it sends or not",
                fault.words(Visibility::MAINTAINER)
            );
            active_alerts.push(self.active_alert(Alert::Sampling, text, since));
        }
        active_alerts
    }

    /// A trouble. Of one of which somebody knows, those hear nothing who have not.
    fn active_alert(&self, alert: Alert, text: String, since: Moment) -> ActiveAlert {
        let is_tellable =
            self.now.since(since) >= alert.told_after() && !self.is_acknowledged(alert);
        ActiveAlert {
            alert,
            text,
            since,
            is_tellable,
        }
    }

    pub(super) fn outage_text(&self, name: SourceName) -> String {
        let note = self.source(name).note(Visibility::MAINTAINER);
        match (name, self.hides(name)) {
            (SourceName::Relay, hidden) if self.outage => {
                format!("{note}. {hidden} experiments are withdrawn until it tells again")
            }
            (SourceName::Relay, hidden) => match self.relay.class() {
                FaultClass::Theirs => {
                    format!("{note}. {hidden} experiments are not judged and stay as they are")
                }
                FaultClass::Ours => format!(
                    "{note}. This is a fault of labwatch's own settings or network, or of what it can read, and not of the experiments: \
                     {hidden} are not evaluated, and nothing is switched because of it, until it is mended"
                ),
                FaultClass::Undecided if self.relay.is_proven() => format!(
                    "{note}. Whether the fault is relay's own cannot be told from here: {hidden} experiments are not evaluated, and \
                     nothing is switched because of it"
                ),
                FaultClass::Undecided => format!(
                    "{note}. Relay has never reported to this labwatch, so its address may be wrong: check host_relay, scheme_relay and \
                     url_relay. {hidden} experiments are not evaluated, and nothing is switched because of it"
                ),
            },
            (SourceName::Jump, hidden) => {
                format!("{note}. Whether {hidden} experiments can be logged into is not known")
            }
            (SourceName::Book, _) => format!("{note}. Availability cannot be switched"),
        }
    }

    /// How many experiments are not judged, or not wholly, because of a source.
    pub(super) fn hides(&self, name: SourceName) -> usize {
        let down = self.source(name).health == SourceHealth::Down;
        if down && name != SourceName::Book {
            self.fleet.len()
        } else {
            0
        }
    }

    pub(super) fn notify_deadline(&self) -> Option<Moment> {
        let alert_states = self
            .active_alerts()
            .into_iter()
            .map(|active_alert| active_alert.since + active_alert.alert.told_after());
        let alert = alert_states.filter(|at| *at > self.now).min();
        [self.telling.deadline(self.now), alert]
            .into_iter()
            .flatten()
            .min()
    }
}
