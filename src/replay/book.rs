//! A small book in memory that keeps what it is told, as the real one does: availability is forgotten with every manifest upload.

use std::collections::BTreeMap;

use engine::model::{Availability, Bookable, ResourceName, Stub, Topic};
use engine::{BookReading, ResourceReading, Switch, SwitchOutcome};

/// A resource of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The experiment that it is.
    pub stub: Stub,
    /// The streams that it must have.
    pub streams: Vec<Topic>,
}

/// The book.
#[derive(Debug, Clone, Default)]
pub struct ModelBook {
    resources: BTreeMap<ResourceName, (Listed, Availability)>,
}

impl ModelBook {
    /// Whether it has no manifest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Takes a manifest as an upload does: everything is available again, whatever was said before.
    pub fn upload(&mut self, manifest: &BTreeMap<ResourceName, Listed>, reason: &str) {
        let fresh = |listed: &Listed| {
            (
                listed.clone(),
                Availability {
                    available: true,
                    reason: reason.to_owned(),
                },
            )
        };
        self.resources = manifest
            .iter()
            .map(|(name, listed)| (name.clone(), fresh(listed)))
            .collect();
    }

    /// Loses everything, as a restart does.
    pub fn restart(&mut self) {
        self.resources.clear();
    }

    /// Sets an availability, whoever wishes it. Returns whether there is such a resource.
    pub fn set(&mut self, name: &ResourceName, available: bool, reason: &str) -> bool {
        let found = self.resources.get_mut(name);
        found
            .map(|(_, said)| {
                *said = Availability {
                    available,
                    reason: reason.to_owned(),
                }
            })
            .is_some()
    }

    /// What it says of a resource.
    #[must_use]
    pub fn said(&self, name: &ResourceName) -> Option<&Availability> {
        self.resources.get(name).map(|(_, said)| said)
    }

    /// The answer to a poll.
    #[must_use]
    pub fn reading(&self) -> BookReading {
        let one =
            |(name, (listed, said)): (&ResourceName, &(Listed, Availability))| ResourceReading {
                name: name.clone(),
                stub: listed.stub.clone(),
                streams: listed.streams.clone(),
                availability: Some(said.clone()),
            };
        BookReading {
            resources: self.resources.iter().map(one).collect(),
        }
    }

    /// Carries a switch out: looks for a person's hold first, writes, and tells what it says then.
    pub fn switch(&mut self, switch: &Switch) -> SwitchOutcome {
        let Some((_, said)) = self.resources.get_mut(&switch.resource) else {
            return SwitchOutcome::Gone;
        };
        if said.bookable() == Bookable::Held && !switch.by_person {
            return SwitchOutcome::Held(said.clone());
        }
        *said = Availability {
            available: switch.available,
            reason: switch.reason.clone(),
        };
        SwitchOutcome::Confirmed(said.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_it_is_told_until_the_next_upload() {
        let name = ResourceName::try_new("r-pend00").expect("a name");
        let stub = Stub::try_new("pend00").expect("a name");
        let manifest = BTreeMap::from([(
            name.clone(),
            Listed {
                stub: stub.clone(),
                streams: Vec::new(),
            },
        )]);
        let switch = Switch {
            resource: name.clone(),
            stub,
            available: false,
            reason: "labwatch: x".into(),
            by_person: false,
        };
        let mut book = ModelBook::default();
        assert_eq!(book.switch(&switch), SwitchOutcome::Gone);
        book.upload(&manifest, "new");
        let withdrawn = Availability {
            available: false,
            reason: "labwatch: x".into(),
        };
        assert_eq!(book.switch(&switch), SwitchOutcome::Confirmed(withdrawn));
        assert!(book.set(&name, false, "a fire"));
        let held = Availability {
            available: false,
            reason: "a fire".into(),
        };
        assert_eq!(book.switch(&switch), SwitchOutcome::Held(held));
        book.upload(&manifest, "newer");
        assert_eq!(book.said(&name).map(|said| said.available), Some(true));
        book.restart();
        assert!(book.is_empty() && !book.set(&name, true, "x"));
    }
}
