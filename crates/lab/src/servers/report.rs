//! Writes the reports of relay and jump, key for key as the real ones.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::json;

use super::token::Claims;
use crate::model::{Fleet, Link, Role, Stream, Tally, expiry};
use crate::{RelayVersion, StreamPlan};
use engine::model::format_duration;

/// jump's text for "never": the largest duration of its language.
const JUMP_NEVER: &str = "2562047h47m16.854775807s";

/// The user agent of the simulated experiments.
const AGENT: &str = "Go-http-client/1.1";

/// About how long an entry is, in bytes.
const ENTRY_BYTES: usize = 330;

/// A client on a real socket.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub topic: String,
    pub scopes: Vec<String>,
    pub agent: String,
    /// The `X-Forwarded-For` header.
    pub remote: String,
    pub connected: Timestamp,
    pub expires: Timestamp,
    pub sent: Tally,
    pub received: Tally,
}

impl Guest {
    /// A client that has just connected.
    pub fn new(claims: &Claims, agent: &str, remote: &str) -> Self {
        Self {
            topic: claims.topic.clone(),
            scopes: claims.scopes.clone(),
            agent: agent.to_owned(),
            remote: remote.to_owned(),
            connected: Timestamp::now(),
            expires: claims.expires(),
            sent: Tally::default(),
            received: Tally::default(),
        }
    }

    /// Whether the scope is among the guest's.
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|has| has == scope)
    }
}

/// An entry of a report, before it is written.
struct Entry<'a> {
    topic: &'a str,
    scopes: &'a str,
    agent: &'a str,
    remote: &'a str,
    can_read: bool,
    can_write: bool,
    connected: Timestamp,
    expires: Option<Timestamp>,
    sent: Flow,
    received: Flow,
}

/// One direction of a connection as reports show it.
#[derive(Clone, Copy, Default)]
struct Flow {
    last: Option<Timestamp>,
    size: u64,
    fps: f64,
}

/// relay's report: its own entry, the guests and the simulated connections, in any order.
pub(super) fn relay(
    version: RelayVersion,
    fleet: &Fleet,
    left_out: u32,
    guests: &[Guest],
    started: Timestamp,
    now: Timestamp,
) -> String {
    let scopes: Vec<String> = guests
        .iter()
        .map(|guest| json!(guest.scopes).to_string())
        .collect();
    let internal = Entry::internal(r#"["read","stats","write"]"#, "crossbar", started);
    let mut entries = vec![internal];
    entries.extend(
        guests
            .iter()
            .zip(&scopes)
            .map(|(guest, scopes)| Entry::guest(guest, scopes)),
    );
    let streams = fleet
        .streams()
        .filter(|stream| !fleet.is_among_first(stream.stub(), left_out));
    for stream in streams {
        entries.extend(
            stream
                .links
                .iter()
                .filter(|link| link.connected <= now)
                .map(|link| Entry::link(stream, link, now)),
        );
    }
    write_all(entries, |entry, out| write_relay(entry, version, now, out))
}

/// jump's report.
pub(super) fn jump(
    fleet: &Fleet,
    left_out: u32,
    guests: &[Guest],
    started: Timestamp,
    now: Timestamp,
) -> String {
    let scopes: Vec<String> = guests
        .iter()
        .map(|guest| json!(guest.scopes).to_string())
        .collect();
    let mut entries = vec![Entry::internal("null", "internal", started)];
    entries.extend(
        guests
            .iter()
            .zip(&scopes)
            .map(|(guest, scopes)| Entry::guest(guest, scopes)),
    );
    entries.extend(
        fleet
            .hosts(now)
            .filter(|(stub, _)| !fleet.is_among_first(stub, left_out))
            .map(|(stub, since)| Entry::host(stub, since)),
    );
    write_all(entries, |entry, out| write_jump(entry, now, out))
}

impl<'a> Entry<'a> {
    fn internal(scopes: &'a str, agent: &'a str, started: Timestamp) -> Self {
        let (sent, received) = (Flow::default(), Flow::default());
        let (can_read, can_write) = (true, true);
        Self {
            topic: "stats",
            scopes,
            agent,
            remote: "internal",
            can_read,
            can_write,
            connected: started,
            expires: None,
            sent,
            received,
        }
    }

    fn guest(guest: &'a Guest, scopes: &'a str) -> Self {
        Self {
            topic: &guest.topic,
            scopes,
            agent: &guest.agent,
            remote: &guest.remote,
            can_read: guest.may("read"),
            can_write: guest.may("write"),
            connected: guest.connected,
            expires: Some(guest.expires),
            sent: Flow::of(guest.sent, guest.connected),
            received: Flow::of(guest.received, guest.connected),
        }
    }

    fn link(stream: &'a Stream, link: &Link, now: Timestamp) -> Self {
        let scopes = if link.role == Role::User {
            r#"["read","write"]"#
        } else {
            r#"["read","write","expt"]"#
        };
        Self {
            topic: stream.topic(),
            scopes,
            agent: AGENT,
            remote: "",
            can_read: true,
            can_write: true,
            connected: link.connected,
            expires: Some(expiry(link.connected)),
            sent: Flow::of(link.sent(&stream.plan, now), link.connected),
            received: if link.role == Role::Experiment {
                Flow::default()
            } else {
                Flow::received(stream, link, now)
            },
        }
    }

    fn host(stub: &'a str, since: Timestamp) -> Self {
        const SCOPES: [&str; 3] = [
            r#"["host","read","write"]"#,
            r#"["write","host","read"]"#,
            r#"["read","write","host"]"#,
        ];
        let scopes = SCOPES[fastrand::usize(..SCOPES.len())];
        Self {
            topic: stub,
            agent: "jump-host",
            remote: "",
            expires: Some(expiry(since)),
            ..Self::internal(scopes, "", since)
        }
    }
}

impl Flow {
    /// The mean rate is the one at the last message, so it stands still when nothing is sent.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a client does not send 2^53 messages"
    )]
    fn of(tally: Tally, connected: Timestamp) -> Self {
        let Some(last) = tally.last else {
            return Self::default();
        };
        let span = last.duration_since(connected).as_secs_f64().max(1e-6);
        Self {
            last: Some(last),
            size: tally.bytes / tally.count.max(1),
            fps: tally.count as f64 / span,
        }
    }

    /// The traffic that the others on a topic receive, a twin among them: whatever the experiment
    /// has sent since they connected.
    fn received(stream: &Stream, listener: &Link, now: Timestamp) -> Self {
        let StreamPlan { size, fps, .. } = stream.plan;
        let sent = stream
            .links
            .iter()
            .filter(|link| link.connected <= now)
            .filter_map(|link| link.sent(&stream.plan, now).last)
            .max();
        sent.filter(|&last| last >= listener.connected)
            .map_or_else(Self::default, |last| Self {
                last: Some(last),
                size: size.into(),
                fps,
            })
    }
}

/// Writes the entries in a different order each time, as the real servers do.
fn write_all(mut entries: Vec<Entry<'_>>, write: impl Fn(&Entry<'_>, &mut String)) -> String {
    fastrand::shuffle(&mut entries);
    let mut out = String::with_capacity(entries.len() * ENTRY_BYTES + 2);
    out.push('[');
    for (index, entry) in entries.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        write(entry, &mut out);
    }
    out.push(']');
    out
}

fn write_relay(entry: &Entry<'_>, version: RelayVersion, now: Timestamp, out: &mut String) {
    let statistics = version == RelayVersion::V07;
    let _ = write!(
        out,
        r#"{{"canRead":{},"canWrite":{},"connected":""#,
        entry.can_read, entry.can_write
    );
    let _ = if statistics {
        write!(out, "{}", entry.connected)
    } else {
        write!(out, "{:.0}", entry.connected)
    };
    let never = if statistics {
        "0001-01-01T00:00:00Z"
    } else {
        "1970-01-01T00:00:00Z"
    };
    out.push_str(r#"","expiresAt":""#);
    write_expiry(entry.expires, never, out);
    let _ = write!(
        out,
        r#"","remoteAddr":{},"scopes":{}"#,
        json!(entry.remote),
        entry.scopes
    );
    if statistics {
        out.push_str(r#","stats":{"tx":"#);
        write_flow(entry.sent, now, out);
        out.push_str(r#","rx":"#);
        write_flow(entry.received, now, out);
        out.push('}');
    }
    let _ = write!(
        out,
        r#","topic":{},"userAgent":{}}}"#,
        json!(entry.topic),
        json!(entry.agent)
    );
}

fn write_jump(entry: &Entry<'_>, now: Timestamp, out: &mut String) {
    let _ = write!(
        out,
        r#"{{"can_read":{},"can_write":{},"connected_at":"{}""#,
        entry.can_read, entry.can_write, entry.connected
    );
    out.push_str(r#","expires_at":""#);
    write_expiry(entry.expires, "0001-01-01T00:00:00Z", out);
    let last = entry
        .sent
        .last
        .map_or_else(|| JUMP_NEVER.to_owned(), |last| ago(last, now));
    let _ = write!(
        out,
        r#"","remote_address":{},"scopes":{},"statistcs":{{"last":"{last}"}}"#,
        json!(entry.remote),
        entry.scopes
    );
    let _ = write!(
        out,
        r#","topic":{},"user_agent":{}}}"#,
        json!(entry.topic),
        json!(entry.agent)
    );
}

fn write_expiry(expires: Option<Timestamp>, never: &str, out: &mut String) {
    let _ = match expires {
        Some(expires) => write!(out, "{expires:.0}"),
        None => write!(out, "{never}"),
    };
}

fn write_flow(flow: Flow, now: Timestamp, out: &mut String) {
    let last = flow
        .last
        .map_or_else(|| "Never".to_owned(), |last| ago(last, now));
    let _ = write!(
        out,
        r#"{{"last":"{last}","size":{},"fps":{}}}"#,
        flow.size, flow.fps
    );
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    format_duration(now.duration_since(then).unsigned_abs())
}
