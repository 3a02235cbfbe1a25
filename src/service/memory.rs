//! Opens the store: what is known from before the start, and where to write what is learnt.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::ServiceError;
use crate::config::Config;
use crate::driver::Journal;
use crate::store::{Origin, Store, StoreError, StoreSettings, StoredState};
use engine::{History, State};

/// What is known from before the start, and where to write what is learnt.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) ledger: Option<Journal>,
    pub(super) state: State,
    pub(super) history: History,
    pub(super) keep: BTreeMap<String, Value>,
}

/// Opens the store. A folder that cannot be made is said, and nothing is kept; a folder that is in
/// use ends the start.
pub(super) fn remember(config: &Config) -> Result<Remembered, ServiceError> {
    let Some(settings) = &config.memory else {
        return Ok(Remembered::default());
    };
    let settings = StoreSettings {
        dir: settings.folder.clone(),
        history_days: settings.days,
        ring: config.health.events,
    };
    let (store, memory) = match Store::open(&settings) {
        Ok(opened) => opened,
        Err(error @ (StoreError::InUse { .. } | StoreError::TooNew { .. })) => {
            return Err(ServiceError::Store(error));
        }
        Err(error @ (StoreError::Folder { .. } | StoreError::Thread(_))) => {
            tracing::error!(folder = %settings.dir.display(), "nothing is kept for a restart: {error}");
            return Ok(Remembered::default());
        }
    };
    note_memory(&memory);
    Ok(Remembered {
        ledger: Some(Journal::new(store)),
        state: memory.state,
        history: memory.history,
        keep: memory.keep,
    })
}

fn note_memory(memory: &StoredState) {
    let (experiments, gap) = (
        memory.history.events.len(),
        memory
            .gap
            .map(|gap| gap.until.duration_since(gap.since).as_secs()),
    );
    match &memory.origin {
        Origin::New => {
            tracing::info!("nothing is remembered: this is the first start on this folder");
        }
        Origin::Found => tracing::info!(
            experiments,
            off_seconds = gap,
            "what was known before the start is remembered"
        ),
        Origin::BegunAnew { aside, why } => {
            tracing::error!(aside = %aside.display(), "the store was broken and begins anew; the broken file is kept aside: {why}");
        }
        Origin::ReadOnly { why } => {
            tracing::error!(experiments, "the store can be read but not written: {why}");
        }
        Origin::Unavailable { why } => {
            tracing::error!("the store can neither be read nor written, it is tried again: {why}");
        }
    }
}
