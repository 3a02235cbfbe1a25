//! The OpenAPI document, and Swagger UI, which shows it and the one of version 1. Both are embedded
//! in the binary.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use flate2::bufread::GzDecoder;

use crate::http::auth::Need;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::json;
use crate::http::routes::Routes;
use crate::http::served::Served;

/// All routes.
pub(in crate::http) fn routes() -> Routes<Arc<Served>> {
    let routes =
        Routes::needing(Need::Always).add_page(Method::GET, "/api/v2/openapi.json", document);
    #[cfg(feature = "api-docs")]
    let routes = routes
        .add_page(Method::GET, "/api/v2/docs", viewer::to_folder)
        .add_page(Method::GET, "/api/v2/docs/", viewer::page)
        .add_page(Method::GET, "/api/v2/docs/{file}", viewer::file);
    routes
}

/// The document, compressed by `build.rs`: it is seldom requested.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/labwatch-v2.json.gz"));

async fn document() -> ApiResult {
    let mut text = Vec::new();
    GzDecoder::new(PACKED)
        .read_to_end(&mut text)
        .map_err(|_| ApiError::new(Reason::Internal, "the document cannot be unpacked"))?;
    Ok(json(Bytes::from(text)))
}

#[cfg(feature = "api-docs")]
mod viewer {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
    };
    use axum::http::{HeaderValue, StatusCode, Uri};
    use axum::response::{IntoResponse, Response};
    use utoipa_swagger_ui::{Config, SwaggerFile, Url};

    use crate::http::error::{self, ApiResult};
    use crate::http::named::Named;

    /// The policy of Swagger UI: it may run scripts from here, call the API, and set inline styles.
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );

    /// Relative, because a proxy may serve us below a path of its own.
    pub(super) async fn to_folder() -> Response {
        let there = HeaderValue::from_static("docs/");
        (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, there)]).into_response()
    }

    pub(super) async fn page(uri: Uri) -> ApiResult {
        served("index.html", &uri)
    }

    pub(super) async fn file(Named(name): Named<String>, uri: Uri) -> ApiResult {
        served(&name, &uri)
    }

    fn served(name: &str, uri: &Uri) -> ApiResult {
        let config = Config::new([
            Url::new("version 2", "../openapi.json"),
            Url::new("version 1", "../../v1/openapi.json"),
        ])
        // The page must not ask another host whether a document is valid.
        .validator_url("none")
        .try_it_out_enabled(false);
        let file = utoipa_swagger_ui::serve(name, Arc::new(config)).map_err(|fault| {
            tracing::error!(%fault, name, "cannot read a file of Swagger UI");
            error::internal()
        })?;
        file.map(answered).ok_or_else(|| error::no_such_path(uri))
    }

    fn answered(file: SwaggerFile<'_>) -> Response {
        let mut response = Body::from(file.bytes.into_owned()).into_response();
        let headers = response.headers_mut();
        if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
            headers.insert(CONTENT_TYPE, kind);
        }
        if file.gzpipped {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
        response
    }
}
