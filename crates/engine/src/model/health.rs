//! States of health of experiments, streams, remote logins and sources.

use serde::{Deserialize, Serialize};

use super::words::words;

/// How an experiment is, as it is shown and notified. The order is from the least to the most bad; what
/// is not evaluated stands before.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Not evaluated: within its start-up grace, or its source reports nothing.
    #[default]
    Unknown,
    /// Everything that is required is there.
    Ok,
    /// Usable, with a loss: no remote login, or a stream that is not required is off.
    Degraded,
    /// It changes so often that students cannot rely on it until it is stable.
    Flapping,
    /// A required stream is silent or missing: students cannot use it.
    Down,
}

/// How a stream (a relay topic) is at the newest report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum StreamHealth {
    /// Relay reports nothing about it.
    #[default]
    Unknown,
    /// It transmitted within `HEALTH_LAST_ACTIVE`.
    Active,
    /// Connected, but it has not transmitted within `HEALTH_LAST_ACTIVE`.
    Silent,
    /// Not connected, and not seen for `HEALTH_LAST_CHECKED`.
    Missing,
}

/// How an experiment's remote login (jump) is at the newest report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum JumpHealth {
    /// Jump reports nothing about it.
    #[default]
    Unknown,
    /// The experiment's host is connected.
    Up,
    /// The host is not connected, and not seen for `HEALTH_LAST_CHECKED`.
    Lost,
}

/// A server that reports to labwatch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    /// Data and video streams.
    #[default]
    Relay,
    /// Remote login.
    Jump,
    /// Bookings.
    Book,
}

/// How a source is, evaluated by the age of its newest report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SourceHealth {
    /// It has not reported anything yet, and it has not been long.
    #[default]
    Starting,
    /// It keeps its pace.
    Live,
    /// Its last report is older than its pace explains.
    Late,
    /// It has reported nothing for so long that its last report no longer counts.
    Down,
}

words!(Health { Unknown => "unknown", Ok => "ok", Degraded => "degraded", Flapping => "flapping", Down => "down" });

impl Health {
    /// Whether something is wrong that is notified. What is not evaluated is not.
    pub fn is_bad(self) -> bool {
        match self {
            Self::Unknown | Self::Ok => false,
            Self::Degraded | Self::Flapping | Self::Down => true,
        }
    }

    /// The worse of this and what is known, where this is bad.
    pub fn worst_of(self, known: Option<Self>) -> Option<Self> {
        self.is_bad()
            .then(|| known.map_or(self, |known| known.max(self)))
    }

    /// Since when an experiment is bad, and the worst health of the current bad period, or of the
    /// last one. What is not evaluated changes nothing.
    pub fn after<T: Copy>(
        self,
        bad_since: Option<T>,
        worst: Option<Self>,
        now: T,
    ) -> (Option<T>, Option<Self>) {
        match self {
            Self::Ok => (None, worst),
            Self::Unknown => (bad_since, worst),
            Self::Degraded | Self::Flapping | Self::Down => {
                let worst = worst.filter(|_| bad_since.is_some());
                (bad_since.or(Some(now)), self.worst_of(worst))
            }
        }
    }

    /// Whether students cannot use it, so that it is withdrawn. What is not evaluated stays as it
    /// is.
    pub fn is_unusable(self) -> bool {
        match self {
            Self::Unknown | Self::Ok | Self::Degraded => false,
            Self::Flapping | Self::Down => true,
        }
    }
}
words!(StreamHealth { Unknown => "unknown", Active => "active", Silent => "silent", Missing => "missing" });
words!(JumpHealth { Unknown => "unknown", Up => "up", Lost => "lost" });
words!(SourceName { Relay => "relay", Jump => "jump", Book => "book" });
words!(SourceHealth { Starting => "starting", Live => "live", Late => "late", Down => "down" });

#[cfg(test)]
mod tests {
    use super::Health::{self, Degraded, Down, Flapping, Ok, Unknown};

    #[test]
    fn an_incident_lasts_from_the_first_bad_moment_and_knows_its_worst() {
        // the healths, each a second after the other → since when it is bad, and the worst health
        // of this bad period or the last one
        let rows: [(&[Health], _); 8] = [
            (&[Ok], (None, None)),
            (&[Unknown], (None, None)),
            (&[Ok, Unknown, Down], (Some(2), Some(Down))),
            (&[Degraded, Unknown, Degraded], (Some(0), Some(Degraded))),
            (&[Degraded, Down, Degraded], (Some(0), Some(Down))),
            (&[Down, Ok], (None, Some(Down))),
            (&[Down, Ok, Unknown], (None, Some(Down))),
            (
                &[Flapping, Ok, Unknown, Degraded],
                (Some(3), Some(Degraded)),
            ),
        ];
        for (healths, expected) in rows {
            let after = (0..)
                .zip(healths)
                .fold((None, None), |(since, worst), (now, health)| {
                    health.after(since, worst, now)
                });
            assert_eq!(after, expected, "{healths:?}");
        }
    }
}
