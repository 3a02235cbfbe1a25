//! What is wrong with a source and what to do about it, in words.

use std::time::Duration;

use super::Source;
use crate::model::{SourceHealth, SourceName, Step, format_duration};
use crate::protocol::input::Link;

impl Source {
    /// What is wrong and what to do; empty when it is live.
    pub(crate) fn note(&self) -> String {
        match self.health {
            SourceHealth::Live => String::new(),
            SourceHealth::Starting => format!("{} has not told anything yet", self.name),
            SourceHealth::Late | SourceHealth::Down if self.name == SourceName::Book => {
                self.book_note()
            }
            SourceHealth::Late | SourceHealth::Down => self.feed_note(),
        }
    }

    fn book_note(&self) -> String {
        let why = self.failing.as_ref().map_or_else(
            || "it has not answered".to_owned(),
            |(_, fault)| fault.to_string(),
        );
        format!("book cannot be read: {why}")
    }

    fn feed_note(&self) -> String {
        let name = self.name;
        match &self.link() {
            Link::Failed(failure) => match failure.step {
                Step::Access => format!("{name} gives no access: {}", failure.error),
                Step::Websocket => format!(
                    "{name}'s access API answers, but its websocket fails: {}",
                    failure.error
                ),
            },
            Link::Unreadable(why) => format!("what {name} sends cannot be read: {why}"),
            Link::Closed(why) | Link::Broken(why) => {
                format!("the connection to {name} ended: {why}")
            }
            Link::GivenUp => {
                format!("the connection to {name} was given up: it was open but brought no reports")
            }
            Link::Connecting => format!("connecting to {name}"),
            Link::Open if !self.heard_on_link => match name {
                SourceName::Jump => "jump accepts the connection but sends no reports: its hub is probably stuck; restart jump (with \
                                     SIGKILL, it does not stop on SIGTERM)"
                    .to_owned(),
                SourceName::Relay | SourceName::Book => format!(
                    "{name} accepts the connection but sends no reports: it may not have accepted our access code, or its hub is stuck; \
                     restart {name} if this stays"
                ),
            },
            Link::Open => {
                let whole = |pace: Duration| format_duration(Duration::from_secs((pace + Duration::from_millis(500)).as_secs().max(1)));
                let pace = self.pace().map_or_else(String::new, |pace| format!(", after one at least every {}", whole(pace)));
                format!("the reports of {name} have stopped although the connection is open{pace}")
            }
        }
    }
}
