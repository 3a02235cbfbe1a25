//! State of book: the manifest and the availability of resources. As in the real one, availability
//! is reset by every upload.

use std::collections::BTreeMap;

use engine::model::{Availability, Bookable, ResourceName, Stub, Topic};
use engine::{BookReading, ResourceReading, Switch, SwitchOutcome};
use serde::{Deserialize, Serialize};

/// A resource of the manifest, as book lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The address of its user interface's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_url: Option<String>,
    /// The name of its description.
    #[serde(default)]
    pub description: String,
    /// The keys of its required streams.
    pub streams: Vec<String>,
    /// Not used, and written as `null`.
    #[serde(default)]
    pub tests: Option<Vec<String>>,
    /// The experiment behind it.
    pub topic_stub: String,
}

/// Book's resources by name.
pub type Manifest = BTreeMap<String, Resource>;

/// The book.
#[derive(Debug, Clone, Default)]
pub struct Book {
    manifest: Manifest,
    availability: BTreeMap<String, Availability>,
}

impl Resource {
    /// A resource of this experiment that requires these streams.
    #[must_use]
    pub fn new(stub: &str, streams: &[&str]) -> Self {
        Self {
            config_url: None,
            description: format!("d-r-{stub}"),
            streams: streams.iter().map(|&key| key.to_owned()).collect(),
            tests: None,
            topic_stub: stub.to_owned(),
        }
    }
}

impl Book {
    /// Its resources.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether it has no manifest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.manifest.is_empty()
    }

    /// Takes a manifest over: everything is available again.
    pub fn upload(&mut self, manifest: &Manifest, reason: &str) {
        self.manifest = manifest.clone();
        self.reset(reason);
    }

    /// Lists one more resource, which is available; the others stay as they are.
    pub fn list(&mut self, name: &str, resource: Resource) {
        self.manifest.insert(name.to_owned(), resource);
        self.availability.insert(
            name.to_owned(),
            Availability {
                available: true,
                reason: String::new(),
            },
        );
    }

    /// Loses everything, as a restart does.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Makes everything available, as an upload of bookings does.
    pub fn reset(&mut self, reason: &str) {
        let available = Availability {
            available: true,
            reason: reason.to_owned(),
        };
        let names = self.manifest.keys();
        self.availability = names
            .map(|name| (name.clone(), available.clone()))
            .collect();
    }

    /// Sets an availability. Returns whether there is such a resource.
    pub fn set(&mut self, name: &str, available: bool, reason: &str) -> bool {
        let found = self.availability.get_mut(name);
        found
            .map(|stored| {
                *stored = Availability {
                    available,
                    reason: reason.to_owned(),
                }
            })
            .is_some()
    }

    /// The stored availability of a resource.
    #[must_use]
    pub fn stored(&self, name: &str) -> Option<&Availability> {
        self.availability.get(name)
    }

    /// The result of a poll. Resources whose names labwatch rejects are left out.
    #[must_use]
    pub fn reading(&self) -> BookReading {
        let one = |(name, resource): (&String, &Resource)| {
            let stub = Stub::try_new(&resource.topic_stub).ok()?;
            let keys = resource.streams.iter();
            Some(ResourceReading {
                name: ResourceName::try_new(name).ok()?,
                streams: keys.filter_map(|key| Topic::of(&stub, key).ok()).collect(),
                availability: self.availability.get(name).cloned(),
                stub,
            })
        };
        BookReading {
            resources: self.manifest.iter().filter_map(one).collect(),
        }
    }

    /// Carries a switch out as labwatch does: checks for a manual hold, writes, and reads back.
    pub fn switch(&mut self, switch: &Switch) -> SwitchOutcome {
        let Some(stored) = self.availability.get_mut(switch.resource.as_str()) else {
            return SwitchOutcome::Gone;
        };
        if stored.bookable() == Bookable::Held && !switch.by_person {
            return SwitchOutcome::Held(stored.clone());
        }
        *stored = Availability {
            available: switch.available,
            reason: switch.reason.clone(),
        };
        SwitchOutcome::Confirmed(stored.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_written_until_the_next_upload() {
        let availability = |available, reason: &str| Availability {
            available,
            reason: reason.to_owned(),
        };
        let switch = Switch {
            resource: ResourceName::try_new("r-pend00").expect("a name"),
            stub: Stub::try_new("pend00").expect("a name"),
            available: false,
            reason: "labwatch: x".into(),
            by_person: false,
        };
        let manifest = Manifest::from([("r-pend00".into(), Resource::new("pend00", &["st-data"]))]);
        let mut book = Book::default();
        assert_eq!(book.switch(&switch), SwitchOutcome::Gone);
        book.upload(&manifest, "new");
        let withdrawn = availability(false, "labwatch: x");
        assert_eq!(book.switch(&switch), SwitchOutcome::Confirmed(withdrawn));
        assert!(book.set("r-pend00", false, "a fire"));
        let held = availability(false, "a fire");
        assert_eq!(book.switch(&switch), SwitchOutcome::Held(held));
        book.upload(&manifest, "newer");
        assert_eq!(book.stored("r-pend00"), Some(&availability(true, "newer")));
        book.restart();
        assert!(book.is_empty() && !book.set("r-pend00", true, "x"));
    }
}
