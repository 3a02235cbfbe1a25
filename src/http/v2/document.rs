//! The OpenAPI document of version 2, made from the handlers and the types that they answer with.

use utoipa::OpenApi;

use super::{badge, detail, history, incidents, lab, list, pools, records, reports, stream};
use crate::http::error::ApiError;
use crate::http::{categories, commands, complete::complete, health, metrics, passive_checks};

/// The document as it is checked in and served. A test compares it with [`document_v2`].
pub const DOCUMENT_V2_JSON: &str = include_str!("../../../openapi/labwatch-v2.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "labwatch",
        version = "2",
        description = "The health of the experiments of a remote laboratory, what led to it and what was done about it. \
                       Version 1 (`/api/v1/openapi.json`) has the two lists of the program that labwatch replaces and stays as it was; \
                       everything else is here, where lists can have pages and filters without changing what that program's readers get. \
                       What is now stands at `/api/v2/<things>` and `/api/v2/<things>/{name}`, what was at \
                       `/api/v2/experiments/{name}/<what>` and `/api/v2/history/<what>`. \
                       All fields are always present, null where there is nothing to tell, but in the forms of other systems (`health`); times are RFC 3339 in UTC. \
                       A parameter that is not known is an error. Any other path answers 404, any other method 405, with the same `Error`; \
                       a head of more than 16 KiB is answered 431, without a body. \
                       Where reading is not open to everybody it needs a token with the scope `read`: else the answer is 401 or 403, and 429 after too many failures.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    // Where a document stands says where its paths begin: a proxy may serve us below a path of its own.
    servers((url = "../..", description = "Where this document comes from")),
    tags(
        (name = "now", description = "The laboratory as it is"),
        (name = "experiments", description = "The experiments as they are"),
        (name = "history", description = "What happened, where a data folder is set. Newest first"),
        (name = "quiet", description = "Acknowledgements, silences and maintenance: they keep messages quiet, and change nothing else. Changes need the \
            scope `admin`; with `?dry_run=true` they only say what they would do"),
        (name = "commands", description = "Holding a resource in book, and letting it go. Needs the scope `admin`"),
        (name = "categories", description = "Named sets of experiments and components. Opening and closing one needs the scope `admin`; with \
            `?dry_run=true` it only says what it would do"),
        (name = "reports", description = "What components and experiments report by themselves. Needs the scope `report`"),
        (name = "health", description = "The health of labwatch itself and of the laboratory, in the forms of four other systems, and its figures. \
            Each answer is made of one picture, so no two of them disagree"),
        (name = "badges", description = "Small pictures for other pages"),
    ),
    paths(
        lab::lab, pools::pools, pools::pool, lab::sources, pools::holds, stream::stream,
        list::experiments, detail::experiment,
        history::events, history::uptime, history::incidents, history::switches,
        incidents::incidents, records::switches, records::sources, records::holds, records::gaps, records::outbox,
        reports::report,
        badge::badge,
        commands::list, commands::remove, commands::acknowledge, commands::silence, commands::maintain, commands::hold, commands::enable,
        categories::list, categories::enable, categories::disable, passive_checks::report,
        health::liveness, health::readiness, health::actuator, health::actuator_health, health::actuator_health_of, health::info, health::added,
        health::logger, health::set_level, health::health, health::gtg, health::agg_health, health::status, health::status_of,
        metrics::text, metrics::text_too,
        commands::acknowledge_one, commands::unacknowledge_one, commands::acknowledge_component, commands::unacknowledge_component, commands::acknowledge_all, commands::unacknowledge_all,
    ),
    components(schemas(ApiError))
)]
struct Document;

/// The document, made anew from the code.
#[must_use]
pub fn document_v2() -> utoipa::openapi::OpenApi {
    complete(Document::openapi())
}
