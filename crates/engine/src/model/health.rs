//! States of health of experiments, streams, remote logins and sources.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An experiment's health. The order is from the least to the most bad; what is not evaluated
/// stands before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Not evaluated: within its start-up grace, or its source reports nothing.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamHealth {
    /// Relay reports nothing about it.
    Unknown,
    /// It transmitted within `HEALTH_LAST_ACTIVE`.
    Active,
    /// Connected, but it has not transmitted within `HEALTH_LAST_ACTIVE`.
    Silent,
    /// Not connected, and not seen for `HEALTH_LAST_CHECKED`.
    Missing,
}

/// How an experiment's remote login (jump) is at the newest report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JumpHealth {
    /// Jump reports nothing about it.
    Unknown,
    /// The experiment's host is connected.
    Up,
    /// The host is not connected, and not seen for `HEALTH_LAST_CHECKED`.
    Lost,
}

/// A server that reports to labwatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    /// Data and video streams.
    Relay,
    /// Remote login.
    Jump,
    /// Bookings.
    Book,
}

impl SourceName {
    /// All sources, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Relay, Self::Jump, Self::Book];

    /// The source of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// A source's health, evaluated by the age of its last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceHealth {
    /// It has not reported yet, and is still within its time.
    Starting,
    /// It keeps its pace.
    Live,
    /// Its last report is older than its pace explains.
    Late,
    /// It has reported nothing for so long that its last report no longer counts.
    Down,
}

macro_rules! words {
    ($type:ty { $($variant:ident => $as_str:literal),+ $(,)? }) => {
        impl $type {
            /// Its name, the same in logs, mails and the API.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $as_str),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words!(Health { Unknown => "unknown", Ok => "ok", Degraded => "degraded", Flapping => "flapping", Down => "down" });

impl Health {
    /// All five values.
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Ok,
        Self::Degraded,
        Self::Flapping,
        Self::Down,
    ];

    /// Whether it is a problem that is notified. What is not evaluated is not.
    #[must_use]
    pub fn is_bad(self) -> bool {
        match self {
            Self::Unknown | Self::Ok => false,
            Self::Degraded | Self::Flapping | Self::Down => true,
        }
    }

    /// The worse of this and what is known, where this is bad.
    #[must_use]
    pub fn worst_of(self, known: Option<Self>) -> Option<Self> {
        self.is_bad()
            .then(|| known.map_or(self, |known| known.max(self)))
    }

    /// Since when an experiment is bad, and the worst health of the current bad period, or of the
    /// last one. What is not evaluated changes nothing.
    #[must_use]
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
    #[must_use]
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
