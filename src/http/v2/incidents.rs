//! The incidents of experiments and sources, from the history.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{self, Page, PageParams};
use super::records::{self, RangeParams};
use super::time::Timestamp;
use super::words::IncidentKind;
use crate::http::auth::Viewer;
use crate::http::error::ApiResult;
use crate::http::served::Served;
use crate::store::{self, Range, Subject};
use engine::model::{SourceName, Stub, Visibility};

/// From bad to good again, of an experiment or of a source.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Incident {
    /// The kind of its subject.
    kind: IncidentKind,
    /// The name of its subject.
    #[schema(example = "pend00")]
    name: String,
    /// When it began.
    begin: Timestamp,
    /// When it ended; null while it lasts, and for an experiment that was removed meanwhile.
    #[schema(required)]
    end: Option<Timestamp>,
    /// The worst health during it.
    worst: Worst,
    /// All issues during it, sorted by their codes. Of a source it is the server's own text, so it
    /// is empty for readers who may not see that.
    #[schema(example = json!(["missing jump"]))]
    causes: Vec<String>,
}

/// The worst health of an incident.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Worst {
    Degraded,
    Down,
}

/// The incidents of all experiments and sources, newest first.
#[utoipa::path(get, path = "/api/v2/history/incidents", tag = "history", params(RangeParams, PageParams), responses(
    (status = 200, description = "A page of those that touch the range, newest first", body = Page<Incident>),
))]
pub(super) async fn list_incidents(
    State(served): State<Arc<Served>>,
    uri: Uri,
    Viewer(sight): Viewer,
) -> ApiResult {
    incidents_of(&served, None, &uri, sight).await
}

/// The key of an incident in a list: its start and its subject. Two of one subject never begin
/// together.
type Key = (jiff::Timestamp, String, String);

pub(super) async fn incidents_of(
    served: &Served,
    of: Option<Subject>,
    uri: &Uri,
    sight: Visibility,
) -> ApiResult {
    let (range, paging) = records::ranged::<Key>(served.snapshot().at, uri)?;
    let after = paging
        .after
        .and_then(|(_, _, (at, kind, name))| Some((at, subject(&kind, &name)?)));
    let found = served
        .past
        .ask(|reader| reader.incidents(of, range, after, paging.limit))
        .await?;
    let last = found.incidents.last().filter(|_| found.more);
    let next = last.map(|last| {
        let (kind, name) = key(&last.subject);
        let Range { from, until } = range;
        page::encoded(uri, &(from, until, (last.begin, kind, name)))
    });
    let incidents = found.incidents.into_iter();
    let page = Page {
        items: incidents.map(|it| Incident::new(it, sight)).collect(),
        next,
    };
    page.answer(uri)
}

/// A subject as a part of a cursor.
fn key(subject: &Subject) -> (&'static str, String) {
    match subject {
        Subject::Experiment(stub) => ("experiment", stub.to_string()),
        Subject::Source(source) => ("source", source.to_string()),
    }
}

fn subject(kind: &str, name: &str) -> Option<Subject> {
    match kind {
        "experiment" => Stub::try_new(name).ok().map(Subject::Experiment),
        "source" => SourceName::named(name).map(Subject::Source),
        _ => None,
    }
}

impl Incident {
    fn new(incident: store::Incident, sight: Visibility) -> Self {
        let is_open = matches!(incident.subject, Subject::Experiment(_));
        let causes = incident.causes.into_iter();
        Self {
            kind: (&incident.subject).into(),
            name: key(&incident.subject).1,
            begin: incident.begin.into(),
            end: incident.end.map(Timestamp::from),
            worst: if incident.was_down {
                Worst::Down
            } else {
                Worst::Degraded
            },
            causes: causes.filter(|_| is_open || sight.is_full()).collect(),
        }
    }
}
