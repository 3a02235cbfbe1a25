//! Telling people: what concerns the whole laboratory, in words, and when a summary is due.

use std::sync::Arc;

use super::Engine;
use crate::engine::action::{Action, Record};
use crate::engine::memory::Concern;
use crate::engine::source::Source;
use crate::engine::telling::{Scene, Trouble};
use crate::model::{FaultClass, Moment, SourceHealth, SourceName};

impl Engine {
    /// Whether there is somebody to tell, and something is known of how things are now: what is only remembered may be over.
    pub(super) fn may_tell(&self) -> bool {
        self.telling.has_routes()
            && !self.is_all_quiet()
            && self.may_judge()
            && self.relay.health != SourceHealth::Starting
    }

    pub(super) fn tell(&mut self, actions: &mut Vec<Action>) {
        let troubles = self.troubles();
        let is_troubled = troubles.iter().any(|trouble| trouble.is_tellable);
        if !self.may_tell() || (!is_troubled && self.telling.is_idle(self.now)) {
            return;
        }
        self.repaint();
        let mut telling = std::mem::take(&mut self.telling);
        let this = &*self;
        let lull = this.lull();
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
            is_quiet: &|stub| lull.covers(stub),
            background: &|route| this.background(route),
            is_switching: this.resources.is_moving() && this.may_switch(),
            settles_until: [&this.relay, &this.jump]
                .into_iter()
                .filter_map(Source::settles_until)
                .max(),
            troubles,
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
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        if let Some(since) = self.blind {
            let text = "labwatch hears from none of relay, jump and book: it is probably cut off itself; nothing is switched until it hears again";
            return vec![self.trouble(Concern::Blind, text.to_owned(), since)];
        }
        for name in SourceName::ALL {
            let source = self.source(name);
            // After a restart of ours, an outage that people know of goes on until the source tells again.
            let goes_on = source.health == SourceHealth::Starting
                && self.telling.goes_on(Concern::Source(name));
            if goes_on || source.health == SourceHealth::Down {
                troubles.push(self.trouble(
                    Concern::Source(name),
                    self.outage_text(name),
                    source.since,
                ));
            }
        }
        if let Some(since) = self.manifest_lost {
            let text = "book gives an empty manifest: it has probably been restarted; upload the manifest. Nothing is switched until then";
            troubles.push(self.trouble(Concern::ManifestLost, text.to_owned(), since));
        }
        // While relay itself tells nothing, that is the story.
        if let Some((since, fault)) = self.sampler.broken().filter(|_| self.is_listening()) {
            let text = format!(
                "streams cannot be listened to: {fault}. A stream that is connected counts as active, whether it sends or not"
            );
            troubles.push(self.trouble(Concern::Sampling, text, since));
        }
        troubles
    }

    /// A trouble. Of one of which somebody knows, those hear nothing who have not.
    fn trouble(&self, concern: Concern, text: String, since: Moment) -> Trouble {
        let is_tellable =
            self.now.since(since) >= concern.told_after() && !self.is_acknowledged(concern);
        Trouble {
            concern,
            text,
            since,
            is_tellable,
        }
    }

    pub(super) fn outage_text(&self, name: SourceName) -> String {
        let note = self.source(name).note();
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

    pub(super) fn tell_deadline(&self) -> Option<Moment> {
        let concerns = self
            .troubles()
            .into_iter()
            .map(|trouble| trouble.since + trouble.concern.told_after());
        let concern = concerns.filter(|at| *at > self.now).min();
        [self.telling.deadline(self.now), concern]
            .into_iter()
            .flatten()
            .min()
    }
}
