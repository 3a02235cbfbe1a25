//! The policy in etcd, in the layout of FT's aggregate healthcheck: acknowledgements, the rules of
//! categories, and whether they are open. It is read once and then watched; when the history of
//! missed changes is gone it is read again.
//!
//! Rules and acknowledgements are handed over as they are. Whether a category is open has two
//! writers: a person's change is given to the engine as a command, and a change by the engine (a
//! sticky category, a command over the API) is written back. An unavailable etcd changes nothing:
//! the last policy stays, also over a restart.

mod document;
mod merge;
mod watch;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, Compare, CompareOp, ResponseHeader, Txn, TxnOp};
use jiff::Timestamp;
use tokio::sync::watch as channel;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::document::Document;
use self::merge::{Action, Open, next_action};
use self::watch::{Watches, list};
use super::etcd::{ANSWER_WITHIN, FIRST_RETRY, Fault, connect, longer, within};
use crate::config::{PolicyOverlay, PolicySettings};
use engine::model::Gather as _;
use engine::{Role, Snapshot};

pub use document::Known;

/// The pause before a retry.
const AGAIN: Duration = Duration::from_millis(200);

/// The longest interval between two checks whether both agree.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How many categories are opened or closed before other events are handled.
const AT_ONCE: usize = 32;

/// How long it may take from the command until the category is seen to be open or closed.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// The future outcome of a command.
pub type Given = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Inputs of the policy, and where it reports.
pub struct Links {
    /// Receives the policy over the configuration file.
    pub overlay: channel::Sender<Arc<PolicyOverlay>>,
    /// Whether categories are open, and whether this replica leads.
    pub snapshots: channel::Receiver<Arc<Snapshot>>,
    /// The last known policy, from before the start.
    pub known: Known,
    /// Stores it for the next start.
    pub keep: Box<dyn FnMut(&Known) + Send>,
    /// Opens or closes a category.
    pub give: Box<dyn Fn(String, bool) -> Given + Send>,
    /// Receives the fault; `None`: there is none.
    pub report: Box<dyn Fn(Option<String>) + Send>,
}

/// The policy over the configuration file, by its known values.
#[must_use]
pub fn overlay_of(settings: &PolicySettings, known: &Known) -> PolicyOverlay {
    Document::new(settings.clone(), known.clone()).overlay()
}

/// Follows the policy until `stop`.
pub async fn run(settings: PolicySettings, links: Links, stop: CancellationToken) {
    let mut follower = Follower::new(settings, links);
    let following = Box::pin(follower.follow());
    let _ = stop.run_until_cancelled(following).await;
}

struct Follower {
    settings: PolicySettings,
    links: Links,
    document: Document,
    /// Whether categories are open by the policy.
    theirs: Open,
    /// The same, as both last agreed.
    base: Open,
    has_listing: bool,
}

impl Follower {
    fn new(settings: PolicySettings, mut links: Links) -> Self {
        let known = std::mem::take(&mut links.known);
        Self {
            document: Document::new(settings.clone(), known),
            settings,
            links,
            theirs: Open::new(),
            base: Open::new(),
            has_listing: false,
        }
    }

    async fn follow(&mut self) {
        let (mut pause, mut last) = (FIRST_RETRY, None);
        loop {
            self.has_listing = false;
            let Err(fault) = Box::pin(self.follow_once()).await;
            if self.has_listing {
                last = None;
            }
            // Logged once for each kind of fault: it is retried for as long as it lasts.
            if last.replace(fault.what()) != Some(fault.what()) {
                tracing::warn!(%fault, "the policy cannot be followed now; the last one stays in force");
            }
            let words = format!("{}; the last policy stays in force", fault.what());
            (self.links.report)(Some(words));
            pause = if self.has_listing {
                FIRST_RETRY
            } else {
                longer(pause)
            };
            sleep(pause).await;
        }
    }

    async fn follow_once(&mut self) -> Result<std::convert::Infallible, Fault> {
        let mut client = connect(&self.settings.etcd).await?;
        loop {
            let listing = list(&mut client, &self.settings).await?;
            let mut watches =
                Watches::open(&mut client, &self.settings, listing.revision + 1).await?;
            self.has_listing = true;
            self.base = agreed(listing.agreed.as_deref());
            self.document.replace(listing.keys);
            self.show();
            self.until_anew(&mut client, &mut watches).await?;
        }
    }

    /// Follows until everything has to be read again: the history is gone, or this replica leads
    /// now and another one has written meanwhile.
    async fn until_anew(
        &mut self,
        client: &mut Client,
        watches: &mut Watches,
    ) -> Result<(), Fault> {
        let mut acted = self.acts();
        loop {
            let acts = self.acts();
            if begins(&mut acted, acts) {
                return Ok(());
            }
            let wait = if self.settle(client).await? {
                LOOK_EVERY
            } else {
                AGAIN
            };
            tokio::select! {
                changes = watches.next() => {
                    let Some(changes) = changes? else {
                        tracing::info!("missed changes of the policy are gone from etcd's history: reading it again");
                        return Ok(());
                    };
                    for (key, value, revision) in changes {
                        self.document.take(&key, value.as_deref(), revision);
                    }
                    self.show();
                }
                changed = self.links.snapshots.changed() => if changed.is_err() { sleep(wait).await },
                () = sleep(wait) => {}
            }
        }
    }

    /// Whether this replica opens and closes categories.
    fn acts(&self) -> bool {
        self.settings.is_read_only || self.links.snapshots.borrow().role == Role::Leader
    }

    /// Hands over the current policy.
    fn show(&mut self) {
        self.theirs = self.document.enabled();
        let overlay = self.document.overlay();
        let is_other = self.links.overlay.send_if_modified(|shown| {
            let is_other = **shown != overlay;
            if is_other {
                *shown = Arc::new(overlay);
            }
            is_other
        });
        if is_other {
            tracing::info!("the policy in etcd has changed and is in force");
        }
        (self.links.keep)(self.document.known());
        (self.links.report)(self.document.problems());
    }

    /// Makes both agree on which categories are open. Returns whether they do.
    async fn settle(&mut self, client: &mut Client) -> Result<bool, Fault> {
        for _ in 0..AT_ONCE {
            if !self.acts() {
                return Ok(true);
            }
            let ours = open(&self.links.snapshots.borrow());
            let may_write = !self.settings.is_read_only;
            let Some((name, action)) = next_action(&self.base, &self.theirs, &ours, may_write)
            else {
                return Ok(true);
            };
            let is_done = match action {
                Action::Follow(open) => {
                    self.give(&name, open).await && self.agree(client, &name, open).await?
                }
                Action::Write(open) => self.write(client, &name, open).await?,
                Action::Note(open) => self.agree(client, &name, open).await?,
            };
            if !is_done {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Opens or closes a category, and waits until that is seen, or until it was changed once more.
    async fn give(&mut self, name: &str, open: bool) -> bool {
        let before = changed_at(&self.links.snapshots.borrow(), name);
        if let Err(why) = (self.links.give)(name.to_owned(), open).await {
            tracing::debug!(
                category = name,
                open,
                why,
                "a change of a category by the policy is not carried out yet, retrying"
            );
            return false;
        }
        let is_so = |snapshot: &Arc<Snapshot>| {
            is_open(snapshot, name) == open || changed_at(snapshot, name) != before
        };
        let seen = timeout(SEEN_WITHIN, self.links.snapshots.wait_for(is_so)).await;
        matches!(seen, Ok(Ok(_)))
    }

    /// Records what both agree on, for the replica that leads next.
    async fn agree(&mut self, client: &mut Client, name: &str, open: bool) -> Result<bool, Fault> {
        let mut base = self.base.clone();
        base.insert(name.to_owned(), open);
        if !self.settings.is_read_only {
            let put = client.put(self.settings.agreed_key(), words(&base), None);
            within(ANSWER_WITHIN, put).await?;
        }
        self.base = base;
        Ok(true)
    }

    /// Writes whether a category is open, unless another writer has changed that meanwhile.
    async fn write(&mut self, client: &mut Client, name: &str, open: bool) -> Result<bool, Fault> {
        let key = self.settings.enabled_key(name);
        let value = open.to_string();
        let mut base = self.base.clone();
        base.insert(name.to_owned(), open);
        let known = self.document.revision(&key);
        let txn = Txn::new()
            .when([Compare::mod_revision(key.clone(), CompareOp::Equal, known)])
            .and_then([
                TxnOp::put(key.clone(), value.clone(), None),
                TxnOp::put(self.settings.agreed_key(), words(&base), None),
            ]);
        let answer = within(ANSWER_WITHIN, client.txn(txn)).await?;
        if !answer.succeeded() {
            return Ok(false);
        }
        let revision = answer.header().map_or(0, ResponseHeader::revision);
        self.document.take(&key, Some(value.as_bytes()), revision);
        self.base = base;
        tracing::info!(
            category = name,
            enabled = open,
            "wrote to the policy in etcd"
        );
        self.show();
        Ok(true)
    }
}

fn changed_at(snapshot: &Snapshot, name: &str) -> Option<Timestamp> {
    snapshot.categories.get(name).map(|state| state.at)
}

fn is_open(snapshot: &Snapshot, name: &str) -> bool {
    snapshot
        .categories
        .get(name)
        .is_none_or(|state| state.enabled)
}

fn open(snapshot: &Snapshot) -> Open {
    let states = snapshot.categories.iter();
    states
        .map(|(name, state)| (name.clone(), state.enabled))
        .gather()
}

/// The agreed state as it is stored: the closed ones.
fn words(base: &Open) -> Vec<u8> {
    let closed: BTreeMap<&String, &bool> = base.iter().filter(|(_, open)| !**open).gather();
    // A map of texts can always be written.
    serde_json::to_vec(&closed).unwrap_or_default()
}

fn agreed(kept: Option<&[u8]>) -> Open {
    kept.and_then(|kept| serde_json::from_slice(kept).ok())
        .unwrap_or_default()
}

impl PolicySettings {
    /// The key of the agreed state.
    fn agreed_key(&self) -> String {
        format!("{}/policy", self.etcd.prefix)
    }

    /// All keys that are read; one with a slash at the end stands for all below it.
    pub fn keys(&self) -> [String; 4] {
        [
            watch::below_of(&self.acks),
            watch::below_of(&self.categories),
            self.cluster_ack.clone(),
            self.agreed_key(),
        ]
    }
}

/// Whether this replica begins to act: it does now, and did not before.
fn begins(acted: &mut bool, acts: bool) -> bool {
    let before = std::mem::replace(acted, acts);
    acts && !before
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use engine::model::Moment;
    use engine::{CategoryState, Engine, Policy};

    use super::document::tests::settings;
    use super::*;

    fn shown(second: i64, is_open: bool) -> Arc<Snapshot> {
        let at = Timestamp::from_second(second).expect("a time");
        let now = Moment::new(at, Duration::from_secs(1));
        let state = CategoryState {
            enabled: is_open,
            at,
            by: "ann".to_owned(),
            cause: engine::CategoryCause::Person,
            reason: "exam".to_owned(),
            quarantined: BTreeSet::new(),
        };
        let mut snapshot = Engine::new(Policy::default(), now).snapshot();
        snapshot.categories = Arc::new([("exam".to_owned(), state)].into());
        Arc::new(snapshot)
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_comes_right_after_the_policys_is_not_undone() {
        let (sender, snapshots) = channel::channel(shown(1, false));
        let links = Links {
            overlay: channel::channel(Arc::default()).0,
            snapshots,
            known: Known::new(),
            keep: Box::new(|_| ()),
            give: Box::new(move |_, open| {
                // It is opened, and a person closes it before that is seen.
                sender.send_replace(shown(2, open));
                sender.send_replace(shown(3, !open));
                Box::pin(async { Ok(()) })
            }),
            report: Box::new(|_| ()),
        };
        let mut follower = Follower::new(settings(), links);
        assert!(follower.give("exam", true).await, "it was done");
    }

    #[test]
    fn each_time_that_it_leads_anew_it_begins_to_act() {
        let mut acted = true;
        let begun = [true, false, true, true, false, true].map(|acts| begins(&mut acted, acts));
        assert_eq!(begun, [false, false, true, false, false, true]);
    }
}
