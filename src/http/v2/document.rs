//! The OpenAPI document of version 2, generated from the routes and the types of their answers.

use utoipa::OpenApi;

use super::outcome::{Done, Made, Outcome, Would};
use super::{availability, categories, components, reports, routes, suppressions};
use crate::http::document::{PROBLEM, put_together};
use crate::http::error::Problem;
use crate::http::{health, metrics};

/// The document as it is checked in and served. A test compares it with [`document_v2`].
pub const DOCUMENT_V2_JSON: &str = include_str!("../../../openapi/labwatch-v2.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "labwatch",
        version = "2",
        description = "The health of the experiments of a remote laboratory, its causes, and the actions of labwatch. \
            Version 1 (`/api/v1/openapi.json`) has the lists of the program that labwatch replaces and never changes; everything else is here.\n\n\
            **Reading.** The present is at `/api/v2/<things>` and `/api/v2/<things>/{name}`, the past at `/api/v2/experiments/{name}/<what>` and \
            `/api/v2/history/<what>`. A list is a page: `items`, and in `next` the `cursor` of the next page, whose address is in the header `Link` too. \
            All fields are always present, null where there is no value, except in the forms of other systems (`health`). Times are RFC 3339 in UTC \
            with milliseconds, durations are in seconds. Answers are JSON whatever `Accept` says, unless another form is requested by name. \
            An `ETag` changes only with the body, also for `HEAD`.\n\n\
            **Changing.** A request that creates something is answered 201 with `Location`. `dry_run=true` only reports what would be done. `Idempotency-Key` makes a `POST` \
            safe to repeat, `If-Match` makes a `DELETE` fail if its target has changed since it was read.\n\n\
            **Refusals** are problem details (RFC 9457) with a `reason` that never changes. A parameter or field that is not known is an error. An unknown \
            name is 404, another method 405, a body of more than 64 KiB 413; a head of more than 16 KiB is answered 431, without a body.\n\n\
            **Tokens.** Where reading is not open it needs a token with the scope `read`; an operation that changes something names its scope.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    // The location of a document defines where its paths begin: a proxy may serve us below a path
    // of its own.
    servers((url = "../..", description = "Where this document comes from")),
    tags(
        (name = "now", description = "The laboratory now"),
        (name = "experiments", description = "The experiments now"),
        (name = "history", description = "The history, where a data folder is set"),
        (name = "suppressions", description = "Acknowledgements, silences and maintenance windows: they suppress notifications, and change nothing else"),
        (name = "notifications", description = "Test messages, and retries of pending notifications"),
        (name = "holds", description = "Resources that a person withdrew in book"),
        (name = "categories", description = "Named sets of experiments and components, which can be closed"),
        (name = "reports", description = "Reports of components and experiments about themselves (passive checks)"),
        (name = "cluster", description = "The replicas of this laboratory's labwatch"),
        (name = "access", description = "Tokens and sessions"),
        (name = "health", description = "The health of labwatch itself and of the laboratory, in the forms of four other systems, and its metrics. \
            Each answer is made of one snapshot, so no two of them disagree"),
        (name = "badges", description = "Small images for other pages"),
    ),
    components(schemas(Problem, Outcome), responses(Done, Made, Would))
)]
struct Head;

/// The document, generated anew from the code.
#[must_use]
pub fn document_v2() -> utoipa::openapi::OpenApi {
    let parts = vec![
        routes::reading().into_document(),
        routes::access_routes().into_document(),
        super::cluster::reading().into_document(),
        super::cluster::changing().into_document(),
        suppressions::reading().into_document(),
        suppressions::changing().into_document(),
        super::holds::changing().into_document(),
        super::notifications::routes().into_document(),
        categories::reading().into_document(),
        components::reading().into_document(),
        categories::changing().into_document(),
        reports::reading().into_document(),
        reports::reporting().into_document(),
        availability::documented().into_document(),
        health::documented().into_document(),
        health::log().into_document(),
        health::changing().into_document(),
        metrics::routes().into_document(),
    ];
    put_together(Head::openapi(), parts, PROBLEM)
}
