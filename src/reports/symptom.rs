//! The symptoms of experiments that could not be used, by which failures are counted together.

use crate::store::Change;
use engine::model::{Health, JumpHealth, StreamHealth};
use engine::{ExperimentView, Issue};

/// A symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Symptom {
    /// Relay was away for too long.
    RelayOutage,
    /// A required stream was gone, and so was the jump connection.
    AllLost,
    /// A required stream was gone, the jump connection was not.
    StreamsLost,
    /// All required streams were connected, and one sent nothing.
    Silent,
    /// It came and went.
    Flapping,
    /// Anything else, or nothing.
    Other,
}

impl Symptom {
    pub(super) fn of(change: &Change) -> Self {
        let required = |wanted| {
            change
                .issues
                .iter()
                .any(|issue| matches!(issue, Issue::Required(_, health) if *health == wanted))
        };
        if change.health == Some(Health::Flapping) {
            Self::Flapping
        } else if change.issues.contains(&Issue::RelayOutage) {
            Self::RelayOutage
        } else if required(StreamHealth::Missing) {
            if change.jump == JumpHealth::Lost {
                Self::AllLost
            } else {
                Self::StreamsLost
            }
        } else if required(StreamHealth::Silent) {
            Self::Silent
        } else {
            Self::Other
        }
    }

    /// Its name in a report.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::RelayOutage => "relay was silent",
            Self::AllLost => "streams and remote login lost",
            Self::StreamsLost => "streams lost, remote login there",
            Self::Silent => "connected, but a stream sent nothing",
            Self::Flapping => "came and went",
            Self::Other => "other",
        }
    }
}

/// The symptom of an experiment in this state, by which a report counts its failure; `None` while
/// it is usable or not evaluated.
#[must_use]
pub fn cause(view: &ExperimentView) -> Option<&'static str> {
    let change = Change {
        at: view.since,
        health: Some(view.health),
        issues: view.issues.clone(),
        jump: view.jump,
    };
    let is_unusable = view.health.is_unusable();
    is_unusable.then(|| Symptom::of(&change).words())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use engine::model::Topic;

    fn check(health: Health, issues: &[Issue], jump: JumpHealth, expect: Symptom) {
        let change = Change {
            at: Timestamp::UNIX_EPOCH,
            health: Some(health),
            issues: issues.to_vec(),
            jump,
        };
        assert_eq!(Symptom::of(&change), expect, "{change:?}");
    }

    #[test]
    fn the_worst_names_the_symptom() {
        let required = |health| Issue::Required(Topic::try_new("a-st-x").expect("a name"), health);
        let (missing, silent) = (
            required(StreamHealth::Missing),
            required(StreamHealth::Silent),
        );
        check(
            Health::Down,
            &[silent.clone(), missing.clone(), Issue::JumpLost],
            JumpHealth::Lost,
            Symptom::AllLost,
        );
        check(
            Health::Down,
            std::slice::from_ref(&missing),
            JumpHealth::Up,
            Symptom::StreamsLost,
        );
        check(
            Health::Down,
            std::slice::from_ref(&missing),
            JumpHealth::Unknown,
            Symptom::StreamsLost,
        );
        check(Health::Down, &[silent], JumpHealth::Lost, Symptom::Silent);
        check(
            Health::Down,
            &[Issue::RelayOutage, missing.clone()],
            JumpHealth::Up,
            Symptom::RelayOutage,
        );
        check(
            Health::Flapping,
            &[missing],
            JumpHealth::Up,
            Symptom::Flapping,
        );
        check(Health::Down, &[], JumpHealth::Up, Symptom::Other);
    }
}
