//! Pictures for readers: what changed is painted anew, the rest is shared.

use std::sync::Arc;

use super::Engine;
use crate::model::{Bookable, Health, Moment, Private, SourceHealth, SourceName, Visibility};
use crate::notifications::route::Route;
use crate::protocol::snapshot::{Counts, ExperimentView, SamplingView, Snapshot, SourceView};
use crate::sources::source::Source;
use crate::suppressions::SuppressionKind;

/// The most experiments that a note names.
const NAMED: usize = 5;

impl Engine {
    /// A picture of everything, for readers.
    pub fn snapshot(&mut self) -> Snapshot {
        self.refresh_views();
        Snapshot {
            version: self.version,
            at: self.now.wall(),
            started: self.started.wall(),
            role: self.role,
            changed: self.views_version,
            experiments: Arc::clone(&self.views),
            counts: self.counts,
            sources: SourceName::ALL.map(|name| self.source_view(name)),
            standings: Arc::clone(&self.derived.pools),
            holds: Arc::clone(&self.derived.holds),
            causes: Arc::clone(&self.derived.causes),
            routes: self.telling.views(),
            notified: self.telling.notified(),
            sampling: if self.sampling {
                self.sampler.view(&self.policy)
            } else {
                SamplingView::default()
            },
            manifest_lost: self.manifest_lost.map(Moment::wall),
            blind: self.blind.map(Moment::wall),
            notes: self
                .suppressed_now
                .as_ref()
                .map(|suppressed_now| Arc::clone(&suppressed_now.notes))
                .unwrap_or_default(),
            quiet: Arc::clone(&self.quiet),
            calendar: Arc::clone(&self.calendar),
            pools: Arc::clone(&self.pools),
            quarantined: Arc::clone(&self.quarantined),
        }
    }

    /// How many of the experiments that a route hears of are in which state.
    pub(super) fn counts_of(&self, route: &Route) -> Counts {
        if route.hears_of_all() {
            self.counts
        } else {
            count(self.views.iter().filter(|view| route.hears_of(&view.stub)))
        }
    }

    pub(super) fn source_view(&self, name: SourceName) -> SourceView {
        let source = self.source(name);
        SourceView {
            name,
            health: source.health,
            since: source.since.wall(),
            last_report: source.last_wall(),
            pace: source.pace(),
            link: source.link(),
            note: self.note_of(source, Visibility::PUBLIC),
            said: Private::new(self.note_of(source, Visibility::MAINTAINER)),
            server_started: source.started.clone(),
            hides: self.hides(name),
            unreadable_entries: source.unreadable_total,
            report: match name {
                SourceName::Relay => self.fleet.relay_report(),
                SourceName::Jump => self.fleet.jump_report(),
                SourceName::Book => None,
            },
        }
    }
}

impl Engine {
    /// What is wrong with a source; of book that tells all but the availability of something, what that keeps us from.
    fn note_of(&self, source: &Source, reader: Visibility) -> String {
        let note = source.note(reader);
        if source.name == SourceName::Book && source.health == SourceHealth::Live {
            [note, self.cannot_be_withdrawn()].concat()
        } else {
            note
        }
    }

    fn cannot_be_withdrawn(&self) -> String {
        let down = self.views.iter().filter(|view| view.health == Health::Down);
        let unread = down.flat_map(|view| {
            let resources = view.resources.iter();
            let unread = resources.filter(|resource| resource.bookable.is_none());
            unread.map(|resource| {
                format!(
                    "{} is down but cannot be withdrawn: book does not tell whether {} is available",
                    view.stub, resource.name
                )
            })
        });
        unread.take(NAMED).collect::<Vec<_>>().join("; ")
    }
}

pub(super) fn count<'a>(views: impl Iterator<Item = &'a Arc<ExperimentView>>) -> Counts {
    let mut counts = Counts::default();
    for view in views {
        counts.total += 1;
        match view.health {
            Health::Ok => counts.ok += 1,
            Health::Degraded => counts.degraded += 1,
            Health::Flapping => counts.flapping += 1,
            Health::Down => counts.down += 1,
            Health::Unknown => counts.unknown += 1,
        }
        match view.bookable() {
            Some(Bookable::Withdrawn) => counts.withdrawn += 1,
            Some(Bookable::Held) => counts.held += 1,
            Some(Bookable::Yes) | None => {}
        }
        match view.quiet.as_ref().map(|quiet| quiet.kind) {
            Some(SuppressionKind::Acknowledged) => counts.acknowledged += 1,
            Some(SuppressionKind::Silenced | SuppressionKind::Maintenance) => counts.silenced += 1,
            None => {}
        }
        counts.unlisted += usize::from(!view.listed);
    }
    counts
}
