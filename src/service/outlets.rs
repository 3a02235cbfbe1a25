//! The start of what tells the engine of the laboratory, and of what carries out what it asks for.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::reload::ConfigWatch;
use super::{ServiceError, TaskSet, notifications, sources};
use crate::clients::{BookClient, Http};
use crate::config::Config;
use crate::driver::{Outlets, SWITCH_QUEUE};
use crate::effects;
use engine::Input;

/// Starts them, and returns the queues at their beginning.
pub(super) fn start(
    followed: &ConfigWatch,
    access: &Http,
    tls: &Arc<rustls::ClientConfig>,
    parts: &mut TaskSet,
    inputs: &mpsc::Sender<Input>,
    window: Option<effects::book::WriteWindow>,
    stop: &CancellationToken,
) -> Result<Outlets, ServiceError> {
    let config = Arc::clone(&followed.borrow());
    let to_book = Http::new(config.book.timeout, (**tls).clone()).map_err(ServiceError::Wire)?;
    let book = BookClient::new(config.book.address.clone(), to_book);
    let clients = sources::Clients {
        book: book.clone(),
        access: access.clone(),
        tls: Arc::clone(tls),
    };
    let feeds = if config.laboratory {
        sources::start(&config, parts, inputs, clients, stop)
    } else {
        sources::none(parts, stop)
    };
    let (switches, switch_queue) = mpsc::channel(SWITCH_QUEUE);
    parts.spawn(
        "switching",
        effects::book::run(
            effects::book::Switcher {
                client: book,
                window,
            },
            switch_queue,
            inputs.clone(),
            stop.clone(),
        ),
    );
    let mails = notifications::start_mail(followed.clone(), parts, inputs, stop)?;
    let webhooks = notifications::start_webhooks(followed.clone(), tls, parts, inputs, stop)?;
    Ok(Outlets {
        switches,
        mails,
        webhooks,
        samples: feeds.samples,
        relay: feeds.relay,
        jump: feeds.jump,
        book: feeds.book,
    })
}

/// Whether the system's CA certificates are needed for sure, so that it shows at the start when there are none.
pub(super) fn needs_roots(config: &Config) -> bool {
    let services = config.services.iter().any(|service| {
        service
            .url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https")
    });
    services
        || [
            &config.relay.address,
            &config.jump.address,
            &config.book.address,
        ]
        .iter()
        .any(|address| address.connect.scheme() == "https")
}
