//! The service's own health: a registry of components, and views of one picture in the four dialects that other systems speak.
//!
//! It decides nothing about experiments and categories: that is the engine's work, and what it says is read from its snapshot. It fetches nothing: what a probe
//! does is given to it. No lock is held while anything is checked, so that an answer never waits for the laboratory or the disk.

mod acknowledgements;
mod category;
mod category_index;
mod category_status;
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
mod switches;

#[cfg(test)]
mod testing;

pub use acknowledgements::{Ack, Acks};
pub use category::{DEFAULT, PERIOD, SYSTEM, Verdict, of_stem, strict};
pub use category_index::{CategoryIndex, CategoryMember, Group, What};
pub use category_status::{CategoryStatus, standings};
pub use handle::{HealthState, LOOP_WITHIN};
pub use logger::{
    COMPONENTS as LOG_COMPONENTS, LevelRefused, Levels, SetLevel, parse_set_level, targets_of,
};
pub use order::CategoryOrder;
pub use passive_checks::{
    NotTaken, PassiveChecks, REPORT_KINDS, SELF_TEST_FRESH, SelfTest, SelfTests, Taken,
};
pub use probe::{Asker, Attempt, Check, Pace, Probes};
pub use refresh::{FRESH_WITHIN, NOT_AGAIN_WITHIN, PollBook, Refresher};
pub use registry::{Clock, MAX_COMPONENTS, RegisterError, Registry, Reporter};
pub use services::{MAX_SINGLE_CHECKS, attempt, pace};
pub use settings::{Identity, NON_FATAL, Settings};
pub use snapshot::{LIVENESS, Picture, SELF, STARTUP, STORE, worst};
pub use sources::MAIL;
pub use state::{Component, Finding, SingleCheck, State};
pub use switches::{Switch, Switched, is_enabled};
