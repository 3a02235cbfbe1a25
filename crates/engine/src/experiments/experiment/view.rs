//! An experiment as readers see it.

use std::sync::Arc;

use super::{EvaluationContext, Experiment};
use crate::experiments::stream::Stream;
use crate::groups::bookings::Affected;
use crate::model::{JumpHealth, Moment, StreamHealth};
use crate::protocol::{ExperimentView, FlapView, ResourceView, StreamView};
use crate::suppressions::Suppression;

/// Derived data of an experiment for its view.
#[derive(Debug, Clone, Default)]
pub(crate) struct DerivedView {
    pub(crate) suppression: Option<Suppression>,
    pub(crate) pools: Vec<Arc<str>>,
    pub(crate) affected: Affected,
    pub(crate) advice: Option<Arc<str>>,
}

impl Experiment {
    fn flap_view(&self, context: &EvaluationContext) -> Option<FlapView> {
        let (since, steady_at) = self
            .flapping
            .since()
            .zip(self.flapping.ends_at(context.policy.flap))?;
        Some(FlapView {
            since: since.wall(),
            steady_at: steady_at.wall(),
        })
    }

    pub(crate) fn view(
        &self,
        resources: Vec<ResourceView>,
        derived: DerivedView,
        context: &EvaluationContext,
    ) -> ExperimentView {
        let mut streams: Vec<StreamView> = self.streams.iter().map(Stream::view).collect();
        streams.sort_by(|a, b| a.topic.cmp(&b.topic));
        ExperimentView {
            stub: self.stub.clone(),
            resources,
            listed: self.listed() || !context.manifest_known,
            health: self.health,
            since: self.since.wall(),
            issues: self.issues.clone(),
            flapping: self.flap_view(context),
            suppression: derived.suppression,
            jump: self.jump,
            jump_seen: self.host.seen(),
            jump_last: self.host.last.clone(),
            streams,
            pages: self.page_views.clone(),
            first_seen: self.first_seen.wall(),
            grace_until: self
                .grace_end(context)
                .filter(|end| context.now < *end)
                .map(Moment::wall),
            last_listed: self.last_listed.map(Moment::wall),
            events: self.events(),
            pools: derived.pools,
            affected: derived.affected,
            advice: derived.advice,
            is_lost: self.is_wholly_lost(),
        }
    }

    /// Whether nothing of it is reported: neither its login nor any required stream.
    pub(crate) fn is_wholly_lost(&self) -> bool {
        let required = self.streams.iter().filter(|stream| stream.required);
        self.login() == JumpHealth::Lost
            && required
                .map(|stream| stream.health)
                .all(|health| health == StreamHealth::Missing)
    }
}
