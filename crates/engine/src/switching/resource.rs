//! One resource of book: its last availability in book, the wanted one, and the difference between
//! the two.

use crate::model::{Availability, Bookable, CallError, Moment, ResourceName, Stub, Topic};
use crate::protocol::{ManualOverride, ResourceReading};
use crate::switching::reason;

/// The wanted availability of a resource, with the reason for students.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Unchanged: nothing is known that would justify a change.
    AsItIs,
    /// Bookable.
    Bookable(String),
    /// Withdrawn.
    Withdrawn(String),
}

/// A resource of book.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) stub: Stub,
    pub(super) streams: Vec<Topic>,
    pub(super) said: Option<(Availability, Moment)>,
    pub(super) failures: u32,
    pub(super) retry_at: Option<Moment>,
    pub(super) fault: Option<CallError>,
}

/// How a person's hold on a resource changed: its reason, or that it is gone.
pub(crate) type HoldChange = (ResourceName, Option<String>);

impl Resource {
    pub(super) fn new(reading: &ResourceReading) -> Self {
        Self {
            stub: reading.stub.clone(),
            streams: reading.streams.clone(),
            said: None,
            failures: 0,
            retry_at: None,
            fault: None,
        }
    }

    /// Applies book's availability. Returns how a manual hold changed, if it did.
    pub(super) fn note_reading(
        &mut self,
        name: &ResourceName,
        said: &Availability,
        now: Moment,
    ) -> Option<HoldChange> {
        let before = self.held_for();
        self.said = Some((said.clone(), now));
        let reason = self.held_for();
        (before != reason).then(|| (name.clone(), reason))
    }

    pub(super) fn held_for(&self) -> Option<String> {
        self.said
            .as_ref()
            .filter(|(said, _)| said.bookable() == Bookable::Held)
            .map(|(said, _)| said.reason.clone())
    }

    /// What has to be written into book; `None` when nothing has to or may be.
    pub(super) fn difference(
        &mut self,
        wanted: &Wanted,
        manual_override: Option<&ManualOverride>,
    ) -> Option<(bool, String)> {
        if self.retry_at.is_some() {
            return None;
        }
        let (said, _) = self.said.as_ref()?;
        if let Some(manual_override) = manual_override {
            return Some(manual_override.to_write(wanted));
        }
        let difference = match (said.bookable(), wanted) {
            (Bookable::Held, _) | (_, Wanted::AsItIs) | (Bookable::Yes, Wanted::Bookable(_)) => {
                None
            }
            (Bookable::Withdrawn, Wanted::Withdrawn(reason)) if said.reason == *reason => None,
            (Bookable::Withdrawn, Wanted::Bookable(reason)) => Some((true, reason.clone())),
            (Bookable::Yes | Bookable::Withdrawn, Wanted::Withdrawn(reason)) => {
                Some((false, reason.clone()))
            }
        };
        if difference.is_none() {
            self.failures = 0;
        }
        difference
    }
}

impl ManualOverride {
    /// What has to be written into book. A resource that an operator releases and that is not
    /// usable becomes withdrawn without being available in between.
    fn to_write(&self, wanted: &Wanted) -> (bool, String) {
        match (self, wanted) {
            (Self::Hold(reason), _) | (Self::Enable, Wanted::Withdrawn(reason)) => {
                (false, reason.clone())
            }
            (Self::Enable, Wanted::Bookable(reason)) => (true, reason.clone()),
            (Self::Enable, Wanted::AsItIs) => (true, reason::enabled()),
        }
    }

    pub(super) fn is_granted_by(&self, said: &Availability) -> bool {
        match self {
            Self::Hold(reason) => said.bookable() == Bookable::Held && said.reason == *reason,
            Self::Enable => said.bookable() != Bookable::Held,
        }
    }

    /// Whether book's answer to a switch is the wanted availability with another reason: it will
    /// not keep ours, however often it is written.
    pub(super) fn is_near(&self, said: &Availability) -> bool {
        match self {
            Self::Hold(_) => said.bookable() == Bookable::Held,
            Self::Enable => false,
        }
    }
}
