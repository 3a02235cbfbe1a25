//! One experiment in detail: its entry in a list, and details from the sources' newest reports.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::NoParams;
use super::summary::Line;
use super::time::Timestamp;
use super::words::{Bookable, Fault, Health, PageHealth};
use super::{each, history};
use crate::http::auth::Viewer;
use crate::http::error::{self, ApiResult};
use crate::http::json::answer;
use crate::http::lookup;
use crate::http::named::Named;
use crate::http::served::Served;
use engine::model::{SourceName, Visibility};
use engine::{
    Evidence, ExperimentView, LastConnection, NotifiedView, PageView, ResourceView, Scopes, Seen,
    Snapshot, SourceView, StreamView, Traffic,
};

/// Everything about an experiment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExperimentDetail)]
pub(super) struct ExperimentDetail<'a> {
    /// Its entry in a list.
    experiment: Line<'a>,
    /// What can be done about it; null when nothing is wrong, its symptoms allow no advice, or for
    /// readers without a token.
    #[schema(required)]
    advice: Option<&'a str>,
    /// When it was first seen.
    first_seen: Timestamp,
    /// When book's manifest last listed it; null for never.
    #[schema(required)]
    last_listed: Option<Timestamp>,
    /// Its resources in book.
    resources: Vec<Resource<'a>>,
    /// Its streams, in the order of `experiment.streams`.
    streams: Vec<Contact<'a>>,
    /// Its jump connection (the remote login).
    jump: Contact<'a>,
    /// The pages on which students open it, by book's manifest; empty while pages are not checked.
    pages: Vec<ExperimentPage<'a>>,
    /// The problem last notified and not yet closed, one for each route that was notified.
    notified: Vec<Notified>,
    /// Its bookings that are under way or start within 24 h, in the order of their starts.
    booked: Vec<Slot>,
    /// Its latest events, newest first. `/api/v2/experiments/{name}/events` has older ones.
    events: Vec<history::Event<'a>>,
}

/// A page on which students open an experiment.
#[derive(Debug, Serialize, ToSchema)]
struct ExperimentPage<'a> {
    /// Its host and path, without query and fragment.
    #[schema(example = "app.practable.io/ed0/static/ui/spinner-2.0/")]
    page: &'a str,
    /// Its health.
    health: PageHealth,
    /// The same as text: the status that it answers with, or why it cannot be checked.
    #[schema(example = "answers 404")]
    note: String,
}

impl<'a> ExperimentPage<'a> {
    fn new(view: &'a PageView, sight: Visibility) -> Self {
        Self {
            page: view.page.as_str(),
            health: view.health.into(),
            note: view.words(sight),
        }
    }
}

/// A booking. Its user is not known here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookedSlot)]
struct Slot {
    /// When it starts.
    start: Timestamp,
    /// When it ends.
    end: Timestamp,
    /// Whether its user has started it.
    started: bool,
}

/// The last notification over a route.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notified)]
struct Notified {
    /// The route.
    #[schema(example = "mail")]
    route: String,
    /// The health that was notified.
    health: Health,
    /// When.
    at: Timestamp,
}

impl Notified {
    fn new(view: &NotifiedView) -> Self {
        Self {
            route: view.route.to_string(),
            health: view.health.into(),
            at: view.at.into(),
        }
    }
}

/// A resource of book.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resource<'a> {
    /// Its name in book.
    #[schema(example = "r-pend00")]
    name: &'a str,
    /// Whether it can be booked.
    bookable: Bookable,
    /// The reason that book stores with that.
    reason: &'a str,
    /// When book last reported it; null when it has not reported yet.
    #[schema(required)]
    read: Option<Timestamp>,
    /// Why the last switch failed; null when it did not.
    #[schema(required)]
    fault: Option<Fault>,
    /// The error text of book for the last switch. Null for readers who may not see it.
    #[schema(required)]
    fault_text: Option<String>,
}

/// The connection of a stream or of a jump client; while there is none, the last one.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Contact)]
pub(super) struct Contact<'a> {
    /// The topic, or the experiment's name for a jump connection.
    topic: &'a str,
    /// Whether it is in the newest report.
    connected: bool,
    /// When it was last in a report; null for never.
    #[schema(required)]
    seen: Option<Timestamp>,
    /// When its last message was sent, by the report or, where labwatch samples, by a sample; null
    /// when that is not known or none was.
    #[schema(required)]
    transmitted: Option<Timestamp>,
    /// Messages a second since it connected; null without statistics.
    #[schema(required)]
    rate: Option<f32>,
    /// Mean size of a message, in bytes; null without statistics.
    #[schema(required)]
    size: Option<u32>,
    /// When it connected, by the server's clock; null when there never was a connection.
    #[schema(required)]
    since: Option<Timestamp>,
    /// When its token ends, by the server's clock.
    #[schema(required)]
    expires: Option<Timestamp>,
    /// Its remote address. Null for readers who may not see it.
    #[schema(required)]
    remote: Option<&'a str>,
    /// The program that it claims to be. Null for readers who may not see it.
    #[schema(required)]
    user_agent: Option<&'a str>,
}

/// All current information about an experiment.
#[utoipa::path(
    get,
    path = "/api/v2/experiments/{name}",
    tag = "experiments",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The experiment's name", example = "pend00")),
    responses((status = 200, description = "The experiment", body = ExperimentDetail<'static>))
)]
pub(super) async fn experiment(
    State(served): State<Arc<Served>>,
    Named(name): Named<String>,
    _: NoParams,
    Viewer(sight): Viewer,
) -> ApiResult {
    let snapshot = served.snapshot();
    let view = snapshot
        .experiment(&name)
        .ok_or_else(|| error::no_such_experiment(&name))?;
    answer(&ExperimentDetail::new(view, &snapshot, sight))
}

impl<'a> ExperimentDetail<'a> {
    fn new(view: &'a ExperimentView, snapshot: &'a Snapshot, sight: Visibility) -> Self {
        let resources = each(&view.resources, |resource| resource.name.clone());
        let booked = snapshot.calendar.next_day(&resources, snapshot.at);
        let (relay, jump) = (
            snapshot.source(SourceName::Relay),
            snapshot.source(SourceName::Jump),
        );
        Self {
            experiment: Line::new(view),
            advice: view.advice.as_deref().filter(|_| sight.is_full()),
            first_seen: view.first_seen.into(),
            last_listed: view.last_listed.map(Timestamp::from),
            resources: each(&view.resources, |of| Resource::new(of, sight)),
            streams: each(&view.streams, |of| Contact::stream(of, relay, sight)),
            jump: Contact::login(view, jump, sight),
            pages: each(&view.pages, |page| ExperimentPage::new(page, sight)),
            notified: each(snapshot.notified(view.stub.as_str()), Notified::new),
            booked: each(&booked, |of| Slot {
                start: of.start.into(),
                end: of.end.into(),
                started: of.started,
            }),
            events: each(view.events.iter().rev(), |event| {
                history::Event::new(None, event)
            }),
        }
    }
}

impl<'a> Resource<'a> {
    fn new(resource: &'a ResourceView, sight: Visibility) -> Self {
        Self {
            name: resource.name.as_str(),
            bookable: resource.bookable.into(),
            reason: &resource.reason,
            read: resource.read.map(Timestamp::from),
            fault: resource.fault.as_ref().map(Fault::from),
            fault_text: resource
                .fault
                .as_ref()
                .filter(|_| sight.is_full())
                .map(|fault| fault.words(sight)),
        }
    }
}

impl<'a> Contact<'a> {
    fn stream(stream: &'a StreamView, relay: &'a SourceView, sight: Visibility) -> Self {
        let topic = stream.topic.as_str();
        let last = stream.last.as_deref();
        let known = Self::known((relay, Scopes::EXPT), topic, (stream.seen, last), sight);
        let received = match stream.evidence {
            Evidence::Sampled(received) => received,
            Evidence::Statistics | Evidence::Unverified => None,
        };
        Self {
            transmitted: received.map(Timestamp::from).or(known.transmitted),
            ..known
        }
    }

    fn login(view: &'a ExperimentView, jump: &'a SourceView, sight: Visibility) -> Self {
        let last = (view.jump_seen, view.jump_last.as_deref());
        Self::known((jump, Scopes::HOST), view.stub.as_str(), last, sight)
    }

    /// The connection of this topic in the source's newest report or, while there is none, the last
    /// one, as this reader may see it.
    fn known(
        (source, role): (&'a SourceView, Scopes),
        topic: &'a str,
        (seen, last): (Seen, Option<&'a LastConnection>),
        sight: Visibility,
    ) -> Self {
        let seen = seen.time(source.last_report);
        let now = lookup::best(source, role, topic);
        let unknown = Self {
            topic,
            connected: now.is_some(),
            seen: seen.map(Timestamp::from),
            ..Self::default()
        };
        let reported = if now.is_some() {
            source.last_report
        } else {
            seen
        };
        let Some(connection) = now.or(last.map(|last| lookup::gone(topic, last))) else {
            return unknown;
        };
        Self {
            since: time(connection.connected),
            expires: time(connection.expires),
            remote: sight.is_full().then_some(connection.remote),
            user_agent: sight.is_full().then_some(connection.user_agent),
            ..unknown.with_traffic(connection.tx, reported)
        }
    }

    fn with_traffic(self, tx: Option<Traffic>, reported: Option<jiff::Timestamp>) -> Self {
        let ago = |last: Duration| {
            reported?
                .checked_sub(SignedDuration::try_from(last).ok()?)
                .ok()
                .map(Timestamp::from)
        };
        Self {
            transmitted: tx.and_then(|tx| tx.last).and_then(ago),
            rate: tx.map(|tx| tx.fps).filter(|rate| rate.is_finite()),
            size: tx.map(|tx| tx.size),
            ..self
        }
    }
}

/// A server's text for a time; `None` if it is none.
fn time(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(at.into())
}
