//! The session of one lease: keep-alive, election, commits, resignation. Each of these is a task
//! that reports its outcome.

use std::time::Duration;

use etcd_client::{Client, LeaderKey, ResignOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{Keys, Latest, Listing, fenced, list};
use super::commit::{Operation, transactions};
use super::event::{Event, Outcome};
use crate::clients::etcd::{ANSWER_WITHIN, FIRST_RETRY, Fault, connect, is_one, longer, within};
use crate::cluster::view::Peer;
use crate::config::ClusterSettings;
use engine::StateChange;

/// A lease is renewed this many times while it lasts.
const RENEWALS: u32 = 5;

/// The longest that giving leadership up may take, so that the end of the process does not wait for
/// an etcd that is gone.
const RESIGN_WITHIN: Duration = Duration::from_millis(800);

/// The pause before a commit that etcd did not take is tried again.
const COMMIT_RETRY: Duration = Duration::from_millis(100);

/// A lease, or the attempt to get one. Its tasks end with it.
pub(super) struct Session {
    pub(super) id: u64,
    keys: Keys,
    lease: Duration,
    events: mpsc::Sender<Event>,
    tasks: JoinSet<()>,
    pub(super) granted: Option<(Client, i64)>,
    pub(super) key: Option<LeaderKey>,
    /// Whether the own election key was seen in etcd.
    is_listed: bool,
    pub(super) is_committing: bool,
}

/// Reports of one session.
#[derive(Clone)]
struct Reports(u64, mpsc::Sender<Event>);

impl Reports {
    async fn say(&self, outcome: Outcome) {
        // The receiver is gone only when the process ends.
        let _ = self.1.send(Event::Of(self.0, outcome)).await;
    }
}

impl Session {
    /// Requests a lease.
    pub(super) fn open(id: u64, settings: &ClusterSettings, events: mpsc::Sender<Event>) -> Self {
        let mut session = Self {
            id,
            keys: Keys(settings.etcd.prefix.clone()),
            lease: settings.lease,
            events,
            tasks: JoinSet::new(),
            granted: None,
            key: None,
            is_listed: false,
            is_committing: false,
        };
        let (reports, settings) = (session.reports(), settings.clone());
        session.tasks.spawn(async move {
            match grant(&settings).await {
                Ok(granted) => reports.say(granted).await,
                Err(fault) => reports.say(Outcome::Lost(fault)).await,
            }
        });
        session
    }

    fn reports(&self) -> Reports {
        Reports(self.id, self.events.clone())
    }

    pub(super) fn lease(&self) -> Option<i64> {
        self.granted.as_ref().map(|(_, lease)| *lease)
    }

    /// The own election key.
    pub(super) fn own_key(&self) -> Option<String> {
        self.lease().map(|lease| self.keys.candidate(lease))
    }

    /// Keeps the lease alive and stands for election, after this wait.
    pub(super) fn stand(&mut self, this: &Peer, latest: &Latest, wait: Duration) {
        let Some((client, lease)) = self.granted.clone() else {
            return;
        };
        let every = self.lease / RENEWALS;
        self.tasks
            .spawn(keep(client.clone(), lease, every, self.reports()));
        let value = serde_json::to_vec(this).unwrap_or_default();
        let (place, reports) = ((self.keys.clone(), latest.clone()), self.reports());
        self.tasks.spawn(async move {
            sleep(wait).await;
            campaign(client, place, value, lease, reports).await;
        });
    }

    /// Whether the own election key was there and is gone: a member of etcd removes it when the
    /// connection over which this replica waits for its election is lost, and an operator can.
    /// Waiting further would never end then.
    pub(super) fn has_lost_its_key(&mut self, listing: &Listing) -> bool {
        let Some(own) = self.own_key() else {
            return false;
        };
        let is_there = listing.peers.iter().any(|(key, ..)| *key == own);
        self.is_listed |= is_there;
        self.is_listed && !is_there
    }

    /// Commits changes, up to this number. One commit at a time.
    pub(super) fn commit(&mut self, changes: Vec<StateChange>, up_to: u64) {
        let (Some((client, _)), Some(key)) = (self.granted.clone(), self.key.clone()) else {
            return;
        };
        self.is_committing = true;
        let (keys, reports, lease) = (self.keys.clone(), self.reports(), self.lease);
        self.tasks.spawn(async move {
            let mut batches = transactions(changes);
            if batches.is_empty() {
                batches.push(Vec::new());
            }
            let until = Instant::now() + lease;
            let outcome = match commit_all(client, keys, key, batches, until).await {
                Ok(()) => Outcome::Committed(up_to),
                Err(fault) => Outcome::NotCommitted(fault),
            };
            reports.say(outcome).await;
        });
    }

    /// Returns leadership and the lease, so that another replica leads at once.
    pub(super) async fn give_back(mut self) {
        self.tasks.abort_all();
        let Some((mut client, lease)) = self.granted.take() else {
            return;
        };
        let key = self.key.take();
        let giving = async move {
            if let Some(key) = key {
                let option = ResignOptions::new().with_leader(key);
                client.resign(Some(option)).await?;
            }
            client.lease_revoke(lease).await.map(drop)
        };
        if let Err(fault) = within(RESIGN_WITHIN, giving).await {
            tracing::info!(%fault, "the lease is not given back; it ends by itself");
        }
    }
}

async fn grant(settings: &ClusterSettings) -> Result<Outcome, Fault> {
    let (client, one) = tokio::join!(connect(&settings.etcd), is_one(&settings.etcd));
    let mut client = one.and(client)?;
    // etcd counts in seconds. What is granted beyond the setting is never used.
    let seconds = settings.lease.as_millis().div_ceil(1000);
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let asked = Instant::now();
    let granted = within(ANSWER_WITHIN, client.lease_grant(seconds, None)).await?;
    Ok(Outcome::Granted(Box::new(client), granted.id(), asked))
}

/// Renews the lease for as long as it is there; over another connection when one is lost.
async fn keep(mut client: Client, lease: i64, every: Duration, reports: Reports) {
    let mut pause = FIRST_RETRY;
    loop {
        let (fault, renewed) = keep_once(&mut client, lease, every, &reports).await;
        if fault == Fault::Lost {
            return reports.say(Outcome::Lost(fault)).await;
        }
        pause = if renewed { FIRST_RETRY } else { longer(pause) };
        reports.say(Outcome::NotRenewed(fault)).await;
        sleep(pause.min(every)).await;
    }
}

/// Returns why it ended, and whether the lease was renewed at all.
async fn keep_once(
    client: &mut Client,
    lease: i64,
    every: Duration,
    reports: &Reports,
) -> (Fault, bool) {
    let mut asked = Instant::now();
    let opened = within(ANSWER_WITHIN, client.lease_keep_alive(lease)).await;
    let (mut keeper, mut answers) = match opened {
        Ok(opened) => opened,
        Err(Fault::Other(why)) if why.contains("lease not found") => return (Fault::Lost, false),
        Err(fault) => return (fault, false),
    };
    loop {
        reports.say(Outcome::Renewed(asked)).await;
        sleep(every).await;
        asked = Instant::now();
        let renewing = async {
            keeper.keep_alive().await?;
            answers.message().await
        };
        match within(ANSWER_WITHIN, renewing).await {
            Ok(Some(answer)) if answer.ttl() > 0 => {}
            Ok(Some(_)) => return (Fault::Lost, true),
            Ok(None) => {
                return (
                    Fault::Unreachable("the renewals have ended".to_owned()),
                    true,
                );
            }
            Err(fault) => return (fault, true),
        }
    }
}

/// Waits for the election, and then lists the content of etcd: no earlier leader can change that
/// any more.
async fn campaign(
    mut client: Client,
    (keys, latest): (Keys, Latest),
    value: Vec<u8>,
    lease: i64,
    reports: Reports,
) {
    let mut pause = FIRST_RETRY;
    loop {
        // It has no time limit: it waits for its turn. A connection that is lost ends it.
        let won = client.campaign(keys.election(), value.clone(), lease).await;
        let fault = match won.map_err(Fault::from) {
            Ok(mut won) => match (won.take_leader(), list(&client, &keys, &latest).await) {
                // A candidate whose key was removed meanwhile gets the answer that it has won all
                // the same.
                (Some(key), Ok(listing)) if !listing.is_led_under(key.key()) => Fault::Lost,
                (Some(key), Ok(listing)) => {
                    let elected = Outcome::Elected(key, Box::new(listing));
                    return reports.say(elected).await;
                }
                (None, _) => Fault::Other("an election without a key".to_owned()),
                (_, Err(fault)) => fault,
            },
            Err(fault) => fault,
        };
        if fault == Fault::Lost {
            return reports.say(Outcome::Lost(fault)).await;
        }
        tracing::debug!(%fault, "the election is stood for again");
        sleep(pause).await;
        pause = longer(pause);
    }
}

/// Makes the transactions one after another, for as long as a lease lasts. One whose outcome is not
/// known is repeated, which changes nothing where it was made.
async fn commit_all(
    mut client: Client,
    keys: Keys,
    key: LeaderKey,
    batches: Vec<Vec<Operation>>,
    until: Instant,
) -> Result<(), Fault> {
    for batch in batches {
        loop {
            let txn = fenced(&keys, key.key(), key.rev(), &batch);
            match within(ANSWER_WITHIN, client.txn(txn)).await {
                Ok(answer) if answer.succeeded() => break,
                Ok(_) => return Err(Fault::Lost),
                Err(fault) if Instant::now() >= until => return Err(fault),
                Err(fault) => {
                    tracing::debug!(%fault, "a commit is made again");
                    sleep(COMMIT_RETRY).await;
                }
            }
        }
    }
    Ok(())
}
