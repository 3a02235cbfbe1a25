//! The JSON types of the actuator's answers, without logic.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::listing::{Experiments, Stream, Tally};
use crate::health::state::{PastResult, Results};

/// The answer of an added endpoint: what the program that embeds labwatch returns, or `error` with
/// the reason.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorAdded, value_type = Object)]
pub(crate) struct Added(pub(super) Value);

/// The endpoints of the actuator.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorEndpoints)]
pub(crate) struct Endpoints<'a> {
    /// Each with its path.
    pub(super) endpoints: Vec<Listed<'a>>,
}

/// An endpoint of the actuator.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorEndpoint)]
pub(crate) struct Listed<'a> {
    /// Its name.
    #[schema(example = "info")]
    pub(super) name: &'a str,
    /// Its path, below the one where labwatch is served.
    #[schema(example = "/actuator/info")]
    pub(super) path: String,
}

/// The health of one kind, in Layotto's form.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorHealth)]
pub(crate) struct Health<'a> {
    /// `UP`, `INIT` or `DOWN`.
    #[schema(pattern = "^(UP|INIT|DOWN)$", example = "UP")]
    pub(super) status: &'static str,
    /// The components, by name.
    pub(super) components: BTreeMap<&'a str, Indicator<'a>>,
    /// The experiments; of readiness alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) details: Option<Overview<'a>>,
}

/// What readiness adds to the components.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorOverview)]
pub(crate) struct Overview<'a> {
    /// The experiments.
    pub(super) experiments: Experiments<'a>,
}

/// The health of one component or experiment.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorIndicator)]
pub(crate) struct Indicator<'a> {
    /// `UP`, `INIT` or `DOWN`.
    #[schema(pattern = "^(UP|INIT|DOWN)$", example = "UP")]
    pub(super) status: &'static str,
    /// More about it.
    pub(super) details: Details<'a>,
}

/// More about a component or experiment.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorDetails)]
pub(crate) struct Details<'a> {
    /// Why it is not up, where it is not.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    pub(super) reason: Cow<'a, str>,
    /// Faults with which it can still be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) warnings: Vec<Cow<'a, str>>,
    /// Whether its failure counts for the whole; of a component alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fatal: Option<bool>,
    /// When it last changed.
    pub(super) last_change: Timestamp,
    /// When there was last evidence of it; null before the first.
    #[schema(required)]
    pub(super) last_update: Option<Timestamp>,
    /// How old that evidence is, in seconds.
    #[schema(required)]
    pub(super) age: Option<i64>,
    /// Its streams; of an experiment alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) streams: Option<Vec<Stream<'a>>>,
    /// The latest results, oldest first; only of a component requested by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<PastResult>>)]
    pub(super) results: Option<&'a Results>,
}

/// Information about the running program. A member that cannot be made has `error` in its place.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorInfo)]
pub(crate) struct Info<'a> {
    /// The program.
    pub(super) app: App<'a>,
    /// What it was built from, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) git: Option<Git<'a>>,
    /// The laboratory in numbers.
    pub(super) lab: Lab<'a>,
    /// What outside services say of themselves, by name; only of those that give a health
    /// document.
    pub(super) services: BTreeMap<&'a str, ServiceInfo<'a>>,
    /// What others contribute: `config` holds the rules in force.
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, Object>)]
    pub(super) more: BTreeMap<&'static str, Value>,
}

/// The program.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorApp)]
pub(crate) struct App<'a> {
    /// Its name.
    #[schema(example = "labwatch")]
    pub(super) name: &'a str,
    /// Its version.
    #[schema(example = "0.1.0")]
    pub(super) version: &'a str,
    /// When the process started.
    pub(super) started: Timestamp,
    /// When it was built, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) compiled: Option<&'a str>,
}

/// What the program was built from.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorGit)]
pub(crate) struct Git<'a> {
    /// The commit.
    pub(super) commit: &'a str,
    /// When the commit was made, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<&'a str>,
    /// `clean`, or `dirty` where the sources were changed after the commit; absent where the build
    /// did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<&'a str>,
}

/// What an outside service says of itself in its health document.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorService)]
pub(crate) struct ServiceInfo<'a> {
    /// Its system code; may be empty.
    pub(super) system_code: &'a str,
    /// Its name; may be empty.
    pub(super) name: &'a str,
    /// What it is; may be empty.
    pub(super) description: &'a str,
}

/// The laboratory in numbers.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorLab)]
pub(crate) struct Lab<'a> {
    /// The label of the installation.
    #[schema(example = "lab")]
    pub(super) label: &'a str,
    /// The number of experiments by state.
    pub(super) experiments: Tally,
    /// The categories that there are, sorted.
    pub(super) categories: Vec<String>,
    /// When book was last read; null before that.
    #[schema(required)]
    pub(super) book_read: Option<Timestamp>,
    /// How many experiments and components are acknowledged.
    pub(super) acknowledged: usize,
    /// The acknowledgement of everything; null where there is none.
    #[schema(required)]
    pub(super) installation_acknowledged: Option<String>,
}

/// The levels of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorLogger)]
pub(crate) struct Logger<'a> {
    /// The level of each component.
    #[schema(example = json!({"relay": "info"}))]
    pub(super) components: BTreeMap<&'a str, &'a str>,
    /// The level of each target of the log; the empty one stands for everything else.
    #[schema(example = json!({"labwatch": "info"}))]
    pub(super) targets: BTreeMap<String, String>,
}
