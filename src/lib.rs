//! labwatch watches the experiments of a remote laboratory: it subscribes to relay and jump, polls
//! book, evaluates each experiment, switches its availability in book, mails its maintainers, and
//! answers operators over HTTP.
//!
//! A program of its own can use it in two ways: [`health`] alone, for the health of its components
//! in the dialects of other systems, or [`service::serve_with`], which runs the whole service
//! inside of it. `examples/embed.rs` does the latter, with no laboratory configured.
//!
//! The modules stand in the order in which data flows: from the wire through the feeds into the
//! pure engine, and as actions out to the effects. `tests/architecture.rs` checks which module may
//! use which.

#![cfg_attr(
    test,
    allow(clippy::too_many_lines, reason = "a table of cases may be long")
)]

pub mod build;
pub mod cli;
pub mod clients;
pub mod cluster;
pub mod config;
pub mod driver;
pub mod effects;
pub mod failpoints;
pub mod health;
pub mod http;
pub mod replay;
pub mod reports;
pub mod service;
pub mod store;
pub mod telemetry;
