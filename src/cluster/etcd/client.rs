//! Single requests to etcd.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use etcd_client::{Client, Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp};

use super::commit::{Operation, transactions};
use crate::clients::etcd::{ANSWER_WITHIN, Fault, connect, is_one, packed, reader, within};
use crate::cluster::map::{StateMap, difference};
use crate::cluster::membership::{OF_REPLICA, Share};
use crate::cluster::view::Peer;
use crate::config::ClusterSettings;
use engine::State;

/// Below the prefix: the durable state, and the election.
const STATE: &str = "/state/";
const ELECTION: &str = "/leader";

/// Below the prefix: what every replica may add to and none removes, such as revoked tokens.
const SHARED: &str = "/shared/";

/// The election key under which the state was last changed.
const CHANGED_BY: &str = "/changed-by";

/// Everything below the prefix.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    pub(super) map: StateMap,
    /// The candidates by their election keys, each with the revision of its creation. The earliest
    /// leads.
    pub(super) peers: Vec<(String, i64, Option<Peer>)>,
    pub(super) revision: i64,
    /// The revision of the listing: changes of earlier revisions are in it.
    pub(super) as_of: i64,
    /// Whether etcd had a later revision before: it was emptied, or set back to a snapshot.
    pub(super) went_back: bool,
    /// The election key under which the state was last changed.
    pub(super) changed_by: Option<Vec<u8>>,
    /// What all replicas share.
    pub(super) shared: BTreeMap<String, Vec<u8>>,
}

impl Listing {
    /// Whether the candidate of this election key leads.
    pub(super) fn is_led_under(&self, election_key: &[u8]) -> bool {
        let first = self.peers.iter().min_by_key(|(_, since, _)| *since);
        first.is_some_and(|(key, ..)| key.as_bytes() == election_key)
    }
}

/// The latest revision of etcd that this replica has received. A clone is the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Latest(Arc<AtomicI64>);

impl Latest {
    pub(super) fn note(&self, revision: i64) {
        self.0.fetch_max(revision, Ordering::SeqCst);
    }

    /// Resets to this revision of an etcd that has gone back.
    pub(super) fn go_back(&self, revision: i64) {
        self.0.store(revision, Ordering::SeqCst);
    }

    fn revision(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The meaning of a key below the prefix.
pub(super) enum Place {
    State(String),
    Candidate(String),
    Shared(String),
    ChangedBy,
    Other,
}

/// The keys in etcd.
#[derive(Debug, Clone)]
pub(super) struct Keys(pub(super) String);

impl Keys {
    pub(super) fn all(&self) -> String {
        format!("{}/", self.0)
    }

    pub(super) fn election(&self) -> String {
        format!("{}{ELECTION}", self.0)
    }

    /// The election key of a lease, as etcd makes it.
    pub(super) fn candidate(&self, lease: i64) -> String {
        format!("{}{ELECTION}/{lease:x}", self.0)
    }

    pub(super) fn state(&self, key: &str) -> String {
        format!("{}{STATE}{key}", self.0)
    }

    fn shared(&self, key: &str) -> String {
        format!("{}{SHARED}{key}", self.0)
    }

    pub(super) fn place(&self, key: &[u8]) -> Place {
        let Ok(key) = std::str::from_utf8(key) else {
            return Place::Other;
        };
        let below = key.strip_prefix(&self.0).unwrap_or_default();
        let candidate = below.strip_prefix(ELECTION);
        let candidate = candidate.filter(|lease| lease.starts_with('/'));
        match (below.strip_prefix(STATE), candidate) {
            (Some(entry), _) => Place::State(entry.to_owned()),
            (None, Some(_)) => Place::Candidate(key.to_owned()),
            (None, None) if below == CHANGED_BY => Place::ChangedBy,
            (None, None) => below
                .strip_prefix(SHARED)
                .map_or(Place::Other, |key| Place::Shared(key.to_owned())),
        }
    }
}

/// Everything below the prefix, as the majority of etcd's members have it.
pub(super) async fn list(client: &Client, keys: &Keys, latest: &Latest) -> Result<Listing, Fault> {
    // Revisions received before the request are part of the answer, unless etcd has lost them.
    let known = latest.revision();
    let all = GetOptions::new().with_prefix();
    let answer = within(ANSWER_WITHIN, reader(client).get(keys.all(), Some(all))).await?;
    let revision = answer
        .header()
        .map_or(0, etcd_client::ResponseHeader::revision);
    latest.note(revision);
    let mut listing = Listing {
        revision,
        as_of: revision,
        went_back: revision < known,
        ..Listing::default()
    };
    for found in answer.kvs() {
        match keys.place(found.key()) {
            Place::State(key) => listing.map.put(key, found.value().to_vec()),
            Place::Candidate(key) => {
                let peer = serde_json::from_slice(found.value()).ok();
                listing.peers.push((key, found.create_revision(), peer));
            }
            Place::ChangedBy => listing.changed_by = Some(found.value().to_vec()),
            Place::Shared(key) => drop(listing.shared.insert(key, found.value().to_vec())),
            Place::Other => {}
        }
    }
    Ok(listing)
}

/// A transaction of these operations, which succeeds only while the election key has this revision.
pub(super) fn fenced(keys: &Keys, election_key: &[u8], since: i64, batch: &[Operation]) -> Txn {
    let is_ours = Compare::create_revision(election_key, CompareOp::Equal, since);
    let mut operations = operations(keys, batch);
    if !operations.is_empty() {
        let changed_by = format!("{}{CHANGED_BY}", keys.0);
        operations.push(TxnOp::put(changed_by, election_key, None));
    }
    Txn::new().when([is_ours]).and_then(operations)
}

fn operations(keys: &Keys, batch: &[Operation]) -> Vec<TxnOp> {
    let one = |operation: &Operation| {
        let key = keys.state(&operation.key);
        match &operation.value {
            Some(value) => TxnOp::put(key, value.clone(), None),
            None => TxnOp::delete(key, None),
        }
    };
    batch.iter().map(one).collect()
}

async fn open(settings: &ClusterSettings) -> Result<(Client, Keys), Fault> {
    let client = connect(&settings.etcd).await?;
    Ok((client, Keys(settings.etcd.prefix.clone())))
}

/// Adds to the entries that all replicas share, or removes expired ones. A replica's own entries
/// need its lease, and end with it.
pub(super) async fn share(
    settings: &ClusterSettings,
    shares: Vec<Share>,
    lease: Option<i64>,
) -> Result<(), Fault> {
    let (mut client, keys) = open(settings).await?;
    let one = |(key, value): Share| {
        let under = lease.filter(|_| key.starts_with(OF_REPLICA));
        let (key, value) = (keys.shared(&key), value.map(|value| value.to_string()));
        let size = key.len() + value.as_ref().map_or(0, String::len);
        let operation = match value {
            Some(value) => {
                let options = under.map(|lease| PutOptions::new().with_lease(lease));
                TxnOp::put(key, value, options)
            }
            None => TxnOp::delete(key, None),
        };
        (operation, size)
    };
    let shares = shares
        .into_iter()
        .filter(|(key, _)| lease.is_some() || !key.starts_with(OF_REPLICA));
    for batch in packed(shares.map(one)) {
        let txn = Txn::new().and_then(batch);
        within(ANSWER_WITHIN, client.txn(txn)).await?;
    }
    Ok(())
}

/// Whether etcd accepts our credentials and has a quorum, as text.
///
/// # Errors
/// [`Fault`].
pub async fn reach(settings: &ClusterSettings) -> Result<String, Fault> {
    is_one(&settings.etcd).await?;
    let (mut client, keys) = open(settings).await?;
    let status = within(ANSWER_WITHIN, client.status()).await?;
    let listing = list(&client, &keys, &Latest::default()).await?;
    let leader = first(&listing.peers).map_or_else(
        || "no replica leads".to_owned(),
        |peer| format!("{} leads", peer.name),
    );
    Ok(format!("etcd {} lets us in; {leader}", status.version()))
}

/// The one that came first.
pub(super) fn first(peers: &[(String, i64, Option<Peer>)]) -> Option<&Peer> {
    peers
        .iter()
        .min_by_key(|(_, since, _)| *since)
        .and_then(|(_, _, peer)| peer.as_ref())
}

/// The durable state, and the name of the replica that leads.
///
/// # Errors
/// [`Fault`].
pub async fn read_state(settings: &ClusterSettings) -> Result<(StateMap, Option<String>), Fault> {
    let (client, keys) = open(settings).await?;
    let listing = list(&client, &keys, &Latest::default()).await?;
    let leader = first(&listing.peers).map(|peer| peer.name.clone());
    Ok((listing.map, leader))
}

/// Replaces the durable state by this one, and returns how many entries that changed. Entries that
/// this version does not understand stay, and existing ones do unless they are to be replaced.
///
/// # Errors
/// The problem, as text; part of the state may be written then. Also when a replica runs.
pub async fn write_state(
    settings: &ClusterSettings,
    state: &State,
    is_replacing: bool,
) -> Result<usize, String> {
    let in_words = |fault: Fault| fault.to_string();
    let (mut client, keys) = open(settings).await.map_err(in_words)?;
    let before = list(&client, &keys, &Latest::default()).await;
    let before = before.map_err(in_words)?;
    if !before.peers.is_empty() {
        let first = first(&before.peers).map_or("a replica", |peer| &peer.name);
        return Err(format!(
            "{first} runs, or did a moment ago: stop all replicas first"
        ));
    }
    let there = before.map.state();
    let lost = there
        .iter()
        .filter(|(key, value)| state.get(key) != Some(value))
        .count();
    if lost > 0 && !is_replacing {
        return Err(format!(
            "etcd has {lost} entries below {} that this host has not, or has otherwise. Where they are of no use any more, give --replace",
            settings.etcd.prefix
        ));
    }
    let changes = difference(&there, state);
    let count = changes.len();
    let none_runs = Compare::create_revision(format!("{}/", keys.election()), CompareOp::Equal, 0);
    for batch in transactions(changes) {
        let txn = Txn::new().when([none_runs.clone().with_prefix()]);
        let txn = txn.and_then(operations(&keys, &batch));
        let answer = within(ANSWER_WITHIN, client.txn(txn)).await;
        if !answer.map_err(in_words)?.succeeded() {
            return Err("a replica was started meanwhile: stop all replicas first".to_owned());
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_begins_like_a_key_of_another_one_is_not_taken_for_it() {
        let keys = Keys("/labwatch/a".to_owned());
        let candidate = keys.candidate(0x1f);
        let is_candidate = |key: &str| matches!(keys.place(key.as_bytes()), Place::Candidate(_));
        assert!(is_candidate(&candidate), "{candidate}");
        assert!(!is_candidate("/labwatch/a/leaders/state/experiment/pend00"));
        let state = keys.place(b"/labwatch/a/state/experiment/pend00");
        assert!(matches!(state, Place::State(entry) if entry == "experiment/pend00"));
    }
}
