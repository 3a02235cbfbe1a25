//! The boot story of telling people: who is mailed on which route.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Parts, ServiceError};
use crate::config::Config;
use crate::driver::TELL_QUEUE;
use crate::effects;
use crate::effects::mail::Recipients;
use crate::engine::{Input, Summary};

/// Starts mail, where somebody is to be mailed.
pub(super) fn start_mail(
    config: &Config,
    parts: &mut Parts,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> Result<Option<mpsc::Sender<Arc<Summary>>>, ServiceError> {
    let Some(settings) = &config.mail else { return Ok(None) };
    let mailer = effects::mail::Mailer::new(settings.clone(), &Recipients::of(&config.telling)).map_err(ServiceError::Mail)?;
    let (mails, queue) = mpsc::channel(TELL_QUEUE);
    parts.spawn("mail", effects::mail::run(mailer, queue, inputs.clone(), stop.clone()));
    Ok(Some(mails))
}
