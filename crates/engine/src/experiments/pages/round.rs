//! One round of checks over pages: few at a time, and one shortly after the other.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::{Moment, PageAddress, earliest};
use crate::protocol::PageOutcome;

/// How many pages are checked at the same time.
pub(super) const AT_ONCE: usize = 4;

/// How long after one check the next of a round begins.
pub(super) const GAP: Duration = Duration::from_millis(100);

/// A check without an outcome after this time counts as having no result.
pub(super) const OUTCOME_WITHIN: Duration = Duration::from_secs(60);

/// The pages to check, and the outcomes so far.
#[derive(Debug, Clone)]
pub(super) struct Round {
    queue: VecDeque<PageAddress>,
    under_way: BTreeMap<PageAddress, Moment>,
    /// The outcomes so far; `None`: a check was given up.
    outcomes: BTreeMap<PageAddress, Option<PageOutcome>>,
    next_at: Moment,
}

impl Round {
    pub(super) fn of<'a>(pages: impl Iterator<Item = &'a PageAddress>, now: Moment) -> Self {
        Self {
            queue: pages.cloned().collect(),
            under_way: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            next_at: now,
        }
    }

    pub(super) fn due(&mut self, now: Moment) -> Vec<PageAddress> {
        let under_way = std::mem::take(&mut self.under_way).into_iter();
        let (late, under_way): (BTreeMap<_, _>, _) =
            under_way.partition(|(_, give_up)| now >= *give_up);
        self.under_way = under_way;
        self.outcomes
            .extend(late.into_keys().map(|page| (page, None)));
        if self.under_way.len() >= AT_ONCE || now < self.next_at {
            return Vec::new();
        }
        let next = self.queue.pop_front();
        if let Some(page) = &next {
            self.under_way.insert(page.clone(), now + OUTCOME_WITHIN);
            self.next_at = now + GAP;
        }
        next.into_iter().collect()
    }

    /// Stores the outcome of a check.
    pub(super) fn checked(&mut self, page: &PageAddress, outcome: &PageOutcome) {
        if self.under_way.remove(page).is_some() {
            self.outcomes.insert(page.clone(), Some(outcome.clone()));
        }
    }

    /// The outcomes of all checks; `None`: a check was given up.
    pub(super) fn outcomes(mut self) -> BTreeMap<PageAddress, Option<PageOutcome>> {
        let late = self.under_way.into_keys().map(|page| (page, None));
        self.outcomes.extend(late);
        self.outcomes
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let give_up = self.under_way.values().min().copied();
        let has_room = !self.queue.is_empty() && self.under_way.len() < AT_ONCE;
        let next = has_room.then_some(self.next_at);
        earliest([give_up, next])
    }

    pub(super) fn is_done(&self, now: Moment) -> bool {
        self.queue.is_empty() && self.under_way.values().all(|give_up| now >= *give_up)
    }
}
