//! The boot story of telling people: who is mailed on which route.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Parts, ServiceError};
use crate::config::{Config, Route, RouteTarget, TellingSettings};
use crate::driver::TELL_QUEUE;
use crate::effects;
use crate::effects::mail::Recipients;
use crate::engine::{Input, Summary};
use crate::model::RouteName;

/// Starts mail, where somebody is to be mailed.
pub(super) fn start_mail(
    config: &Config,
    parts: &mut Parts,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> Result<Option<mpsc::Sender<Arc<Summary>>>, ServiceError> {
    let Some(settings) = &config.mail else { return Ok(None) };
    let mailer = effects::mail::Mailer::new(settings.clone(), &recipients(&config.telling)).map_err(ServiceError::Mail)?;
    let (mails, queue) = mpsc::channel(TELL_QUEUE);
    parts.spawn("mail", effects::mail::run(mailer, queue, inputs.clone(), stop.clone()));
    Ok(Some(mails))
}

/// Who is mailed on the routes of the configuration.
fn recipients(telling: &TellingSettings) -> Vec<Recipients> {
    let of = |route: &Route| {
        let RouteTarget::Mail { to, cc } = &route.target else { return None };
        Some(Recipients { route: RouteName::try_new(&route.name).ok()?, to: to.clone(), cc: cc.clone() })
    };
    telling.routes.iter().filter_map(of).collect()
}
