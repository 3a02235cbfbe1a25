//! The service's own health: a registry of components, and answers about one snapshot in the
//! dialects that other systems speak.
//!
//! It decides nothing about experiments and categories: that is the engine's work, and its results
//! are read from its snapshot. It fetches nothing: each probe is given its check. No lock is held
//! while anything is checked, so that an answer never waits for the laboratory or the disk.
//!
//! As a library, for a program that watches no laboratory:
//!
//! ```
//! use std::time::Duration;
//!
//! use labwatch::health::dialects::{self, Query};
//! use labwatch::health::{Attempt, Components, Finding, HealthState, Identity, Pace, Settings, State};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // components: one reports itself, one is probed
//! let mut components = Components::default();
//! let queue = components.push("queue", None, &[])?;
//! let pace = Pace {
//!     period: Duration::from_secs(30),
//!     timeout: Duration::from_secs(5),
//!     retries: 1,
//!     cooldown: Duration::from_secs(1),
//! };
//! let check = Box::new(|| Box::pin(async { Attempt::Found(Finding::ok()) }) as _);
//! components.probe("disk", &[], pace, check)?;
//!
//! // name and version
//! let identity = Identity::of_program("robot-fleet", "1.2.3", jiff::Timestamp::now());
//! let (registry, probes) = components.into_parts();
//! let health = HealthState::standalone(Settings::default(), identity, registry)?;
//!
//! // run the checks, and wait until all is well
//! let (asker, stop) = (probes.asker(), CancellationToken::new());
//! let running = tokio::spawn(probes.run(stop.clone()));
//! asker.ask_all(Duration::from_secs(5)).await;
//! let missing = health.wait_until_ready(Duration::from_millis(10)).await;
//! assert_eq!(missing, Err(vec!["queue".to_owned()]));
//! queue.report(Finding::ok());
//! assert_eq!(health.wait_until_ready(Duration::from_secs(5)).await, Ok(()));
//!
//! // the global status, a single one, and the answers of the dialects
//! queue.report(Finding::error("it is full"));
//! assert_eq!(health.overall(), (State::Error, "queue: it is full".to_owned()));
//! assert_eq!(health.status_of("disk").map(|disk| disk.state()), Some(State::Ok));
//! let snapshot = health.snapshot();
//! assert_eq!(dialects::readiness(&snapshot, &Query::default())?.status, 503);
//! assert_eq!(dialects::status_of(&snapshot, "disk")?.status, 200);
//! stop.cancel();
//! running.await?;
//! # Ok(())
//! # }
//! ```
//!
//! Whether another instance runs on a port, and how it is, say `labwatch::http::labwatch_on` and
//! `labwatch::http::status_on`.

mod acknowledgements;
mod category;
mod category_index;
mod category_member;
mod category_rules;
mod category_status;
mod components;
pub mod dialects;
mod experiment;
mod handle;
mod logger;
mod order;
mod passive_checks;
mod probe;
mod refresh;
mod registry;
mod services;
mod settings;
mod snapshot;
mod sources;
mod state;
mod visible;
mod waiting;

#[cfg(test)]
mod testing;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use acknowledgements::{Ack, Acks};
pub use category::Verdict;
pub use category_index::{CategoryIndex, Evaluated, Group};
pub use category_member::{CategoryMember, What};
pub use category_rules::{DEFAULT, SYSTEM, is_enabled, of_stem, strict};
pub use category_status::{CategoryStatus, category_statuses};
pub use components::Components;
pub use engine::{CategoryState as Switch, CategoryStates as Switched};
pub use handle::{HealthState, LOOP_WITHIN};
pub use logger::{
    COMPONENTS as LOG_COMPONENTS, LevelRefused, Levels, SetLevel, parse_set_level, targets_of,
};
pub use order::CategoryOrder;
pub use passive_checks::{
    NotTaken, PassiveChecks, REPORT_KINDS, SELF_TEST_FRESH, SelfTest, SelfTests, Taken,
};
pub use probe::{Asker, Attempt, Check, LiveProbes, Pace, Probes};
pub use refresh::{FRESH_WITHIN, NOT_AGAIN_WITHIN, PollBook, Refresher};
pub use registry::{
    Clock, FitnessChange, MAX_COMPONENTS, MAX_RESULTS, RegisterError, Registry, Reporter,
    is_path_part,
};
pub use services::{MAX_SINGLE_CHECKS, attempt, categories_of, pace};
pub use settings::{Identity, NON_FATAL, Settings};
pub use snapshot::{HealthSnapshot, LIVENESS, SELF, STARTUP, STORE, worst};
pub use state::{About, Component, Finding, PastResult, Results, SingleCheck, State};

/// What a lock guards. A thread that panicked with it has left it whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
