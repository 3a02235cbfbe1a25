//! Reading the policy from etcd: all of it at one revision, then every change.

use etcd_client::{
    Client, EventType, GetOptions, GetResponse, ResponseHeader, Txn, TxnOp, TxnOpResponse,
    WatchOptions, WatchResponse, WatchStream,
};

use crate::clients::etcd::{ANSWER_WITHIN, Fault, within};
use crate::config::PolicySettings;

/// The most keys below a root.
const MAX_KEYS: i64 = 10_000;

/// All keys of the policy.
pub(super) struct Listing {
    /// Keys, values, and the revision at which each was last changed.
    pub(super) keys: Vec<(String, Vec<u8>, i64)>,
    /// The state that both agreed on.
    pub(super) agreed: Option<Vec<u8>>,
    pub(super) revision: i64,
}

/// A changed key, its value if it has one, and the revision.
pub(super) type Change = (String, Option<Vec<u8>>, i64);

/// Reads all keys.
pub(super) async fn list(client: &mut Client, settings: &PolicySettings) -> Result<Listing, Fault> {
    let below = GetOptions::new().with_prefix().with_limit(MAX_KEYS);
    let txn = Txn::new().and_then([
        TxnOp::get(below_of(&settings.acks), Some(below.clone())),
        TxnOp::get(below_of(&settings.categories), Some(below)),
        TxnOp::get(settings.cluster_ack.clone(), None),
        TxnOp::get(settings.agreed_key(), None),
    ]);
    let answer = within(ANSWER_WITHIN, client.txn(txn)).await?;
    let mut listing = Listing {
        keys: Vec::new(),
        agreed: None,
        revision: answer.header().map_or(0, ResponseHeader::revision),
    };
    let agreed_key = settings.agreed_key();
    for response in answer.op_responses() {
        if let TxnOpResponse::Get(found) = response {
            take(&mut listing, &found, &agreed_key)?;
        }
    }
    Ok(listing)
}

fn take(listing: &mut Listing, found: &GetResponse, agreed_key: &str) -> Result<(), Fault> {
    if found.more() {
        let words = format!("there are more than {MAX_KEYS} keys below a root of the policy");
        return Err(Fault::Other(words));
    }
    for entry in found.kvs() {
        match std::str::from_utf8(entry.key()) {
            Ok(key) if key == agreed_key => listing.agreed = Some(entry.value().to_vec()),
            Ok(key) => {
                let found = (key.to_owned(), entry.value().to_vec(), entry.mod_revision());
                listing.keys.push(found);
            }
            // A key that is not text is none of the policy's.
            Err(_) => {}
        }
    }
    Ok(())
}

pub(super) fn below_of(root: &str) -> String {
    format!("{root}/")
}

/// The changes below the roots.
pub(super) struct Watches {
    acks: WatchStream,
    categories: WatchStream,
    cluster_ack: WatchStream,
}

impl Watches {
    /// Watches from this revision on.
    pub(super) async fn open(
        client: &mut Client,
        settings: &PolicySettings,
        from: i64,
    ) -> Result<Self, Fault> {
        let one = WatchOptions::new().with_start_revision(from);
        let below = one.clone().with_prefix();
        Ok(Self {
            acks: watch(client, below_of(&settings.acks), below.clone()).await?,
            categories: watch(client, below_of(&settings.categories), below).await?,
            cluster_ack: watch(client, settings.cluster_ack.clone(), one).await?,
        })
    }

    /// The next changes; `None`: the history is gone.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Change>>, Fault> {
        let answer = tokio::select! {
            answer = self.acks.message() => answer,
            answer = self.categories.message() => answer,
            answer = self.cluster_ack.message() => answer,
        };
        let Some(answer) = answer? else {
            return Err(Fault::Unreachable("the watch has ended".to_owned()));
        };
        if answer.compact_revision() > 0 {
            return Ok(None);
        }
        if answer.canceled() {
            return Err(Fault::Other(answer.cancel_reason().to_owned()));
        }
        Ok(Some(changes(&answer)))
    }
}

async fn watch(
    client: &mut Client,
    key: String,
    options: WatchOptions,
) -> Result<WatchStream, Fault> {
    within(ANSWER_WITHIN, client.watch(key, Some(options))).await
}

fn changes(answer: &WatchResponse) -> Vec<Change> {
    let change = |event: &etcd_client::Event| {
        let entry = event.kv()?;
        let is_put = event.event_type() == EventType::Put;
        let value = is_put.then(|| entry.value().to_vec());
        let key = entry.key_str().ok()?.to_owned();
        Some((key, value, entry.mod_revision()))
    };
    answer.events().iter().filter_map(change).collect()
}
