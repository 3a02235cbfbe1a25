//! Opens the store: the state from before the start, and the journal for new entries.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::ServiceError;
use crate::config::Config;
use crate::driver::Journal;
use crate::store::{Origin, Store, StoreError, StoreSettings, StoredState};
use engine::{History, State};

/// The state from before the start, and the journal for new entries.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) journal: Option<Journal>,
    pub(super) state: State,
    pub(super) history: History,
    pub(super) keep: BTreeMap<String, Value>,
}

/// The settings of the store; `None` where nothing is to be kept.
pub fn store_settings(config: &Config) -> Option<StoreSettings> {
    config.database.as_ref().map(|memory| StoreSettings {
        dir: memory.folder.clone(),
        history_days: memory.days,
        ring: config.health.events,
    })
}

/// Opens the store. If its folder cannot be created, that is logged, and nothing is stored; a
/// folder that is in use ends the start.
pub(super) fn remember(config: &Config) -> Result<Remembered, ServiceError> {
    let Some(settings) = store_settings(config) else {
        return Ok(Remembered::default());
    };
    let (store, stored) = match Store::open(&settings) {
        Ok(opened) => opened,
        Err(error @ (StoreError::InUse { .. } | StoreError::TooNew { .. })) => {
            return Err(error.into());
        }
        Err(error @ (StoreError::Folder { .. } | StoreError::Thread(_))) => {
            tracing::error!(folder = %settings.dir.display(), "nothing is kept for a restart: {error}");
            return Ok(Remembered::default());
        }
    };
    log_origin(&stored);
    Ok(Remembered {
        journal: Some(Journal::new(store)),
        state: stored.state,
        history: stored.history,
        keep: stored.keep,
    })
}

fn log_origin(stored: &StoredState) {
    let (experiments, gap) = (
        stored.history.events.len(),
        stored
            .gap
            .map(|gap| gap.until.duration_since(gap.since).as_secs()),
    );
    match &stored.origin {
        Origin::New => {
            tracing::info!("the store is new: this is the first start on this folder");
        }
        Origin::Found => tracing::info!(
            experiments,
            off_seconds = gap,
            "restored the state from before the start"
        ),
        Origin::BegunAnew { aside, why } => {
            tracing::error!(aside = %aside.display(), "the store was broken and is made anew; the broken file is kept aside: {why}");
        }
        Origin::ReadOnly { why } => {
            tracing::error!(experiments, "the store can be read but not written: {why}");
        }
        Origin::Unavailable { why } => {
            tracing::error!("the store can neither be read nor written, it is retried: {why}");
        }
    }
}
