//! The actuator dialect: health by kind, information about the program, and the levels of the log.
//! Other than Layotto's code, but as in its document, not ok is 503; init is alive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use engine::model::Gather as _;
use serde_json::{Value, json};

use super::Query;
use super::actuator_form::{
    Added, App, Details, Endpoints, Git, Health, Indicator, Info, Lab, Listed, Logger, Overview,
    ServiceInfo,
};
use super::answer::{Answer, Reader, Refused};
use super::listing::{self, Experiments, Tally};
use super::shown::Shown;
use crate::health::category_index::CategoryIndex;
use crate::health::logger::{COMPONENTS, Levels};
use crate::health::snapshot::{HealthSnapshot, LIVENESS, worst};
use crate::health::state::{Component, State};

/// The endpoints that are always there.
pub const ENDPOINTS: [&str; 3] = ["health/liveness", "health/readiness", "info"];

/// The endpoint of the levels of the log, where they can be set.
pub const LOGGER: &str = "logger";

/// An endpoint that is added to the actuator: it is listed by `/actuator` and answers at
/// `/actuator/NAME`.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name, one part of a path.
    pub name: String,
    /// Makes its answer, which becomes JSON. Must not block. An error is answered as 503 with its
    /// text.
    pub answer: Answering,
}

/// Makes the answer of an endpoint.
pub type Answering = Arc<dyn Fn(&HealthSnapshot) -> Result<Value, String> + Send + Sync>;

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The kinds of health.
pub const KINDS: [&str; 2] = ["liveness", "readiness"];

/// A member that is contributed to `/actuator/info`: its name, and how it is made.
pub type Contributor = (
    &'static str,
    Box<dyn Fn(&HealthSnapshot) -> Result<Value, String> + Send + Sync>,
);

/// The list of endpoints; that of the log's levels only where they can be set.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn actuator(has_logger: bool, added: &[Endpoint]) -> Result<Answer, Refused> {
    let logger = has_logger.then_some(LOGGER);
    let added = added.iter().map(|endpoint| endpoint.name.as_str());
    let names = ENDPOINTS.into_iter().chain(logger).chain(added);
    let endpoints = names.map(|name| Listed {
        name,
        path: format!("/actuator/{name}"),
    });
    Answer::json(
        true,
        &Endpoints {
            endpoints: endpoints.collect(),
        },
    )
}

/// The answer of an added endpoint: 503 where it fails.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn of_endpoint(endpoint: &Endpoint, health: &HealthSnapshot) -> Result<Answer, Refused> {
    match (endpoint.answer)(health) {
        Ok(answer) => Answer::json(true, &Added(answer)),
        Err(error) => Answer::json(false, &Added(json!({ "error": error }))),
    }
}

/// The health of one kind, with all its components.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such kind. [`Refused::Unwritable`].
pub fn health(health: &HealthSnapshot, kind: &str, query: &Query) -> Result<Answer, Refused> {
    let components = components(health, kind)?;
    let (state, _) = match kind {
        "liveness" => worst(health.vital()),
        _ => health.overall(),
    };
    let listed = listing::listed(health, query);
    let details = (kind != "liveness").then(|| Overview {
        experiments: Experiments::of(health, &listed),
    });
    let body = Health {
        status: as_str(state),
        components: components
            .into_iter()
            .map(|one| (&*one.name, of_component(one, health)))
            .collect(),
        details,
    };
    Answer::json(is_up(state, kind), &body)
}

/// The health of one component, or (by readiness) of one experiment.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such kind, component or experiment. [`Refused::Unwritable`].
pub fn health_of(health: &HealthSnapshot, kind: &str, name: &str) -> Result<Answer, Refused> {
    let component = components(health, kind)?
        .into_iter()
        .find(|component| &*component.name == name);
    if let Some(component) = component {
        let mut answer = of_component(component, health);
        answer.details.results = Some(&component.results);
        return Answer::json(is_up(component.state(), kind), &answer);
    }
    let view = health
        .snapshot
        .experiment(name)
        .filter(|_| kind == "readiness");
    let view = view.ok_or_else(|| Refused::Unknown(format!("{name} was not found in {kind}")))?;
    let shown = Shown::experiment(view, health);
    let is_up = is_up(shown.state, kind);
    let mut answer = indicator(shown);
    answer.details.streams = Some(listing::streams(&health.snapshot, &[view]));
    Answer::json(is_up, &answer)
}

/// Information about the running program. A contributor that fails shows its error, and the rest
/// stays.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn info(
    health: &HealthSnapshot,
    more: &[Contributor],
    reader: Reader,
) -> Result<Answer, Refused> {
    let identity = &*health.identity;
    let notified = |make: &dyn Fn(&HealthSnapshot) -> Result<Value, String>| {
        make(health).unwrap_or_else(|error| json!({ "error": error }))
    };
    let info = Info {
        app: App {
            name: identity.name,
            version: identity.version,
            started: identity.started,
            compiled: identity.built,
        },
        git: identity.commit.map(|commit| Git {
            commit,
            date: identity.committed,
            state: identity.git_state,
        }),
        services: services(health),
        lab: lab(health, reader),
        more: more
            .iter()
            .map(|(name, make)| (*name, notified(make)))
            .gather(),
    };
    Answer::json(true, &info)
}

/// What outside services say of themselves in their health documents.
fn services<'a>(health: &'a HealthSnapshot) -> BTreeMap<&'a str, ServiceInfo<'a>> {
    let info = |component: &'a Component| {
        let about = component.finding.about.as_deref()?;
        let info = ServiceInfo {
            system_code: &about.system_code,
            name: &about.name,
            description: &about.description,
        };
        Some((&*component.name, info))
    };
    health.components.iter().filter_map(info).collect()
}

fn lab(health: &HealthSnapshot, reader: Reader) -> Lab<'_> {
    let acks = &health.acks;
    Lab {
        label: &health.settings.label,
        experiments: Tally::of(&health.snapshot),
        categories: CategoryIndex::of(health).categories(),
        book_read: health.component("book").and_then(|book| book.last_update),
        acknowledged: acks.count(health.at),
        installation_acknowledged: acks
            .installation(health.at)
            .map(|ack| ack.words(reader.sees_private())),
    }
}

/// The levels of the log, by component, and by target where that is finer.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn logger(levels: &dyn Levels) -> Result<Answer, Refused> {
    let targets = levels.levels();
    let of = |target: &str| {
        let is_above = |known: &str| known.is_empty() || is_within(target, known);
        let above = targets.iter().filter(|(known, _)| is_above(known));
        let nearest = above.max_by_key(|(known, _)| known.len());
        nearest.map_or("off", |(_, level)| level.as_str())
    };
    let components = COMPONENTS
        .iter()
        .filter_map(|(name, targets)| targets.first().map(|target| (*name, of(target))))
        .gather();
    Answer::json(
        true,
        &Logger {
            components,
            targets: targets.clone(),
        },
    )
}

/// Whether a module is another or within it: by the start of its name, as the log's filter has it.
fn is_within(target: &str, known: &str) -> bool {
    target.starts_with(known)
}

/// The components of a kind.
fn components<'a>(health: &'a HealthSnapshot, kind: &str) -> Result<Vec<&'a Component>, Refused> {
    let vital = |component: &&Component| LIVENESS.contains(&&*component.name);
    match kind {
        "liveness" => Ok(health.components.iter().filter(vital).collect()),
        "readiness" => Ok(health.components.iter().collect()),
        _ => Err(Refused::Unknown(format!(
            "health {kind} was not found, but {} are",
            KINDS.join(" and ")
        ))),
    }
}

fn of_component<'a>(component: &'a Component, health: &HealthSnapshot) -> Indicator<'a> {
    let mut indicator = indicator(Shown::component(component, health));
    indicator.details.fatal = Some(health.is_fatal(component));
    indicator
}

fn indicator(shown: Shown<'_>) -> Indicator<'_> {
    let (reason, warnings) = if shown.state == State::Warn {
        (Cow::default(), vec![shown.detail])
    } else {
        (shown.detail, Vec::new())
    };
    Indicator {
        status: as_str(shown.state),
        details: Details {
            reason,
            warnings,
            fatal: None,
            last_change: shown.last_change,
            last_update: shown.last_update,
            age: shown.age,
            streams: None,
            results: None,
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
