//! Telling people and programs: starts mail, webhooks and the dead-man's call as they are set.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Parts, ServiceError};
use crate::config::{MailSettings, Route, RouteTarget, TellingSettings};
use crate::driver::TELL_QUEUE;
use crate::effects::mail::Recipients;
use crate::effects::webhook::Webhook;
use crate::effects::{self, deadman, webhook};
use crate::engine::{Input, Snapshot, Summary};
use crate::model::RouteName;
use crate::store::{Store, StoreState};
use crate::wire::Http;

pub(super) fn start_mail(
    settings: &MailSettings,
    telling: &TellingSettings,
    parts: &mut Parts,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> Result<mpsc::Sender<Arc<Summary>>, ServiceError> {
    let mailer = effects::mail::Mailer::new(settings.clone(), &recipients(telling)).map_err(ServiceError::Mail)?;
    let (mails, mail_queue) = mpsc::channel(TELL_QUEUE);
    parts.spawn("mail", effects::mail::run(mailer, mail_queue, inputs.clone(), stop.clone()));
    Ok(mails)
}

fn recipients(telling: &TellingSettings) -> Vec<Recipients> {
    let of = |route: &Route| {
        let RouteTarget::Mail { to, cc } = &route.target else { return None };
        Some(Recipients { route: RouteName::try_new(&route.name).ok()?, to: to.clone(), cc: cc.clone() })
    };
    telling.routes.iter().filter_map(of).collect()
}

/// Starts the webhooks, where there are any.
pub(super) fn start_webhooks(
    telling: &TellingSettings,
    tls: &rustls::ClientConfig,
    parts: &mut Parts,
    inputs: &mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> Result<Option<mpsc::Sender<Arc<Summary>>>, ServiceError> {
    let http = Http::new(webhook::TIMEOUT, tls.clone()).map_err(ServiceError::Wire)?;
    let webhooks = Webhook::all(telling, &http);
    if webhooks.is_empty() {
        return Ok(None);
    }
    let (summaries, queue) = mpsc::channel(TELL_QUEUE);
    parts.spawn("webhooks", webhook::run(webhooks, queue, inputs.clone(), stop.clone()));
    Ok(Some(summaries))
}

/// Starts the dead-man's call, where there is one. Without a store there is nothing that could fail to be written.
pub(super) fn start_deadman(
    telling: &TellingSettings,
    http: Http,
    pictures: watch::Receiver<Arc<Snapshot>>,
    store: Option<Store>,
    parts: &mut Parts,
    stop: &CancellationToken,
) {
    let Some(settings) = telling.dead_man.clone() else { return };
    let memory_is_well = Box::new(move || store.as_ref().is_none_or(|store| store.health().state == StoreState::Ok));
    let caller = deadman::Caller { settings, http };
    parts.spawn("dead-man's call", deadman::run(caller, pictures, memory_is_well, watch::Sender::default(), stop.clone()));
}
