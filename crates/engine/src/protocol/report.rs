//! A report of relay or jump in one compact piece: who is connected, and when they last
//! transmitted.
//!
//! A report of 20,000 connections is two allocations, not 100,000: all text lies in one string, and
//! entries point into it.

use std::time::Duration;

/// A connection's permissions and kind, from its token's scopes. Scopes that nothing here depends
/// on are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// It may receive.
    pub const READ: Self = Self(1);
    /// It may send.
    pub const WRITE: Self = Self(1 << 1);
    /// It is an experiment's stream (relay).
    pub const EXPT: Self = Self(1 << 2);
    /// It is an experiment's host (jump).
    pub const HOST: Self = Self(1 << 3);
    /// It receives the reports.
    pub const STATS: Self = Self(1 << 4);
    /// It is a user's login (jump).
    pub const CLIENT: Self = Self(1 << 5);
    /// It is a student's (relay).
    pub const USER: Self = Self(1 << 6);
    /// The report did not say: servers before relay v0.6.5 and jump v0.3.1.
    pub const UNSAID: Self = Self(1 << 7);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::READ, "read"),
        (Self::WRITE, "write"),
        (Self::EXPT, "expt"),
        (Self::HOST, "host"),
        (Self::STATS, "stats"),
        (Self::CLIENT, "client"),
        (Self::USER, "user"),
    ];

    /// The scope of this name, where it is one that is kept.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(scope, _)| *scope)
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Their names, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(scope, _)| self.has(*scope))
            .map(|(_, name)| name)
    }
}

/// What went one way over a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// How long before the report the last message went; `None` when none ever did.
    pub last: Option<Duration>,
    /// Mean size of a message, in bytes.
    pub size: u32,
    /// Mean messages per second since it connected.
    pub fps: f32,
}

/// One connection of a report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connection<'a> {
    /// The topic it is connected to.
    pub topic: &'a str,
    /// Its permissions and kind.
    pub scopes: Scopes,
    /// When it connected: RFC 3339, the server's clock.
    pub connected: &'a str,
    /// When its token ends: RFC 3339, the server's clock.
    pub expires: &'a str,
    /// Where it comes from: an address, or a list of them as proxies wrote it. May be empty.
    pub remote: &'a str,
    /// The program that it claims to be. May be empty.
    pub user_agent: &'a str,
    /// What it sent to the server; `None` when the report has no statistics (relay v0.8 and
    /// later).
    pub tx: Option<Traffic>,
    /// What the server sent to it.
    pub rx: Option<Traffic>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u16,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Topic, when it connected, when its token ends, where it comes from, what program it is.
    texts: [Span; 5],
    scopes: Scopes,
    tx: Option<Traffic>,
    rx: Option<Traffic>,
}

/// A whole report. The parser of the feed makes it; the engine reads it and, for details, the API.
#[derive(Debug, Clone, Default)]
pub struct Report {
    text: String,
    entries: Vec<Entry>,
    started: Option<Span>,
    /// How many entries are partly unreadable, and why the first of them is.
    unreadable: Option<(usize, String)>,
    /// How many entries have no readable topic.
    nameless: usize,
}

impl Report {
    /// An empty report with room for about this many connections.
    pub fn with_capacity(connections: usize) -> Self {
        Self {
            text: String::with_capacity(connections * 96),
            entries: Vec::with_capacity(connections),
            ..Self::default()
        }
    }

    /// Adds a connection. The server's own internal connection belongs in [`Report::set_started`]
    /// instead.
    pub fn push(&mut self, connection: Connection<'_>) {
        let c = &connection;
        let texts = [c.topic, c.connected, c.expires, c.remote, c.user_agent];
        let entry = Entry {
            texts: texts.map(|text| self.keep(text)),
            scopes: connection.scopes,
            tx: connection.tx,
            rx: connection.rx,
        };
        self.entries.push(entry);
    }

    /// Releases unused capacity.
    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// Sets when the server started, in its own format: every report carries it with the server's
    /// internal connection.
    pub fn set_started(&mut self, started: &str) {
        self.started = Some(self.keep(started));
    }

    /// When the server started, in its own format. Another text than before means that it
    /// restarted.
    pub fn started(&self) -> Option<&str> {
        self.started.map(|span| self.text(span))
    }

    /// Sets how many entries are partly unreadable, and why the first of them is.
    pub fn set_unreadable(&mut self, entries: usize, why: String) {
        self.unreadable = Some((entries, why));
    }

    /// How many entries are partly unreadable, and why the first of them is; `None` when there are
    /// none.
    pub fn unreadable(&self) -> Option<(usize, &str)> {
        self.unreadable
            .as_ref()
            .map(|(entries, why)| (*entries, why.as_str()))
    }

    /// Sets how many entries have no readable topic.
    pub fn set_nameless(&mut self, entries: usize) {
        self.nameless = entries;
    }

    /// How many entries have no readable topic.
    pub fn nameless(&self) -> usize {
        self.nameless
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The connection at this index.
    pub fn get(&self, index: usize) -> Option<Connection<'_>> {
        self.entries.get(index).map(|entry| self.view(entry))
    }

    /// All connections, in the report's order.
    pub fn iter(&self) -> impl Iterator<Item = Connection<'_>> {
        self.entries.iter().map(|entry| self.view(entry))
    }

    fn view(&self, entry: &Entry) -> Connection<'_> {
        let texts = entry.texts.map(|span| self.text(span));
        let [topic, connected, expires, remote, user_agent] = texts;
        Connection {
            topic,
            scopes: entry.scopes,
            connected,
            expires,
            remote,
            user_agent,
            tx: entry.tx,
            rx: entry.rx,
        }
    }

    fn text(&self, span: Span) -> &str {
        let start = span.start as usize;
        self.text
            .get(start..start + usize::from(span.len))
            .unwrap_or("")
    }

    /// Appends a text, cut at a character boundary to what a span can address.
    fn keep(&mut self, text: &str) -> Span {
        let mut len = text.len().min(usize::from(u16::MAX));
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        let Ok(start) = u32::try_from(self.text.len()) else {
            return Span { start: 0, len: 0 };
        };
        self.text.push_str(&text[..len]);
        Span {
            start,
            len: u16::try_from(len).unwrap_or(u16::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let connection = Connection {
            topic: "pend00-st-data",
            scopes: Scopes::READ.with(Scopes::EXPT),
            connected: "2026-11-20T23:57:16Z",
            expires: "2026-11-21T00:07:16Z",
            remote: "10.1.1.1, 10.2.2.2",
            user_agent: "",
            tx: Some(Traffic {
                last: Some(Duration::from_millis(100)),
                size: 1000,
                fps: 25.0,
            }),
            rx: None,
        };
        let mut report = Report::with_capacity(1);
        report.set_started("2026-11-20T00:00:00Z");
        report.push(connection);
        assert_eq!(report.iter().collect::<Vec<_>>(), [connection]);
        assert_eq!(report.started(), Some("2026-11-20T00:00:00Z"));
        assert_eq!(
            connection.scopes.names().collect::<Vec<_>>(),
            ["read", "expt"]
        );
    }

    #[test]
    fn a_text_too_long_is_cut_at_a_character() {
        let mut report = Report::default();
        let long = "\u{e9}".repeat(40_000);
        report.push(Connection {
            topic: &long,
            scopes: Scopes::default(),
            connected: "",
            expires: "",
            remote: "",
            user_agent: "",
            tx: None,
            rx: None,
        });
        assert_eq!(report.get(0).map(|c| c.topic.len()), Some(65_534));
    }
}
