//! Simulated book for the shadow mode. In shadow nothing is written to book: writes are kept here
//! and read back from here, so that each decision follows from the one before although another
//! monitor writes. A manual hold in book counts for both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::info;

use super::listing::Resources;
use engine::model::{Availability, Bookable, ResourceName, Stub};

/// The state in book and the simulated one, when one of the two has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The resource.
    pub resource: ResourceName,
    /// Its experiment, once book has listed it.
    pub stub: Option<Stub>,
    /// The state in book.
    pub book: Availability,
    /// The simulated state.
    pub ours: Availability,
}

/// Receives changes. It must not block.
pub type Observe = Arc<dyn Fn(Comparison) + Send + Sync>;

/// The simulated book. Clones share its state.
#[derive(Clone)]
pub struct ShadowBook {
    resources: Arc<Mutex<BTreeMap<ResourceName, Resource>>>,
    observe: Observe,
}

/// The state of a resource. There are as many as book lists.
#[derive(Debug, Default)]
struct Resource {
    stub: Option<Stub>,
    /// What labwatch would have set; `None` before the first reading and after a manual hold: then
    /// book's state counts.
    ours: Option<Availability>,
    /// What was observed last.
    last: Option<(Availability, Availability)>,
}

impl std::fmt::Debug for ShadowBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShadowBook")
    }
}

impl ShadowBook {
    /// A simulated book that starts as the real one. `observe` receives changes.
    #[must_use]
    pub fn new(observe: Observe) -> Self {
        Self {
            resources: Arc::default(),
            observe,
        }
    }

    /// Takes over the manifest's list, and drops other resources.
    pub(super) fn lists(&self, listed: &Resources) {
        let mut resources = self.resources();
        resources.retain(|name, _| listed.listed.contains_key(name));
        for (name, one) in &listed.listed {
            resources.entry(name.clone()).or_default().stub = Some(one.stub.clone());
        }
    }

    /// Takes the state of a resource in book, and returns the simulated one.
    pub(super) fn reads(&self, name: &ResourceName, book: Availability) -> Availability {
        let mut resources = self.resources();
        let known = resources.entry(name.clone()).or_default();
        let ours = if book.bookable() == Bookable::Held {
            known.ours = None;
            book.clone()
        } else {
            known.ours.get_or_insert_with(|| book.clone()).clone()
        };
        let is_new = known.last.as_ref().is_none_or(|(was, would)| {
            was.bookable() != book.bookable()
                || (would.available, &would.reason) != (ours.available, &ours.reason)
        });
        if is_new {
            known.last = Some((book.clone(), ours.clone()));
            (self.observe)(Comparison {
                resource: name.clone(),
                stub: known.stub.clone(),
                book,
                ours: ours.clone(),
            });
        }
        ours
    }

    /// Stores a write.
    pub(super) fn writes(&self, name: &ResourceName, available: bool, reason: &str) {
        info!(resource = %name, available, reason, "shadow: did not write to book");
        self.resources().entry(name.clone()).or_default().ours = Some(Availability {
            available,
            reason: reason.to_owned(),
        });
    }

    fn resources(&self) -> MutexGuard<'_, BTreeMap<ResourceName, Resource>> {
        self.resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clients::book::fake_book::FakeBook;

    type Seen = Arc<Mutex<Vec<(bool, String, bool, String)>>>;

    fn shadow() -> (ShadowBook, Seen) {
        let seen = Seen::default();
        let into = Arc::clone(&seen);
        let observe = move |it: Comparison| {
            assert!(it.stub.is_none_or(|stub| stub.as_str() == "pend00"));
            let (book, ours) = (it.book, it.ours);
            into.lock().expect("one thread").push((
                book.available,
                book.reason,
                ours.available,
                ours.reason,
            ));
        };
        (ShadowBook::new(Arc::new(observe)), seen)
    }

    fn row(book: (bool, &str), ours: (bool, &str)) -> (bool, String, bool, String) {
        (book.0, book.1.to_owned(), ours.0, ours.1.to_owned())
    }

    #[tokio::test]
    async fn what_would_be_written_is_read_back_and_book_is_not_touched() {
        const LOST: &str = "labwatch: no video";
        const THEIRS: &str = "status server: 2026-11-21";
        let book = FakeBook::start().await;
        let (shadow, seen) = shadow();
        let client = book.client(Duration::from_secs(5)).in_shadow(shadow);
        let name = ResourceName::try_new("r-a").expect("a name");
        let says = async || {
            let says = client.availability(&name).await.expect("answers");
            (says.available, says.reason)
        };
        book.put("r-a", "pend00", true, "new");
        client.resources().await.expect("answers");
        assert_eq!(says().await, (true, "new".to_owned()));
        client.switch(&name, false, LOST).await.expect("recorded");
        assert_eq!(says().await, (false, LOST.to_owned()));
        assert_eq!(book.stored("r-a"), Some((true, "new".to_owned())));
        // The other monitor withdraws it too, with a new reason at each of its checks, and gives it
        // back.
        for reason in [THEIRS, "status server: 2026-11-22"] {
            book.put("r-a", "pend00", false, reason);
            assert_eq!(says().await, (false, LOST.to_owned()));
        }
        book.put("r-a", "pend00", true, "back");
        assert_eq!(says().await, (false, LOST.to_owned()));
        // A manual hold counts, and what follows it.
        book.put("r-a", "pend00", false, "exam");
        assert_eq!(says().await, (false, "exam".to_owned()));
        book.put("r-a", "pend00", true, "over");
        assert_eq!(says().await, (true, "over".to_owned()));

        let calls = book.take_calls();
        assert!(
            calls.iter().all(|call| call.starts_with("GET")),
            "{calls:?}"
        );
        let expected = [
            row((true, "new"), (true, "new")),
            row((true, "new"), (false, LOST)),
            row((false, THEIRS), (false, LOST)),
            row((true, "back"), (false, LOST)),
            row((false, "exam"), (false, "exam")),
            row((true, "over"), (true, "over")),
        ];
        assert_eq!(*seen.lock().expect("one thread"), expected);
    }

    #[tokio::test]
    async fn what_book_does_not_list_any_more_is_forgotten() {
        let book = FakeBook::start().await;
        let (shadow, _) = shadow();
        let client = book
            .client(Duration::from_secs(5))
            .in_shadow(shadow.clone());
        book.put("r-a", "pend00", true, "new");
        client.resources().await.expect("answers");
        assert_eq!(shadow.resources().len(), 1);
        shadow.lists(&Resources::default());
        assert!(shadow.resources().is_empty());
    }
}
