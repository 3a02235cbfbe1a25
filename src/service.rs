//! Starts the service, top to bottom: what is created, how it is connected, how it is stopped. This
//! module and its parts are the only ones that know all others, and the only ones that read the
//! whole configuration.

mod audit;
mod cluster;
mod cluster_rules;
mod cluster_sharing;
mod component_acks;
mod component_history;
mod config_watch;
mod driver_setup;
mod error;
mod extensions;
mod final_notification;
mod health;
mod http_access;
mod http_server;
mod listeners;
mod mail_probe;
mod metrics;
mod notifications;
mod options;
mod outlets;
mod policy;
mod presentation;
mod process;
mod publication;
mod reload;
mod reports;
mod serve;
mod services;
mod shadow;
mod sources;
mod store;
mod store_probe;
mod systemd;
mod task_set;
mod test_messages;

pub use error::{HealthError, ServiceError};
pub use extensions::{Extensions, Observer};
pub use notifications::mailer;
pub use options::ServiceOptions;
pub use presentation::presentation;
pub use process::{run, runtime, serve_with, stop_on_signals};
pub use reload::Reload;
pub use serve::serve;
pub use store::store_settings;
