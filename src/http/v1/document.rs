//! The OpenAPI document of version 1, generated from the handlers and the types of their answers.

use utoipa::OpenApi;

use crate::http::document::put_together;
use crate::http::error::OldError;

/// The document as it is checked in and served. A test compares it with [`document`].
pub const DOCUMENT_JSON: &str = include_str!("../../../openapi/labwatch-v1.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "labwatch",
        version = "1",
        description = "The health of the experiments of a remote laboratory, as the program that labwatch replaces had it. Everything else is \
                       version 2 (`/api/v2/openapi.json`). Every answer is a complete, consistent snapshot. Where reading is not open it needs a \
                       token with the scope `read`. All fields are always present; lists are sorted by name; times are RFC 3339 in UTC.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    // The location of a document defines where its paths begin: a proxy may serve us below a path
    // of its own.
    servers((url = "../..", description = "Where this document comes from")),
    tags((name = "experiments", description = "The experiments and their events")),
    components(schemas(OldError))
)]
struct Head;

/// The document, generated anew from the code.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    put_together(
        Head::openapi(),
        [super::documented().into_document()],
        ("Error", "application/json"),
    )
}
