//! What is wrong with a source and what to do about it, as text.

use std::time::Duration;

use super::Source;
use crate::model::{SourceHealth, SourceName, Step, Visibility, format_duration};
use crate::protocol::{Forwarding, Link};

/// What is wrong with a relay that reports and forwards nothing.
const NOT_FORWARDING: &str = "relay reports but forwards no messages: those of the canary do not arrive; restart relay if this stays";

impl Source {
    /// What is wrong and what to do, for this reader; empty when it is live.
    pub(crate) fn note(&self, reader: Visibility) -> String {
        match self.by_canary {
            Some(Forwarding::Stopped) => return NOT_FORWARDING.to_owned(),
            Some(Forwarding::Late) => return self.late_note(),
            Some(Forwarding::Off | Forwarding::Unknown | Forwarding::Works) | None => {}
        }
        match self.health {
            SourceHealth::Live => self.entries_note(reader),
            SourceHealth::Starting => format!("{} has not reported yet", self.name),
            SourceHealth::Late | SourceHealth::Down if self.name == SourceName::Book => {
                self.book_note(reader)
            }
            SourceHealth::Late | SourceHealth::Down => self.feed_note(reader),
        }
    }

    fn late_note(&self) -> String {
        let last = self.canary.as_ref().and_then(|canary| canary.last);
        let last = last.map_or_else(String::new, |last| {
            format!(", the last one after {} ms", last.as_millis())
        });
        format!("relay forwards messages late: those of the canary arrive late{last}")
    }

    fn entries_note(&self, reader: Visibility) -> String {
        let Some((count, why)) = &self.unreadable_entries else {
            return String::new();
        };
        let entries = if *count == 1 { "entry" } else { "entries" };
        let why = if reader.is_full() {
            format!(": {why}")
        } else {
            String::new()
        };
        format!(
            "{count} {entries} of the last report of {} cannot be read, in part or at all{why}",
            self.name
        )
    }

    fn book_note(&self, reader: Visibility) -> String {
        let why = self.failing.as_ref().map_or_else(
            || "it has not answered".to_owned(),
            |(_, fault)| fault.words(reader),
        );
        format!("book cannot be read: {why}")
    }

    fn feed_note(&self, reader: Visibility) -> String {
        let name = self.name;
        match &self.link() {
            Link::Failed(failure) => match failure.step {
                Step::Access => {
                    format!("{name} gives no access: {}", failure.error.words(reader))
                },
                Step::Websocket => format!(
                    "{name}'s access API answers, but its websocket fails: {}",
                    failure.error.words(reader)
                ),
            },
            Link::Unreadable(why) => {
                with_words(format!("what {name} sends cannot be read"), why, reader)
            }
            Link::Closed(why) | Link::Broken(why) => {
                with_words(format!("the connection to {name} ended"), why, reader)
            }
            Link::GivenUp => {
                format!("the connection to {name} was given up: it was open but brought no reports")
            }
            Link::Connecting => format!("connecting to {name}"),
            Link::Open | Link::OpenByProxy if !self.reported_on_link => match name {
                SourceName::Jump => "jump accepts the connection but sends no reports: its hub is probably stuck; restart jump (with \
                                     SIGKILL, it does not stop on SIGTERM)"
                    .to_owned(),
                SourceName::Relay | SourceName::Book => format!(
                    "{name} accepts the connection but sends no reports: it may not have accepted our access code, or its hub is stuck; \
                     restart {name} if this stays"
                ),
            },
            Link::Open | Link::OpenByProxy => {
                let whole = |pace: Duration| format_duration(Duration::from_secs((pace + Duration::from_millis(500)).as_secs().max(1)));
                let pace = self.pace().map_or_else(String::new, |pace| format!(", after one at least every {}", whole(pace)));
                format!("the reports of {name} have stopped although the connection is open{pace}")
            }
        }
    }
}

/// A sentence, followed by the source's or the system's message where the reader may see that.
fn with_words(sentence: String, said: &str, reader: Visibility) -> String {
    if reader.is_full() {
        format!("{sentence}: {said}")
    } else {
        sentence
    }
}
