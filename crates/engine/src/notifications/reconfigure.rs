//! How a route goes on across a restart of ours, and as another route of the same name: what was told stays, as far as it hears of it.

use super::alerts::Concerns;
use super::digest::Digests;
use super::route_notifier::{Heard, Teller};
use crate::model::Moment;
use crate::notifications::route::Route;
use crate::protocol::state::{Concern, RouteMemory, Told};

impl Teller {
    /// Takes up what is remembered. Returns what is to be forgotten: what this route does not hear of any more.
    pub(super) fn recall(&mut self, memory: &RouteMemory, now: Moment) -> Vec<Told> {
        let mut gone = Vec::new();
        self.noted = None;
        for told in &memory.told {
            match told {
                Told::Experiment(stub, Some(heard)) if self.route.hears_of(stub) => {
                    let bad_since = heard.known.bad_since.map(|at| now.back_at(at));
                    self.told.insert(
                        stub.clone(),
                        Heard {
                            known: heard.known.clone(),
                            bad_since,
                            thread: heard.thread,
                        },
                    );
                }
                Told::Concern(concern, Some(heard)) if self.route.alerts => {
                    self.concerns.recall(*concern, heard, now)
                }
                Told::Experiment(stub, _) => gone.push(Told::Experiment(stub.clone(), None)),
                Told::Concern(concern, _) => gone.push(Told::Concern(*concern, None)),
                Told::Rounds(rounds) => {
                    (self.told_at, self.reminders) =
                        (Some(now.back_at(rounds.told_at)), rounds.reminders);
                    self.last_digest = rounds.digest;
                }
            }
        }
        self.told_at = self.told_at.or(Some(now));
        if let Some(digests) = &mut self.digests {
            digests.recall(self.last_digest, now.wall());
        }
        for (stub, since) in &memory.owed {
            if !self.route.hears_of(stub) {
                gone.push(Told::Experiment(stub.clone(), None));
                continue;
            }
            let since = now.back_at(*since);
            self.owed
                .entry(stub.clone())
                .and_modify(|first| *first = since.min(*first))
                .or_insert(since);
        }
        for owed in &memory.owed_concerns {
            if self.route.alerts {
                self.concerns.recall_owed(owed, now);
            } else {
                gone.push(Told::Concern(owed.concern, None));
            }
        }
        gone
    }

    /// Goes on as this route. Returns what is to be forgotten: what it does not hear of any more.
    pub(super) fn adopt(&mut self, route: Route, now: Moment) -> Vec<Told> {
        if route.digest != self.route.digest {
            self.last_digest = self.last_digest();
            self.digests = route
                .digest
                .clone()
                .map(|digest| Digests::new(digest, now.wall()));
            if let (Some(digests), Some(_)) = (&mut self.digests, self.last_digest) {
                digests.recall(self.last_digest, now.wall());
            }
            self.noted = Some(self.rounds(now));
        }
        let on_its_way = self
            .carriage
            .on_its_way()
            .into_iter()
            .flat_map(|summary| &summary.tales)
            .map(|(stub, _)| stub);
        let deaf_to = self
            .told
            .keys()
            .chain(self.owed.keys())
            .chain(on_its_way)
            .filter(|stub| !route.hears_of(stub));
        let mut gone: Vec<Told> = deaf_to
            .map(|stub| Told::Experiment(stub.clone(), None))
            .collect();
        self.untold.retain(|stub, _| route.hears_of(stub));
        self.owed.retain(|stub, _| route.hears_of(stub));
        self.well_since.retain(|stub, _| route.hears_of(stub));
        self.told.retain(|stub, _| route.hears_of(stub));
        if !route.alerts {
            self.concerns = Concerns::default();
            gone.extend(Concern::ALL.map(|concern| Told::Concern(concern, None)));
        }
        self.route = route;
        gone
    }
}
