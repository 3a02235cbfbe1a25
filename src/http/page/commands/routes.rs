//! The routes of commands: the form and the preview by GET, the command itself by POST. The access
//! layer admits only callers who may change something, and only with the CSRF text of our own
//! pages.

use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::{HOST, LOCATION, REFERER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::fields::Fields;
use super::flash::{About, Flash};
use super::form::{self, Form, Outcome};
use super::kind::Kind;
use super::request::{Asked, Clock, Problem};
use super::test_message;
use crate::health::CategoryOrder;
use crate::http::auth::{Need, Noted, Scope};
use crate::http::error::Reason;
use crate::http::page::moment::Moment;
use crate::http::page::outbox::TEST_PATH;
use crate::http::page::web_state::WebState;
use crate::http::{Categories, OrderState, Routes};
use engine::{Command, Impact, Receipt, Refusal, Refused};

/// The longest wait for a snapshot that shows the effect. The command is carried out in any case.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// The routes of commands, if they are accepted.
pub(in crate::http::page) fn routes(state: &WebState) -> Routes<WebState> {
    let group = || Routes::needing(Need::Scope(Scope::Admin));
    let Some(orders) = &state.orders else {
        return group();
    };
    let tests = group()
        .add_page(Method::GET, TEST_PATH, test_message::ask)
        .add_page(Method::POST, TEST_PATH, test_message::send)
        .around(|handlers| handlers.route_layer(Extension(orders.tests.clone())));
    Kind::ALL.into_iter().fold(tests, |routes, kind| {
        let with = (Extension(kind), Extension(orders.clone()));
        let form = group()
            .add_page(Method::GET, kind.path(), ask)
            .add_page(Method::POST, kind.path(), order)
            .around(|handlers| handlers.route_layer(with.clone()));
        routes.merge(form)
    })
}

/// The form and, where it is filled in, the preview.
async fn ask(
    State(state): State<WebState>,
    Extension(kind): Extension<Kind>,
    Extension(orders): Extension<OrderState>,
    moment: Moment,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::of(query.unwrap_or_default().as_bytes());
    let wanted = !fields.get("check").is_empty() || matches!(kind, Kind::Enable | Kind::End);
    let outcome = if wanted {
        look(&state, &moment, &orders, (kind, &fields))
    } else {
        Outcome::Open
    };
    let from = came_from(&state.base, &headers);
    shown(&state, &moment, (kind, &fields, from.as_deref()), outcome)
}

/// Our page with the link to a form. Browsers report it, as our policy demands.
fn came_from(base: &str, headers: &HeaderMap) -> Option<String> {
    let referer = headers.get(REFERER)?.to_str().ok()?;
    let host = headers.get(HOST)?.to_str().ok()?;
    let (_, rest) = referer.split_once("://")?;
    // Behind a proxy the name of the host may be another one: then the form leads to the list of
    // its subjects.
    let path = rest.strip_prefix(host)?.strip_prefix(base)?;
    path.starts_with('/').then(|| path.to_owned())
}

/// Carries out the command, and redirects to the page that shows it. A refused form comes back with
/// all that was typed.
async fn order(
    State(state): State<WebState>,
    Extension(kind): Extension<Kind>,
    Extension(orders): Extension<OrderState>,
    moment: Moment,
    body: Bytes,
) -> Response {
    let fields = Fields::of(&body);
    let (status, problem) = match read(&state, &moment, kind, &fields) {
        Err(problem) => (StatusCode::BAD_REQUEST, problem),
        Ok(asked) => match carry_out(&state, &moment, &orders, asked.command).await {
            Ok(done) => return done,
            Err(refusal) => (Reason::from(&refusal).status(), refused(&refusal)),
        },
    };
    (
        status,
        shown(
            &state,
            &moment,
            (kind, &fields, None),
            Outcome::Wrong(problem),
        ),
    )
        .into_response()
}

/// What opens or closes a category, where a command does: the part that knows the categories does
/// it.
fn order_of(command: &Command, by: &str) -> Option<CategoryOrder> {
    let Command::Category { name, open, reason } = command else {
        return None;
    };
    Some(CategoryOrder {
        category: name.clone(),
        open: *open,
        by: by.to_owned(),
        reason: reason.clone(),
    })
}

fn categories<'a>(state: &'a WebState, order: &CategoryOrder) -> Result<&'a Categories, Refusal> {
    let known = state.categories.as_ref();
    known.ok_or_else(|| Refusal::NoCategory(order.category.clone()))
}

/// Passes a command to the part that carries it out.
async fn carry_out(
    state: &WebState,
    moment: &Moment,
    orders: &OrderState,
    command: Command,
) -> Result<Response, Refusal> {
    let by = moment.caller.name();
    let receipt = if let Some(order) = order_of(&command, by) {
        categories(state, &order)?.order(&order).await?
    } else {
        let receipt = orders.give(command.clone(), by.to_owned()).await?;
        until_shown(state, moment).await;
        receipt
    };
    Ok(done(state, &command, &receipt))
}

/// The effect of a command, without carrying it out.
fn look(
    state: &WebState,
    moment: &Moment,
    orders: &OrderState,
    (kind, fields): (Kind, &Fields),
) -> Outcome {
    let seen = read(state, moment, kind, fields).and_then(|asked| {
        let effect = effect_of(state, moment, orders, &asked.command);
        Ok(Outcome::Would(Box::new((
            asked,
            effect.map_err(|refusal| refused(&refusal))?,
        ))))
    });
    seen.unwrap_or_else(Outcome::Wrong)
}

fn read(state: &WebState, moment: &Moment, kind: Kind, fields: &Fields) -> Result<Asked, Problem> {
    let clock = Clock {
        zone: &(state.zone)(),
        now: moment.now,
    };
    Asked::read(kind, fields, clock)
}

fn effect_of(
    state: &WebState,
    moment: &Moment,
    orders: &OrderState,
    command: &Command,
) -> Result<Impact, Refusal> {
    let by = moment.caller.name();
    match order_of(command, by) {
        Some(order) => categories(state, &order)?.preview(&order),
        None => orders.preview(command, by),
    }
}

fn shown(
    state: &WebState,
    moment: &Moment,
    (kind, fields, from): (Kind, &Fields, Option<&str>),
    outcome: Outcome,
) -> Response {
    let frame = moment.frame();
    let form = Form {
        kind,
        fields,
        from,
        zone: &(state.zone)(),
        outcome,
    };
    moment.still("", kind.verb(), &form::page(&frame, &form))
}

/// Waits until what was done is seen.
async fn until_shown(state: &WebState, moment: &Moment) {
    let mut snapshots = state.snapshots.clone();
    // Where no snapshot comes in time the page shows the next one by itself.
    let _ = tokio::time::timeout(
        SHOWN_WITHIN,
        snapshots.wait_for(|snapshot| snapshot.version > moment.snapshot.version),
    )
    .await;
}

/// Sends the giver to where it is seen.
fn done(state: &WebState, command: &Command, receipt: &Receipt) -> Response {
    let about = match (command, receipt.ids.as_slice()) {
        (Command::Hold { resource, .. } | Command::Enable { resource }, _) => {
            About::Override(resource.as_str().to_owned())
        }
        (Command::Remove { id }, _) => About::Ended(*id),
        (Command::Category { name, open, .. }, _) => About::Category {
            name: name.clone(),
            open: *open,
        },
        (
            Command::Acknowledge { .. }
            | Command::Unacknowledge { .. }
            | Command::Silence { .. }
            | Command::Maintain { .. },
            ids,
        ) => About::Suppression(ids.to_vec()),
    };
    let said = Flash {
        about,
        kept: receipt.kept,
    };
    let address = format!("{}{}", state.base, said.address(receipt));
    let there = HeaderValue::from_str(&address).unwrap_or(HeaderValue::from_static("/holds"));
    // The engine's own record of the command names its author.
    (
        StatusCode::SEE_OTHER,
        Noted::elsewhere(),
        [(LOCATION, there)],
    )
        .into_response()
}

/// A refusal as the error of the field that it is about.
fn refused(refusal: &Refusal) -> Problem {
    let field = match refusal {
        Refusal::Suppression(Refused::Text { field, .. }) => field,
        Refusal::Suppression(
            Refused::Past { .. } | Refused::TooLong { .. } | Refused::EndsBeforeItBegins { .. },
        ) => "until",
        Refusal::NoExperiment(_)
        | Refusal::NoPool(_)
        | Refusal::NoComponent(_)
        | Refusal::ComponentIsWell(_)
        | Refusal::NothingBad { .. } => "name",
        Refusal::NoResource(_) => "resource",
        Refusal::NoCategory(_) => "category",
        Refusal::OurPrefix | Refusal::HeldAlready(_) => "reason",
        Refusal::Suppression(
            Refused::NotBad { .. }
            | Refused::AlreadyAcknowledged { .. }
            | Refused::Full { .. }
            | Refused::NotFound(_),
        )
        | Refusal::Follower
        | Refusal::LeadLost
        | Refusal::NotAcknowledged(_)
        | Refusal::NotRead(_)
        | Refusal::Bookable(_)
        | Refusal::Ours { .. }
        | Refusal::Quarantined { .. }
        | Refusal::CategoryAlready { .. }
        | Refusal::Busy
        | Refusal::Stopping => "",
    };
    Problem {
        field,
        words: refusal.to_string(),
        is_well: matches!(
            refusal,
            Refusal::Suppression(Refused::NotBad { .. }) | Refusal::NothingBad { .. }
        ),
    }
}
