//! Notification routes: which subjects each covers. Recipients and their addresses are known to the
//! shell alone.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::model::pattern::matches;
use crate::model::words::words;
use crate::model::{RouteName, Stub};
use crate::notifications::Digest;

/// How often a route is notified beyond the first messages, unless the settings say otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// The pattern that matches every experiment.
const EVERYTHING: &str = "*";

/// A notification route. What was notified on it is stored by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name, which no other route has.
    pub name: RouteName,
    /// Patterns of the experiments that it covers: `*` stands for any text, `?` for one character.
    pub patterns: Vec<String>,
    /// The channel of its messages.
    pub channel: Channel,
    /// Whether it covers alerts of the whole laboratory.
    pub alerts: bool,
    /// `EMAIL_GATHER`: how long after the first news the summary waits for the rest of a burst.
    pub gather: Duration,
    /// `EMAIL_INTERVAL`: three messages may go out at once, and one more for each time that
    /// passes. Zero: without a bound.
    pub interval: Duration,
    /// `EMAIL_REMIND`: how long after the last summary recipients are reminded of what is still
    /// bad; each further reminder waits twice as long, up to a week. `None`: never.
    pub remind: Option<Duration>,
    /// `TIME_ZONE`: the time zone of times in its messages.
    pub zone: TimeZone,
    /// `EMAIL_DIGEST`: when its recipients get a digest. `None`: never.
    pub digest: Option<Digest>,
}

/// The channel of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// By mail.
    Mail,
    /// By an HTTP request to a program or a chat.
    Http(HttpChannel),
}

/// The protocol of an HTTP channel.
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
    /// The route to all addresses of `EMAIL_TO`: it covers everything, by mail.
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

    /// Whether it covers this experiment.
    pub fn covers(&self, stub: &Stub) -> bool {
        self.patterns
            .iter()
            .any(|pattern| pattern == EVERYTHING || matches(pattern, stub.as_str()))
    }

    /// Whether it covers every experiment.
    pub fn covers_all(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern == EVERYTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_covers_what_its_patterns_match() {
        let covers = |patterns: &[&str], stub: &str| {
            let patterns = patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect();
            let route = Route {
                patterns,
                ..Route::everybody()
            };
            route.covers(&Stub::try_new(stub).expect("a name"))
        };
        assert!(covers(&["*"], "pend00") && covers(&["spin*", "pend0?"], "pend00"));
        assert!(!covers(&["spin*", "pend"], "pend00") && !covers(&[], "pend00"));
    }
}
