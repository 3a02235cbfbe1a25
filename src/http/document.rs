//! The OpenAPI document of version 1, made from the handlers and the types that they answer with.

use utoipa::OpenApi;

use super::complete::complete;
use super::connection::ConnectionReport;
use super::error::ApiError;
use super::event::Event;
use super::experiment::Experiment;
use super::login::{self, Who};
use super::routes;
use super::tokens::{self, Revocation, RevokedToken};

/// The document as it is checked in and served. A test compares it with [`document`].
pub const DOCUMENT_JSON: &str = include_str!("../../openapi/labwatch-v1.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "labwatch",
        version = "1",
        description = "The health of the experiments of a remote laboratory. Every answer is a whole, consistent picture. \
                       What changes something needs a token with the scope `admin`, and reading one with the scope `read` where it is not open to everybody. \
                       All fields are always present; lists are sorted by name; times are RFC 3339 in UTC.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    // Where a document stands says where its paths begin: a proxy may serve us below a path of its own.
    servers((url = "../..", description = "Where this document comes from")),
    tags(
        (name = "experiments", description = "The experiments and what happened to them"),
        (name = "access", description = "Who may do what")
    ),
    paths(routes::experiments, routes::events, login::who, tokens::revoked, tokens::revoke),
    components(schemas(Experiment, ConnectionReport, Event, ApiError, Who, RevokedToken, Revocation))
)]
struct Document;

/// The document, made anew from the code.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    complete(Document::openapi())
}
