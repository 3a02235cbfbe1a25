//! The snapshot for readers, put together from the views of all parts.

use std::sync::Arc;

use super::Engine;
use super::views::ViewContext;
use crate::model::{Moment, SourceName};
use crate::protocol::snapshot::{SamplingView, Snapshot, SourceView};

impl Engine {
    /// Everything as it is now, for readers.
    pub fn snapshot(&mut self) -> Snapshot {
        self.refresh_views();
        Snapshot {
            version: self.views.version,
            at: self.now.wall(),
            started: self.started.wall(),
            role: self.role,
            changed: self.views.changed,
            experiments: Arc::clone(&self.views.experiments),
            counts: self.views.counts,
            sources: SourceName::ALL.map(|name| self.source_view(name)),
            standings: Arc::clone(&self.views.derived.pools),
            holds: Arc::clone(&self.views.derived.holds),
            causes: Arc::clone(&self.views.derived.causes),
            routes: self.notifications.views(),
            notified: self.notifications.notified(),
            sampling: if self.experiments.sampling {
                self.experiments.sampler.view(&self.policy)
            } else {
                SamplingView::default()
            },
            manifest_lost: self.switching.manifest_lost.map(Moment::wall),
            blind: self.sources.blind.map(Moment::wall),
            notes: self.suppressions.notes(),
            quiet: Arc::clone(self.suppressions.active()),
            calendar: Arc::clone(&self.groups.calendar),
            pools: Arc::clone(&self.groups.pools),
            categories: Arc::clone(self.groups.categories.states()),
            quarantined: Arc::clone(self.groups.categories.quarantined()),
        }
    }

    /// Brings the views up to date.
    pub(super) fn refresh_views(&mut self) {
        let context = ViewContext {
            now: self.now.wall(),
            evaluation: self.context(),
            resources: &self.switching.resources,
            groups: &self.groups,
            suppressions: &self.suppressions,
        };
        self.views.refresh(&mut self.experiments.fleet, &context);
    }

    fn source_view(&self, name: SourceName) -> SourceView {
        let source = self.sources.get(name);
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
                SourceName::Relay => self.experiments.fleet.relay_report(),
                SourceName::Jump => self.experiments.fleet.jump_report(),
                SourceName::Book => None,
            },
        }
    }
}
