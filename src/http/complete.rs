//! What any path can be answered, added to the documents from the table of who may do what, so that no handler has to repeat it.

use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::table::ROUTES;
use crate::http::auth::Need;

/// The name of the way in, in the documents.
const TOKEN: &str = "token";

/// What can be answered besides what a handler documents.
const NO_TOKEN: (u16, &str) = (401, "There is no token, or it is no good");
const NO_SCOPE: (u16, &str) = (
    403,
    "The token does not allow it, or another site made the browser ask",
);
const NO_SUCH: (u16, &str) = (404, "There is nothing of this name");
const OTHER_METHODS: (u16, &str) = (
    405,
    "The path is asked by another method: `Allow` says which it takes",
);
const TOO_LONG: (u16, &str) = (413, "The body is too long");
const NO_JSON: (u16, &str) = (415, "The body is not marked as `application/json`");
const TOO_OFTEN: (u16, &str) = (
    429,
    "Too many tokens were refused: `Retry-After` says how long to wait",
);
const OUR_FAULT: (u16, &str) = (500, "Labwatch made a mistake; its log says which");
const TOO_SLOW: (u16, &str) = (503, "There is no answer now: try again later");

/// Takes a body however it is marked, as the program whose path it is does.
const TAKES_ANY_BODY: &str = "/actuator/logger";

/// The document with every answer that its paths can give, and what each path needs.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::DELETE, &mut item.delete),
        ] {
            let rule = ROUTES
                .iter()
                .find(|(known, route, _)| *known == method && route == path);
            if let (Some(operation), Some((_, _, need))) = (operation.as_mut(), rule) {
                tell(operation, path, &method, *need);
            }
        }
    }
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token from `labwatch token`. Whoever only reads can show it as the password of basic authentication too, with any name",
        ))
        .build();
    let components = document.components.get_or_insert_with(Default::default);
    components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer));
    document
}

fn tell(operation: &mut Operation, path: &str, method: &Method, need: Need) {
    let mut can_be = vec![OTHER_METHODS, OUR_FAULT, TOO_SLOW];
    if path.contains('{') {
        can_be.push(NO_SUCH);
    }
    if !method.is_safe() {
        can_be.push(TOO_LONG);
    }
    if operation.request_body.is_some() && path != TAKES_ANY_BODY {
        can_be.push(NO_JSON);
    }
    let with_token = SecurityRequirement::new::<_, [&str; 0], _>(TOKEN, []);
    match need {
        Need::Always => {}
        Need::Read | Need::Students => {
            operation.security = Some(vec![SecurityRequirement::default(), with_token]);
        }
        Need::Scope(_) => operation.security = Some(vec![with_token]),
    }
    if need != Need::Always {
        can_be.extend([NO_TOKEN, NO_SCOPE, TOO_OFTEN]);
    }
    for (status, words) in can_be {
        let answer = operation
            .responses
            .responses
            .entry(status.to_string())
            .or_insert_with(|| RefOr::T(error()));
        if let RefOr::T(answer) = answer {
            answer.description = if answer.description.is_empty() {
                words.to_owned()
            } else {
                std::mem::take(&mut answer.description)
            };
        }
    }
}

/// An answer in the form that all errors have.
fn error() -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Error")))
        .build();
    ResponseBuilder::new()
        .content("application/json", content)
        .build()
}
