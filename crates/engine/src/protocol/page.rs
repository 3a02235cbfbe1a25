//! The check of the pages that students open: what is known of a page, and what a check of it came
//! to.

use crate::model::words::words;
use crate::model::{CallError, PageAddress, PageFault, PageName, ResourceName, Visibility};

/// A page of book's manifest, with the resources whose UI sets offer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageUse {
    /// Where it is; `None` for one that cannot be checked, because a part of its address is made
    /// for each session.
    pub page: Option<PageAddress>,
    /// The resources, sorted.
    pub resources: Vec<ResourceName>,
}

/// What a check of a page came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOutcome {
    /// It answered.
    Answered {
        /// With this status; what leads to another host is not followed.
        status: u16,
        /// Through our own proxy, which may have made an error up itself.
        by_proxy: bool,
    },
    /// It did not.
    Failed(CallError),
}

/// How a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageHealth {
    /// It has not been checked, or labwatch itself kept it from being checked.
    Unknown,
    /// It answers as it should.
    Works,
    /// Two checks in a row failed, or more.
    Fails,
}

words!(PageHealth { Unknown => "unknown", Works => "works", Fails => "fails" });

/// A page, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageView {
    /// Its host and path.
    pub page: PageName,
    /// How it is.
    pub health: PageHealth,
    /// How it fails, where it does.
    pub fault: Option<PageFault>,
    /// What of labwatch's own kept the latest check from showing anything.
    pub unchecked: Option<CallError>,
}

impl PageView {
    /// How it is, in words for a reader.
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
