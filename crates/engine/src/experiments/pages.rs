//! The pages that students open: which is checked when, and the results of the checks. The effect
//! on experiments is decided elsewhere.
//!
//! All pages are checked in a round, one shortly after the other, and results count when the round
//! is done: so pages that fail together are notified together, and it is known then whether any
//! other host answered. A page fails when two checks in a row do; a fault of labwatch's own is no
//! failure of the page.

mod round;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use crate::experiments::evaluate::PageFacts;
use crate::model::Gather as _;
use crate::model::{CallError, Moment, PageAddress, PageFault, ResourceName};
use crate::protocol::{Issue, PageHealth, PageOutcome, PageUse, PageView, Policy};
use round::Round;
use shown::{Shown, refusal, shown};

/// This many checks in a row must fail for a page to fail.
const FAILURES_THAT_COUNT: u32 = 2;

/// This many where most of the experiments would be withdrawn at once: the last of them is a second
/// look.
const FAILURES_OF_MOST: u32 = 3;

/// A page, and the results of its latest checks.
#[derive(Debug, Clone, Default)]
struct Page {
    is_checked: bool,
    /// How many checks in a row have failed.
    failures: u32,
    /// How many in a row showed that it fails for every visitor.
    certain: u32,
    /// How it fails; unchanged for as long as it fails.
    fault: Option<PageFault>,
    /// Whether it fails for every visitor, until a check shows that it works.
    is_gone: bool,
    unchecked: Option<CallError>,
}

/// All pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    all: BTreeMap<PageAddress, Page>,
    /// The pages on which a resource is opened, as far as they can be checked.
    by_resource: BTreeMap<ResourceName, BTreeSet<PageAddress>>,
    /// Resources of which a page cannot be checked.
    unchecked: BTreeSet<ResourceName>,
    /// Whether book has reported its pages since the start.
    is_known: bool,
    /// Whether no results are kept because checks are off.
    is_off: bool,
    round: Option<Round>,
    next_round: Moment,
}

/// A page whose state changed.
pub(crate) struct Change {
    pub(crate) view: PageView,
    /// How many resources are opened on it.
    pub(crate) resources: usize,
}

impl Pages {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            next_round: now,
            ..Self::default()
        }
    }

    /// Applies the pages of book's manifest. `remembered` gives how a page failed before the start,
    /// and whether it failed for every visitor.
    pub(crate) fn read(
        &mut self,
        uses: &[PageUse],
        remembered: impl Fn(&ResourceName, &PageAddress) -> Option<(PageFault, bool)>,
    ) {
        let mut before = std::mem::take(&mut self.all);
        self.by_resource.clear();
        self.unchecked.clear();
        for PageUse { page, resources } in uses {
            let Some(page) = page else {
                self.unchecked.extend(resources.iter().cloned());
                continue;
            };
            for resource in resources {
                let its = self.by_resource.entry(resource.clone()).or_default();
                its.insert(page.clone());
            }
            let known = self
                .all
                .entry(page.clone())
                .or_insert_with(|| before.remove(page).unwrap_or_default());
            if !self.is_known {
                // Where one of them had no page left, this page failed for every visitor.
                let failed = resources.iter().filter_map(|one| remembered(one, page));
                known.recall(failed.reduce(|(fault, a), (_, b)| (fault, a || b)));
            }
        }
        self.is_known = true;
    }

    /// Whether book has reported its pages since the start.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Whether a round is under way.
    pub(crate) fn is_in_round(&self) -> bool {
        self.round.is_some()
    }

    /// Stores the outcome of a check.
    pub(crate) fn checked(&mut self, page: &PageAddress, outcome: &PageOutcome) {
        if let Some(round) = &mut self.round {
            round.checked(page, outcome);
        }
    }

    /// The checks to begin now.
    pub(crate) fn due(&mut self, policy: &Policy, now: Moment) -> Vec<PageAddress> {
        let Some(every) = policy.ui_check_every else {
            self.stop(now);
            return Vec::new();
        };
        self.is_off = false;
        self.next_round = self.next_round.min(now + every);
        if self.round.is_none() && now >= self.next_round && !self.all.is_empty() {
            self.round = Some(Round::of(self.all.keys(), now));
            self.next_round = now + every;
        }
        self.round
            .as_mut()
            .map_or_else(Vec::new, |round| round.due(now))
    }

    /// Clears all results when checks are off.
    fn stop(&mut self, now: Moment) {
        self.round = None;
        self.next_round = now;
        if !std::mem::replace(&mut self.is_off, true) {
            self.all
                .values_mut()
                .for_each(|page| *page = Page::default());
        }
    }

    /// When to continue although no input came.
    pub(crate) fn deadline(&self, policy: &Policy) -> Option<Moment> {
        policy.ui_check_every?;
        match &self.round {
            Some(round) => round.deadline(),
            None => (!self.all.is_empty()).then_some(self.next_round),
        }
    }

    /// Ends a completed round. Returns the pages whose state changed; with `is_cut_off` none does.
    pub(crate) fn end_round(&mut self, is_cut_off: bool, now: Moment) -> Option<Vec<Change>> {
        let round = self.round.take_if(|round| round.is_done(now))?;
        let outcomes = round.outcomes();
        let answering: BTreeSet<&str> = outcomes
            .iter()
            .filter(|(_, outcome)| outcome.as_ref().is_some_and(is_by_the_page))
            .map(|(page, _)| page.host())
            .gather();
        let mut changes = Vec::new();
        for (address, outcome) in &outcomes {
            let Some(page) = self.all.get_mut(address).filter(|_| !is_cut_off) else {
                continue;
            };
            let is_network_well = answering.iter().any(|host| *host != address.host());
            let was = page.view(address);
            match outcome {
                Some(outcome) => page.note(outcome, shown(outcome, is_network_well)),
                None => page.end_row(),
            }
            let view = page.view(address);
            if was != view {
                let pages = self.by_resource.values();
                let resources = pages.filter(|its| its.contains(address)).count();
                changes.push(Change { view, resources });
            }
        }
        Some(changes)
    }

    /// The pages that two checks in a row showed to fail for every visitor, and that are not marked
    /// so yet.
    fn candidates(&self) -> impl Iterator<Item = (&PageAddress, &Page)> {
        let is_candidate = |page: &Page| !page.is_gone && page.certain >= FAILURES_THAT_COUNT;
        self.all.iter().filter(move |(_, page)| is_candidate(page))
    }

    /// Whether these resources would have no working page left once the candidates are marked as
    /// failing for every visitor.
    pub(crate) fn would_be_gone(&self, resources: &[ResourceName]) -> bool {
        self.are_all(resources, |page| {
            page.is_gone || page.certain >= FAILURES_THAT_COUNT
        })
    }

    /// Marks the candidates as failing for every visitor.
    pub(crate) fn decide(&mut self) {
        for page in self.all.values_mut() {
            page.is_gone |= page.certain >= FAILURES_THAT_COUNT;
        }
    }

    /// Begins a second look at the candidates that have not had one. Returns whether there are any.
    pub(crate) fn look_again(&mut self, now: Moment) -> bool {
        let fresh = |(address, page): (&PageAddress, &Page)| {
            (page.certain < FAILURES_OF_MOST).then(|| address.clone())
        };
        let again: Vec<PageAddress> = self.candidates().filter_map(fresh).collect();
        if again.is_empty() {
            return false;
        }
        self.round = Some(Round::of(again.iter(), now));
        true
    }

    /// The effect of these resources' pages on their experiment.
    pub(crate) fn facts(&self, resources: &[ResourceName]) -> PageFacts {
        let failing = self
            .of(resources)
            .filter_map(|(address, page)| Some(Issue::Page(address.name().clone(), page.fault?)));
        let issues: BTreeSet<Issue> = failing.gather();
        PageFacts {
            issues: issues.into_iter().collect(),
            is_gone: self.are_all(resources, |page| page.is_gone),
        }
    }

    /// The views of these resources' pages.
    pub(crate) fn views_of(&self, resources: &[ResourceName]) -> Vec<PageView> {
        self.of(resources)
            .map(|(address, page)| page.view(address))
            .collect()
    }

    /// The views of all pages.
    pub(crate) fn views(&self) -> Vec<PageView> {
        let pages = self.all.iter();
        pages.map(|(address, page)| page.view(address)).collect()
    }

    fn of(&self, resources: &[ResourceName]) -> impl Iterator<Item = (&PageAddress, &Page)> {
        let its = resources.iter().filter_map(|one| self.by_resource.get(one));
        let its: BTreeSet<&PageAddress> = its.flatten().gather();
        its.into_iter()
            .filter_map(|address| self.all.get_key_value(address))
    }

    /// Whether this holds for all pages of these resources; false where there is none, or one that
    /// cannot be checked.
    fn are_all(&self, resources: &[ResourceName], is_so: impl Fn(&Page) -> bool) -> bool {
        let mut pages = self.of(resources).peekable();
        pages.peek().is_some()
            && pages.all(|(_, page)| is_so(page))
            && !resources.iter().any(|one| self.unchecked.contains(one))
    }
}

impl Page {
    fn recall(&mut self, failed: Option<(PageFault, bool)>) {
        if let Some((fault, is_gone)) = failed {
            self.fault = Some(fault);
            self.failures = FAILURES_THAT_COUNT;
            self.is_gone |= is_gone;
        }
    }

    fn note(&mut self, outcome: &PageOutcome, shown: Shown) {
        self.unchecked = match (shown, outcome) {
            (Shown::Nothing, PageOutcome::Failed(error)) => Some(error.clone()),
            (Shown::Nothing, PageOutcome::Answered { status, .. }) => Some(refusal(*status)),
            (Shown::Works | Shown::Fails(_) | Shown::MayFail(_), _) => None,
        };
        match shown {
            Shown::Works => {
                *self = Self {
                    is_checked: true,
                    ..Self::default()
                };
            }
            Shown::Fails(fault) => self.fail(fault, true),
            Shown::MayFail(fault) => self.fail(fault, false),
            Shown::Nothing => self.end_row(),
        }
    }

    /// Handles a check without a result. Two checks in a row: any gap ends the row. What is known
    /// of a failing page stays.
    fn end_row(&mut self) {
        self.certain = 0;
        if self.fault.is_none() {
            self.failures = 0;
        }
    }

    fn fail(&mut self, fault: PageFault, is_certain: bool) {
        self.failures = self.failures.saturating_add(1);
        self.certain = if is_certain {
            self.certain.saturating_add(1)
        } else {
            0
        };
        if self.failures >= FAILURES_THAT_COUNT {
            self.is_checked = true;
            self.fault.get_or_insert(fault);
        }
    }

    fn view(&self, address: &PageAddress) -> PageView {
        PageView {
            page: address.name().clone(),
            health: match (self.fault, self.is_checked) {
                (Some(_), _) => PageHealth::Fails,
                (None, true) if self.unchecked.is_none() => PageHealth::Works,
                (None, _) => PageHealth::Unknown,
            },
            fault: self.fault,
            unchecked: self.unchecked.clone(),
        }
    }
}

/// Whether the page itself answered, rather than something on the way to it.
fn is_by_the_page(outcome: &PageOutcome) -> bool {
    let is_direct = matches!(
        outcome,
        PageOutcome::Answered {
            by_proxy: false,
            ..
        }
    );
    is_direct && shown(outcome, false) != Shown::Nothing
}

#[cfg(test)]
mod tests;
