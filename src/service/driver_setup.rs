//! The engine with what surrounds it: what is known from before the start, the queues that lead to
//! it, and the driver that runs it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::error::ServiceError;
use super::memory::{Remembered, remember};
use super::task_set::TaskSet;
use crate::cluster::Membership;
use crate::config::Config;
use crate::driver::{
    self, Asked, Clock, CommandSender, Driver, INPUT_QUEUE, Journal, Observers, Outlets,
};
use crate::store::Store;
use engine::{Engine, Input, Rules, Snapshot};

/// Everything that is made before the parts that use it.
pub(super) struct DriverSetup {
    pub(super) clock: Clock,
    pub(super) store: Option<Store>,
    /// The small state that the store remembers.
    pub(super) keep: BTreeMap<String, Value>,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) commands: CommandSender,
    pub(super) pictures: watch::Receiver<Arc<Snapshot>>,
    input_queue: mpsc::Receiver<Input>,
    command_queue: mpsc::Receiver<Asked>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    journal: Option<Journal>,
    engine: Engine,
    rules: Rules,
}

impl DriverSetup {
    /// Opens the store and resumes the engine as it was left.
    pub(super) fn new(config: &Config) -> Result<Self, ServiceError> {
        let clock = Clock::start();
        let Remembered {
            ledger,
            state,
            history,
            keep,
        } = remember(config)?;
        let resumed = Engine::resume(config.rules(), &state, clock.now()).with_history(history);
        let mut engine = match (config.observe, config.shadow) {
            (true, _) => resumed.only_watching(),
            (false, true) => resumed.in_shadow(),
            (false, false) => resumed,
        };
        let (inputs, input_queue) = mpsc::channel(INPUT_QUEUE);
        let (commands, command_queue) = driver::orders();
        let (snapshots, pictures) = watch::channel(Arc::new(engine.snapshot()));
        Ok(Self {
            clock,
            store: ledger.as_ref().map(Journal::store),
            keep,
            inputs,
            commands,
            pictures,
            input_queue,
            command_queue,
            snapshots,
            journal: ledger,
            engine,
            rules: config.rules(),
        })
    }

    /// Runs it; in a cluster as one of several replicas.
    pub(super) fn start(
        self,
        outlets: Outlets,
        observers: Observers,
        membership: Option<Membership>,
        parts: &mut TaskSet,
    ) {
        let driver = Driver::new(
            self.engine,
            self.clock,
            self.input_queue,
            self.command_queue,
            outlets,
            self.snapshots,
            self.journal,
            observers,
        )
        .stopping_with(parts.stop());
        let driver = match membership {
            Some(membership) => driver.in_cluster(membership, self.rules),
            None => driver,
        };
        parts.spawn("driver", driver.run());
    }
}
