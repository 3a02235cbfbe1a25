//! Experiments and their streams: evaluated from reports and samples, with hysteresis and flap
//! detection.

mod causes;
pub(crate) mod evaluate;
pub(crate) mod experiment;
pub(crate) mod flapping;
pub(crate) mod fleet;
pub(crate) mod hysteresis;
pub(crate) mod mass;
pub(crate) mod pages;
pub(crate) mod sampling;
pub(crate) mod stream;

use crate::model::{Moment, earliest};
use crate::protocol::{Effect, Policy, Record, Sampling, Step};
use crate::sources::Sources;
use fleet::Fleet;
use pages::Pages;
use sampling::Sampler;

/// All experiments, the sampling of their streams, and the pages that students open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Experiments {
    pub(crate) fleet: Fleet,
    pub(crate) sampler: Sampler,
    pub(crate) pages: Pages,
    pub(crate) sampling: bool,
    /// Whether sampling was last recorded to keep up.
    sampling_recorded: Option<bool>,
}

impl Experiments {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            sampler: Sampler::new(now),
            pages: Pages::new(now),
            ..Self::default()
        }
    }

    /// Decides by a new report of relay whether streams are to be sampled.
    pub(crate) fn decide_sampling(&mut self, policy: &Policy) -> bool {
        self.sampling = match policy.sample {
            Sampling::Always => true,
            Sampling::Never => false,
            Sampling::Auto => self.fleet.lacks_statistics(),
        };
        self.sampling
    }

    /// Whether streams are sampled now: a relay that reports nothing forwards nothing either.
    pub(crate) fn is_listening(&self, sources: &Sources, now: Moment) -> bool {
        self.sampling && sources.relay.status(now).is_current
    }

    /// Starts the page checks that are due. While labwatch is cut off no round begins.
    pub(crate) fn maintain_pages(
        &mut self,
        policy: &Policy,
        is_cut_off: bool,
        now: Moment,
        step: &mut Step,
    ) {
        if is_cut_off && !self.pages.is_in_round() {
            return;
        }
        let due = self.pages.due(policy, now);
        step.effects.extend(due.into_iter().map(Effect::CheckPage));
    }

    /// Starts the samples that are due, and records when sampling starts or stops to keep up.
    pub(crate) fn maintain_sampling(
        &mut self,
        policy: &Policy,
        sources: &Sources,
        now: Moment,
        step: &mut Step,
    ) {
        if !self.is_listening(sources, now) {
            return;
        }
        let samples = self.sampler.due(&self.fleet, policy, now);
        step.effects.extend(samples.into_iter().map(Effect::Sample));
        let keeps_up = self.sampler.keeps_up(policy) && self.sampler.broken().is_none();
        if self.sampling_recorded != Some(keeps_up) {
            self.sampling_recorded = Some(keeps_up);
            let view = self.sampler.view(policy);
            step.record(Record::Sampling {
                streams: view.streams,
                round: view.round,
                keeps_up,
                failures: view.failures,
            });
        }
    }

    /// When an experiment is to be evaluated, or a stream to be sampled, although no input came.
    pub(crate) fn deadline(
        &self,
        policy: &Policy,
        sources: &Sources,
        now: Moment,
    ) -> Option<Moment> {
        let sample = self
            .sampler
            .deadline(policy)
            .filter(|_| self.is_listening(sources, now));
        // While labwatch is cut off no round begins, so none is due.
        let pages = self
            .pages
            .deadline(policy)
            .filter(|_| sources.blind.is_none() || self.pages.is_in_round());
        earliest([self.fleet.deadline(), sample, pages])
    }
}
