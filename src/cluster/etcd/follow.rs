//! Follows what stands in etcd: all of it once, then every change; all of it anew where the history that was missed is gone.

use std::time::Duration;

use etcd_client::{Client, EventType, WatchOptions, WatchResponse};
use tokio::sync::mpsc;

use super::client::{Keys, Latest, Listing, Place, list};
use super::member::Event;
use super::{ANSWER_WITHIN, FIRST_RETRY, Fault, LONGEST_RETRY, connect, within};
use crate::cluster::view::Peer;
use crate::config::ClusterSettings;

/// A change of what stands in etcd.
#[derive(Debug)]
pub(super) enum Change {
    Put(String, Vec<u8>),
    Removed(String),
    Came(String, i64, Option<Peer>),
    Left(String),
    Shared(String, Option<Vec<u8>>),
}

/// Follows for ever, or until the other end is gone.
pub(super) async fn follow(settings: ClusterSettings, latest: Latest, events: mpsc::Sender<Event>) {
    let keys = Keys(settings.prefix.clone());
    let place = (&keys, &latest);
    let mut pause = FIRST_RETRY;
    loop {
        let mut heard = false;
        let fault = Box::pin(follow_once(&settings, place, &events, &mut heard)).await;
        let Err(fault) = fault else { return };
        if events.send(Event::Unseen(fault)).await.is_err() {
            return;
        }
        pause = if heard { FIRST_RETRY } else { longer(pause) };
        tokio::time::sleep(pause).await;
    }
}

pub(super) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_RETRY)
}

/// Ends well when the other end is gone.
async fn follow_once(
    settings: &ClusterSettings,
    (keys, latest): (&Keys, &Latest),
    events: &mpsc::Sender<Event>,
    heard: &mut bool,
) -> Result<(), Fault> {
    let mut client = connect(&settings.etcd).await?;
    loop {
        let listing = list(&mut client, keys, latest).await?;
        *heard = true;
        let from = listing.revision + 1;
        if events.send(Event::Listed(Box::new(listing))).await.is_err() {
            return Ok(());
        }
        if !watch(&mut client, (keys, latest), from, events).await? {
            return Ok(());
        }
        tracing::info!("the history of etcd that was missed is gone; its state is read anew");
    }
}

/// Hands every change on. Ends with yes when the history is gone, with no when the other end is.
async fn watch(
    client: &mut Client,
    (keys, latest): (&Keys, &Latest),
    from: i64,
    events: &mpsc::Sender<Event>,
) -> Result<bool, Fault> {
    let options = WatchOptions::new().with_prefix().with_start_revision(from);
    let mut stream = within(ANSWER_WITHIN, client.watch(keys.all(), Some(options))).await?;
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

/// Each with the revision that it made.
fn changes(keys: &Keys, answer: &WatchResponse) -> Vec<(i64, Change)> {
    let change = |event: &etcd_client::Event| {
        let entry = event.kv()?;
        let is_put = event.event_type() == EventType::Put;
        let change = match (keys.place(entry.key()), is_put) {
            (Place::State(key), true) => Change::Put(key, entry.value().to_vec()),
            (Place::State(key), false) => Change::Removed(key),
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
    /// Takes a change in.
    pub(super) fn take(&mut self, change: Change) {
        match change {
            Change::Put(key, value) => self.map.put(key, value),
            Change::Removed(key) => self.map.remove(&key),
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
