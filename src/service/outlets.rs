//! The start of what tells the engine of the laboratory, and of what carries out what it asks for.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::letter::OwnHealth;
use super::reload::ConfigWatch;
use super::{ServiceError, TaskSet, notifications, sources};
use crate::clients::{BookClient, Http};
use crate::driver::{Outlets, SWITCH_QUEUE};
use crate::effects;
use engine::Input;

/// Starts them, and returns the queues at their beginning.
pub(super) fn start(
    followed: &ConfigWatch,
    access: &Http,
    tls: &Arc<rustls::ClientConfig>,
    own: &OwnHealth,
    parts: &mut TaskSet,
    inputs: &mpsc::Sender<Input>,
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
            effects::book::Switcher { client: book },
            switch_queue,
            inputs.clone(),
            stop.clone(),
        ),
    );
    let mails = notifications::start_mail(followed.clone(), own, parts, inputs, stop)?;
    let webhooks = notifications::start_webhooks(followed.clone(), own, tls, parts, inputs, stop)?;
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
