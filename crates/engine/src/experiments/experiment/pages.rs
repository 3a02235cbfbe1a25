//! The pages on which students open an experiment, as far as they concern it.

use super::Experiment;
use crate::experiments::evaluate::PageFacts;
use crate::model::{PageFault, PageName};
use crate::protocol::{Issue, PageView, Policy};

impl Experiment {
    /// Stores the observations of its pages. Returns whether they changed.
    pub(crate) fn observe_pages(&mut self, pages: PageFacts, views: Vec<PageView>) -> bool {
        let is_new = self.pages.as_ref() != Some(&pages) || self.page_views != views;
        self.stale |= is_new;
        self.pages = Some(pages);
        self.page_views = views;
        is_new
    }

    /// The effect of its pages. Until book has reported them, as before the start.
    pub(super) fn page_facts(&self, policy: &Policy) -> PageFacts {
        let mut facts = match &self.pages {
            _ if policy.ui_check_every.is_none() => return PageFacts::default(),
            Some(pages) => pages.clone(),
            None => self.pages_before(),
        };
        facts.is_gone &= policy.ui_required;
        facts
    }

    fn pages_before(&self) -> PageFacts {
        let of_pages = self.issues.iter().filter(|issue| issue.page().is_some());
        PageFacts {
            issues: of_pages.cloned().collect(),
            is_gone: self.issues.contains(&Issue::NoPage),
        }
    }

    /// The failing pages, with how, as last decided.
    pub(crate) fn page_issues(&self) -> impl Iterator<Item = (&PageName, PageFault)> {
        self.issues.iter().filter_map(Issue::page)
    }
}
