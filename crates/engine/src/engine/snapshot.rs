//! The snapshot for readers, combined from the views of all parts.

use std::sync::Arc;

use super::Engine;
use super::views::ViewContext;
use crate::model::{Health, Moment, Private, SourceHealth, SourceName, Visibility};
use crate::protocol::{SamplingView, Snapshot, SourceView};
use crate::sources::source::Source;

/// The most experiments that a note names.
const NAMED: usize = 5;

impl Engine {
    /// A snapshot of the current state for readers.
    pub fn snapshot(&mut self) -> Snapshot {
        self.refresh_views();
        Snapshot {
            version: self.views.version,
            at: self.now.wall(),
            started: self.started.wall(),
            role: self.role,
            is_shadow: self.is_shadow,
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
            notes: self.suppressions.notes(self.now.wall()),
            suppressions: Arc::clone(self.suppressions.active()),
            calendar: Arc::clone(&self.groups.calendar),
            pools: Arc::clone(&self.groups.pools),
            categories: Arc::clone(self.groups.categories.states()),
            quarantined: Arc::clone(self.groups.categories.quarantined()),
            pages_of_uis: Arc::clone(&self.views.pages),
        }
    }

    /// Updates the views.
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
            note: self.note_of(source, Visibility::PUBLIC),
            said: Private::new(self.note_of(source, Visibility::MAINTAINER)),
            server_started: source.started.clone(),
            hides: self.hides(name),
            unreadable_entries: source.unreadable_total,
            canary: source.canary.clone(),
            report: match name {
                SourceName::Relay => self.experiments.fleet.relay_report().cloned(),
                SourceName::Jump => self.experiments.fleet.jump_report().cloned(),
                SourceName::Book => None,
            },
        }
    }
}

impl Engine {
    /// What is wrong with a source; where book reports all but the availability of something, what
    /// that prevents.
    fn note_of(&self, source: &Source, reader: Visibility) -> String {
        let note = source.note(reader);
        if source.name == SourceName::Book && source.health == SourceHealth::Live {
            [note, self.cannot_be_withdrawn()].concat()
        } else {
            note
        }
    }

    fn cannot_be_withdrawn(&self) -> String {
        let down = self
            .views
            .experiments
            .iter()
            .filter(|view| view.health == Health::Down);
        let unread = down.flat_map(|view| {
            let resources = view.resources.iter();
            let unread = resources.filter(|resource| resource.bookable.is_none());
            unread.map(|resource| {
                format!(
                    "{} is down but cannot be withdrawn: book does not report whether {} is available",
                    view.stub, resource.name
                )
            })
        });
        unread.take(NAMED).collect::<Vec<_>>().join("; ")
    }
}
