//! Publication in etcd, under a lease: the keys of a labwatch that crashed are deleted when the
//! lease ends.

use etcd_client::{Client, GetOptions, LeaseKeepAliveStream, LeaseKeeper, PutOptions, Txn, TxnOp};

use super::batch::{Batch, WRITE_WITHIN};
use crate::clients::etcd::{Fault, connect, packed, within};
use crate::config::{EtcdSettings, PublicationSettings};

/// The lease lasts for this many heartbeats.
const HEARTBEATS: u32 = 3;

/// The most keys that are searched for orphans.
const MAX_KEYS: i64 = 20_000;

/// A lease, and the keys under it.
pub(super) struct Lease {
    settings: EtcdSettings,
    prefix: String,
    seconds: i64,
    session: Option<Session>,
    /// The last fault: it is logged once, however often the write is retried.
    fault: Option<&'static str>,
}

struct Session {
    client: Client,
    id: i64,
    keeper: LeaseKeeper,
    answers: LeaseKeepAliveStream,
}

impl Lease {
    pub(super) fn new(settings: EtcdSettings, publication: &PublicationSettings) -> Self {
        let lease = publication.every * HEARTBEATS;
        // etcd counts in seconds.
        let seconds = lease.as_millis().div_ceil(1000);
        Self {
            settings,
            prefix: publication.prefix.clone(),
            seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
            session: None,
            fault: None,
        }
    }

    /// Writes a batch, and keeps the lease alive. After a fault everything is written again.
    pub(super) async fn write(&mut self, batch: Batch) -> Result<(), String> {
        let written = Box::pin(self.try_write(batch)).await;
        if written.is_ok() {
            self.fault = None;
        }
        written.map_err(|fault| {
            self.session = None;
            if self.fault.replace(fault.what()) != Some(fault.what()) {
                tracing::warn!(%fault, "the status is not published, retrying");
            }
            fault.what().to_owned()
        })
    }

    async fn try_write(&mut self, mut batch: Batch) -> Result<(), Fault> {
        let session = match &mut self.session {
            Some(session) => {
                session.keep().await?;
                session
            }
            empty => empty.insert(Box::pin(open(&self.settings, self.seconds)).await?),
        };
        if batch.is_whole {
            batch.deletes = session.strays(&self.prefix, &batch).await?;
        }
        for operations in transactions(&self.prefix, batch, session.id) {
            let txn = Txn::new().and_then(operations);
            within(WRITE_WITHIN, session.client.txn(txn)).await?;
        }
        Ok(())
    }

    /// Ends the lease, and with it every key. Where another replica goes on, the lease expires by
    /// itself: until then the keys that the other has not written yet keep their values.
    pub(super) async fn end(&mut self, has_others: bool) {
        let Some(mut session) = self.session.take().filter(|_| !has_others) else {
            return;
        };
        let revoked = within(WRITE_WITHIN, session.client.lease_revoke(session.id)).await;
        if let Err(fault) = revoked {
            tracing::info!(%fault, "cannot revoke the lease of the published keys; it expires by itself");
        }
    }
}

async fn open(settings: &EtcdSettings, seconds: i64) -> Result<Session, Fault> {
    let mut client = connect(settings).await?;
    let granted = within(WRITE_WITHIN, client.lease_grant(seconds, None)).await?;
    let id = granted.id();
    let (keeper, answers) = within(WRITE_WITHIN, client.lease_keep_alive(id)).await?;
    Ok(Session {
        client,
        id,
        keeper,
        answers,
    })
}

impl Session {
    async fn keep(&mut self) -> Result<(), Fault> {
        let keeping = async {
            self.keeper.keep_alive().await?;
            self.answers.message().await
        };
        match within(WRITE_WITHIN, keeping).await? {
            Some(answer) if answer.ttl() > 0 => Ok(()),
            Some(_) => Err(Fault::Lost),
            None => Err(Fault::Unreachable("the renewals have ended".to_owned())),
        }
    }

    /// The keys below the prefix that an earlier run or another replica has left.
    async fn strays(&mut self, prefix: &str, batch: &Batch) -> Result<Vec<String>, Fault> {
        let below = format!("{prefix}/check/status/v1/");
        let options = GetOptions::new()
            .with_prefix()
            .with_keys_only()
            .with_limit(MAX_KEYS);
        let answer = within(WRITE_WITHIN, self.client.get(below, Some(options))).await?;
        let found = answer.kvs().iter().filter_map(|found| {
            let key = std::str::from_utf8(found.key()).ok()?;
            key.strip_prefix(prefix)?
                .strip_prefix('/')
                .map(str::to_owned)
        });
        Ok(found.filter(|key| !batch.puts.contains_key(key)).collect())
    }
}

/// The batch in as few transactions as etcd allows.
fn transactions(prefix: &str, batch: Batch, lease: i64) -> Vec<Vec<TxnOp>> {
    let at = |key: &str| format!("{prefix}/{key}");
    let puts = batch.puts.into_iter().map(|(key, value)| {
        let (size, options) = (key.len() + value.len(), PutOptions::new().with_lease(lease));
        (
            TxnOp::put(at(&key), value, Some(options)),
            prefix.len() + size,
        )
    });
    let deletes = batch
        .deletes
        .iter()
        .map(|key| (TxnOp::delete(at(key), None), prefix.len() + key.len()));
    packed(puts.chain(deletes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::etcd::MAX_BYTES;

    #[test]
    fn a_batch_becomes_transactions_that_etcd_takes() {
        let value = |size: usize| vec![b'x'; size];
        let many = (0..250).map(|n| (format!("k{n}"), value(10)));
        let large = (0..3).map(|n| (format!("l{n}"), value(MAX_BYTES / 2 - 100)));
        for (puts, sizes) in [
            (many.collect(), vec![100, 100, 50]),
            (large.collect(), vec![2, 1]),
        ] {
            let batch = Batch {
                puts,
                ..Batch::default()
            };
            let found = transactions("/root", batch, 1);
            assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        }
        let nothing = transactions("/root", Batch::default(), 1);
        assert!(nothing.is_empty());
    }
}
