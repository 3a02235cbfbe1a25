//! Follows the content of etcd: a full listing, then every change; a full listing again where the
//! missed history is gone.

use std::collections::BTreeSet;

use engine::model::Gather as _;
use etcd_client::{Client, EventType, WatchOptions, WatchResponse};
use tokio::sync::mpsc;

use super::client::{Keys, Latest, Listing, Place, list};
use super::event::{Change, Event};
use crate::clients::etcd::{ANSWER_WITHIN, FIRST_RETRY, Fault, connect, longer, watcher, within};
use crate::config::ClusterSettings;

/// Follows until the receiver is gone.
pub(super) async fn follow(settings: ClusterSettings, latest: Latest, events: mpsc::Sender<Event>) {
    let keys = Keys(settings.etcd.prefix.clone());
    let place = (&keys, &latest);
    let mut pause = FIRST_RETRY;
    loop {
        let mut connected = false;
        let fault = Box::pin(follow_once(&settings, place, &events, &mut connected)).await;
        let Err(fault) = fault else { return };
        if events.send(Event::Unseen(fault)).await.is_err() {
            return;
        }
        pause = if connected {
            FIRST_RETRY
        } else {
            longer(pause)
        };
        tokio::time::sleep(pause).await;
    }
}

/// Returns without error when the receiver is gone.
async fn follow_once(
    settings: &ClusterSettings,
    (keys, latest): (&Keys, &Latest),
    events: &mpsc::Sender<Event>,
    connected: &mut bool,
) -> Result<(), Fault> {
    let client = connect(&settings.etcd).await?;
    loop {
        let listing = list(&client, keys, latest).await?;
        *connected = true;
        let from = listing.revision + 1;
        if events.send(Event::Listed(Box::new(listing))).await.is_err() {
            return Ok(());
        }
        if !watch(&client, (keys, latest), from, events).await? {
            return Ok(());
        }
        tracing::info!("the history of etcd that was missed is gone; its state is read anew");
    }
}

/// Passes every change on. Returns true when the history is gone, false when the receiver is.
async fn watch(
    client: &Client,
    (keys, latest): (&Keys, &Latest),
    from: i64,
    events: &mpsc::Sender<Event>,
) -> Result<bool, Fault> {
    let options = WatchOptions::new().with_prefix().with_start_revision(from);
    let mut watcher = watcher(client);
    let mut stream = within(ANSWER_WITHIN, watcher.watch(keys.all(), Some(options))).await?;
    loop {
        let Some(answer) = stream.message().await? else {
            return Err(Fault::Unreachable("the watch has ended".to_owned()));
        };
        if answer.compact_revision() > 0 {
            return Ok(true);
        }
        if answer.canceled() {
            return Err(Fault::Other(answer.cancel_reason().to_owned()));
        }
        let revision = answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision);
        latest.note(revision);
        let changed = Event::Changed(changes(keys, &answer), revision);
        if events.send(changed).await.is_err() {
            return Ok(false);
        }
    }
}

/// The changes of an answer, each with its revision. A leader marks each revision in which it
/// changes the state; unmarked ones were made by an outside writer.
fn changes(keys: &Keys, answer: &WatchResponse) -> Vec<(i64, Change)> {
    let marked: BTreeSet<i64> = answer
        .events()
        .iter()
        .filter(|event| event.event_type() == EventType::Put)
        .filter_map(etcd_client::Event::kv)
        .filter(|entry| matches!(keys.place(entry.key()), Place::ChangedBy))
        .map(etcd_client::KeyValue::mod_revision)
        .gather();
    let change = |event: &etcd_client::Event| {
        let entry = event.kv()?;
        let is_put = event.event_type() == EventType::Put;
        let change = match (keys.place(entry.key()), is_put) {
            (Place::State(key), _) => Change::State {
                key,
                value: is_put.then(|| entry.value().to_vec()),
                is_by_hand: !marked.contains(&entry.mod_revision()),
            },
            (Place::Candidate(key), true) => {
                let peer = serde_json::from_slice(entry.value()).ok();
                Change::Came(key, entry.create_revision(), peer)
            }
            (Place::Candidate(key), false) => Change::Left(key),
            (Place::Shared(key), true) => Change::Shared(key, Some(entry.value().to_vec())),
            (Place::Shared(key), false) => Change::Shared(key, None),
            (Place::ChangedBy | Place::Other, _) => return None,
        };
        Some((entry.mod_revision(), change))
    };
    answer.events().iter().filter_map(change).collect()
}

impl Listing {
    /// Applies changes, each with its revision. A listing that includes a change already is not set
    /// back by it.
    pub(super) fn take_all(&mut self, changes: Vec<(i64, Change)>) {
        let as_of = self.as_of;
        for (made, change) in changes.into_iter().filter(|(made, _)| *made > as_of) {
            self.as_of = self.as_of.max(made);
            self.take(change);
        }
    }

    /// The later one of the known listing and one that was read besides the watch, which may have
    /// been faster.
    pub(super) fn or_later(self, known: Option<Self>) -> Self {
        match known {
            Some(known) if known.as_of > self.as_of && !self.went_back => known,
            Some(_) | None => self,
        }
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::State { key, value, .. } => match value {
                Some(value) => self.map.put(key, value),
                None => self.map.remove(&key),
            },
            Change::Came(key, since, peer) => {
                self.peers.retain(|(known, ..)| *known != key);
                self.peers.push((key, since, peer));
            }
            Change::Left(key) => self.peers.retain(|(known, ..)| *known != key),
            Change::Shared(key, Some(value)) => drop(self.shared.insert(key, value)),
            Change::Shared(key, None) => drop(self.shared.remove(&key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(name: &str, at: i64) -> (i64, Change) {
        (at, Change::Came(name.to_owned(), at, None))
    }

    fn names(listing: &Listing) -> Vec<&str> {
        listing.peers.iter().map(|(key, ..)| key.as_str()).collect()
    }

    fn as_of(revision: i64) -> Listing {
        Listing {
            as_of: revision,
            ..Listing::default()
        }
    }

    #[test]
    fn an_earlier_change_takes_nothing_back() {
        let mut listing = as_of(7);
        listing.take_all(vec![came("old", 5), came("new", 8), came("newer", 8)]);
        assert_eq!((names(&listing), listing.as_of), (vec!["new", "newer"], 8));
        listing.take_all(vec![(7, Change::Left("new".to_owned()))]);
        assert_eq!(names(&listing), ["new", "newer"]);
        listing.take_all(vec![(9, Change::Left("new".to_owned()))]);
        assert_eq!(names(&listing), ["newer"]);
    }

    #[test]
    fn a_listing_that_was_read_before_takes_the_place_of_nothing_later() {
        let mut known = as_of(4);
        known.take_all(vec![came("second", 6)]);
        let kept = as_of(5).or_later(Some(known.clone()));
        assert_eq!(names(&kept), ["second"]);
        assert_eq!(as_of(6).or_later(Some(known.clone())).as_of, 6);
        assert_eq!(as_of(5).or_later(None).as_of, 5);
        let went_back = Listing {
            went_back: true,
            ..as_of(2)
        };
        assert_eq!(went_back.or_later(Some(known)).as_of, 2);
    }
}
