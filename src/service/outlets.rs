//! Starts the observers of the laboratory and the executors of effects: sources, switching, mail,
//! webhooks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

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
        let tls = clients::client_config(needs_roots(config))?;
        Ok(Self {
            access: Http::new(ACCESS_TIMEOUT, tls.clone())?,
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
    let feeds = if config.health.laboratory {
        sources::start(&config, parts, inputs, book.clone(), http)
    } else {
        sources::none(parts)
    };
    let (switches, switch_queue) = mpsc::channel(SWITCH_QUEUE);
    let writer = effects::book::Switcher {
        client: book,
        window: window.clone(),
    };
    let switching = effects::book::run(writer, switch_queue, inputs.clone(), parts.stop());
    parts.spawn("switching", switching);
    let (mails, webhooks) = if is_shadow {
        (
            shadow::notifications("mail in shadow", parts, inputs),
            shadow::notifications("webhooks in shadow", parts, inputs),
        )
    } else {
        let access = http.access.clone();
        let outward = (inputs, window);
        (
            notifications::start_mail(followed.clone(), parts, outward.clone())?,
            notifications::start_webhooks(followed.clone(), access, parts, outward),
        )
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
