//! The HTTP server: version 1 of the API, which the old web page and maintainers' scripts read;
//! version 2, everything else; the health endpoints; and the page. Each route is authenticated by
//! the group that it is in.
//!
//! Handlers never call the engine, a client or an effect: they read the newest snapshot or the
//! history, and release it when the answer is written, so a slow or hostile reader cannot block
//! others.

pub mod auth;
mod cluster_state;
mod commands;
mod cors;
mod document;
mod error;
mod etag;
mod forward;
mod health;
mod health_state;
mod idempotency;
mod json;
mod lookup;
mod metrics;
mod middleware;
mod named;
mod options;
mod packed;
pub mod page;
mod places;
mod port_probe;
mod prefix;
mod reason;
mod response_cache;
mod routes;
mod seat;
mod served;
mod server;
mod state;
mod tls;
mod unread_body;
mod v1;
mod v2;

pub use auth::authenticator::{AccessSettings, Authenticator};
pub use cluster_state::{ClusterState, PassedOn, Returned};
pub use commands::{
    Answered, Give, OrderState, Retry, TestMessages, TestOrder, TestOutcome, TestRefusal,
    TestReport, TestedRecipient, TestedRoute,
};
pub use cors::Cors;
pub use document::written;
pub use health_state::HealthRoutes;
pub use metrics::{Count, MetricsEndpoint};
pub use middleware::{ANSWER_WITHIN, MAX_BODY_BYTES, PAGE_POLICY};
pub use port_probe::{StatusAnswer, labwatch_on, status_on};
pub use prefix::below;
pub use routes::{Routes, Rule};
pub use server::{
    CONNECTION_LIFE, CONNECTIONS_FOR_THIS_HOST, DRAIN, Door, HANDSHAKE_TIMEOUT, HEAD_TIMEOUT,
    MAX_ACCEPT_FAILURES, MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ONE, MAX_HEAD_BYTES, STREAM_LIFE,
    serve, serve_through,
};
pub use state::{ApiState, health_router, router, routes};
pub use tls::{Certificate, CertificateError, RELOAD_EVERY, TlsFiles};
pub use v1::{DOCUMENT_JSON, document};
pub use v2::{
    Categories, DOCUMENT_V2_JSON, KEPT_CHANGES, LISTENERS_FOR_THIS_HOST, Live, MAX_LISTENERS,
    MAX_LISTENERS_OF_ONE, NoReport, PING_EVERY, ReportSource, ReportSourcing, Reports, ServiceRow,
    document_v2, report_routes,
};
