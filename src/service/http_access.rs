//! Access over HTTP as configured: who may read, from which sites, below which path.

use std::sync::Arc;

use url::Url;

use crate::config::{ApiCors, ApiRead, ApiSettings};
use crate::http::auth::Reading;
use crate::http::{AccessSettings, Cors};

/// Who may read.
pub(super) fn access(settings: &ApiSettings) -> AccessSettings {
    let reading = match settings.read {
        ApiRead::Open => Reading::Open,
        ApiRead::Token => Reading::Token,
        ApiRead::Students => Reading::Students,
    };
    AccessSettings {
        secret: settings.secret.clone(),
        reading,
        session: settings.session,
        trusted_proxies: settings.trusted_proxies.clone(),
        url: settings.url.as_deref().and_then(|url| Url::parse(url).ok()),
        base: base(settings).to_string(),
    }
}

/// The sites whose pages may use the API.
pub(super) fn cors(settings: &ApiSettings) -> Cors {
    match &settings.cors {
        ApiCors::None => Cors::Off,
        ApiCors::Any => Cors::Any,
        ApiCors::Origins(origins) => Cors::Origins(origins.clone()),
    }
}

/// The path at which readers reach the pages, without a slash at its end: a proxy may have added a
/// prefix to labwatch's own.
pub(super) fn base(settings: &ApiSettings) -> Arc<str> {
    let url = settings.url.as_deref().and_then(|url| Url::parse(url).ok());
    url.as_ref()
        .map_or(&*settings.prefix, |url| url.path().trim_end_matches('/'))
        .into()
}
