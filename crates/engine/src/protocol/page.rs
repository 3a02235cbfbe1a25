//! The check of the pages that students open: the state of a page, and the outcome of a check.

use crate::model::words::words;
use crate::model::{CallError, PageAddress, PageFault, PageName, ResourceName, Visibility};

/// A page of book's manifest, with the resources whose UI sets offer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageUse {
    /// Its address; `None` for a page that cannot be checked, because a part of its address is made
    /// for each session.
    pub page: Option<PageAddress>,
    /// The resources, sorted.
    pub resources: Vec<ResourceName>,
}

/// The outcome of a page check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOutcome {
    /// It answered.
    Answered {
        /// The status; redirects to another host are not followed.
        status: u16,
        /// Whether it came through our own proxy, which may have made up an error itself.
        by_proxy: bool,
    },
    /// It did not answer.
    Failed(CallError),
}

/// The state of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageHealth {
    /// It has not been checked, or a fault of labwatch's own prevented the check.
    Unknown,
    /// It answers as it should.
    Works,
    /// Two checks in a row failed, or more.
    Fails,
}

words!(PageHealth { Unknown => "unknown", Works => "works", Fails => "fails" });

/// The view of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageView {
    /// Its host and path.
    pub page: PageName,
    /// How it is.
    pub health: PageHealth,
    /// How it fails, where it does.
    pub fault: Option<PageFault>,
    /// The fault of labwatch's own that prevented the latest check, if any.
    pub unchecked: Option<CallError>,
}

impl PageView {
    /// Its state as text for a reader.
    pub fn words(&self, reader: Visibility) -> String {
        let unchecked = self.unchecked.as_ref().map(|error| error.words(reader));
        match (self.health, self.fault, unchecked) {
            (_, Some(fault), None) => fault.to_string(),
            (_, Some(fault), Some(why)) => format!("{fault}; now it cannot be checked: {why}"),
            (_, None, Some(why)) => format!("cannot be checked: {why}"),
            (PageHealth::Works, None, None) => "works".to_owned(),
            (PageHealth::Unknown | PageHealth::Fails, None, None) => {
                "is not checked yet".to_owned()
            }
        }
    }
}
