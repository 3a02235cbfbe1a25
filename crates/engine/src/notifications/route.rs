//! Ways to people: who hears of what. Whom a route reaches, and by which address, is the effects'
//! affair.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::model::pattern::matches;
use crate::model::words::words;
use crate::model::{RouteName, Stub};
use crate::notifications::Digest;

/// How often a route is notified beyond the first messages, unless the settings say otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// The pattern that takes in every experiment.
const EVERYTHING: &str = "*";

/// A way to some people. What they were told is kept by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name, which no other route has.
    pub name: RouteName,
    /// Patterns of the experiments that it hears of: `*` stands for any text, `?` for one
    /// character.
    pub patterns: Vec<String>,
    /// How it is told.
    pub channel: Channel,
    /// Whether it hears of what concerns the whole laboratory.
    pub alerts: bool,
    /// `EMAIL_GATHER`: how long after the first news the summary waits for the rest of a burst.
    pub gather: Duration,
    /// `EMAIL_INTERVAL`: three messages may go out at once, and one more for each time that
    /// passes. Zero: without a bound.
    pub interval: Duration,
    /// `EMAIL_REMIND`: how long after the last summary people are reminded of what is still bad;
    /// each further reminder waits twice as long, up to a week. `None`: never.
    pub remind: Option<Duration>,
    /// `TIME_ZONE`: by which clock people are told times.
    pub zone: TimeZone,
    /// `EMAIL_DIGEST`: when they get a digest. `None`: never.
    pub digest: Option<Digest>,
}

/// How a route is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// By mail.
    Mail,
    /// By an HTTP request to a program or a chat.
    Http(HttpChannel),
}

/// What an HTTP request speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HttpChannel {
    /// A program that takes labwatch's own JSON.
    Webhook,
    /// Prometheus Alertmanager.
    Alertmanager,
    /// An incoming webhook of Slack, Mattermost or Rocket.Chat.
    Slack,
    /// A workflow of Microsoft Teams.
    Teams,
    /// A room of Matrix.
    Matrix,
    /// A topic of ntfy.
    Ntfy,
}

impl Channel {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Http(channel) => channel.as_str(),
        }
    }
}

// The words are the settings of their addresses too.
words!(HttpChannel {
    Webhook => "webhook", Alertmanager => "alertmanager", Slack => "slack", Teams => "teams", Matrix => "matrix", Ntfy => "ntfy",
});

impl Route {
    /// The route to everybody in `EMAIL_TO`: it hears of everything, by mail.
    pub fn everybody() -> Self {
        Self {
            name: RouteName::everybody(),
            patterns: vec![EVERYTHING.to_owned()],
            channel: Channel::Mail,
            alerts: true,
            gather: Duration::ZERO,
            interval: DEFAULT_INTERVAL,
            remind: None,
            zone: TimeZone::UTC,
            digest: None,
        }
    }

    /// Whether it hears of this experiment.
    pub fn hears_of(&self, stub: &Stub) -> bool {
        self.patterns
            .iter()
            .any(|pattern| pattern == EVERYTHING || matches(pattern, stub.as_str()))
    }

    /// Whether it hears of every experiment.
    pub fn hears_of_all(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern == EVERYTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_hears_of_what_its_patterns_take_in() {
        let hears = |patterns: &[&str], stub: &str| {
            let patterns = patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect();
            let route = Route {
                patterns,
                ..Route::everybody()
            };
            route.hears_of(&Stub::try_new(stub).expect("a name"))
        };
        assert!(hears(&["*"], "pend00") && hears(&["spin*", "pend0?"], "pend00"));
        assert!(!hears(&["spin*", "pend"], "pend00") && !hears(&[], "pend00"));
    }
}
