//! Sets up the engine: the state from before the start, its input queues, and the driver that runs
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::error::ServiceError;
use super::store::{Remembered, remember};
use super::task_set::TaskSet;
use crate::cluster::Membership;
use crate::config::Config;
use crate::driver::{
    self, Asked, Clock, CommandSender, Driver, INPUT_QUEUE, Journal, Observers, Outlets,
};
use crate::store::Store;
use engine::{Engine, Input, Rules, Snapshot};

/// Everything that is created before the parts that use it.
pub(super) struct DriverSetup {
    pub(super) clock: Clock,
    pub(super) store: Option<Store>,
    /// Small values from the store, by key.
    pub(super) keep: BTreeMap<String, Value>,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) commands: CommandSender,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    input_queue: mpsc::Receiver<Input>,
    command_queue: mpsc::Receiver<Asked>,
    snapshot_sender: watch::Sender<Arc<Snapshot>>,
    journal: Option<Journal>,
    engine: Engine,
    rules: Rules,
}

impl DriverSetup {
    /// Opens the store and resumes the engine as it was left.
    pub(super) fn new(config: &Config) -> Result<Self, ServiceError> {
        let clock = Clock::start();
        let Remembered {
            journal,
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
        let (snapshot_sender, snapshots) = watch::channel(Arc::new(engine.snapshot()));
        Ok(Self {
            clock,
            store: journal.as_ref().map(Journal::store),
            keep,
            inputs,
            commands,
            snapshots,
            input_queue,
            command_queue,
            snapshot_sender,
            journal,
            engine,
            rules: config.rules(),
        })
    }

    /// Starts the driver; in a cluster as one of several replicas.
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
            self.snapshot_sender,
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
