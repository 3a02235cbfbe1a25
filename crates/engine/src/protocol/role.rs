//! Whether this replica may act.

/// Whether this replica may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It switches, mails and publishes.
    Leader,
    /// It observes and evaluates, and does nothing outward.
    Follower,
}
