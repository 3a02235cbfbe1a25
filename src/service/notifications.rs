//! Starts what carries notifications: mail, webhooks and the heartbeat, as they are set.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::config_watch::ConfigWatch;
use super::error::ServiceError;
use super::presentation::presentation;
use super::task_set::TaskSet;
use crate::clients::Http;
use crate::config::{Config, MailSettings};
use crate::driver::NOTIFY_QUEUE;
use crate::effects::deadman::{self, DeadManView};
use crate::effects::mail::{Mailer, MailerError, Recipients};
use crate::effects::webhook::{self, Webhook};
use crate::effects::{self, Window, channels, while_open};
use crate::health::{Finding, Reporter, State};
use crate::store::{Store, StoreState};
use engine::model::Visibility;
use engine::{HttpChannel, Input, Notification, Role, Snapshot};

/// The mailer of a configuration; `None` where mail is off.
pub(super) fn mailer(config: &Config) -> Result<Option<Mailer>, MailerError> {
    let of =
        |settings: &MailSettings| Mailer::new(settings.clone(), &Recipients::of(&config.telling));
    config.mail.as_ref().map(of).transpose()
}

/// Where outcomes go, and for how long this replica may notify.
type Outward<'a> = (&'a mpsc::Sender<Input>, Option<Window>);

/// Starts mail. Whether it is on may change with the configuration.
pub(super) fn start_mail(
    config: ConfigWatch,
    parts: &mut TaskSet,
    (inputs, window): Outward<'_>,
    stop: &CancellationToken,
) -> Result<mpsc::Sender<Notification>, ServiceError> {
    mailer(&config.borrow()).map_err(ServiceError::Mail)?;
    let (mails, queue) = mpsc::channel(NOTIFY_QUEUE);
    // A configuration whose settings make no mailer does not come into force.
    let current = move || {
        let config = Arc::clone(&config.borrow());
        let mailer = mailer(&config).ok().flatten()?;
        Some(mailer.with_presentation(presentation(&config)))
    };
    parts.spawn(
        "mail",
        effects::mail::run(current, queue, inputs.clone(), window, stop.clone()),
    );
    Ok(mails)
}

/// Starts the webhooks. Which there are, and their time limit, may change with the configuration.
pub(super) fn start_webhooks(
    config: ConfigWatch,
    http: Http,
    parts: &mut TaskSet,
    (inputs, window): Outward<'_>,
    stop: &CancellationToken,
) -> mpsc::Sender<Notification> {
    let (summaries, queue) = mpsc::channel(NOTIFY_QUEUE);
    let current = move || {
        let config = Arc::clone(&config.borrow());
        let http = http.with_timeout(config.telling.webhook_timeout);
        Webhook::all(&config.telling, &http, &presentation(&config))
    };
    parts.spawn(
        "webhooks",
        webhook::run(current, queue, inputs.clone(), window, stop.clone()),
    );
    summaries
}

/// Starts what sends alerts of Alertmanager again that last. It forgets them when it is restarted.
pub(super) fn start_repeats(
    config: ConfigWatch,
    (http, snapshots): (Http, watch::Receiver<Arc<Snapshot>>),
    window: Option<Window>,
    parts: &mut TaskSet,
    stop: &CancellationToken,
) {
    let stop = stop.clone();
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
            for webhook in Webhook::all(&config.telling, &http, &presentation) {
                // Where this replica leads no more, the next leader repeats them.
                while_open(window.as_ref(), repeat(&webhook, &snapshot)).await;
            }
        }
    };
    parts.spawn("alerts that last", async move {
        let _ = stop.run_until_cancelled(repeating).await;
    });
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

/// What the heartbeat needs.
pub(super) struct Heartbeat {
    pub(super) http: Http,
    pub(super) store: Option<Store>,
    /// Reports how its calls go, where there is one.
    pub(super) reporter: Option<Reporter>,
}

/// Starts the dead-man's call, where there is one. Without a store there is nothing that could fail
/// to be written.
pub(super) fn start_deadman(
    config: &Config,
    heartbeat: Heartbeat,
    pictures: watch::Receiver<Arc<Snapshot>>,
    parts: &mut TaskSet,
    stop: &CancellationToken,
) {
    let Heartbeat {
        http,
        store,
        reporter,
    } = heartbeat;
    let (Some(settings), Some(reporter)) = (config.telling.dead_man.clone(), reporter) else {
        return;
    };
    let notified = Box::new(move |view: &DeadManView| {
        reporter.report(how_calling_goes(view));
    });
    let memory_is_well = Box::new(move || {
        store
            .as_ref()
            .is_none_or(|store| store.health().state == StoreState::Ok)
    });
    let caller = deadman::Caller { settings, http };
    parts.spawn(
        "dead-man's call",
        deadman::run(caller, pictures, memory_is_well, notified, stop.clone()),
    );
}

/// A call that is not taken does not make labwatch unhealthy: the service that waits for it alerts.
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
