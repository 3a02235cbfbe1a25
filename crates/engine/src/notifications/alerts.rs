//! What concerns the whole laboratory, on one route: what its people were told, what they may have been told, and when it ended.

use std::collections::BTreeMap;

use super::context::Scene;
use crate::model::Moment;
use crate::protocol::state::{Concern, HeardConcern, MessageId, OwedConcern, Strand, Told};
use crate::protocol::summary::Alert;

/// What people were last told about something that concerns the whole laboratory.
#[derive(Debug, Clone, Copy)]
struct Heard {
    since: Moment,
    thread: Option<Strand>,
}

/// The concerns of a route.
#[derive(Debug, Clone, Default)]
pub(super) struct Concerns {
    told: BTreeMap<Concern, Heard>,
    /// Those of summaries that failed, with since when they held: nobody knows whether that was read, so people are told of them although
    /// they may be over by now.
    owed: BTreeMap<Concern, Moment>,
    /// When those of both kinds ended of which people do not know that yet.
    ended: BTreeMap<Concern, Moment>,
    /// Since when there is something to tell.
    pub(super) untold_since: Option<Moment>,
}

impl Concerns {
    pub(super) fn recall(&mut self, concern: Concern, heard: &HeardConcern, now: Moment) {
        self.told.insert(
            concern,
            Heard {
                since: now.back_at(heard.since),
                thread: heard.thread,
            },
        );
    }

    pub(super) fn recall_owed(&mut self, owed: &OwedConcern, now: Moment) {
        if !self.told.contains_key(&owed.concern) {
            self.owed.insert(owed.concern, now.back_at(owed.since));
        }
        match owed.ended {
            Some(at) => drop(self.ended.insert(owed.concern, now.back_at(at))),
            None => drop(self.ended.remove(&owed.concern)),
        }
    }

    /// Whether nothing is to be done, unless there is a trouble now.
    pub(super) fn is_idle(&self) -> bool {
        self.told.is_empty() && self.owed.is_empty() && self.untold_since.is_none()
    }

    /// Whether people were told anything that they do not know to be over.
    pub(super) fn is_any_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// Whether people know of one of these.
    pub(super) fn is_told_any_of(&self, holding: &BTreeMap<Concern, Moment>) -> bool {
        self.told
            .keys()
            .any(|concern| holding.contains_key(concern))
    }

    /// Whether people were told of it, or may have been, and it has not ended since.
    pub(super) fn goes_on(&self, concern: Concern) -> bool {
        (self.told.contains_key(&concern) || self.owed.contains_key(&concern))
            && !self.ended.contains_key(&concern)
    }

    /// What holds now, as far as people are to hear of it, with since when. Takes note of what began and ended.
    pub(super) fn look(&mut self, scene: &Scene<'_>) -> BTreeMap<Concern, Moment> {
        let heard = scene
            .troubles
            .iter()
            .filter(|trouble| trouble.is_tellable || self.goes_on(trouble.concern));
        let holding: BTreeMap<Concern, Moment> = heard
            .map(|trouble| {
                (
                    trouble.concern,
                    self.since(trouble.concern).unwrap_or(trouble.since),
                )
            })
            .collect();
        self.note(&holding, scene.now);
        holding
    }

    fn note(&mut self, holding: &BTreeMap<Concern, Moment>, now: Moment) {
        for (concern, since) in holding {
            // It began anew before people could be told that it had ended: what they hear of is the later time.
            if self.ended.remove(concern).is_some() {
                self.owed
                    .entry(*concern)
                    .and_modify(|known| *known = *since);
                self.told
                    .entry(*concern)
                    .and_modify(|heard| heard.since = *since);
            }
        }
        for concern in self
            .told
            .keys()
            .chain(self.owed.keys())
            .filter(|concern| !holding.contains_key(*concern))
        {
            self.ended.entry(*concern).or_insert(now);
        }
        let differs = !self.owed.is_empty() || !holding.keys().eq(self.told.keys());
        self.untold_since = differs.then(|| self.untold_since.unwrap_or(now));
    }

    /// Since when it holds, by what people know or may know of it.
    fn since(&self, concern: Concern) -> Option<Moment> {
        self.told
            .get(&concern)
            .map(|heard| heard.since)
            .or_else(|| self.owed.get(&concern).copied())
            .filter(|_| self.goes_on(concern))
    }

    /// What a summary says of them. Only news tell of an end.
    pub(super) fn alerts(
        &self,
        is_news: bool,
        holding: &BTreeMap<Concern, Moment>,
        scene: &Scene<'_>,
    ) -> Vec<Alert> {
        let heard = scene
            .troubles
            .iter()
            .filter_map(|trouble| Some((trouble, holding.get(&trouble.concern)?)));
        let open = heard.map(|(trouble, since)| Alert {
            concern: Some(trouble.concern),
            text: trouble.text.clone(),
            since: since.wall(),
            ended: None,
            new: is_news && !self.told.contains_key(&trouble.concern),
        });
        let known = self
            .told
            .iter()
            .map(|(concern, heard)| (*concern, heard.since));
        let owed = self.owed.iter().map(|(concern, since)| (*concern, *since));
        let all: BTreeMap<Concern, Moment> = owed.chain(known).collect();
        let over = all
            .into_iter()
            .filter(|(concern, _)| is_news && !holding.contains_key(concern))
            .map(|(concern, since)| {
                let ended = self.ended.get(&concern).copied().unwrap_or(scene.now);
                Alert {
                    concern: Some(concern),
                    text: concern.ended_text(),
                    since: since.wall(),
                    ended: Some(ended.since(since)),
                    new: true,
                }
            });
        open.chain(over).collect()
    }

    /// The summaries that told what has ended.
    pub(super) fn strands_of_ended(
        &self,
        holding: &BTreeMap<Concern, Moment>,
    ) -> impl Iterator<Item = Strand> {
        self.told
            .iter()
            .filter(|(concern, _)| !holding.contains_key(concern))
            .filter_map(|(_, heard)| heard.thread)
    }

    /// The summaries that told what people know.
    pub(super) fn strands(&self) -> impl Iterator<Item = Strand> {
        self.told.values().filter_map(|heard| heard.thread)
    }

    /// A summary arrived, with these: it told of all others that they have ended. Returns what changed of what people know.
    pub(super) fn learn(
        &mut self,
        holding: BTreeMap<Concern, Moment>,
        message: MessageId,
    ) -> Vec<Told> {
        let before = std::mem::take(&mut self.told);
        self.owed.clear();
        self.ended
            .retain(|concern, _| holding.contains_key(concern));
        self.untold_since = None;
        let ended = before
            .keys()
            .filter(|concern| !holding.contains_key(concern))
            .map(|concern| Told::Concern(*concern, None));
        let mut told: Vec<Told> = ended.collect();
        for (concern, since) in holding {
            let fresh = Heard {
                since,
                thread: Some(Strand {
                    root: message,
                    last: message,
                }),
            };
            let heard = before.get(&concern).copied().unwrap_or(fresh);
            if !before.contains_key(&concern) {
                told.push(Told::Concern(
                    concern,
                    Some(HeardConcern {
                        since: since.wall(),
                        thread: heard.thread,
                    }),
                ));
            }
            self.told.insert(concern, heard);
        }
        told
    }

    /// A summary with these failed: nobody knows whether it was read.
    pub(super) fn owe(&mut self, holding: BTreeMap<Concern, Moment>) {
        for (concern, since) in holding
            .into_iter()
            .filter(|(concern, _)| !self.told.contains_key(concern))
        {
            self.owed.entry(concern).or_insert(since);
        }
    }
}
