//! The bookings of a simulated laboratory, where its plan has some: the same for the same
//! resources, relative to its start.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::Manifest;

/// How many different timetables there are, in turn by resource.
const TURNS: usize = 4;

/// Start and duration of sessions, in minutes after the start of the laboratory, by turn. The first
/// has a current one.
const SESSIONS: [&[(i64, i64)]; TURNS] = [
    &[(-20, 80), (120, 60), (300, 60)],
    &[(60, 60), (120, 60)],
    &[(90, 120), (1_500, 60)],
    &[],
];

/// The bookings of these resources, as book sends them.
pub(super) fn bookings(manifest: &Manifest, opened: Timestamp) -> Value {
    let at = |minutes: i64| {
        opened
            .checked_add(SignedDuration::from_mins(minutes))
            .unwrap_or(opened)
            .to_string()
    };
    let booking = |stub: &str, (number, (start, length)): (usize, &(i64, i64))| {
        let started = *start < 0;
        json!({
            "cancelled": false, "cancelled_at": "0001-01-01T00:00:00.000Z", "cancelled_by": "", "name": format!("{stub}-{number}"),
            "policy": "p-lab", "slot": format!("sl-{stub}"), "started": started, "started_at": "", "unfulfilled": false,
            "usage_tracker": 0, "user": format!("s{number}"), "when": {"start": at(*start), "end": at(start + length)},
        })
    };
    let sessions = |(turn, stub): (usize, &str)| {
        let sessions = SESSIONS.get(turn % TURNS).copied().unwrap_or_default();
        sessions
            .iter()
            .enumerate()
            .map(|session| booking(stub, session))
            .collect::<Vec<_>>()
    };
    Value::Array(
        manifest
            .values()
            .map(|resource| resource.topic_stub.as_str())
            .enumerate()
            .flat_map(sessions)
            .collect(),
    )
}
