//! Whether this replica may act.

/// Whether this replica may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It switches, mails and publishes.
    #[default]
    Leader,
    /// It observes and evaluates, and does nothing outward.
    Follower,
}
