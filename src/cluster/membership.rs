//! The cluster as the driver sees it: whether this replica leads, from which state, what is
//! committed, and whether it may act now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use super::fence::Fence;
use super::view::View;
use engine::{Role, State, StateChange};

/// How many commits may wait. One more ends the leadership: etcd is far too slow.
pub const COMMIT_QUEUE: usize = 1_024;

/// How many requests to resign may wait.
const RESIGN_QUEUE: usize = 4;

/// How many writes of shared entries may wait. A further one is dropped: missing entries are sent
/// again.
const SHARE_QUEUE: usize = 4;

/// Entries that a replica shares below this are its own, and end with its lease.
pub const OF_REPLICA: &str = "rules/";

/// What all replicas share besides the durable state: any of them adds to it, whether it leads or
/// not. A key with its value.
pub type Shared = BTreeMap<String, Value>;

/// A new shared entry, or the removal of an expired one.
pub type Share = (String, Option<Value>);

/// Access to the shared entries. A clone is the same.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// The shared entries in etcd; `None`: not known yet.
    pub shared: watch::Receiver<Option<Arc<Shared>>>,
    /// Entries to be written.
    pub share: mpsc::Sender<Vec<Share>>,
}

/// The standing of this replica, and the state to resume from.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whether it leads.
    pub role: Role,
    /// How often it was elected.
    pub term: u64,
    /// Grows whenever the driver is to resume from `state`.
    pub version: u64,
    /// The durable state in etcd; `None`: not known yet.
    pub state: Option<Arc<State>>,
    /// Whether the driver's own state is later than that: it acted alone and no other replica did,
    /// or etcd has gone back.
    pub is_ours_later: bool,
    /// This replica's copy of the durable state from before etcd went back, where that is later
    /// than the driver's own.
    pub later: Option<Arc<State>>,
}

/// Changes to commit.
#[derive(Debug)]
pub struct Commit {
    /// The term.
    pub term: u64,
    /// Its number in that term, from 1.
    pub number: u64,
    /// What changed; may be nothing, and then the commit only proves that this replica still leads.
    pub changes: Vec<StateChange>,
}

/// The progress of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// The term.
    pub term: u64,
    /// The number of the last commit that is in etcd.
    pub number: u64,
}

/// A receipt for a commit. Compare it with [`Membership::is_committed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitTicket(Committed);

/// A request to give up the lead; the answer comes when that is done.
pub type ResignAsked = oneshot::Sender<Result<(), String>>;

/// Sends requests to give up leadership.
pub type ResignSender = mpsc::Sender<ResignAsked>;

/// The driver's end.
#[derive(Debug)]
pub struct Membership {
    standing: watch::Receiver<Standing>,
    committed: watch::Receiver<Committed>,
    commits: mpsc::Sender<Commit>,
    fence: Fence,
    outstanding: Arc<AtomicUsize>,
    next: u64,
}

/// The end of the task that speaks with etcd.
#[derive(Debug)]
pub struct Ends {
    /// This replica's standing.
    pub standing: watch::Sender<Standing>,
    /// The progress of commits.
    pub committed: watch::Sender<Committed>,
    /// The changes to be committed.
    pub commits: mpsc::Receiver<Commit>,
    /// Until when this replica may act.
    pub fence: Fence,
    /// How many effects are under way now.
    pub outstanding: Arc<AtomicUsize>,
    /// The view for readers.
    pub view: watch::Sender<Arc<View>>,
    /// Requests to give up the lead.
    pub resign: mpsc::Receiver<ResignAsked>,
    /// The shared entries.
    pub shared: watch::Sender<Option<Arc<Shared>>>,
    /// New shared entries.
    pub shares: mpsc::Receiver<Vec<Share>>,
}

/// The cluster as other parts than the driver see it.
#[derive(Debug, Clone)]
pub struct Links {
    /// Until when this replica may act.
    pub fence: Fence,
    /// What readers see.
    pub view: watch::Receiver<Arc<View>>,
    /// Sends requests to give up leadership.
    pub resign: ResignSender,
    /// The shared entries.
    pub sharing: Sharing,
}

/// Both ends, and the observers' handles.
pub fn membership(view: View) -> (Membership, Ends, Links) {
    let (standing, standing_seen) = watch::channel(Standing {
        role: Role::Follower,
        term: 0,
        version: 0,
        state: None,
        is_ours_later: false,
        later: None,
    });
    let (committed, committed_seen) = watch::channel(Committed::default());
    let (commits, commit_queue) = mpsc::channel(COMMIT_QUEUE);
    let (resign_sender, resign) = mpsc::channel(RESIGN_QUEUE);
    let (view, view_seen) = watch::channel(Arc::new(view));
    let (shared, shared_seen) = watch::channel(None);
    let (share, share_queue) = mpsc::channel(SHARE_QUEUE);
    let (fence, outstanding) = (Fence::closed(), Arc::new(AtomicUsize::new(0)));
    let driver = Membership {
        standing: standing_seen,
        committed: committed_seen,
        commits,
        fence: fence.clone(),
        outstanding: Arc::clone(&outstanding),
        next: 0,
    };
    let links = Links {
        fence: fence.clone(),
        view: view_seen,
        resign: resign_sender,
        sharing: Sharing {
            shared: shared_seen,
            share,
        },
    };
    let ends = Ends {
        standing,
        committed,
        commits: commit_queue,
        fence,
        outstanding,
        view,
        resign,
        shared,
        shares: share_queue,
    };
    (driver, ends, links)
}

impl Membership {
    /// Waits until this replica's standing or commits change; forever when the other end is gone.
    pub async fn changed(&mut self) {
        let changed = tokio::select! {
            changed = self.standing.changed() => changed,
            changed = self.committed.changed() => changed,
        };
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The current standing of this replica.
    pub fn standing(&mut self) -> Standing {
        self.standing.borrow_and_update().clone()
    }

    /// The fence, for tasks that carry out effects.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Whether this replica may begin an effect at this moment.
    pub fn may_act(&self) -> bool {
        self.fence.lets_begin()
    }

    /// Restarts the count of commits for a new term.
    pub fn begin(&mut self) {
        self.next = 0;
    }

    /// Queues changes to be committed in this term. Where the queue is full, no further effect of
    /// this term is carried out.
    pub fn commit(&mut self, term: u64, changes: Vec<StateChange>) -> CommitTicket {
        self.next += 1;
        let number = self.next;
        let commit = Commit {
            term,
            number,
            changes,
        };
        if self.commits.try_send(commit).is_err() {
            tracing::error!("too many commits wait for etcd: this replica stops acting");
            self.fence.close();
        }
        CommitTicket(Committed { term, number })
    }

    /// Whether a commit is in etcd.
    pub fn is_committed(&self, ticket: CommitTicket) -> bool {
        let done = *self.committed.borrow();
        done.term == ticket.0.term && done.number >= ticket.0.number
    }

    /// Publishes how many effects are under way now.
    pub fn note_outstanding(&self, effects: usize) {
        self.outstanding.store(effects, Ordering::SeqCst);
    }
}
