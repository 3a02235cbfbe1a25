//! The configuration: defaults, file and environment, merged and checked once; immutable
//! afterwards.

mod access;
mod advice;
mod bounds;
mod changes;
mod cluster;
mod configuration;
mod cors;
mod declared;
mod document;
mod fingerprint;
mod graphite;
mod hidden;
mod layers;
mod log;
mod mail;
mod mail_settings;
mod maintenance;
mod nearest;
mod notifications;
mod policy;
mod problem;
mod publication;
mod reader;
mod role;
mod rows;
mod secret;
mod servers;
mod services;
mod settings;
mod sources;
mod summary;
mod suspicion;
mod tables;
mod unknown;
mod zone;

pub use access::{ApiRead, ApiSettings, ApiTls, MIN_API_SECRET_BYTES};
pub use changes::Changes;
pub use cluster::{ClusterSettings, EtcdSettings};
pub use configuration::{
    BookSettings, CanarySettings, Config, DatabaseSettings, FeedSettings, LogFile, LogFormat,
    LogSettings, LogTarget, SHADOW_FOLDER,
};
pub use cors::ApiCors;
pub use declared::{
    ENV_PREFIX, Kind, Reload, SECTIONS, Section, Setting, TABLES, Table, declared, secrets,
    settings, variable,
};
pub use fingerprint::Fingerprint;
pub use graphite::{GraphiteSettings, SurfaceSettings};
pub use hidden::HiddenUrl;
pub use layers::MAX_FILE_BYTES;
pub use mail_settings::{MailAuth, MailSettings, MailTls};
pub use maintenance::{MaintenanceSettings, Planned};
pub use notifications::{DeadMan, HttpTarget, NotificationSettings, Route, RouteTarget};
pub use policy::{CategoryPolicy, PolicyOverlay, PolicySettings};
pub use problem::{Problem, Problems};
pub use publication::{PublicationSettings, PublishTo};
pub use rows::{MAX_SLUG_BYTES, MAX_TEXT_BYTES};
pub use secret::MAX_SECRET_BYTES;
pub use services::{BUILT_IN_CATEGORIES, COMPONENTS, CategorySettings, Expect, ServiceSettings};
pub use settings::{Loaded, load, load_api, load_rules, load_without_laboratory};
pub use sources::{ENV_CONFIG, Sources};
pub use tables::{EXAMPLE, MAX_ROWS};
pub use zone::Zone;
