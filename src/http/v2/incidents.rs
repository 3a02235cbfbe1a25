//! The bad times of experiments and sources, from the history.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::history::paged;
use super::params;
use crate::http::auth::Viewer;
use crate::http::error::ApiError;
use crate::http::routes::{Served, answer};
use crate::store::{self, Subject};
use engine::model::{SourceName, Stub, Visibility};

/// A list of incidents.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Incidents {
    /// The incidents, newest first.
    incidents: Vec<Incident>,
    /// What `cursor` has to be for older ones; null when there are none.
    #[schema(required)]
    next: Option<String>,
}

/// A bad time of an experiment or of a source.
#[derive(Debug, Serialize, ToSchema)]
struct Incident {
    /// Whether it is an `experiment` or a `source`.
    #[schema(example = "experiment")]
    kind: &'static str,
    /// Which one.
    #[schema(example = "pend00")]
    name: String,
    /// When it began.
    begin: Timestamp,
    /// When it ended; null while it goes on, and of an experiment that was forgotten meanwhile.
    #[schema(required)]
    end: Option<Timestamp>,
    /// The worst of it: `degraded` or `down`.
    #[schema(example = "down")]
    worst: &'static str,
    /// Everything that was wrong in its course, sorted: the codes of issues. Of sources it is a server's own words, so it is empty for
    /// readers who may not see those.
    #[schema(example = json!(["missing jump"]))]
    causes: Vec<String>,
}

/// The bad times of all experiments and sources, newest first.
#[utoipa::path(
    get,
    path = "/api/v2/history/incidents",
    tag = "history",
    params(
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when; now where it is not given"),
        ("limit" = Option<usize>, Query, description = "At most so many, from 1 to 1000; 100 where it is not given", example = 100),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "The bad times that touch the range", body = Incidents),
        (status = 400, description = "A parameter is not known or not understood, or the answer would be too long", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn incidents(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    incidents_of(&served, None, query.as_deref(), sight).await
}

pub(super) async fn incidents_of(
    served: &Served,
    of: Option<Subject>,
    query: Option<&str>,
    sight: Visibility,
) -> Result<Response, ApiError> {
    let (params, range, limit) = paged(served, query)?;
    let after = params::cursor(&params, subject)?;
    let page = served
        .past
        .ask(|reader| reader.incidents(of, range, after, limit))
        .await?;
    let next = page
        .incidents
        .last()
        .filter(|_| page.more)
        .map(|last| format!("{}~{}", last.begin, key(&last.subject)));
    answer(&Incidents {
        incidents: page
            .incidents
            .into_iter()
            .map(|incident| Incident::new(incident, sight))
            .collect(),
        next,
    })
}

/// A subject as a part of a cursor.
fn key(subject: &Subject) -> String {
    match subject {
        Subject::Experiment(stub) => format!("experiment~{stub}"),
        Subject::Source(source) => format!("source~{source}"),
    }
}

fn subject(key: &str) -> Option<Subject> {
    let (kind, name) = key.split_once('~')?;
    match kind {
        "experiment" => Stub::try_new(name).ok().map(Subject::Experiment),
        "source" => SourceName::ALL
            .into_iter()
            .find(|source| source.as_str() == name)
            .map(Subject::Source),
        _ => None,
    }
}

impl Incident {
    fn new(incident: store::Incident, sight: Visibility) -> Self {
        let store::Incident {
            subject,
            begin,
            end,
            was_down,
            causes,
        } = incident;
        let (kind, name, is_open) = match subject {
            Subject::Experiment(stub) => ("experiment", stub.to_string(), true),
            Subject::Source(source) => ("source", source.to_string(), false),
        };
        let causes = causes
            .into_iter()
            .filter(|_| is_open || sight.is_full())
            .collect();
        Self {
            kind,
            name,
            begin,
            end,
            worst: if was_down { "down" } else { "degraded" },
            causes,
        }
    }
}
