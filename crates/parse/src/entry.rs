//! The JSON of a report: an array of connections in the format of relay (with and without
//! statistics) or of jump. Borrows from the message and writes straight into the report; does no
//! IO.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::value::{Last, Number, Tags, Text};
use engine::model::SourceName;
use engine::{Connection, Report, Traffic};

/// The most connections that a report may have. A longer array is no report: cutting it would make
/// the rest look lost. The largest laboratory that is expected, 10,000 experiments, has about
/// 20,000.
pub const MAX_CONNECTIONS: usize = 200_000;

/// The fewest bytes of JSON of a connection, for estimating how many there are.
const BYTES_PER_CONNECTION: usize = 200;

/// Reads an array of connections into a report, in one pass. Anything but a non-empty array of
/// objects that all name a topic, in known fields, is an error; [`super::lenient`] then reads what
/// can be read.
pub struct Connections {
    source: SourceName,
    room: usize,
}

impl Connections {
    /// For a report of this source that takes at most `bytes` of JSON.
    pub fn new(source: SourceName, bytes: usize) -> Self {
        Self {
            source,
            room: (bytes / BYTES_PER_CONNECTION + 1).min(MAX_CONNECTIONS),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Connections {
    type Value = Report;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Report, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Connections {
    type Value = Report;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of connections")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Report, A::Error> {
        let mut report = None;
        let mut count = 0;
        while let Some(Object(entry)) = array.next_element()? {
            count += 1;
            if count > MAX_CONNECTIONS {
                return Err(A::Error::custom("too many connections"));
            }
            if entry.topic.as_str().is_empty() {
                return Err(A::Error::custom("a connection has no topic"));
            }
            entry.write_to(
                self.source,
                report.get_or_insert_with(|| Report::with_capacity(self.room)),
            );
        }
        report.ok_or_else(|| A::Error::custom("no connection has a topic"))
    }
}

/// An entry that must be a JSON object; by default, serde would accept an array of values too.
pub(super) struct Object<'a>(Entry<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Only;
        impl<'de> Visitor<'de> for Only {
            type Value = Entry<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a connection")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry<'de>, A::Error> {
                Entry::deserialize(MapAccessDeserializer::new(map))
            }
        }
        json.deserialize_map(Only).map(Object)
    }
}

/// A connection in relay's format, or in jump's: snake case, `statistcs` misspelt, one `last` for
/// what was sent.
#[derive(Default, Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow, default)]
    pub(super) topic: Text<'a>,
    #[serde(borrow, default, alias = "connected_at")]
    pub(super) connected: Text<'a>,
    #[serde(borrow, default, rename = "expiresAt", alias = "expires_at")]
    pub(super) expires: Text<'a>,
    #[serde(
        borrow,
        default,
        rename = "remoteAddr",
        alias = "remote_address",
        alias = "remote_addr"
    )]
    pub(super) remote: Text<'a>,
    #[serde(borrow, default, rename = "userAgent", alias = "user_agent")]
    pub(super) user_agent: Text<'a>,
    #[serde(default)]
    pub(super) scopes: Tags,
    #[serde(default, alias = "statistcs", alias = "statistics")]
    pub(super) stats: Option<Stats>,
}

impl Entry<'_> {
    /// Writes the connection into the report; of the server's own one, only when it began.
    pub(super) fn write_to(self, source: SourceName, report: &mut Report) {
        if self.is_internal(source) {
            report.set_started(self.connected.as_str());
            return;
        }
        let (tx, rx) = self.stats.map_or((None, None), Stats::traffic);
        report.push(Connection {
            topic: self.topic.as_str(),
            scopes: self.scopes.scopes(),
            connected: self.connected.as_str(),
            expires: self.expires.as_str(),
            remote: self.remote.as_str(),
            user_agent: self.user_agent.as_str(),
            tx,
            rx,
        });
    }

    /// Whether it is the server's own connection, through which it sends the reports.
    fn is_internal(&self, source: SourceName) -> bool {
        let agent = if source == SourceName::Jump {
            "internal"
        } else {
            "crossbar"
        };
        self.topic.as_str() == "stats"
            && self.remote.as_str() == "internal"
            && self.user_agent.as_str() == agent
    }
}

#[derive(Default, Deserialize)]
pub(super) struct Stats {
    #[serde(default)]
    pub(super) tx: Option<Flow>,
    #[serde(default)]
    pub(super) rx: Option<Flow>,
    #[serde(default)]
    pub(super) last: Last,
}

impl Stats {
    /// The traffic that the client sent, and that was sent to it. jump's single `last` is about
    /// what the client sent.
    fn traffic(self) -> (Option<Traffic>, Option<Traffic>) {
        let lone = Flow {
            last: self.last,
            size: Number::default(),
            fps: Number::default(),
        };
        (
            self.tx.unwrap_or(lone).traffic(),
            self.rx.and_then(Flow::traffic),
        )
    }
}

#[derive(Default, Deserialize)]
pub(super) struct Flow {
    #[serde(default)]
    pub(super) last: Last,
    #[serde(default)]
    pub(super) size: Number,
    #[serde(default)]
    pub(super) fps: Number,
}

impl Flow {
    /// `None` when it does not say when the last message went.
    fn traffic(self) -> Option<Traffic> {
        let last = match self.last {
            Last::Unsaid => return None,
            Last::Never => None,
            Last::Ago(duration) => Some(duration),
        };
        Some(Traffic {
            last,
            size: self.size.whole(),
            fps: self.fps.short(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use engine::Scopes;

    fn read(source: SourceName, json: &str) -> Report {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        Connections::new(source, json.len())
            .deserialize(&mut deserializer)
            .expect("a report")
    }

    fn read_one(json: &str) -> Report {
        read(SourceName::Relay, &format!("[{json}]"))
    }

    #[test]
    fn relay_with_statistics() {
        let report = read_one(
            r#"{"canRead":true,"canWrite":true,"connected":"2026-11-21T00:02:01.761446888Z","expiresAt":"2026-11-21T00:12:01Z",
            "remoteAddr":"10.1.1.1, 10.2.2.2","scopes":["read","write","expt"],"stats":{"tx":{"last":"1.589834632s","size":102,
            "fps":12.25},"rx":{"last":"Never","size":0,"fps":0}},"topic":"pend00-st-data","userAgent":"Go-http-client/1.1"}"#,
        );
        let expected = Connection {
            topic: "pend00-st-data",
            scopes: Scopes::READ.with(Scopes::WRITE).with(Scopes::EXPT),
            connected: "2026-11-21T00:02:01.761446888Z",
            expires: "2026-11-21T00:12:01Z",
            remote: "10.1.1.1, 10.2.2.2",
            user_agent: "Go-http-client/1.1",
            tx: Some(Traffic {
                last: Some(Duration::from_nanos(1_589_834_632)),
                size: 102,
                fps: 12.25,
            }),
            rx: Some(Traffic {
                last: None,
                size: 0,
                fps: 0.0,
            }),
        };
        assert_eq!(report.iter().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn jump_in_its_own_words_and_in_relays() {
        let own = r#"{"can_read":true,"connected_at":"C","expires_at":"E","remote_address":"R","scopes":["host","read"],
            "statistcs":{"last":"2562047h47m16.854775807s"},"topic":"pend00","user_agent":"jump-host"}"#;
        let relays = r#"{"canRead":true,"connected":"C","expiresAt":"E","remoteAddr":"R","scopes":["host","read"],
            "stats":{"last":"2562047h47m16.854775807s"},"topic":"pend00","userAgent":"jump-host"}"#;
        let expected = Connection {
            topic: "pend00",
            scopes: Scopes::HOST.with(Scopes::READ),
            connected: "C",
            expires: "E",
            remote: "R",
            user_agent: "jump-host",
            tx: Some(Traffic {
                last: None,
                size: 0,
                fps: 0.0,
            }),
            rx: None,
        };
        for json in [own, relays] {
            let report = read(SourceName::Jump, &format!("[{json}]"));
            assert_eq!(report.iter().collect::<Vec<_>>(), [expected]);
        }
    }

    #[test]
    fn the_servers_own_connection_is_its_start() {
        let relay = r#"[{"topic":"stats","userAgent":"crossbar","remoteAddr":"internal","connected":"T1"}]"#;
        let jump = r#"[{"topic":"stats","user_agent":"internal","remote_address":"internal","scopes":null,"connected_at":"T2"}]"#;
        for (source, json, started) in [
            (SourceName::Relay, relay, "T1"),
            (SourceName::Jump, jump, "T2"),
        ] {
            let report = read(source, json);
            assert_eq!((report.started(), report.len()), (Some(started), 0));
        }
        let posing = read_one(
            r#"{"topic":"stats","userAgent":"crossbar","remoteAddr":"10.0.0.1","connected":"T"}"#,
        );
        assert_eq!((posing.started(), posing.len()), (None, 1));
    }

    #[test]
    fn what_is_absent_or_null_is_unsaid() {
        let bare = r#"{"topic":"a"}"#;
        let nulls = r#"{"topic":"a","connected":null,"expiresAt":null,"remoteAddr":null,"userAgent":null,"scopes":null,"stats":null}"#;
        for json in [
            bare,
            nulls,
            r#"{"topic":"a","stats":{}}"#,
            r#"{"topic":"a","stats":{"tx":{"size":1},"rx":null}}"#,
        ] {
            let report = read_one(json);
            let connection = report.get(0).expect("one connection");
            assert_eq!(
                (connection.scopes, connection.tx, connection.rx),
                (Scopes::UNSAID, None, None),
                "{json}"
            );
            assert_eq!(
                (connection.connected, connection.remote),
                ("", ""),
                "{json}"
            );
        }
        let none = read_one(r#"{"topic":"a","scopes":[]}"#);
        assert_eq!(none.get(0).map(|c| c.scopes), Some(Scopes::default()));
    }

    #[test]
    fn unknown_keys_and_escapes_are_accepted() {
        let report = read_one(
            r#"{"new":{"deep":[1,{"x":null}]},"topic":"pend\u00e9\n","userAgent":"\"q\"","scopes":["read","juggle"]}"#,
        );
        let connection = report.get(0).expect("one connection");
        assert_eq!(
            (connection.topic, connection.user_agent, connection.scopes),
            ("pend\u{e9}\n", "\"q\"", Scopes::READ)
        );
    }
}
