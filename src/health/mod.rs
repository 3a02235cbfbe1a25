//! The service's own health: a registry of components, and views of one picture in the four dialects that other systems speak.
//!
//! It judges no experiment: that is the engine's work, and what it says is read from its snapshot. It fetches nothing: what a probe
//! does is given to it. No lock is held while anything is checked, so that an answer never waits for the laboratory or the disk.

mod acks;
mod category;
mod census;
mod desk;
mod experiment;
mod logger;
mod order;
mod outside;
mod picture;
mod probe;
mod pushed;
mod refresh;
mod registry;
mod settings;
mod sources;
mod standing;
mod state;
mod switches;
pub mod views;

#[cfg(test)]
mod testing;

pub use acks::{Ack, Acks};
pub use category::{DEFAULT, PERIOD, SYSTEM, Verdict, of_stem, strict};
pub use census::{Census, Group, Member, What};
pub use desk::{Desk, LOOP_WITHIN};
pub use logger::{
    COMPONENTS as LOG_COMPONENTS, LevelRefused, Levels, SetLevel, parse_set_level, targets_of,
};
pub use order::CategoryOrder;
pub use outside::{MAX_SINGLE_CHECKS, attempt, pace};
pub use picture::{LIVENESS, Picture, SELF, STARTUP, STORE, worst};
pub use probe::{Asker, Attempt, Check, Pace, Probes};
pub use pushed::{NotTaken, Pushed, REPORT_KINDS, SELF_TEST_FRESH, SelfTest, SelfTests, Taken};
pub use refresh::{FRESH_WITHIN, NOT_AGAIN_WITHIN, PollBook, Refresher};
pub use registry::{Clock, MAX_COMPONENTS, RegisterError, Registry, Reporter};
pub use settings::{Identity, NON_FATAL, Settings};
pub use sources::MAIL;
pub use standing::{Standing, standings};
pub use state::{Component, Finding, SingleCheck, State};
pub use switches::{Categories, Cause, Change, KEY, Switch, Switched, Unreadable, is_enabled};
