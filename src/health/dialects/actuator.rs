//! The actuator: health by kind, information about the program, and the levels of the log. Unlike Layotto's code, and like its document,
//! not ok is 503; init is alive.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::listing::{self, Experiments, Stream, Tally};
use super::{Answer, Query, Refused};
use crate::health::acknowledgements::Ack;
use crate::health::category_index::CategoryIndex;
use crate::health::experiment;
use crate::health::logger::{COMPONENTS, Levels};
use crate::health::snapshot::{LIVENESS, Picture, worst};
use crate::health::state::{Component, State, age};
use engine::ExperimentView;

/// The endpoints, each with its path.
pub const ENDPOINTS: [(&str, &str); 4] = [
    ("health/liveness", "/actuator/health/liveness"),
    ("health/readiness", "/actuator/health/readiness"),
    ("info", "/actuator/info"),
    ("logger", "/actuator/logger"),
];

/// The kinds of health.
pub const KINDS: [&str; 2] = ["liveness", "readiness"];

/// Somebody who contributes a member to the information: its name, and how it is made.
pub type Contributor = (
    &'static str,
    Box<dyn Fn(&Picture) -> Result<Value, String> + Send + Sync>,
);

/// The endpoints of the actuator.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorEndpoints)]
pub(crate) struct Endpoints {
    /// Each with its path.
    endpoints: Vec<Endpoint>,
}

/// An endpoint of the actuator.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorEndpoint)]
pub(crate) struct Endpoint {
    /// Its name.
    #[schema(example = "info")]
    name: &'static str,
    /// Its path, below the one where labwatch is served.
    #[schema(example = "/actuator/info")]
    path: &'static str,
}

/// The health of one kind, in Layotto's form.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorHealth)]
pub(crate) struct Health<'a> {
    /// `UP`, `INIT` or `DOWN`.
    #[schema(pattern = "^(UP|INIT|DOWN)$", example = "UP")]
    status: &'static str,
    /// The components, by name.
    components: BTreeMap<&'a str, Indicator<'a>>,
    /// The experiments; of readiness alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Overview<'a>>,
}

/// What readiness tells besides the components.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorOverview)]
pub(crate) struct Overview<'a> {
    /// The experiments.
    experiments: Experiments<'a>,
}

/// The health of one component or experiment.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorIndicator)]
pub(crate) struct Indicator<'a> {
    /// `UP`, `INIT` or `DOWN`.
    #[schema(pattern = "^(UP|INIT|DOWN)$", example = "UP")]
    status: &'static str,
    /// More about it.
    details: Details<'a>,
}

/// More about a component or experiment.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorDetails)]
pub(crate) struct Details<'a> {
    /// Why it is not up, where it is not.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    reason: &'a str,
    /// What is not as it should be while it can be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<&'a str>,
    /// Whether its failure counts for the whole; of a component alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    fatal: Option<bool>,
    /// When it last changed.
    last_change: Timestamp,
    /// When there was last evidence of it; null before the first.
    #[schema(required)]
    last_update: Option<Timestamp>,
    /// How old that evidence is, in seconds.
    #[schema(required)]
    age: Option<i64>,
    /// Its streams; of an experiment alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<Vec<Stream<'a>>>,
}

/// What runs here. Whoever cannot tell something has `error` in its place.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorInfo)]
pub(crate) struct Info<'a> {
    /// The program.
    app: App<'a>,
    /// What it was built from, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<Git<'a>>,
    /// The laboratory in numbers.
    lab: Lab<'a>,
    /// What others contribute: `config` holds the rules in force.
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, Object>)]
    more: BTreeMap<&'static str, Value>,
}

/// The program.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorApp)]
pub(crate) struct App<'a> {
    /// Its name.
    #[schema(example = "labwatch")]
    name: &'a str,
    /// Its version.
    #[schema(example = "0.1.0")]
    version: &'a str,
    /// When the process started.
    started: Timestamp,
    /// When it was built, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    compiled: Option<&'a str>,
}

/// What the program was built from.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorGit)]
pub(crate) struct Git<'a> {
    /// The commit.
    commit: &'a str,
}

/// The laboratory in numbers.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorLab)]
pub(crate) struct Lab<'a> {
    /// The label of the installation.
    #[schema(example = "lab")]
    label: &'a str,
    /// How many experiments are how.
    experiments: Tally,
    /// The categories that there are, sorted.
    categories: Vec<String>,
    /// When book was last read; null before that.
    #[schema(required)]
    book_read: Option<Timestamp>,
    /// How many experiments and components are acknowledged.
    acknowledged: usize,
    /// The acknowledgement of everything; null where there is none.
    #[schema(required)]
    installation_acknowledged: Option<String>,
}

/// The levels of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = ActuatorLogger)]
pub(crate) struct Logger<'a> {
    /// The level of each component.
    #[schema(example = json!({"relay": "info"}))]
    components: BTreeMap<&'a str, &'a str>,
    /// The level of each target of the log; the empty one stands for everything else.
    #[schema(example = json!({"labwatch": "info"}))]
    targets: BTreeMap<String, String>,
}

/// The endpoints that there are.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn actuator() -> Result<Answer, Refused> {
    Answer::json(
        true,
        &Endpoints {
            endpoints: ENDPOINTS.map(|(name, path)| Endpoint { name, path }).into(),
        },
    )
}

/// The health of one kind, with all its components.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such kind. [`Refused::Unwritable`].
pub fn health(picture: &Picture, kind: &str, query: &Query) -> Result<Answer, Refused> {
    let components = components(picture, kind)?;
    let (state, _) = match kind {
        "liveness" => worst(picture.vital()),
        _ => picture.overall(),
    };
    let listed = listing::listed(picture, query);
    let details = (kind != "liveness").then(|| Overview {
        experiments: Experiments::of(picture, &listed),
    });
    let body = Health {
        status: as_str(state),
        components: components
            .into_iter()
            .map(|one| (&*one.name, indicator(one, picture)))
            .collect(),
        details,
    };
    Answer::json(is_up(state, kind), &body)
}

/// The health of one component, or (by readiness) of one experiment.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such kind, component or experiment. [`Refused::Unwritable`].
pub fn health_of(picture: &Picture, kind: &str, name: &str) -> Result<Answer, Refused> {
    let component = components(picture, kind)?
        .into_iter()
        .find(|component| &*component.name == name);
    if let Some(component) = component {
        return Answer::json(
            is_up(component.state(), kind),
            &indicator(component, picture),
        );
    }
    let view = picture
        .snapshot
        .experiment(name)
        .filter(|_| kind == "readiness");
    let view = view.ok_or_else(|| Refused::Unknown(format!("{name} was not found in {kind}")))?;
    let state = experiment::state(view, &picture.snapshot, picture.at);
    let output = experiment::output(view, &picture.snapshot, picture.at);
    Answer::json(
        is_up(state, kind),
        &of_experiment(view, state, &output, picture),
    )
}

/// What runs here. A contributor that fails shows its error, and the rest stays.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn info(picture: &Picture, more: &[Contributor]) -> Result<Answer, Refused> {
    let identity = &*picture.identity;
    let (name, version, started) = (identity.name, identity.version, identity.started);
    let notified = |make: &dyn Fn(&Picture) -> Result<Value, String>| {
        make(picture).unwrap_or_else(|error| json!({ "error": error }))
    };
    let info = Info {
        app: App {
            name,
            version,
            started,
            compiled: identity.built,
        },
        git: identity.commit.map(|commit| Git { commit }),
        lab: lab(picture),
        more: more
            .iter()
            .map(|(name, make)| (*name, notified(make)))
            .collect(),
    };
    Answer::json(true, &info)
}

fn lab(picture: &Picture) -> Lab<'_> {
    let acks = &picture.acks;
    Lab {
        label: &picture.settings.label,
        experiments: Tally::of(&picture.snapshot),
        categories: CategoryIndex::of(picture).categories(),
        book_read: picture.component("book").and_then(|book| book.last_update),
        acknowledged: acks.count(picture.at),
        installation_acknowledged: acks.installation(picture.at).map(Ack::words),
    }
}

/// The levels of the log, by component, and by target where that is finer.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn logger(levels: &dyn Levels) -> Result<Answer, Refused> {
    let targets = levels.levels();
    let of = |target: &str| {
        let above = targets
            .iter()
            .filter(|(known, _)| known.is_empty() || is_within(target, known));
        above
            .max_by_key(|(known, _)| known.len())
            .map_or("off", |(_, level)| level.as_str())
    };
    let components = COMPONENTS
        .iter()
        .filter_map(|(name, targets)| targets.first().map(|target| (*name, of(target))))
        .collect();
    Answer::json(
        true,
        &Logger {
            components,
            targets: targets.clone(),
        },
    )
}

/// Whether a module is another or within it, as the log's filter sees it: by the start of its name.
fn is_within(target: &str, known: &str) -> bool {
    target.starts_with(known)
}

/// The components of a kind.
fn components<'a>(picture: &'a Picture, kind: &str) -> Result<Vec<&'a Component>, Refused> {
    let vital = |component: &&Component| LIVENESS.contains(&&*component.name);
    match kind {
        "liveness" => Ok(picture.components.iter().filter(vital).collect()),
        "readiness" => Ok(picture.components.iter().collect()),
        _ => Err(Refused::Unknown(format!(
            "health {kind} was not found, but {} are",
            KINDS.join(" and ")
        ))),
    }
}

fn indicator<'a>(component: &'a Component, picture: &Picture) -> Indicator<'a> {
    let is_warning = component.state() == State::Warn;
    Indicator {
        status: as_str(component.state()),
        details: Details {
            reason: if is_warning { "" } else { component.detail() },
            warnings: if is_warning {
                vec![component.detail()]
            } else {
                Vec::new()
            },
            fatal: Some(picture.settings.is_fatal(&component.name)),
            last_change: component.last_change,
            last_update: component.last_update,
            age: component.age(picture.at),
            streams: None,
        },
    }
}

fn of_experiment<'a>(
    view: &'a ExperimentView,
    state: State,
    output: &'a str,
    picture: &'a Picture,
) -> Indicator<'a> {
    let last_update = experiment::last_update(view, &picture.snapshot);
    Indicator {
        status: as_str(state),
        details: Details {
            reason: if state == State::Warn { "" } else { output },
            warnings: if state == State::Warn {
                vec![output]
            } else {
                Vec::new()
            },
            fatal: None,
            last_change: view.since,
            last_update,
            age: last_update.map(|at| age(at, picture.at)),
            streams: Some(listing::streams(&picture.snapshot, &[view])),
        },
    }
}

fn is_up(state: State, kind: &str) -> bool {
    state.is_ok() || (state == State::Init && kind == "liveness")
}

fn as_str(state: State) -> &'static str {
    match state {
        State::Ok | State::Warn => "UP",
        State::Init => "INIT",
        State::Stale | State::Error => "DOWN",
    }
}
