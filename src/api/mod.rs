//! The HTTP API, version 1: what the old web page and maintainers' scripts read. It reads snapshots and changes nothing.
//!
//! Never touches the engine, a feed or an effect: a handler takes the newest snapshot and lets go of it when the answer is written,
//! so a slow or hostile reader can stall nobody. Every answer is JSON, errors too.

mod connection;
mod document;
mod error;
mod event;
mod experiment;
mod figures;
mod lookup;
mod routes;
mod server;
mod share;

pub use document::{DOCUMENT_JSON, document};
pub use figures::{Count, Figures};
pub use routes::{ApiState, router};
pub use server::{CONNECTION_LIFE, DRAIN, HEAD_TIMEOUT, MAX_ACCEPT_FAILURES, MAX_CONNECTIONS, MAX_HEAD_BYTES, serve};

use jiff::Timestamp;

/// What stands for a time that never was, as in the program that labwatch replaces: `0001-01-01T00:00:00Z`.
const NEVER: Timestamp = Timestamp::constant(-62_135_596_800, 0);
