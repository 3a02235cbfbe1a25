//! A connection to relay or jump in version 1 of the API. Its address is left out, and its program
//! is shown only to readers who may see private data.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use engine::model::format_duration;
use engine::{Connection, Traffic};

/// The value for "never", as in the program that labwatch replaces: `0001-01-01T00:00:00Z`.
pub(super) const NEVER: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// The value for a connection that never sent anything, as in the program that labwatch replaces.
const NEVER_SENT: &str = "999h0m0s";

/// A connection to relay or jump; while there is none, the last one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionReport)]
pub(super) struct ConnectionReport<'a> {
    /// When it connected, by the server's clock. `0001-01-01T00:00:00Z` when there never was a
    /// connection.
    connected: Timestamp,
    /// When its token ends, by the server's clock.
    expires_at: Timestamp,
    /// The scopes of its token, and its kind: `expt` is an experiment's stream, `host` an
    /// experiment's host.
    #[schema(value_type = Vec<String>, example = json!(["read", "write", "expt"]))]
    scopes: Vec<&'static str>,
    /// What it sent and received.
    stats: Statistics,
    /// The topic it is connected to. Empty when there never was a connection.
    #[schema(example = "pend00-st-data")]
    topic: &'a str,
    /// The program that it claims to be. Empty for readers without a token with the scope `read`.
    user_agent: &'a str,
}

/// The traffic of a connection.
#[derive(Debug, Serialize, ToSchema)]
struct Statistics {
    /// What the server sent to it.
    rx: Direction,
    /// What it sent to the server.
    tx: Direction,
}

/// The traffic in one direction. Without statistics (relay v0.8 and later) `last` is empty and the
/// numbers are 0.
#[derive(Debug, Serialize, ToSchema)]
struct Direction {
    /// Mean messages per second since it connected.
    fps: u32,
    /// How long before the report the last message was sent, in Go's notation: `1.5s`, `100ms`,
    /// `999h0m0s` for never. Empty when the server does not report it.
    #[schema(example = "100ms")]
    last: String,
    /// Whether the server reports that no message was ever sent.
    never: bool,
    /// Mean size of a message, in bytes.
    size: u32,
}

impl<'a> ConnectionReport<'a> {
    /// Of a connection, as this reader may see it.
    pub(super) fn new(connection: &Connection<'a>, private: bool) -> Self {
        Self {
            connected: time(connection.connected),
            expires_at: time(connection.expires),
            scopes: connection.scopes.names().collect(),
            stats: Statistics::new(connection.rx, connection.tx),
            topic: connection.topic,
            user_agent: if private { connection.user_agent } else { "" },
        }
    }

    /// A connection that never existed.
    pub(super) fn never() -> Self {
        Self {
            connected: NEVER,
            expires_at: NEVER,
            scopes: Vec::new(),
            stats: Statistics::new(None, None),
            topic: "",
            user_agent: "",
        }
    }
}

impl Statistics {
    fn new(rx: Option<Traffic>, tx: Option<Traffic>) -> Self {
        Self {
            rx: Direction::new(rx),
            tx: Direction::new(tx),
        }
    }
}

impl Direction {
    fn new(traffic: Option<Traffic>) -> Self {
        let Some(traffic) = traffic else {
            return Self {
                fps: 0,
                last: String::new(),
                never: false,
                size: 0,
            };
        };
        Self {
            fps: whole(traffic.fps),
            last: traffic
                .last
                .map_or_else(|| NEVER_SENT.to_owned(), format_duration),
            never: traffic.last.is_none(),
            size: traffic.size,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fraction is to go; what is out of range stops at its end"
)]
fn whole(number: f32) -> u32 {
    number as u32
}

/// A server's text for a time, in a uniform format. A text that is no time becomes "never", so that
/// readers may rely on the format.
fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_times_become_utc() {
        for (text, expect) in [
            ("2026-11-20T23:57:16Z", "2026-11-20T23:57:16Z"),
            (
                "2026-11-21T00:02:01.761446888Z",
                "2026-11-21T00:02:01.761446888Z",
            ),
            ("2026-11-21T01:00:00+01:00", "2026-11-21T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("<script>", "0001-01-01T00:00:00Z"),
            ("", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(time(text).to_string(), expect, "{text}");
        }
    }

    #[test]
    fn rates_are_whole_and_never_wild() {
        for (fps, expect) in [
            (25.9, 25),
            (0.2, 0),
            (-3.0, 0),
            (f32::NAN, 0),
            (f32::INFINITY, u32::MAX),
        ] {
            assert_eq!(whole(fps), expect, "{fps}");
        }
    }
}
