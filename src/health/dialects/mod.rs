//! The health dialects of other systems: pure functions of one snapshot, so that no two of them can
//! disagree. They know the parts of an HTTP answer and nothing else of HTTP.

mod accept;
mod actuator;
mod actuator_form;
mod agg_health;
mod answer;
mod ft;
mod ft_form;
mod listing;
mod metrics;
mod page;
mod probes;
mod published;
mod query;
mod rated;
mod shown;
mod status;

pub use accept::wants_json;
pub use actuator::{
    Contributor, ENDPOINTS, Endpoint, KINDS, LOGGER, actuator, health, health_of, info, logger,
    of_endpoint,
};
pub use agg_health::agg_health;
pub use answer::{Answer, JSON, LISTED, Reader, Refused};
pub use ft::{gtg, health_json};
pub use metrics::{Numbers, numbers};
pub use page::health_page;
pub use probes::{liveness, readiness};
pub use published::{Published, published};
pub use query::Query;
pub use status::{status, status_of};

/// The forms of the answers, for the document of the API.
pub(crate) mod forms {
    pub(crate) use super::actuator_form::{Added, Endpoints, Health, Indicator, Info, Logger};
    pub(crate) use super::ft_form::{Aggregate, Document};
    pub(crate) use super::probes::Status;
    pub(crate) use super::status::{CheckStatus, OverallStatus};
}
