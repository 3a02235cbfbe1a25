//! Pictures for readers: what changed is painted anew, the rest is shared.

use std::sync::Arc;

use super::Engine;
use crate::model::{Bookable, Health, Moment, SourceName};
use crate::notifications::route::Route;
use crate::protocol::snapshot::{Counts, ExperimentView, SamplingView, Snapshot, SourceView};
use crate::suppressions::SuppressionKind;

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
            note: source.note(),
            server_started: source.started.clone(),
            hides: self.hides(name),
            report: match name {
                SourceName::Relay => self.fleet.relay_report(),
                SourceName::Jump => self.fleet.jump_report(),
                SourceName::Book => None,
            },
        }
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
