//! The loop around the engine: inputs and time in, effects and snapshots for readers out.
//!
//! Owns the timer and the clock. An effect that cannot be handed on has failed; the engine retries.

mod clock;
mod journal;
mod orders;
mod outlets;
mod replica;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::{CommitTicket, Membership, Standing, difference};
use crate::store::Ticket;
use engine::{Effect, Engine, Input, Receipt, Record, Refusal, Role, Rules, Snapshot, Step};

pub use clock::Clock;
pub use journal::Journal;
use orders::receipt;
pub use orders::{Asked, CommandSender, orders};
pub use outlets::{COMMAND_QUEUE, NOTIFY_QUEUE, Outlets, PAGE_QUEUE, SAMPLE_QUEUE, SWITCH_QUEUE};
use replica::{ASKS_FIRST, Replica};

/// How many inputs may wait for the engine. When it is full, feeds keep only the newest report.
pub const INPUT_QUEUE: usize = 256;

/// How many inputs are taken before readers get a new snapshot.
const INPUTS_PER_SNAPSHOT: usize = 64;

/// The loop turns at least this often, so that the watchdog sees that it runs.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// The longest that effects wait for their records to be on disk; after that they are carried out.
const WAIT_FOR_RECORDS: Duration = Duration::from_secs(1);

/// Observers of the loop; they must not block.
pub struct Observers {
    /// Receives every record before the effect that it explains.
    pub record: Box<dyn FnMut(&Record) + Send>,
    /// Called at every turn of the loop.
    pub turned: Box<dyn FnMut() + Send>,
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observers")
    }
}

/// Effects that wait for their records to be stored.
#[derive(Debug)]
struct Held {
    ticket: Option<Ticket>,
    /// What must be committed to etcd first, in a cluster. Only the lease limits the time for that.
    commit: Option<CommitTicket>,
    until: Instant,
    effects: Vec<Effect>,
    answer: Option<Answer>,
}

/// A caller that waits for a receipt, and the receipt.
type Answer = (oneshot::Sender<Result<Receipt, Refusal>>, Receipt);

#[derive(Debug)]
pub struct Driver {
    engine: Engine,
    clock: Clock,
    inputs: mpsc::Receiver<Input>,
    orders: mpsc::Receiver<Asked>,
    /// Where effects are sent; `None` once it stops.
    outlets: Option<Outlets>,
    stop: CancellationToken,
    is_stopping: bool,
    snapshots: watch::Sender<Arc<Snapshot>>,
    hooks: Observers,
    /// The journal, if there is a store.
    journal: Option<Journal>,
    /// The cluster, where there is one.
    replica: Option<Replica>,
    /// Effects in their order, each waiting for its records.
    held: VecDeque<Held>,
    /// Outcomes that the driver itself gives for effects that could not be handed on.
    refused: VecDeque<Input>,
}

impl Driver {
    /// A driver for this engine. Readers follow `snapshots`.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is another part, joined once"
    )]
    pub fn new(
        engine: Engine,
        clock: Clock,
        inputs: mpsc::Receiver<Input>,
        orders: mpsc::Receiver<Asked>,
        outlets: Outlets,
        snapshots: watch::Sender<Arc<Snapshot>>,
        journal: Option<Journal>,
        hooks: Observers,
    ) -> Self {
        Self {
            engine,
            clock,
            inputs,
            orders,
            outlets: Some(outlets),
            stop: CancellationToken::new(),
            is_stopping: false,
            snapshots,
            hooks,
            journal,
            replica: None,
            held: VecDeque::new(),
            refused: VecDeque::new(),
        }
    }

    /// The same driver as a replica: it applies these rules and follows until it is elected.
    #[must_use]
    pub fn in_cluster(self, membership: Membership, rules: Rules) -> Self {
        Self {
            engine: self.engine.only_watching(),
            replica: Some(Replica::new(membership, rules)),
            ..self
        }
    }

    /// The same driver, which queues what it decided before `stop`, and decides nothing more. The
    /// outcomes of effects are applied after the next start.
    #[must_use]
    pub fn stopping_with(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// Runs until no sender of inputs is left.
    pub async fn run(mut self) {
        let stop = self.stop.clone();
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                input = self.inputs.recv() => match input {
                    Some(input) => self.take(input),
                    None => return,
                },
                Some(asked) = self.orders.recv() => self.obey(asked),
                () = written(self.journal.as_mut()), if !self.held.is_empty() => {}
                () = changed(self.replica.as_mut()) => self.stand(),
                () = tokio::time::sleep_until(wake_at) => self.wake(),
                () = stop.cancelled(), if !self.is_stopping => self.is_stopping = true,
            }
            self.release();
            self.close();
            self.answer_refused();
            self.publish();
            self.notice_clock();
            self.journal.iter_mut().for_each(Journal::notice_losses);
            (self.hooks.turned)();
        }
    }

    fn wake_at(&self) -> Instant {
        let latest = Instant::now() + LONGEST_SLEEP;
        let first = self.held.front().filter(|held| self.is_committed(held));
        let latest = first.map_or(latest, |held| held.until.min(latest));
        let deadline = self.engine.next_deadline().filter(|_| !self.is_stopping);
        deadline.map_or(latest, |at| self.clock.instant(at).min(latest))
    }

    fn wake(&mut self) {
        if !self.is_stopping {
            self.step(Input::Wake);
        }
    }

    /// Takes an input and some of those that wait behind it, so that a burst makes few snapshots.
    fn take(&mut self, first: Input) {
        self.step(first);
        for _ in 1..INPUTS_PER_SNAPSHOT {
            match self.inputs.try_recv() {
                Ok(input) => self.step(input),
                Err(_) => break,
            }
        }
    }

    fn step(&mut self, input: Input) {
        self.act(input, None);
        self.answer_refused();
    }

    /// Carries out a command, or refuses it with the reason.
    fn obey(&mut self, asked: Asked) {
        let Asked { order, answer } = asked;
        let stops = self.is_stopping.then_some(Refusal::Stopping);
        let refusal = stops.or_else(|| self.engine.refuses(&order, self.clock.now()));
        if let Some(refusal) = refusal {
            tracing::info!(by = order.by, command = %order.command, "a command is refused: {refusal}");
            // The caller may be gone; that changes nothing.
            drop(answer.send(Err(refusal)));
            return;
        }
        self.act(Input::Command(order), Some(answer));
        self.answer_refused();
    }

    fn answer_refused(&mut self) {
        while let Some(refused) = self.refused.pop_front() {
            self.act(refused, None);
        }
    }

    fn act(&mut self, input: Input, waiting: Option<oneshot::Sender<Result<Receipt, Refusal>>>) {
        let now = self.clock.now();
        let input = match &mut self.replica {
            Some(replica) => replica.note(input, now),
            None => input,
        };
        let Step {
            changes,
            records,
            mut effects,
        } = self.engine.step(input, now);
        if self.is_stopping {
            effects.clear();
        }
        records.iter().for_each(&mut self.hooks.record);
        let answer = waiting.zip(records.iter().find_map(receipt));
        let commit = self.replica.as_mut().and_then(|replica| {
            let commit = replica.commit(&changes, &effects, answer.is_some());
            replica.say_outstanding();
            commit
        });
        let ticket = self
            .journal
            .as_mut()
            .and_then(|journal| journal.enter(&records, changes, now.wall()));
        if !effects.is_empty() || answer.is_some() {
            self.held.push_back(Held {
                ticket,
                commit,
                until: Instant::now() + WAIT_FOR_RECORDS,
                effects,
                answer,
            });
            self.release();
        }
    }

    /// Carries out effects that need not wait any longer, in their order.
    fn release(&mut self) {
        while let Some(held) = self.held.front() {
            let progress = self.journal.as_ref().map(Journal::progress);
            let progress = progress.unwrap_or_default();
            let is_settled = held.ticket.is_none_or(|ticket| ticket.is_settled(progress));
            let waits = !is_settled && Instant::now() < held.until;
            if waits || !self.is_committed(held) {
                return;
            }
            let Some(held) = self.held.pop_front() else {
                return;
            };
            for effect in held.effects {
                self.carry_out(effect);
            }
            if let Some((waiting, receipt)) = held.answer {
                let is_kept = |it: Ticket| it.is_taken() && it.is_durable(progress);
                let kept = held.ticket.is_some_and(is_kept);
                drop(waiting.send(Ok(Receipt { kept, ..receipt })));
            }
        }
    }

    /// Whether everything that must be committed first is in etcd.
    fn is_committed(&self, held: &Held) -> bool {
        let waits_for = held.commit.zip(self.replica.as_ref());
        waits_for.is_none_or(|(ticket, replica)| replica.is_committed(ticket))
    }

    /// Adopts this replica's new role: goes on from the committed state.
    fn stand(&mut self) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let Some(standing) = replica.standing() else {
            return;
        };
        if replica.restores(&standing, self.engine.state()) {
            return;
        }
        let now = self.clock.now();
        let (engine, effects) = replica.succeed(&self.engine, &standing, now);
        let before = std::mem::replace(&mut self.engine, engine);
        self.drop_uncommitted();
        let kept = difference(before.state(), self.engine.state());
        if let Some(journal) = &mut self.journal {
            journal.enter(&[], kept, now.wall());
        }
        for effect in effects {
            self.carry_out(effect);
        }
        if standing.role == Role::Leader {
            self.lead(&standing);
        }
        self.answer_refused();
    }

    /// Commits what this replica knows beside the committed state, and acts.
    fn lead(&mut self, standing: &Standing) {
        if let Some(replica) = &mut self.replica {
            // What follows waits behind it.
            replica.commit_news(standing, self.engine.state());
        }
        self.carry_out(ASKS_FIRST);
        self.act(Input::Role(Role::Leader), None);
    }

    /// Drops uncommitted effects, as another replica may lead, and answers their callers.
    fn drop_uncommitted(&mut self) {
        for held in self.held.drain(..) {
            if let Some((waiting, _)) = held.answer {
                drop(waiting.send(Err(Refusal::LeadLost)));
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let admits = |replica: &mut Replica| replica.admits(&effect);
        if !self.replica.as_mut().is_none_or(admits) {
            tracing::warn!(%effect, "not carried out: this replica can no longer prove that it leads");
            return;
        }
        let outlets = self.outlets.as_ref();
        let refused = outlets.and_then(|outlets| outlets.hand_on(effect));
        self.refused.extend(refused);
    }

    /// Closes the outlets once it stops and no decision waits; in a cluster those are the next
    /// leader's.
    fn close(&mut self) {
        if self.is_stopping && (self.held.is_empty() || self.replica.is_some()) {
            self.outlets = None;
        }
    }

    fn publish(&mut self) {
        let snapshot = Arc::new(self.engine.snapshot());
        self.snapshots.send_replace(snapshot);
    }

    fn notice_clock(&mut self) {
        let now = self.clock.now();
        if let Some(moved) = self.clock.set_by(now) {
            tracing::warn!(
                moved_seconds = moved.as_secs(),
                "the clock was set; ages and deadlines are not affected"
            );
        }
    }
}

/// Waits until the store has written more; forever without a store.
async fn written(journal: Option<&mut Journal>) {
    match journal {
        Some(journal) => journal.written().await,
        None => std::future::pending().await,
    }
}

/// Waits until this replica's role changes, or more is committed; forever without a cluster.
async fn changed(replica: Option<&mut Replica>) {
    match replica {
        Some(replica) => replica.changed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::cluster::{Committed, Ends, Peer, View, membership};
    use engine::model::{
        Availability, CallError, PageAddress, ResourceName, SourceName, Stub, Topic,
    };
    use engine::{
        BookReading, Command, Connection, FeedCommand, Link, Policy, Report, ResourceReading,
        Sample, Scopes, Switch, Traffic,
    };
    use jiff::Timestamp;

    /// Receivers that no test here reads.
    type Others = (
        (mpsc::Receiver<Sample>, mpsc::Receiver<PageAddress>),
        mpsc::Receiver<FeedCommand>,
        mpsc::Receiver<()>,
    );

    struct Bench {
        inputs: mpsc::Sender<Input>,
        switches: mpsc::Receiver<Switch>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        relay: mpsc::Receiver<FeedCommand>,
        orders: CommandSender,
        _others: Others,
    }

    fn bench(policy: Policy, depth: usize) -> (Driver, Bench) {
        let clock = Clock::start();
        let mut engine = Engine::new(policy, clock.now());
        let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
        let (switches, switch_queue) = mpsc::channel(depth);
        let (samples, sample_queue) = mpsc::channel(SAMPLE_QUEUE);
        let (pages, page_queue) = mpsc::channel(PAGE_QUEUE);
        let (relay, relay_commands) = mpsc::channel(COMMAND_QUEUE);
        let (jump, jump_commands) = mpsc::channel(COMMAND_QUEUE);
        let (book, polls) = mpsc::channel(1);
        let (sender, snapshots) = watch::channel(Arc::new(engine.snapshot()));
        let (orders, order_queue) = orders();
        let outlets = Outlets {
            switches,
            mails: mpsc::channel(1).0,
            webhooks: mpsc::channel(1).0,
            samples,
            pages,
            relay,
            jump,
            book,
        };
        let hooks = Observers {
            record: Box::new(|_| {}),
            turned: Box::new(|| {}),
        };
        let driver = Driver::new(
            engine,
            clock,
            input_queue,
            order_queue,
            outlets,
            sender,
            None,
            hooks,
        );
        let others = ((sample_queue, page_queue), jump_commands, polls);
        (
            driver,
            Bench {
                inputs,
                switches: switch_queue,
                snapshots,
                relay: relay_commands,
                orders,
                _others: others,
            },
        )
    }

    fn policy() -> Policy {
        Policy {
            startup: Duration::from_secs(5),
            ..Policy::default()
        }
    }

    fn reading() -> Input {
        let stub = Stub::try_new("pend00").expect("a name");
        let resource = ResourceReading {
            name: ResourceName::try_new("r-pend00").expect("a name"),
            streams: vec![Topic::of(&stub, "st-data").expect("a name")],
            stub,
            availability: Some(Availability::from_book(true, "new")),
        };
        Input::Book(BookReading {
            resources: vec![resource],
        })
    }

    fn report(age: Duration) -> Input {
        let mut report = Report::default();
        report.push(Connection {
            topic: "pend00-st-data",
            scopes: Scopes::EXPT,
            connected: "",
            expires: "",
            remote: "",
            user_agent: "",
            tx: Some(Traffic {
                last: Some(age),
                size: 1,
                fps: 1.0,
            }),
            rx: None,
        });
        Input::Report(SourceName::Relay, Arc::new(report))
    }

    async fn feed(bench: &Bench, seconds: u64, age: Duration) {
        for _ in 0..seconds {
            bench
                .inputs
                .send(report(age))
                .await
                .expect("the driver runs");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_is_switched_after_the_grace_and_readers_see_it() {
        let (driver, mut bench) = bench(policy(), SWITCH_QUEUE);
        let mut running = tokio::task::JoinSet::new();
        running.spawn(driver.run());
        bench.inputs.send(reading()).await.expect("the driver runs");
        feed(&bench, 7, Duration::from_secs(60)).await;
        let switch = bench.switches.try_recv().expect("a switch");
        assert!(!switch.available && switch.resource.as_str() == "r-pend00");
        let snapshot = bench.snapshots.borrow_and_update().clone();
        assert_eq!(
            snapshot.experiment("pend00").map(|e| e.health),
            Some(engine::model::Health::Down)
        );
        drop(bench);
        running.join_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_drivers_timer_asks_when_nothing_comes() {
        let (driver, mut bench) = bench(policy(), SWITCH_QUEUE);
        let mut running = tokio::task::JoinSet::new();
        running.spawn(driver.run());
        bench
            .inputs
            .send(Input::Link(SourceName::Relay, Link::Open))
            .await
            .expect("the driver runs");
        let begun = Instant::now();
        assert_eq!(bench.relay.recv().await, Some(FeedCommand::Ask));
        assert_eq!(begun.elapsed().as_secs(), 5, "half of HEALTH_LAST_ACTIVE");
        drop(bench);
        running.join_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_switch_that_cannot_be_handed_on_is_tried_again() {
        let (driver, mut bench) = bench(policy(), 1);
        bench.switches.close();
        let mut running = tokio::task::JoinSet::new();
        running.spawn(driver.run());
        bench.inputs.send(reading()).await.expect("the driver runs");
        feed(&bench, 9, Duration::from_secs(60)).await;
        let snapshot = bench.snapshots.borrow_and_update().clone();
        let fault = snapshot
            .experiment("pend00")
            .and_then(|e| e.resources.first().and_then(|r| r.fault.clone()));
        assert_eq!(fault, Some(CallError::Busy));
        drop(bench);
        running.join_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_decided_before_the_stop_is_handed_on_and_nothing_after_it() {
        for stops_after in [7, 2] {
            let (driver, mut bench) = bench(policy(), SWITCH_QUEUE);
            let stop = CancellationToken::new();
            let mut running = tokio::task::JoinSet::new();
            running.spawn(driver.stopping_with(stop.clone()).run());
            bench.inputs.send(reading()).await.expect("the driver runs");
            feed(&bench, stops_after, Duration::from_secs(60)).await;
            stop.cancel();
            feed(&bench, 9 - stops_after, Duration::from_secs(60)).await;
            let before = (stops_after == 7).then(|| "r-pend00".to_owned());
            let switched = bench.switches.recv().await;
            assert_eq!(switched.map(|switch| switch.resource.to_string()), before);
            assert_eq!(bench.switches.recv().await, None, "the queue is closed");
            let hold = Command::Hold {
                resource: ResourceName::try_new("r-pend00").expect("a name"),
                reason: "exam".into(),
            };
            let refused = bench.orders.give(hold, "ann".into()).await;
            assert_eq!(refused, Err(Refusal::Stopping));
            drop(bench);
            running.join_all().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_answered_with_a_receipt_or_a_refusal() {
        let (driver, bench) = bench(policy(), SWITCH_QUEUE);
        let mut running = tokio::task::JoinSet::new();
        running.spawn(driver.run());
        bench.inputs.send(reading()).await.expect("the driver runs");
        let hold = |reason: &str| Command::Hold {
            resource: ResourceName::try_new("r-pend00").expect("a name"),
            reason: reason.into(),
        };
        feed(&bench, 7, Duration::ZERO).await;
        let refusal = bench
            .orders
            .give(hold("labwatch: mine"), "ann".into())
            .await;
        assert_eq!(refusal, Err(Refusal::OurPrefix));
        let receipt = bench
            .orders
            .give(hold("exam"), "ann".into())
            .await
            .expect("a receipt");
        assert_eq!(
            receipt.effect.text,
            "r-pend00 cannot be booked until a person enables it: nothing is booked in the next 24 h"
        );
        let mut switches = bench.switches;
        let switch = switches.recv().await.expect("a switch");
        assert_eq!(
            (switch.available, switch.reason.as_str(), switch.by_person),
            (false, "exam", true)
        );
        drop(bench.inputs);
        running.join_all().await;
        assert_eq!(
            bench.orders.give(hold("exam"), "ann".into()).await,
            Err(Refusal::Stopping)
        );
    }

    fn rules() -> Rules {
        Rules::new(policy(), Vec::new())
    }

    /// A driver in a cluster, and the ends that a connection to etcd would have.
    fn in_cluster() -> (Driver, Bench, Ends) {
        let (driver, bench) = bench(policy(), SWITCH_QUEUE);
        let this = Peer {
            name: "first".to_owned(),
            url: "http://127.0.0.1".to_owned(),
            version: String::new(),
        };
        let view = View::connecting(this, Duration::from_secs(10), Timestamp::now());
        let (driver_end, ends, _) = membership(view);
        (driver.in_cluster(driver_end, rules()), bench, ends)
    }

    fn stands(ends: &Ends, role: Role, term: u64, state: engine::State) {
        match role {
            Role::Leader => ends
                .fence
                .open_until(Instant::now() + Duration::from_secs(3600)),
            Role::Follower => ends.fence.close(),
        }
        ends.standing.send_modify(|standing| {
            (standing.role, standing.term) = (role, term);
            standing.version += 1;
            standing.state = Some(Arc::new(state));
        });
    }

    /// Takes every waiting commit: the keys of what changed, and the number of the last one.
    fn committed(ends: &mut Ends) -> (Vec<String>, u64) {
        let (mut keys, mut last) = (Vec::new(), 0);
        while let Ok(commit) = ends.commits.try_recv() {
            keys.extend(commit.changes.iter().map(|change| change.key.to_string()));
            last = commit.number;
        }
        (keys, last)
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_acts_on_what_is_committed_and_a_follower_on_nothing() {
        let (driver, mut bench, mut ends) = in_cluster();
        let mut running = tokio::task::JoinSet::new();
        running.spawn(driver.run());
        bench.inputs.send(reading()).await.expect("the driver runs");
        feed(&bench, 8, Duration::from_secs(60)).await;
        assert!(bench.switches.try_recv().is_err(), "it follows");
        assert_eq!(committed(&mut ends).1, 0);
        let seen = bench.snapshots.borrow().clone();
        assert_eq!(seen.role, Role::Follower);
        assert_eq!(
            seen.experiment("pend00").map(|e| e.health),
            Some(engine::model::Health::Down)
        );

        // Elected: its observations apply at once, but wait for their commit.
        stands(&ends, Role::Leader, 1, engine::State::new());
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(bench.switches.try_recv().is_err(), "nothing is committed");
        let (keys, number) = committed(&mut ends);
        assert!(keys.contains(&"experiment/pend00".to_owned()), "{keys:?}");
        ends.committed.send_replace(Committed { term: 1, number });
        let switch = bench.switches.recv().await.expect("a switch");
        assert_eq!(
            (switch.resource.as_str(), switch.available),
            ("r-pend00", false)
        );
        assert_eq!(ends.outstanding.load(Ordering::SeqCst), 1);
        drop(bench);
        running.join_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_committed_is_dropped_and_its_caller_answered() {
        let (driver, mut bench, mut ends) = in_cluster();
        let mut running = tokio::task::JoinSet::new();
        running.spawn(driver.run());
        bench.inputs.send(reading()).await.expect("the driver runs");
        stands(&ends, Role::Leader, 1, engine::State::new());
        feed(&bench, 8, Duration::ZERO).await;
        let orders = bench.orders.clone();
        let mut asking = tokio::task::JoinSet::new();
        asking.spawn(async move {
            let hold = Command::Hold {
                resource: ResourceName::try_new("r-pend00").expect("a name"),
                reason: "exam".into(),
            };
            orders.give(hold, "ann".into()).await
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let (keys, number) = committed(&mut ends);
        assert!(keys.contains(&"request/r-pend00".to_owned()), "{keys:?}");
        // It lost the lead, and an earlier commit is confirmed too late.
        stands(&ends, Role::Follower, 1, engine::State::new());
        tokio::time::sleep(Duration::from_millis(10)).await;
        ends.committed.send_replace(Committed { term: 1, number });
        let answer = asking.join_next().await.expect("one").expect("whole");
        assert_eq!(answer, Err(Refusal::LeadLost));
        feed(&bench, 3, Duration::ZERO).await;
        assert!(bench.switches.try_recv().is_err());
        let snapshot = bench.snapshots.borrow_and_update().clone();
        assert_eq!(snapshot.role, Role::Follower);
        drop(bench);
        running.join_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_whose_lease_is_over_acts_no_more() {
        let (driver, mut bench, mut ends) = in_cluster();
        let mut running = tokio::task::JoinSet::new();
        running.spawn(driver.run());
        bench.inputs.send(reading()).await.expect("the driver runs");
        stands(&ends, Role::Leader, 1, engine::State::new());
        feed(&bench, 7, Duration::from_secs(60)).await;
        let (_, number) = committed(&mut ends);
        // Frozen until after its lease: the answer to its commit is there before it learns of
        // anything else.
        ends.fence.close();
        ends.committed.send_replace(Committed { term: 1, number });
        feed(&bench, 2, Duration::from_secs(60)).await;
        assert!(bench.switches.try_recv().is_err());
        assert_eq!(ends.outstanding.load(Ordering::SeqCst), 0);
        drop(bench);
        running.join_all().await;
    }
}
