//! Holds: resources that a person withdrew in book.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::outcome::{self, Commanding, Done, DryRun, IdempotencyKey, IfMatch, Made, Would};
use super::page::{Page, PageParams, Paging};
use super::params::NoParams;
use super::summary::Bookings;
use super::time::Timestamp;
use crate::http::auth::{Need, Scope};
use crate::http::commands::OrderState;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::routes::{Routes, routes};
use crate::http::served::Served;
use engine::model::Gather as _;
use engine::model::ResourceName;
use engine::{Affected, Command, HoldView, ManualOverride, Snapshot};

/// The name of the list, and its path.
const LIST: &str = "/api/v2/holds";

/// All routes that read.
pub(super) fn reading() -> Routes<Arc<Served>> {
    Routes::needing(Need::Read)
        .add(routes!(list_holds))
        .add(routes!(hold))
}

/// All routes that change something.
pub(super) fn changing() -> Routes<OrderState> {
    Routes::needing(Need::Scope(Scope::Admin))
        .add(routes!(make_hold))
        .add(routes!(end_hold))
}

/// A manual hold of a resource in book.
#[derive(Debug, Serialize, ToSchema)]
struct Hold<'a> {
    /// The resource in book.
    #[schema(example = "r-pend00")]
    resource: &'a str,
    /// The reason that the person gave. Students read it.
    reason: &'a str,
    /// Whether book has confirmed it: false between the command and book's answer.
    confirmed: bool,
    /// When it was first seen in book; null until it is confirmed.
    #[schema(required)]
    since: Option<Timestamp>,
    /// The bookings that cannot start while it lasts.
    blocks: Bookings,
    /// Since when the experiment has been ok; null while it is not.
    #[schema(required)]
    healthy_since: Option<Timestamp>,
    /// Whether it may be forgotten: it was not touched for `HOLD_OVERDUE`.
    overdue: bool,
}

impl<'a> Hold<'a> {
    fn confirmed(view: &'a HoldView) -> Self {
        Self {
            resource: view.resource.as_str(),
            reason: &view.hold.reason,
            confirmed: true,
            since: Some(view.hold.since.into()),
            blocks: Bookings::new(view.blocked),
            healthy_since: view.healthy_since.map(Timestamp::from),
            overdue: view.overdue,
        }
    }

    fn asked_for(resource: &'a str, reason: &'a str, blocked: Affected) -> Self {
        Self {
            resource,
            reason,
            confirmed: false,
            since: None,
            blocks: Bookings::new(blocked),
            healthy_since: None,
            overdue: false,
        }
    }

    /// All of them by resource: those that book has confirmed, and those that are being written to
    /// book.
    fn all(snapshot: &'a Snapshot) -> BTreeMap<&'a str, Self> {
        let asked_for = snapshot.experiments.iter().flat_map(|view| {
            view.resources.iter().filter_map(|resource| {
                let Some(ManualOverride::Hold(reason)) = &resource.manual_override else {
                    return None;
                };
                let name = resource.name.as_str();
                Some((name, Self::asked_for(name, reason, view.affected)))
            })
        });
        let mut all: BTreeMap<_, _> = asked_for.gather();
        let holds = snapshot.holds.iter();
        all.extend(holds.map(|view| (view.resource.as_str(), Self::confirmed(view))));
        all
    }

    fn find(snapshot: &'a Snapshot, resource: &str) -> Option<Self> {
        Self::all(snapshot).remove(resource)
    }
}

/// The present holds, by resource. `overdue` and `blocks` show which to look at first.
#[utoipa::path(get, path = "/api/v2/holds", tag = "holds", params(PageParams), responses(
    (status = 200, description = "A page, by resource", body = Page<Hold<'static>>),
))]
async fn list_holds(State(served): State<Arc<Served>>, uri: Uri) -> ApiResult {
    let snapshot = served.snapshot();
    let all = Hold::all(&snapshot).into_iter();
    let all = all.map(|(name, hold)| (name.to_owned(), hold));
    Paging::asked(&uri)?.pick(&uri, all).answer(&uri)
}

/// A hold.
#[utoipa::path(get, path = "/api/v2/holds/{resource}", tag = "holds",
    params(("resource" = String, Path, min_length = 1, max_length = 256, description = "Book's name of the resource", example = "r-pend00")), responses(
    (status = 200, description = "The hold", body = Hold<'static>),
))]
async fn hold(
    State(served): State<Arc<Served>>,
    Named(resource): Named<String>,
    _: NoParams,
) -> ApiResult {
    let snapshot = served.snapshot();
    let nothing = || {
        let words = format!("no person holds {resource}: /api/v2/holds lists what is held");
        ApiError::new(Reason::NotFound, words)
    };
    answer(&Hold::find(&snapshot, &resource).ok_or_else(nothing)?)
}

/// A hold to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeHold {
    /// Book's name of the resource.
    #[schema(example = "r-pend00", min_length = 1, max_length = 256)]
    resource: String,
    /// The reason that students read: one line.
    #[schema(
        example = "The motor is being replaced. Back on Friday.",
        min_length = 1,
        max_length = 500
    )]
    reason: String,
}

/// Holds a resource in book: it cannot be booked or started until a person ends the hold. Students
/// read the reason.
#[utoipa::path(post, path = "/api/v2/holds", tag = "holds", request_body = MakeHold, params(DryRun, IdempotencyKey), responses(
    (status = 200, response = Would),
    (status = 201, response = Made),
))]
async fn make_hold(order: Commanding, Json(body): Json<MakeHold>) -> ApiResult {
    let resource = name(&body.resource)?;
    let place = format!("{LIST}/{}", escaped(resource.as_str()));
    let reason = body.reason;
    let made = order.carry_out(Command::Hold { resource, reason }).await?;
    made.made_at(&place)
}

/// Ends a person's hold: labwatch evaluates the resource again and switches it by the health of its
/// experiment.
#[utoipa::path(delete, path = "/api/v2/holds/{resource}", tag = "holds",
    params(("resource" = String, Path, min_length = 1, max_length = 256, description = "Book's name of the resource", example = "r-pend00"), DryRun, IfMatch), responses(
    (status = 200, response = Done),
))]
async fn end_hold(
    Named(resource): Named<String>,
    order: Commanding,
    headers: HeaderMap,
) -> ApiResult {
    let resource = name(&resource)?;
    if let Some(hold) = Hold::find(&order.snapshot(), resource.as_str()) {
        outcome::check(&headers, &hold)?;
    }
    order.carry_out(Command::Enable { resource }).await?.ended()
}

fn name(text: &str) -> ApiResult<ResourceName> {
    ResourceName::try_new(text)
        .map_err(|why| ApiError::new(Reason::InvalidName, format!("resource: {why}")))
}

/// A name as one segment of a path. Book's names are free text.
fn escaped(name: &str) -> String {
    let mut escaped: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    // A form writes a space as a plus sign, a path does not.
    escaped = escaped.replace('+', "%20");
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        for (name, expect) in [
            ("r-pend00", "r-pend00"),
            ("a b/c+d", "a%20b%2Fc%2Bd"),
            ("\u{e4}?#", "%C3%A4%3F%23"),
        ] {
            assert_eq!(escaped(name), expect);
        }
    }
}
