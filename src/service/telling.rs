//! The boot story of telling people and programs: mail, webhooks and the dead-man's call, as they are set.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Parts, ServiceError};
use crate::config::Config;
use crate::driver::TELL_QUEUE;
use crate::effects::mail::Recipients;
use crate::effects::webhook::Webhook;
use crate::effects::{self, deadman, webhook};
use crate::engine::{Input, Snapshot, Summary};
use crate::store::{Store, StoreState};
use crate::wire::Http;

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

/// Starts the webhooks, where there are any.
pub(super) fn start_webhooks(
    config: &Config,
    tls: &rustls::ClientConfig,
    parts: &mut Parts,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> Result<Option<mpsc::Sender<Arc<Summary>>>, ServiceError> {
    let http = Http::new(webhook::TIMEOUT, tls.clone()).map_err(ServiceError::Wire)?;
    let webhooks = Webhook::all(&config.telling, &http);
    if webhooks.is_empty() {
        return Ok(None);
    }
    let (summaries, queue) = mpsc::channel(TELL_QUEUE);
    parts.spawn("webhooks", webhook::run(webhooks, queue, inputs.clone(), stop.clone()));
    Ok(Some(summaries))
}

/// Starts the dead-man's call, where there is one. Without a store there is nothing that could fail to be written.
pub(super) fn start_deadman(
    config: &Config,
    http: Http,
    pictures: watch::Receiver<Arc<Snapshot>>,
    store: Option<Store>,
    parts: &mut Parts,
    stop: &CancellationToken,
) {
    let Some(settings) = config.telling.dead_man.clone() else { return };
    let memory_is_well = Box::new(move || store.as_ref().is_none_or(|store| store.health().state == StoreState::Ok));
    let caller = deadman::Caller { settings, http };
    parts.spawn("dead-man's call", deadman::run(caller, pictures, memory_is_well, watch::Sender::default(), stop.clone()));
}
