//! Settings that shape notifications: addresses of the page, the readers' time zone.

use crate::config::Config;
use crate::effects::notification::Presentation;

/// The presentation of all notifications.
pub fn presentation(config: &Config) -> Presentation {
    let mail = config.mail.as_ref();
    Presentation {
        subject: mail.map_or_else(|| label(config), |mail| mail.subject.clone()),
        link: mail.map(|mail| mail.link.clone()).unwrap_or_default(),
        page: page_address(config),
        zone: config.notifications.zone.rules.clone(),
    }
}

/// The address at which readers reach the page, without a slash at its end; `None` where there is
/// none or it is not known.
pub(super) fn page_address(config: &Config) -> Option<String> {
    let is_served = config.api.listen.is_some();
    config.api.url.clone().filter(|_| is_served)
}

fn label(config: &Config) -> String {
    format!("[{}]", config.surfaces.label)
}
