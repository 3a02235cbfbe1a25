//! The deciding task: handles the other tasks' events, leads while the lease is proven, and
//! publishes this replica's standing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::client::{Latest, Listing};
use super::event::{EVENT_QUEUE, Event, Outcome};
use super::follow::follow;
use super::session::Session;
use crate::clients::etcd::{FIRST_RETRY, Fault, longer};
use crate::cluster::leadership::{self, Leadership, Phase};
use crate::cluster::membership::{Commit, Committed, Ends, ResignAsked};
use crate::cluster::view::{Peer, View};
use crate::config::ClusterSettings;
use engine::{Role, State};

/// How often it checks whether effects under way have ended.
const DRAIN_STEP: Duration = Duration::from_millis(10);

/// The loop turns at least this often, so that the view says how old it is.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Takes part in the cluster until `stop`.
pub async fn run(settings: ClusterSettings, ends: Ends, stop: CancellationToken) {
    let (events, queue) = mpsc::channel(EVENT_QUEUE);
    let (mut following, latest) = (JoinSet::new(), Latest::default());
    following.spawn(follow(settings.clone(), latest.clone(), events.clone()));
    let member = Member::new(settings, ends, latest, events);
    Box::pin(member.run(queue, stop)).await;
}

/// What is known since this replica acts alone.
pub(super) struct Alone {
    /// Whether another replica has changed etcd since.
    pub(super) is_outdated: bool,
}

/// Why leadership is given up, and since when.
pub(super) struct Leaving {
    pub(super) since: Instant,
    pub(super) asked: Option<ResignAsked>,
}

pub(super) struct Member {
    pub(super) settings: ClusterSettings,
    pub(super) this: Peer,
    pub(super) ends: Ends,
    events: mpsc::Sender<Event>,
    pub(super) latest: Latest,
    pub(super) leadership: Leadership,
    pub(super) session: Option<Session>,
    sessions: u64,
    /// Tasks that return leases and write shared entries.
    pub(super) returning: JoinSet<()>,
    pub(super) known: Option<Listing>,
    pub(super) term: u64,
    /// The number of the last commit that arrived in this term. A gap means a lost one.
    pub(super) came: u64,
    pub(super) retry_at: Instant,
    pause: Duration,
    pub(super) follow_at: Option<Instant>,
    pub(super) leaving: Option<Leaving>,
    pub(super) alone: Option<Alone>,
    /// Whether the driver's state is later than that in etcd, because etcd has gone back.
    pub(super) is_ours_later: bool,
    /// The content of etcd before it went back, where another replica led then.
    pub(super) later: Option<Arc<State>>,
    /// The own election key of the last term, and the one under which the state was changed before:
    /// while one of them is in etcd, no other replica has changed anything since.
    pub(super) marks: [Option<Vec<u8>>; 2],
    pub(super) fault_of_lease: Option<Fault>,
    pub(super) fault_of_watch: Option<Fault>,
    /// The last commit that failed, and when: the lease may be fine all the same.
    pub(super) fault_of_commit: Option<(Fault, Instant)>,
    pub(super) view: View,
}

impl Member {
    fn new(
        settings: ClusterSettings,
        ends: Ends,
        latest: Latest,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let view = View::clone(&ends.view.borrow());
        Self {
            this: view.this.clone(),
            leadership: Leadership::new(settings.lease),
            settings,
            ends,
            events,
            latest,
            session: None,
            sessions: 0,
            returning: JoinSet::new(),
            known: None,
            term: 0,
            came: 0,
            retry_at: Instant::now(),
            pause: FIRST_RETRY,
            follow_at: None,
            leaving: None,
            alone: None,
            is_ours_later: false,
            later: None,
            marks: [None, None],
            fault_of_lease: None,
            fault_of_watch: None,
            fault_of_commit: None,
            view,
        }
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Event>, stop: CancellationToken) {
        loop {
            // Time comes first: a process that was frozen finds the answers from before waiting for
            // it.
            self.keep_time();
            if self.has_left(&stop).await {
                break;
            }
            self.publish_view();
            let wake_at = self.wake_at();
            let may_commit = !self.is_committing();
            tokio::select! {
                biased;
                () = stop.cancelled(), if self.leaving.is_none() => self.leave(None),
                Some(event) = queue.recv() => self.take(event),
                Some(asked) = self.ends.resign.recv() => self.resign(asked),
                Some(commit) = self.ends.commits.recv(), if may_commit => self.commit(commit),
                Some(shares) = self.ends.shares.recv() => self.share(shares),
                () = sleep_until(wake_at) => {}
            }
        }
    }

    pub(super) fn leads(&self) -> bool {
        matches!(self.leadership.phase(), Phase::Leader(_))
    }

    pub(super) fn is_committing(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.is_committing)
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let due = [
            self.leadership.proven_until(),
            self.follow_at,
            self.leaving.as_ref().map(|_| now + DRAIN_STEP),
            self.session.is_none().then_some(self.retry_at),
        ];
        due.into_iter()
            .flatten()
            .fold(now + LONGEST_SLEEP, Instant::min)
    }

    fn keep_time(&mut self) {
        let now = Instant::now();
        let had_lease = self.leadership.proven_until().is_some();
        let phase = self.leadership.take(leadership::Event::Tick, now);
        if had_lease && phase == Phase::Away {
            let fault = self.fault_of_lease.clone().unwrap_or(Fault::Lost);
            self.step_down(&fault);
        }
        if self.session.is_none() && self.leaving.is_none() && now >= self.retry_at {
            self.sessions += 1;
            let session = Session::open(self.sessions, &self.settings, self.events.clone());
            self.session = Some(session);
        }
        if self.follow_at.is_some_and(|at| now >= at) {
            self.follow_at = None;
            self.stand(Role::Follower);
        }
        while self.returning.try_join_next().is_some() {}
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Listed(listing) => {
                self.fault_of_watch = None;
                self.note_answer();
                self.compare(&listing);
                self.adopt(*listing);
                self.mind_own_key();
                if !self.acts() && !self.is_ours_later {
                    self.stand(Role::Follower);
                }
            }
            Event::Changed(changes, revision) => {
                self.fault_of_watch = None;
                self.note_answer();
                self.change(changes, revision);
            }
            Event::Unseen(fault) => {
                if self.fault_of_watch.as_ref() != Some(&fault) {
                    tracing::info!(%fault, "cannot follow what stands in etcd now; it is tried again");
                }
                self.fault_of_watch = Some(fault);
            }
            Event::Of(id, outcome) => {
                // Outcomes of an earlier session no longer count.
                if self
                    .session
                    .as_ref()
                    .is_some_and(|session| session.id == id)
                {
                    self.came(outcome);
                }
            }
        }
    }

    fn came(&mut self, outcome: Outcome) {
        let now = Instant::now();
        match outcome {
            Outcome::Granted(client, lease, asked) => {
                let phase = self.leadership.take(leadership::Event::Granted(asked), now);
                let wait = self.waits_for_others();
                let Some(session) = &mut self.session else {
                    return;
                };
                session.granted = Some((*client, lease));
                if phase == Phase::Away {
                    // It came so late that it proves nothing: a replica that is elected with it
                    // could never act.
                    return self.step_down(&Fault::Slow(self.settings.lease));
                }
                session.stand(&self.this, &self.latest, wait);
                self.renewed();
            }
            Outcome::Renewed(asked) => {
                self.leadership.take(leadership::Event::Renewed(asked), now);
                self.renewed();
            }
            Outcome::NotRenewed(fault) => {
                tracing::debug!(%fault, "the lease cannot be renewed now");
                self.fault_of_lease = Some(fault);
            }
            Outcome::Lost(fault) => self.step_down(&fault),
            Outcome::Elected(key, listing) => {
                let phase = self.leadership.take(leadership::Event::Elected, now);
                if let (Some(session), Phase::Leader(_)) = (&mut self.session, phase) {
                    let own = key.key().to_vec();
                    session.key = Some(key);
                    self.compare(&listing);
                    self.marks = [Some(own), listing.changed_by.clone()];
                    self.adopt(*listing);
                    self.lead();
                } else {
                    self.step_down(&Fault::Lost);
                }
            }
            Outcome::Committed(number) => {
                self.view.commits += 1;
                self.fault_of_commit = None;
                self.session
                    .iter_mut()
                    .for_each(|session| session.is_committing = false);
                let term = self.term;
                self.ends.committed.send_replace(Committed { term, number });
            }
            Outcome::NotCommitted(fault) => {
                self.view.failed_commits += 1;
                self.fault_of_commit = Some((fault.clone(), now));
                self.step_down(&fault);
            }
        }
    }

    fn note_answer(&mut self) {
        self.view.last_answer = Some(Timestamp::now());
    }

    fn renewed(&mut self) {
        self.fault_of_lease = None;
        self.pause = FIRST_RETRY;
        self.note_answer();
        if let Phase::Leader(until) = self.leadership.phase() {
            self.ends.fence.open_until(until);
        }
    }

    /// The state in etcd is the latest again.
    pub(super) fn forget_later(&mut self) {
        (self.is_ours_later, self.later) = (false, None);
    }

    fn lead(&mut self) {
        self.term += 1;
        self.came = 0;
        self.follow_at = None;
        self.view.terms += 1;
        self.confirm();
        self.renewed();
        let acted_alone = self.alone.take().is_some_and(|alone| !alone.is_outdated);
        self.is_ours_later |= acted_alone;
        self.stand(Role::Leader);
        self.forget_later();
        tracing::info!(
            name = self.this.name,
            term = self.term,
            "this replica leads"
        );
    }

    pub(super) fn step_down(&mut self, fault: &Fault) {
        if self.stays_alone(fault) {
            return;
        }
        self.ends.fence.close();
        let led = self.view.role == Role::Leader;
        self.leadership
            .take(leadership::Event::Lost, Instant::now());
        let is_idle = self.ends.outstanding.load(Ordering::SeqCst) == 0;
        if let Some(session) = self.session.take().filter(|_| is_idle) {
            // With effects under way the lease has to end by itself: until then no other replica
            // acts.
            self.returning.spawn(session.give_back());
        }
        if led {
            tracing::warn!(%fault, "this replica leads no more: it cannot prove its lease");
            self.stand(Role::Follower);
        }
        if self.fault_of_lease.as_ref() != Some(fault) {
            tracing::warn!(%fault, "no lease from etcd; it is tried again");
        }
        self.retry(fault);
    }

    pub(super) fn retry(&mut self, fault: &Fault) {
        self.fault_of_lease = Some(fault.clone());
        self.retry_at = Instant::now() + self.pause;
        self.pause = longer(self.pause);
    }

    /// Commits this and all that waits behind it.
    fn commit(&mut self, first: Commit) {
        let (mut changes, mut last) = (Vec::new(), None);
        let mut next = Some(first);
        while let Some(commit) = next {
            if commit.term == self.term && self.acts() {
                if std::mem::replace(&mut self.came, commit.number) + 1 != commit.number {
                    return self.step_down(&Fault::Behind);
                }
                changes.extend(commit.changes);
                last = Some(commit.number);
            }
            next = self.ends.commits.try_recv().ok();
        }
        match (&mut self.session, last) {
            (_, Some(_)) if self.alone.is_some() => self.confirm(),
            (Some(session), Some(last)) => session.commit(changes, last),
            (None, _) | (_, None) => {}
        }
    }
}
