//! Starts the observers of the laboratory and the executors of effects: sources, switching, mail,
//! webhooks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::config_watch::ConfigWatch;
use super::error::ServiceError;
use super::task_set::TaskSet;
use super::{notifications, shadow, sources};
use crate::clients::{self, BookClient, Http, ShadowBook};
use crate::config::Config;
use crate::driver::{Outlets, SWITCH_QUEUE};
use crate::effects;
use engine::Input;

/// The time limit of an access request to relay or jump, and of a request of the heartbeat.
const ACCESS_TIMEOUT: Duration = Duration::from_secs(10);

/// HTTP clients that more than one part uses.
pub(super) struct Clients {
    pub(super) tls: Arc<rustls::ClientConfig>,
    /// For access to relay and jump, and for the heartbeat.
    pub(super) access: Http,
}

impl Clients {
    pub(super) fn new(config: &Config) -> Result<Self, ServiceError> {
        let tls = clients::client_config(needs_roots(config)).map_err(ServiceError::Wire)?;
        Ok(Self {
            access: Http::new(ACCESS_TIMEOUT, tls.clone()).map_err(ServiceError::Wire)?,
            tls: Arc::new(tls),
        })
    }
}

/// Limits on outward effects.
pub(super) struct Gate {
    /// How long this replica may act; `None`: no limit.
    pub(super) window: Option<effects::Window>,
    /// Where writes to book go instead, in shadow.
    pub(super) shadow: Option<ShadowBook>,
}

/// Starts all of them. Returns their queues.
pub(super) fn start(
    followed: &ConfigWatch,
    http: &Clients,
    parts: &mut TaskSet,
    inputs: &mpsc::Sender<Input>,
    gate: Gate,
    stop: &CancellationToken,
) -> Result<Outlets, ServiceError> {
    let config = Arc::clone(&followed.borrow());
    let Gate { window, shadow } = gate;
    let is_shadow = shadow.is_some();
    let access = http.access.with_timeout(config.book.timeout);
    let book = BookClient::new(config.book.address.clone(), access);
    let book = match shadow {
        Some(shadow) => book.in_shadow(shadow),
        None => book,
    };
    let clients = sources::Clients {
        book: book.clone(),
        access: http.access.clone(),
        tls: Arc::clone(&http.tls),
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
                window: window.clone(),
            },
            switch_queue,
            inputs.clone(),
            stop.clone(),
        ),
    );
    let (mails, webhooks) = if is_shadow {
        let records = |name, parts: &mut _| shadow::notifications(name, parts, inputs, stop);
        (
            records("mail in shadow", parts),
            records("webhooks in shadow", parts),
        )
    } else {
        let access = http.access.clone();
        let outward = (inputs, window);
        let mails = notifications::start_mail(followed.clone(), parts, outward.clone(), stop)?;
        let webhooks =
            notifications::start_webhooks(followed.clone(), access, parts, outward, stop);
        (mails, webhooks)
    };
    Ok(Outlets {
        switches,
        mails,
        webhooks,
        samples: feeds.samples,
        pages: feeds.pages,
        relay: feeds.relay,
        jump: feeds.jump,
        book: feeds.book,
    })
}

/// Whether the system's CA certificates are certainly needed, so that their absence shows at the
/// start.
fn needs_roots(config: &Config) -> bool {
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
