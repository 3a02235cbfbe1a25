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

/// How many times what is to be shared may wait. One more is dropped: what is not there yet is
/// handed over again.
const SHARE_QUEUE: usize = 4;

/// What a replica shares below this is its own, and goes with its lease.
pub const OF_REPLICA: &str = "rules/";

/// What all replicas share beside the durable state: any of them adds to it, whether it leads or
/// not. A key with its value.
pub type Shared = BTreeMap<String, Value>;

/// An addition to it, or the removal of what is over.
pub type Share = (String, Option<Value>);

/// The end of what shares. A clone is the same.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// What stands in etcd; `None`: it is not known yet.
    pub shared: watch::Receiver<Option<Arc<Shared>>>,
    /// What is to stand there.
    pub share: mpsc::Sender<Vec<Share>>,
}

/// Where this replica stands, and what it goes on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whether it leads.
    pub role: Role,
    /// How often it was elected.
    pub term: u64,
    /// Grows whenever the driver is to go on from `state`.
    pub version: u64,
    /// The durable state in etcd; `None`: it is not known yet.
    pub state: Option<Arc<State>>,
    /// Whether the driver's own state is later than that: it acted alone and no other replica did,
    /// or etcd has gone back.
    pub is_ours_later: bool,
    /// What this replica knew of the durable state before etcd went back, where that is later than
    /// the driver's own.
    pub later: Option<Arc<State>>,
}

/// Changes to commit.
#[derive(Debug)]
pub struct Commit {
    /// In which term.
    pub term: u64,
    /// Its number in that term, from 1.
    pub number: u64,
    /// What changed; may be nothing, and then it is only proven that this replica still leads.
    pub changes: Vec<StateChange>,
}

/// How far commits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// In which term.
    pub term: u64,
    /// The number of the last commit that is in etcd.
    pub number: u64,
}

/// A receipt for a commit. Compare it with [`Membership::is_committed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitTicket(Committed);

/// A request to give up the lead; the answer comes when that is done.
pub type ResignAsked = oneshot::Sender<Result<(), String>>;

/// Through which the lead is given up.
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

/// The end of what speaks with etcd.
#[derive(Debug)]
pub struct Ends {
    /// Where this replica stands.
    pub standing: watch::Sender<Standing>,
    /// How far commits are.
    pub committed: watch::Sender<Committed>,
    /// What is to be committed.
    pub commits: mpsc::Receiver<Commit>,
    /// Until when this replica may act.
    pub fence: Fence,
    /// How many effects are carried out now.
    pub outstanding: Arc<AtomicUsize>,
    /// What readers see.
    pub view: watch::Sender<Arc<View>>,
    /// Requests to give up the lead.
    pub resign: mpsc::Receiver<ResignAsked>,
    /// What all replicas share.
    pub shared: watch::Sender<Option<Arc<Shared>>>,
    /// Additions to it.
    pub shares: mpsc::Receiver<Vec<Share>>,
}

/// What others have of a cluster beside the driver.
#[derive(Debug, Clone)]
pub struct Links {
    /// Until when this replica may act.
    pub fence: Fence,
    /// What readers see.
    pub view: watch::Receiver<Arc<View>>,
    /// Through which the lead is given up.
    pub resign: ResignSender,
    /// What all replicas share.
    pub sharing: Sharing,
}

/// The two ends, and what others have of it.
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
    /// Waits until this replica stands otherwise, or more is committed. Without an end when the
    /// other end is gone.
    pub async fn changed(&mut self) {
        let changed = tokio::select! {
            changed = self.standing.changed() => changed,
            changed = self.committed.changed() => changed,
        };
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Where this replica stands now.
    pub fn standing(&mut self) -> Standing {
        self.standing.borrow_and_update().clone()
    }

    /// The fence, for what carries out effects.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Whether this replica may begin something at this moment.
    pub fn may_act(&self) -> bool {
        self.fence.lets_begin()
    }

    /// Begins to count commits of a new term.
    pub fn begin(&mut self) {
        self.next = 0;
    }

    /// Hands changes over to be committed in this term. Where they cannot be handed on, nothing of
    /// this term is carried out any more.
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

    /// Notes how many effects are carried out now.
    pub fn note_outstanding(&self, effects: usize) {
        self.outstanding.store(effects, Ordering::SeqCst);
    }
}
