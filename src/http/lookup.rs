//! Finds an experiment's connection in a source's newest report. Built once per answer, so that
//! 10,000 experiments cost one pass over the report.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use engine::{Connection, LastConnection, Report, Scopes, SourceView};

/// The best connection of each topic. Looked up only, never iterated.
pub(super) struct Lookup<'a> {
    best: HashMap<&'a str, Connection<'a>>,
}

impl<'a> Lookup<'a> {
    /// Indexes the connections of `source` that have the scope `role`, or whose server is too old
    /// to report scopes.
    pub(super) fn new(source: &'a SourceView, role: Scopes) -> Self {
        let mut best: HashMap<&str, Connection<'_>> = HashMap::new();
        for connection in source
            .report
            .as_deref()
            .into_iter()
            .flat_map(Report::iter)
            .filter(|c| plays(role, c.scopes))
        {
            best.entry(connection.topic)
                .and_modify(|known| {
                    if rank(role, &connection) > rank(role, known) {
                        *known = connection;
                    }
                })
                .or_insert(connection);
        }
        Self { best }
    }

    /// The best connection of this topic.
    pub(super) fn get(&self, topic: &str) -> Option<Connection<'a>> {
        self.best.get(topic).copied()
    }
}

/// The best connection of one topic, found by one pass over the report: cheaper than a [`Lookup`]
/// for few topics.
pub(super) fn best<'a>(
    source: &'a SourceView,
    role: Scopes,
    topic: &str,
) -> Option<Connection<'a>> {
    let connections = source.report.as_deref().into_iter().flat_map(Report::iter);
    let of_topic = connections
        .filter(|connection| connection.topic == topic && plays(role, connection.scopes));
    of_topic.max_by(|a, b| rank(role, a).cmp(&rank(role, b)))
}

/// A connection that is gone, as it was in the last report that had it.
pub(super) fn gone<'a>(topic: &'a str, last: &'a LastConnection) -> Connection<'a> {
    Connection {
        topic,
        scopes: last.scopes,
        connected: &last.connected,
        expires: &last.expires,
        remote: &last.remote,
        user_agent: &last.user_agent,
        tx: last.tx,
        rx: last.rx,
    }
}

fn plays(role: Scopes, scopes: Scopes) -> bool {
    scopes.has(role) || scopes.has(Scopes::UNSAID)
}

/// A connection that is known to be the experiment's beats one that may be; then the latest sender
/// wins, then the latest to connect.
fn rank<'a>(role: Scopes, connection: &Connection<'a>) -> (bool, Reverse<Duration>, &'a str) {
    let idle = connection
        .tx
        .and_then(|tx| tx.last)
        .unwrap_or(Duration::MAX);
    (
        connection.scopes.has(role),
        Reverse(idle),
        connection.connected,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use engine::model::{SourceHealth, SourceName};
    use engine::{Link, Traffic};

    fn sent(last: Option<Duration>) -> Traffic {
        Traffic {
            last,
            size: 1,
            fps: 1.0,
        }
    }

    /// Checks which of these connections to one topic is found, by its user agent.
    fn check(connections: &[(&str, Scopes, &str, Option<Traffic>)], expect: Option<&str>) {
        for turn in [false, true] {
            let mut connections = connections.to_vec();
            if turn {
                connections.reverse();
            }
            let mut report = Report::default();
            for (user_agent, scopes, connected, tx) in connections {
                report.push(Connection {
                    topic: "t",
                    scopes,
                    connected,
                    expires: "",
                    remote: "",
                    user_agent,
                    tx,
                    rx: None,
                });
            }
            let source = source(report);
            let lookup = Lookup::new(&source, Scopes::EXPT);
            assert_eq!(lookup.get("t").map(|c| c.user_agent), expect);
            assert_eq!(lookup.get("u"), None);
            assert_eq!(
                best(&source, Scopes::EXPT, "t").map(|c| c.user_agent),
                expect
            );
            assert_eq!(best(&source, Scopes::EXPT, "u"), None);
        }
    }

    fn source(report: Report) -> SourceView {
        SourceView {
            name: SourceName::Relay,
            health: SourceHealth::Live,
            since: Timestamp::UNIX_EPOCH,
            last_report: None,
            pace: None,
            link: Link::Open,
            note: String::new(),
            said: engine::model::Private::default(),
            server_started: None,
            hides: 0,
            unreadable_entries: 0,
            canary: None,
            report: Some(Arc::new(report)),
        }
    }

    #[test]
    fn the_best_connection_is_found_in_any_order() {
        let expt = Scopes::EXPT.with(Scopes::READ);
        let [now, soon, late] = [1, 8, 9].map(|ms| Some(sent(Some(Duration::from_millis(ms)))));
        let never = Some(sent(None));
        check(&[("user", Scopes::READ, "1", now)], None);
        check(
            &[("old server", Scopes::UNSAID, "1", None)],
            Some("old server"),
        );
        check(
            &[
                ("unsaid", Scopes::UNSAID, "2", now),
                ("expt", expt, "1", late),
            ],
            Some("expt"),
        );
        check(
            &[("silent", expt, "2", never), ("sends", expt, "1", late)],
            Some("sends"),
        );
        check(
            &[("older", expt, "1", late), ("fresher", expt, "1", soon)],
            Some("fresher"),
        );
        check(
            &[("first", expt, "1", None), ("second", expt, "2", None)],
            Some("second"),
        );
    }
}
