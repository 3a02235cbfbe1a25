//! Presentation that several channels share.

use engine::model::Health;

/// The colour of a health: dark enough for white text, light enough to stand out on black.
#[must_use]
pub fn colour(health: Health) -> &'static str {
    match health {
        Health::Ok => "#1b7f3b",
        Health::Degraded => "#9a5b00",
        Health::Flapping => "#a63a79",
        Health::Down => "#c5221f",
        Health::Unknown => "#5f6b76",
    }
}

/// Whether an address is an http(s) one. Any other is shown as text and does not become a link.
#[must_use]
pub fn is_web(address: &str) -> bool {
    address.starts_with("http://") || address.starts_with("https://")
}
