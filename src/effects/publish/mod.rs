//! Publication of the status below keys: in etcd, or as files. Values are written when they change
//! and at every heartbeat.
//!
//! One task makes the values and hands them to the target. While the target is slow only this task
//! waits, and nothing queues up: the next values are made after its answer, so only the newest are
//! written.

mod batch;
#[cfg(feature = "etcd")]
mod etcd;
mod files;
mod key;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use batch::Batch;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Window, while_open};
use crate::config::{PublicationSettings, PublishTo};
use engine::Snapshot;
use engine::model::Gather as _;
pub use key::{AGENT, key_of};

/// Changes within this time are written together.
const GATHER: Duration = Duration::from_millis(250);

/// The pause before the first retry after a failed write; each further one is twice as long, up to
/// the heartbeat's.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest for deleting everything at the end of the process.
const END_WITHIN: Duration = Duration::from_secs(1);

/// A value below the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key below the prefix, as [`key_of`] makes it.
    pub key: String,
    /// Changes when the value has another meaning than before.
    pub mark: u64,
    /// The value; `None`: it was not requested.
    pub value: Option<Vec<u8>>,
}

/// Whether a value is requested, by its key and its mark.
pub type IsWanted<'a> = &'a dyn Fn(&str, u64) -> bool;

/// Inputs of the publisher, and where it reports.
pub struct Links {
    /// The newest entries, all of them, with the values that are requested.
    pub entries: Box<dyn Fn(IsWanted<'_>) -> Vec<Entry> + Send>,
    /// Whether this replica publishes.
    pub leads: Box<dyn Fn() -> bool + Send>,
    /// How long this replica may still publish, in a cluster; `None`: no limit.
    pub window: Option<Window>,
    /// Receives the outcome of each write, with the reason of a failure.
    pub report: Box<dyn Fn(Result<(), String>) + Send>,
    /// Wake-ups when there may be something new.
    pub changes: Changes,
}

/// Signals whenever there may be something new.
pub struct Changes {
    /// The experiments and the sources.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The components.
    pub components: watch::Receiver<u64>,
}

impl Changes {
    /// Waits for the next signal; forever if none can come any more.
    async fn next(&mut self) {
        let changed = tokio::select! {
            changed = self.snapshots.changed() => changed,
            changed = self.components.changed() => changed,
        };
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

enum Target {
    #[cfg(feature = "etcd")]
    Etcd(Box<etcd::Lease>),
    Files(files::Files),
}

impl Target {
    fn new(settings: &PublicationSettings) -> Result<Self, String> {
        match &settings.to {
            #[cfg(feature = "etcd")]
            PublishTo::Etcd(to) => {
                let lease = etcd::Lease::new(to.clone(), settings);
                Ok(Self::Etcd(Box::new(lease)))
            }
            #[cfg(not(feature = "etcd"))]
            PublishTo::Etcd(_) => Err("this labwatch is built without etcd".to_owned()),
            PublishTo::Files(folder) => {
                files::Files::new(folder, &settings.prefix).map(Self::Files)
            }
        }
    }

    async fn write(&mut self, batch: Batch) -> Result<(), String> {
        match self {
            #[cfg(feature = "etcd")]
            Self::Etcd(lease) => Box::pin(lease.write(batch)).await,
            Self::Files(files) => files.write(batch).await,
        }
    }

    /// Deletes or leaves what was published, because another replica publishes now or none does.
    async fn end(&mut self, has_others: bool) {
        let ending = async {
            match self {
                #[cfg(feature = "etcd")]
                Self::Etcd(lease) => Box::pin(lease.end(has_others)).await,
                Self::Files(files) => files.end(has_others).await,
            }
        };
        if tokio::time::timeout(END_WITHIN, ending).await.is_err() {
            tracing::warn!("cannot remove what was published: the target does not answer in time");
        }
    }
}

/// What was written, and when to write again.
struct Publisher {
    links: Links,
    every: Duration,
    /// The marks of the keys that the store has; `None`: not known.
    written: Option<BTreeMap<String, u64>>,
    /// Whether values may exist that this replica wrote while it led.
    has_published: bool,
    heartbeat_at: Instant,
    pause: Duration,
    retry_at: Option<Instant>,
}

/// Publishes until `stop`.
pub async fn run(settings: PublicationSettings, links: Links, stop: CancellationToken) {
    let mut target = match Target::new(&settings) {
        Ok(target) => target,
        Err(why) => {
            (links.report)(Err(why));
            return stop.cancelled().await;
        }
    };
    let mut publisher = Publisher::new(links, settings.every);
    loop {
        let turn = publisher.turn(&mut target);
        if stop.run_until_cancelled(turn).await.is_none() {
            break;
        }
        let wake_at = publisher.wake_at();
        tokio::select! {
            () = stop.cancelled() => break,
            () = publisher.links.changes.next(), if publisher.retry_at.is_none() => sleep(GATHER).await,
            () = sleep_until(wake_at) => {}
        }
    }
    target.end(publisher.links.window.is_some()).await;
}

impl Publisher {
    fn new(links: Links, every: Duration) -> Self {
        Self {
            links,
            every,
            written: None,
            has_published: false,
            heartbeat_at: Instant::now(),
            pause: FIRST_RETRY,
            retry_at: None,
        }
    }

    fn wake_at(&self) -> Instant {
        self.retry_at.unwrap_or(self.heartbeat_at)
    }

    /// Stops publishing: the leader does it.
    async fn follow(&mut self, target: &mut Target) {
        self.written = None;
        if std::mem::take(&mut self.has_published) {
            target.end(true).await;
        }
        self.retry_at = Some(Instant::now() + FIRST_RETRY);
    }

    /// Writes what is due.
    async fn turn(&mut self, target: &mut Target) {
        if !(self.links.leads)() {
            return self.follow(target).await;
        }
        let is_heartbeat = Instant::now() >= self.heartbeat_at;
        let written = self.written.as_ref();
        let is_wanted = |key: &str, mark| {
            is_heartbeat || written.is_none_or(|written| written.get(key) != Some(&mark))
        };
        let entries = (self.links.entries)(&is_wanted);
        let marks = entries.iter().map(|entry| (entry.key.clone(), entry.mark));
        let marks: BTreeMap<String, u64> = marks.gather();
        let Some(batch) = batch(entries, &marks, written, is_heartbeat) else {
            self.retry_at = None;
            return;
        };
        self.has_published = true;
        let written = while_open(self.links.window.as_ref(), target.write(batch)).await;
        let Some(outcome) = written else {
            return self.follow(target).await;
        };
        let now = Instant::now();
        if let Err(why) = &outcome {
            tracing::debug!(why, "the status is not published, retrying");
            self.written = None;
            self.retry_at = Some(now + self.pause);
            self.pause = (self.pause * 2).min(self.every.max(FIRST_RETRY));
        } else {
            self.written = Some(marks);
            (self.retry_at, self.pause) = (None, FIRST_RETRY);
            if is_heartbeat {
                self.heartbeat_at = now + self.every;
            }
        }
        (self.links.report)(outcome);
    }
}

/// Changed entries and orphaned keys; `None`: nothing to do. Keys of unknown origin are deleted
/// too.
fn batch(
    entries: Vec<Entry>,
    marks: &BTreeMap<String, u64>,
    written: Option<&BTreeMap<String, u64>>,
    is_heartbeat: bool,
) -> Option<Batch> {
    let is_gone = |key: &&String| !marks.contains_key(*key);
    let known = written.into_iter().flat_map(BTreeMap::keys);
    let deletes: Vec<String> = known.filter(is_gone).cloned().collect();
    let wanted = entries
        .into_iter()
        .filter_map(|entry| Some((entry.key, entry.value?)));
    let puts: BTreeMap<String, Vec<u8>> = wanted.gather();
    let is_whole = written.is_none();
    (is_whole || is_heartbeat || !puts.is_empty() || !deletes.is_empty()).then_some(Batch {
        puts,
        deletes,
        is_whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_what_is_wanted_and_what_is_gone() {
        let entry = |key: &str, mark, value: Option<&str>| Entry {
            key: key.to_owned(),
            mark,
            value: value.map(|value| value.as_bytes().to_vec()),
        };
        let marks = |of: &[(&str, u64)]| -> BTreeMap<String, u64> {
            of.iter()
                .map(|(key, mark)| ((*key).to_owned(), *mark))
                .collect()
        };
        let now = marks(&[("a", 1), ("b", 2)]);
        let made = |b, written: Option<&[(&str, u64)]>, is_heartbeat| {
            let entries = vec![entry("a", 1, None), entry("b", 2, b)];
            let written = written.map(marks);
            let batch = batch(entries, &now, written.as_ref(), is_heartbeat)?;
            let puts: Vec<String> = batch.puts.into_keys().collect();
            Some((puts.join(" "), batch.deletes.join(" "), batch.is_whole))
        };
        let is = |puts: &str, deletes: &str, is_whole| {
            Some((puts.to_owned(), deletes.to_owned(), is_whole))
        };
        let same: Option<&[(&str, u64)]> = Some(&[("a", 1), ("b", 2)]);
        let older: Option<&[(&str, u64)]> = Some(&[("a", 1), ("b", 1), ("c", 3)]);
        assert_eq!(made(None, same, false), None);
        assert_eq!(made(None, same, true), is("", "", false));
        assert_eq!(made(Some("x"), older, false), is("b", "c", false));
        assert_eq!(made(Some("x"), None, false), is("b", "", true));
    }
}
