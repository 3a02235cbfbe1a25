//! Starts the senders of notifications: mail, webhooks and the heartbeat, as configured.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::config_watch::ConfigWatch;
use super::error::ServiceError;
use super::presentation::presentation;
use super::task_set::TaskSet;
use crate::clients::Http;
use crate::config::{Config, MailSettings};
use crate::driver::NOTIFY_QUEUE;
use crate::effects::deadman::{self, DeadManView};
use crate::effects::mail::{Mailer, MailerError};
use crate::effects::webhook::{self, Webhook};
use crate::effects::{self, Window, channels, while_open};
use crate::health::{Finding, Reporter, State};
use crate::store::{Store, StoreState};
use engine::model::Visibility;
use engine::{HttpChannel, Input, Notification, Role, Snapshot};

/// The mailer of a configuration; `None` where mail is off.
/// # Errors
/// [`MailerError`]: an address is none, or the password would be readable on the way.
pub fn mailer(config: &Config) -> Result<Option<Mailer>, MailerError> {
    let of = |settings: &MailSettings| Mailer::new(settings.clone(), &config.notifications.routes);
    config.mail.as_ref().map(of).transpose()
}

/// Where outcomes are reported, and how long this replica may notify.
type Outward<'a> = (&'a mpsc::Sender<Input>, Option<Window>);

/// Starts mail. A reload may turn it on or off.
pub(super) fn start_mail(
    config: ConfigWatch,
    parts: &mut TaskSet,
    (inputs, window): Outward<'_>,
) -> Result<mpsc::Sender<Notification>, ServiceError> {
    mailer(&config.borrow())?;
    let (mails, queue) = mpsc::channel(NOTIFY_QUEUE);
    // A configuration whose mail settings are wrong does not come into force.
    let current = move || {
        let config = Arc::clone(&config.borrow());
        let mailer = mailer(&config).ok().flatten()?;
        Some(mailer.with_presentation(presentation(&config)))
    };
    let mailing = effects::mail::run(current, queue, inputs.clone(), window, parts.stop());
    parts.spawn("mail", mailing);
    Ok(mails)
}

/// Starts the webhooks. A reload may change them and their time limit.
pub(super) fn start_webhooks(
    config: ConfigWatch,
    http: Http,
    parts: &mut TaskSet,
    (inputs, window): Outward<'_>,
) -> mpsc::Sender<Notification> {
    let (summaries, queue) = mpsc::channel(NOTIFY_QUEUE);
    let current = move || {
        let config = Arc::clone(&config.borrow());
        let http = http.with_timeout(config.notifications.webhook_timeout);
        Webhook::all(&config.notifications, &http, &presentation(&config))
    };
    let calling = webhook::run(current, queue, inputs.clone(), window, parts.stop());
    parts.spawn("webhooks", calling);
    summaries
}

/// Starts the repetition of firing alerts to Alertmanager, which forgets them when it is restarted.
pub(super) fn start_repeats(
    config: ConfigWatch,
    (http, snapshots): (Http, watch::Receiver<Arc<Snapshot>>),
    window: Option<Window>,
    parts: &mut TaskSet,
) {
    let repeating = async move {
        let mut ticks = tokio::time::interval(channels::REPEAT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (config, snapshot) = (
                Arc::clone(&config.borrow()),
                Arc::clone(&snapshots.borrow()),
            );
            let presentation = presentation(&config);
            for webhook in Webhook::all(&config.notifications, &http, &presentation) {
                // If this replica no longer leads, the next leader repeats them.
                while_open(window.as_ref(), repeat(&webhook, &snapshot)).await;
            }
        }
    };
    parts.spawn_until_stop("alerts that last", repeating);
}

async fn repeat(webhook: &Webhook, snapshot: &Snapshot) {
    let Webhook {
        route,
        target,
        presentation,
        http,
    } = webhook;
    let is_leader = snapshot.role == Role::Leader;
    if target.channel != HttpChannel::Alertmanager || !is_leader {
        return;
    }
    if let Err(fault) = channels::repeat(http, target, route, snapshot, presentation).await {
        let fault = fault.words(Visibility::MAINTAINER);
        tracing::warn!(route = route.as_str(), "repeat alerts: {fault}");
    }
}

/// Starts the heartbeat, where there is one. Without a store there is nothing that could fail to be
/// written.
pub(super) fn start_deadman(
    config: &Config,
    http: Http,
    (store, reporter): (Option<Store>, Option<Reporter>),
    snapshots: watch::Receiver<Arc<Snapshot>>,
    parts: &mut TaskSet,
) {
    let (Some(settings), Some(reporter)) = (config.notifications.dead_man.clone(), reporter) else {
        return;
    };
    let notified = Box::new(move |view: &DeadManView| {
        reporter.report(how_calling_goes(view));
    });
    let store_is_writable = Box::new(move || {
        store
            .as_ref()
            .is_none_or(|store| store.health().state == StoreState::Ok)
    });
    let caller = deadman::Caller { settings, http };
    let calling = deadman::run(caller, snapshots, store_is_writable, notified, parts.stop());
    parts.spawn("heartbeat", calling);
}

/// A failed request does not make labwatch unhealthy: the service that waits for it alerts.
fn how_calling_goes(view: &DeadManView) -> Finding {
    let Some(fault) = &view.fault else {
        return Finding::ok();
    };
    let last = view.last_taken.map_or_else(
        || "no call was ever taken".to_owned(),
        |at| format!("the last call was taken at {at}"),
    );
    Finding::new(
        State::Warn,
        format!(
            "{} calls in a row were not taken: {fault}; {last}",
            view.failures
        ),
    )
}
