//! Typed parameters in paths.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::{self, ApiError, ApiResult};

/// The parameters of a path. A value that cannot be one, such as a name that is not UTF-8, makes it
/// a path that does not exist.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let path = Path::from_request_parts(parts, state).await;
        let Path(named) = path.map_err(|_| error::no_such_path(&parts.uri))?;
        Ok(Self(named))
    }
}
