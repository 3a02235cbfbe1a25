//! Telling people: what concerns the whole laboratory, in words, and when a mail is due.

use std::sync::Arc;

use super::Engine;
use super::quieting::Lull;
use crate::engine::action::{Action, Record};
use crate::engine::memory::Concern;
use crate::engine::source::Source;
use crate::engine::telling::{Scene, Trouble};
use crate::model::{Moment, SourceHealth, SourceName};

impl Engine {
    /// Whether there is somebody to tell, and something is known of how things are now: what is only remembered may be over.
    pub(super) fn may_tell(&self) -> bool {
        self.policy.mail && !self.is_all_quiet() && self.may_judge() && self.relay.health != SourceHealth::Starting
    }

    pub(super) fn tell(&mut self, actions: &mut Vec<Action>) {
        let troubles: Vec<Trouble> = self.troubles().into_iter().filter(|trouble| self.is_tellable(trouble)).collect();
        if !self.may_tell() || (troubles.is_empty() && self.telling.is_done()) {
            return;
        }
        self.repaint();
        let (fleet, resources) = (&self.fleet, &self.resources);
        let lull = Lull { hush: self.hush.as_ref(), quiet: &self.quiet, fleet, at: self.now.wall() };
        let scene = Scene {
            now: self.now,
            manifest_known: self.manifest_known,
            gather: self.policy.gather,
            troubles,
            experiments: &|stub| fleet.named(stub.as_str()),
            is_quiet: &|stub| lull.covers(stub),
            all: &|| fleet.iter().map(|(_, experiment)| experiment).collect(),
            bookable: &|experiment| experiment.resources.iter().filter_map(|name| resources.bookable(name)).max(),
            is_switching: resources.is_moving() && self.may_switch(),
            settles_until: [&self.relay, &self.jump].into_iter().filter_map(Source::settles_until).max(),
            counts: self.counts,
        };
        if let Some(mut summary) = self.telling.due(&scene) {
            self.add_context(&mut summary);
            let summary = Arc::new(summary);
            actions.push(Action::Record(Record::Mailing(Arc::clone(&summary))));
            actions.push(Action::Mail(summary));
        }
    }

    /// What concerns the whole laboratory now.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        if let Some(since) = self.blind {
            let text =
                "labwatch hears from none of relay, jump and book: it is probably cut off itself; nothing is switched until it hears again";
            return vec![Trouble { concern: Concern::Blind, text: text.to_owned(), since }];
        }
        for name in SourceName::ALL {
            let source = self.source(name);
            // After a restart of ours, an outage that people know of goes on until the source tells again.
            let goes_on = source.health == SourceHealth::Starting && self.telling.knows(Concern::Source(name));
            if goes_on || source.health == SourceHealth::Down {
                troubles.push(Trouble { concern: Concern::Source(name), text: self.outage_text(name), since: source.since });
            }
        }
        if let Some(since) = self.manifest_lost {
            let text = "book gives an empty manifest: it has probably been restarted; upload the manifest. Nothing is switched until then";
            troubles.push(Trouble { concern: Concern::ManifestLost, text: text.to_owned(), since });
        }
        // While relay itself tells nothing, that is the story.
        if let Some((since, fault)) = self.sampler.broken().filter(|_| self.is_listening()) {
            let text =
                format!("streams cannot be listened to: {fault}. A stream that is connected counts as active, whether it sends or not");
            troubles.push(Trouble { concern: Concern::Sampling, text, since });
        }
        troubles
    }

    /// Whether people are to hear of a trouble. Of one that somebody knows they hear nothing new, but its end. While we are blind that is the one story, and what they know of its parts stays.
    pub(super) fn is_tellable(&self, trouble: &Trouble) -> bool {
        let is_part = self.blind.is_some() && trouble.concern != Concern::Blind;
        self.telling.knows(trouble.concern)
            || (!is_part && !self.is_acknowledged(trouble.concern) && self.now.since(trouble.since) >= trouble.concern.told_after())
    }

    pub(super) fn outage_text(&self, name: SourceName) -> String {
        let note = self.source(name).note();
        match (name, self.hides(name)) {
            (SourceName::Relay, hidden) if self.outage => format!("{note}. {hidden} experiments are withdrawn until it tells again"),
            (SourceName::Relay, hidden) => format!("{note}. {hidden} experiments are not judged and stay as they are"),
            (SourceName::Jump, hidden) => format!("{note}. Whether {hidden} experiments can be logged into is not known"),
            (SourceName::Book, _) => format!("{note}. Availability cannot be switched"),
        }
    }

    /// How many experiments are not judged, or not wholly, because of a source.
    pub(super) fn hides(&self, name: SourceName) -> usize {
        let down = self.source(name).health == SourceHealth::Down;
        if down && name != SourceName::Book { self.fleet.len() } else { 0 }
    }

    pub(super) fn mail_deadline(&self) -> Option<Moment> {
        let concerns = self.troubles().into_iter().map(|trouble| trouble.since + trouble.concern.told_after());
        let concern = concerns.filter(|at| *at > self.now).min();
        [self.telling.deadline(self.policy.gather, self.now, &|stub| self.lull().covers(stub)), concern].into_iter().flatten().min()
    }
}
