//! The pages that students open in the simulator: one for each kind of experiment, and the outcome
//! of a check.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::model::{CallError, PageAddress, PageName, ResourceName};
use engine::{Input, PageOutcome, PageUse, Timetable};

use crate::HttpFault;
use crate::model::Book;

/// How long a check takes.
pub(super) const TAKES: Duration = Duration::from_millis(200);

/// The host of the pages.
const HOST: &str = "pages.example";

/// The kind of experiment whose page is on a host of its own, and that host.
const ELSEWHERE: (&str, &str) = ("spin", "more-pages.example");

/// The state of the pages.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Whether book's manifest has them.
    pub(super) are_listed: bool,
    /// The outcome of every check, whatever their state.
    pub(super) shown: Option<PageOutcome>,
    /// Whether their server is down, except for the pages that are elsewhere.
    pub(super) refuse: bool,
    faults: BTreeMap<String, HttpFault>,
}

impl Pages {
    /// The timetable in a poll of book, where its manifest has pages.
    pub(super) fn timetable(&self, book: &Book) -> Option<Input> {
        if !self.are_listed || book.is_empty() {
            return None;
        }
        let mut uses: BTreeMap<PageAddress, Vec<ResourceName>> = BTreeMap::new();
        for (name, resource) in book.manifest() {
            let stub = resource.topic_stub.as_str();
            let kind = stub.trim_end_matches(|c: char| c.is_ascii_digit());
            let page = address(kind)?;
            let name = ResourceName::try_new(name).ok()?;
            uses.entry(page).or_default().push(name);
        }
        let pages = uses.into_iter().map(|(page, resources)| PageUse {
            page: Some(page),
            resources,
        });
        Some(Input::Timetable(Timetable {
            pages: pages.collect(),
            ..Timetable::default()
        }))
    }

    /// Sets how a path, or `*` for every one, answers.
    pub(super) fn set(&mut self, path: &str, fault: &HttpFault) {
        self.faults.remove(path);
        if *fault != HttpFault::Works {
            self.faults.insert(path.to_owned(), fault.clone());
        }
    }

    /// The outcome of a check.
    pub(super) fn outcome(&self, page: &PageAddress) -> PageOutcome {
        let path = page.name().as_str().strip_prefix(page.host());
        let path = path.unwrap_or_default();
        let fault = self.faults.get(path).or_else(|| self.faults.get("*"));
        let answered = |status| PageOutcome::Answered {
            status,
            by_proxy: false,
        };
        if let Some(outcome) = &self.shown {
            return outcome.clone();
        }
        if self.refuse && page.host() == HOST {
            return PageOutcome::Failed(CallError::Refused("connection refused".to_owned()));
        }
        match fault.unwrap_or(&HttpFault::Works) {
            HttpFault::Works | HttpFault::Deaf => answered(200),
            HttpFault::Status(status) | HttpFault::Answer(status, _) | HttpFault::Page(status) => {
                answered(*status)
            }
            HttpFault::Slow(_) | HttpFault::Hang => PageOutcome::Failed(CallError::TimedOut),
            HttpFault::Drop | HttpFault::Reset => PageOutcome::Failed(CallError::Dropped),
        }
    }
}

fn address(kind: &str) -> Option<PageAddress> {
    let host = if kind == ELSEWHERE.0 {
        ELSEWHERE.1
    } else {
        HOST
    };
    let name = PageName::try_new(&format!("{host}/ui/{kind}/")).ok()?;
    let whole = format!("https://{name}?course=everyone");
    Some(PageAddress::new(&whole, name, host))
}
