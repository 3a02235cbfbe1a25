//! The HTTP API: version 1, what the old web page and maintainers' scripts read; version 2, everything else that can be read; and the gate
//! before them.
//!
//! Never touches the engine, a feed or an effect: a handler takes the newest snapshot and lets go of it when the answer is written, or asks
//! the history's reader, so a slow or hostile reader can stall nobody. Every error is JSON.

pub mod auth;
mod categories;
mod commands;
mod complete;
mod connection;
mod document;
mod error;
mod etag;
mod event;
mod experiment;
mod health;
mod lookup;
mod metrics;
mod middleware;
mod packed;
pub mod page;
mod passive_checks;
mod places;
mod port_probe;
mod prefix;
mod response_cache;
mod routes;
mod server;
mod table;
mod tls;
mod unread_body;
mod v2;

pub use auth::authenticator::{AccessSettings, Authenticator};
pub use categories::{Categories, ServiceRow};
pub use commands::{Answered, Give, OrderState};
pub use document::{DOCUMENT_JSON, document};
pub use health::HealthRoutes;
pub use metrics::{Count, Figures};
pub use middleware::{ANSWER_WITHIN, MAX_BODY_BYTES, PAGE_POLICY};
pub use port_probe::{StatusAnswer, labwatch_on, status_on};
pub use prefix::below;
pub use routes::{ApiState, health_router, router};
pub use server::{
    CONNECTION_LIFE, CONNECTIONS_FOR_THIS_HOST, DRAIN, Door, HANDSHAKE_TIMEOUT, HEAD_TIMEOUT,
    MAX_ACCEPT_FAILURES, MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ONE, MAX_HEAD_BYTES, STREAM_LIFE,
    serve, serve_through,
};
pub use table::{ROUTES, Rule};
pub use tls::{Certificate, CertificateError, RELOAD_EVERY, TlsFiles};
pub use v2::{
    DOCUMENT_V2_JSON, KEPT_CHANGES, LISTENERS_FOR_THIS_HOST, Live, MAX_LISTENERS,
    MAX_LISTENERS_OF_ONE, NoReport, PING_EVERY, ReportSource, ReportSourcing, Reports, document_v2,
    report_routes,
};

use auth::{authenticator, client, layer, login, tokens};
use jiff::Timestamp;

/// What stands for a time that never was, as in the program that labwatch replaces: `0001-01-01T00:00:00Z`.
const NEVER: Timestamp = Timestamp::constant(-62_135_596_800, 0);
