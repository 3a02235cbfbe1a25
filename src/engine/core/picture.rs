//! Pictures for readers: what changed is painted anew, the rest is shared.

use std::sync::Arc;

use super::Engine;
use crate::engine::snapshot::{Counts, ExperimentView, SamplingView, Snapshot, SourceView};
use crate::model::{Bookable, Health, Moment, SourceName};

impl Engine {
    /// A picture of everything, for readers.
    pub fn snapshot(&mut self) -> Snapshot {
        self.repaint();
        Snapshot {
            version: self.version,
            at: self.now.wall(),
            started: self.started.wall(),
            role: self.role,
            changed: self.painted,
            experiments: Arc::clone(&self.views),
            counts: self.counts,
            sources: SourceName::ALL.map(|name| self.source_view(name)),
            pools: Arc::clone(&self.surroundings.pools),
            holds: Arc::clone(&self.surroundings.holds),
            causes: Arc::clone(&self.surroundings.causes),
            mail: self.telling.view(self.policy.mail),
            sampling: if self.sampling { self.sampler.view(&self.policy) } else { SamplingView::default() },
            manifest_lost: self.manifest_lost.map(Moment::wall),
            blind: self.blind.map(Moment::wall),
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
            link: source.link.clone(),
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

pub(super) fn count(views: &[Arc<ExperimentView>]) -> Counts {
    let mut counts = Counts { total: views.len(), ..Counts::default() };
    for view in views {
        match view.health {
            Health::Ok => counts.ok += 1,
            Health::Degraded => counts.degraded += 1,
            Health::Down => counts.down += 1,
            Health::Unknown => counts.unknown += 1,
        }
        match view.bookable() {
            Some(Bookable::Withdrawn) => counts.withdrawn += 1,
            Some(Bookable::Held) => counts.held += 1,
            Some(Bookable::Yes) | None => {}
        }
        counts.unlisted += usize::from(!view.listed);
    }
    counts
}
