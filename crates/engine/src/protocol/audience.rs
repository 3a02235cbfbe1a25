//! Which recipients of a route a message is for: some may have had an earlier one that others have
//! not.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{CallError, RouteName, Visibility};
use crate::protocol::{Outlook, Summary};

/// A recipient of a route, by the address that its messages go to. Private: it appears in no log or
/// view by mistake.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipient(String);

impl Recipient {
    /// The recipient with this address.
    pub fn new(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    /// The address, for a reader who may see it.
    pub fn show(&self, reader: Visibility) -> Option<&str> {
        reader.is_full().then_some(self.0.as_str())
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(..)")
    }
}

/// Recipients of a route who were notified of less than the others, and are notified separately
/// until they know the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The route.
    pub of: RouteName,
    /// Its recipients who are in this lane.
    pub recipients: BTreeSet<Recipient>,
}

/// Which recipients of its route a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audience {
    /// All of them.
    #[default]
    All,
    /// All but these, who are notified separately.
    Except(BTreeSet<Recipient>),
    /// Those of a lane, and its name.
    Only(RouteName, BTreeSet<Recipient>),
}

impl Audience {
    /// Whether it includes this one.
    pub fn includes(&self, recipient: &Recipient) -> bool {
        match self {
            Self::All => true,
            Self::Except(others) => !others.contains(recipient),
            Self::Only(_, these) => these.contains(recipient),
        }
    }

    /// Removes these.
    pub(crate) fn remove(&mut self, gone: &BTreeSet<Recipient>) {
        match self {
            Self::All => *self = Self::Except(gone.clone()),
            Self::Except(others) => others.extend(gone.iter().cloned()),
            Self::Only(_, these) => these.retain(|recipient| !gone.contains(recipient)),
        }
    }

    /// Adds these again.
    pub(crate) fn admit(&mut self, back: &BTreeSet<Recipient>) {
        match self {
            Self::All => {}
            Self::Except(others) => {
                others.retain(|recipient| !back.contains(recipient));
                if others.is_empty() {
                    *self = Self::All;
                }
            }
            Self::Only(_, these) => these.extend(back.iter().cloned()),
        }
    }

    /// The recipients, where they are named.
    pub(crate) fn only(&self) -> Option<&BTreeSet<Recipient>> {
        match self {
            Self::Only(_, these) => Some(these),
            Self::All | Self::Except(_) => None,
        }
    }
}

/// A message to be delivered: its content, and its recipients. Each attempt at the same one has the
/// same content and identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its content.
    pub summary: Arc<Summary>,
    /// Its recipients.
    pub audience: Audience,
    /// The time for which the digest was due, where it is one.
    pub digest: Option<Timestamp>,
}

impl Notification {
    /// A message for all recipients of its route.
    pub fn to_all(summary: Arc<Summary>) -> Self {
        Self {
            summary,
            audience: Audience::All,
            digest: None,
        }
    }

    /// The name under which the notified state of its recipients is stored: that of the route, or
    /// of a lane of it.
    pub fn lane(&self) -> &RouteName {
        match &self.audience {
            Audience::All | Audience::Except(_) => &self.summary.route,
            Audience::Only(lane, _) => lane,
        }
    }
}

impl Deref for Notification {
    type Target = Summary;

    fn deref(&self) -> &Summary {
        &self.summary
    }
}

/// A recipient who does not have a message that others have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The recipient.
    pub recipient: Recipient,
    /// What failed.
    pub fault: CallError,
    /// Whether a later attempt may reach it.
    pub outlook: Outlook,
}

/// The outcome of a delivery that reached some recipients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// The recipients who do not have it; every other one has.
    pub unreached: Vec<Unreached>,
}

impl Delivered {
    /// Every recipient has it.
    pub fn to_all() -> Self {
        Self::default()
    }

    /// Those who may still get it.
    pub(crate) fn pending(&self) -> Vec<Unreached> {
        let mut pending = self.unreached.clone();
        pending.retain(|one| one.outlook != Outlook::Refused);
        pending
    }

    /// How many may still get it, and how many are refused.
    pub fn counts(&self) -> (usize, usize) {
        let refused = self
            .unreached
            .iter()
            .filter(|one| one.outlook == Outlook::Refused)
            .count();
        (self.unreached.len() - refused, refused)
    }
}
