//! The actuator: health by kind, information about the program, and the levels of the log. Unlike Layotto's code, and like its document,
//! not ok is 503; init is alive.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::listing::{self, Experiments, Stream, Tally};
use super::{Answer, Query, Refused};
use crate::engine::ExperimentView;
use crate::health::acks::Ack;
use crate::health::census::Census;
use crate::health::experiment;
use crate::health::logger::{COMPONENTS, Levels};
use crate::health::picture::{LIVENESS, Picture, worst};
use crate::health::state::{Component, State, age};

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
pub type Contributor = (&'static str, Box<dyn Fn(&Picture) -> Result<Value, String> + Send + Sync>);

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    components: BTreeMap<&'a str, Indicator<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Overview<'a>>,
}

#[derive(Serialize)]
struct Overview<'a> {
    experiments: Experiments<'a>,
}

#[derive(Serialize)]
struct Indicator<'a> {
    status: &'static str,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fatal: Option<bool>,
    last_change: Timestamp,
    last_update: Option<Timestamp>,
    age: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<Vec<Stream<'a>>>,
}

/// The endpoints that there are.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn actuator() -> Result<Answer, Refused> {
    let endpoints: Vec<_> = ENDPOINTS.iter().map(|(name, path)| json!({ "name": name, "path": path })).collect();
    Answer::json(true, &json!({ "endpoints": endpoints }))
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
    let details = (kind != "liveness").then(|| Overview { experiments: Experiments::of(picture, &listed) });
    let body = Health {
        status: word(state),
        components: components.into_iter().map(|one| (&*one.name, indicator(one, picture))).collect(),
        details,
    };
    Answer::json(is_up(state, kind), &body)
}

/// The health of one component, or (by readiness) of one experiment.
///
/// # Errors
/// [`Refused::Unknown`]: there is no such kind, component or experiment. [`Refused::Unwritable`].
pub fn health_of(picture: &Picture, kind: &str, name: &str) -> Result<Answer, Refused> {
    let component = components(picture, kind)?.into_iter().find(|component| &*component.name == name);
    if let Some(component) = component {
        return Answer::json(is_up(component.state(), kind), &indicator(component, picture));
    }
    let view = picture.snapshot.experiment(name).filter(|_| kind == "readiness");
    let view = view.ok_or_else(|| Refused::Unknown(format!("{name} was not found in {kind}")))?;
    let state = experiment::state(view, &picture.snapshot, picture.at);
    let output = experiment::output(view, &picture.snapshot, picture.at);
    Answer::json(is_up(state, kind), &of_experiment(view, state, &output, picture))
}

/// What runs here. A contributor that fails shows its error, and the rest stays.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn info(picture: &Picture, more: &[Contributor]) -> Result<Answer, Refused> {
    let identity = &*picture.identity;
    let mut body = Map::new();
    let compiled = identity.built.map(|built| ("compiled", Value::from(built)));
    let mut app = json!({ "name": identity.name, "version": identity.version, "started": identity.started.to_string() });
    if let (Some(app), Some((key, value))) = (app.as_object_mut(), compiled) {
        app.insert(key.to_owned(), value);
    }
    body.insert("app".to_owned(), app);
    if let Some(commit) = identity.commit {
        body.insert("git".to_owned(), json!({ "commit": commit }));
    }
    body.insert("lab".to_owned(), lab(picture));
    for (name, make) in more {
        body.insert((*name).to_owned(), make(picture).unwrap_or_else(|error| json!({ "error": error })));
    }
    Answer::json(true, &body)
}

fn lab(picture: &Picture) -> Value {
    let acks = &picture.acks;
    json!({
        "label": picture.settings.label,
        "experiments": Tally::of(&picture.snapshot),
        "categories": Census::of(picture).categories(),
        "book_read": picture.component("book").and_then(|book| book.last_update),
        "acknowledged": acks.count(picture.at),
        "installation_acknowledged": acks.installation(picture.at).map(Ack::words),
    })
}

/// The levels of the log, by component, and by target where that is finer.
///
/// # Errors
/// [`Refused::Unwritable`].
pub fn logger(levels: &dyn Levels) -> Result<Answer, Refused> {
    let targets = levels.levels();
    let of = |target: &str| {
        let above = targets.iter().filter(|(known, _)| known.is_empty() || is_within(target, known));
        above.max_by_key(|(known, _)| known.len()).map_or("off", |(_, level)| level.as_str())
    };
    let components: BTreeMap<&str, &str> =
        COMPONENTS.iter().filter_map(|(name, targets)| targets.first().map(|target| (*name, of(target)))).collect();
    Answer::json(true, &json!({ "components": components, "targets": targets }))
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
        _ => Err(Refused::Unknown(format!("health {kind} was not found, but {} are", KINDS.join(" and ")))),
    }
}

fn indicator<'a>(component: &'a Component, picture: &Picture) -> Indicator<'a> {
    let is_warning = component.state() == State::Warn;
    Indicator {
        status: word(component.state()),
        details: Details {
            reason: if is_warning { "" } else { component.detail() },
            warnings: if is_warning { vec![component.detail()] } else { Vec::new() },
            fatal: Some(picture.settings.is_fatal(&component.name)),
            last_change: component.last_change,
            last_update: component.last_update,
            age: component.age(picture.at),
            streams: None,
        },
    }
}

fn of_experiment<'a>(view: &'a ExperimentView, state: State, output: &'a str, picture: &'a Picture) -> Indicator<'a> {
    let last_update = experiment::last_update(view, &picture.snapshot);
    Indicator {
        status: word(state),
        details: Details {
            reason: if state == State::Warn { "" } else { output },
            warnings: if state == State::Warn { vec![output] } else { Vec::new() },
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

fn word(state: State) -> &'static str {
    match state {
        State::Ok | State::Warn => "UP",
        State::Init => "INIT",
        State::Stale | State::Error => "DOWN",
    }
}
