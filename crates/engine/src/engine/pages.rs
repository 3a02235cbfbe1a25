//! The pages that students open: effects of a round of checks on experiments.

use std::sync::Arc;

use super::Engine;
use crate::experiments::experiment::Experiment;
use crate::experiments::fleet::Id;
use crate::experiments::mass::Tally;
use crate::model::{PageAddress, PageFault, Private, ResourceName, Visibility};
use crate::protocol::{Issue, PageView, Record, Step, Timetable, Why};

impl Engine {
    /// Applies the pages of book's manifest.
    pub(super) fn read_pages(&mut self, timetable: &Timetable, step: &mut Step) {
        let (fleet, resources) = (&self.experiments.fleet, &self.switching.resources);
        let remembered = |resource: &ResourceName, page: &PageAddress| {
            let experiment = fleet.named(resources.stub(resource)?.as_str())?;
            failed_before(experiment, page)
        };
        self.experiments.pages.read(&timetable.pages, remembered);
        self.evaluate_pages(step);
    }

    /// Ends a completed round of checks. Where most of the experiments would become unusable, a
    /// second look comes first.
    pub(super) fn end_round_of_pages(&mut self, step: &mut Step) {
        let is_cut_off = self.sources.blind.is_some();
        let Some(changes) = self.experiments.pages.end_round(is_cut_off, self.now) else {
            return;
        };
        step.records.extend(changes.into_iter().map(|change| {
            let PageView { page, health, .. } = change.view.clone();
            Record::Page {
                page,
                health,
                note: change.view.words(Visibility::PUBLIC),
                said: Private::new(change.view.words(Visibility::MAINTAINER)),
                resources: change.resources,
            }
        }));
        if !is_cut_off {
            self.decide_pages(step);
        }
        self.evaluate_pages(step);
    }

    /// Marks failing pages as unusable. Where that affects most of the experiments, a second look
    /// comes first; where no page is required the decision is left open, so that a reload which
    /// requires pages does not withdraw after a single look.
    fn decide_pages(&mut self, step: &mut Step) {
        let Tally { lost, of } = self.lost_by_pages();
        let is_mass = Tally { lost, of }.is_mass();
        if is_mass && !self.policy.ui_required {
            return;
        }
        if is_mass && self.experiments.pages.look_again(self.now) {
            step.record(Record::SecondLook { lost, of });
        } else {
            self.experiments.pages.decide();
        }
    }

    /// How many of the usable experiments have no page left.
    fn lost_by_pages(&self) -> Tally {
        let listed = self.experiments.fleet.iter().filter(|(_, it)| it.listed());
        let usable = listed.filter(|(_, it)| !it.health.is_unusable());
        usable.fold(Tally::default(), |tally, (_, experiment)| Tally {
            lost: tally.lost
                + usize::from(self.experiments.pages.would_be_gone(&experiment.resources)),
            of: tally.of + 1,
        })
    }

    fn evaluate_pages(&mut self, step: &mut Step) {
        for id in self.refresh_pages() {
            self.evaluate(id, Why::Page, step);
        }
    }

    /// Updates the page results of experiments. Returns those whose results changed.
    pub(super) fn refresh_pages(&mut self) -> Vec<Id> {
        let pages = &self.experiments.pages;
        let is_on = self.policy.ui_check_every.is_some();
        if !pages.is_known() {
            return Vec::new();
        }
        let views = if is_on { pages.views() } else { Vec::new() };
        self.views.pages = Arc::new(views);
        let observed = |(id, experiment): (Id, &Experiment)| {
            let resources = experiment.resources.as_slice();
            let resources = if is_on { resources } else { &[] };
            (id, pages.facts(resources), pages.views_of(resources))
        };
        let observed: Vec<_> = self.experiments.fleet.iter().map(observed).collect();
        let fleet = &mut self.experiments.fleet;
        let is_new = observed
            .into_iter()
            .filter_map(|(id, facts, views)| fleet.observe_pages(id, facts, views).then_some(id));
        is_new.collect()
    }
}

/// How a page failed when an experiment was last evaluated, and whether the experiment then had no
/// working page.
fn failed_before(experiment: &Experiment, page: &PageAddress) -> Option<(PageFault, bool)> {
    let failed = experiment
        .page_issues()
        .find(|(name, _)| *name == page.name());
    let (_, fault) = failed?;
    Some((fault, experiment.issues.contains(&Issue::NoPage)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::model::{Moment, PageName};
    use crate::protocol::{PageUse, Policy};

    #[test]
    fn while_labwatch_is_cut_off_no_check_is_due() {
        let at = |second| Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(second));
        let every = Some(Duration::from_secs(60));
        let policy = Policy {
            ui_check_every: every,
            ..Policy::default()
        };
        let mut engine = Engine::new(policy, at(0));
        let name = PageName::try_new("lab.example/ui/").expect("a name");
        let page = PageAddress::new("https://lab.example/ui/", name, "lab.example");
        let pages = vec![PageUse {
            page: Some(page),
            resources: Vec::new(),
        }];
        engine.experiments.pages.read(&pages, |_, _| None);
        engine.sources.blind = Some(at(0));
        let pages = |engine: &Engine, now| {
            let experiments = &engine.experiments;
            experiments.deadline(&engine.policy, &engine.sources, now)
        };
        assert_eq!(pages(&engine, at(1_000)), None);
        engine.sources.blind = None;
        assert!(pages(&engine, at(1_000)).is_some_and(|at_last| at_last <= at(1_000)));
    }
}
