//! The bookings that a simulated laboratory has, where its plan wants some: the same for the same resources, counted from when it opened.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::Manifest;

/// Whose turn it is: of so many resources each has another timetable.
const TURNS: usize = 4;

/// When sessions begin and how long they last, in minutes after the laboratory opened, by turn. The first has one under way.
const SESSIONS: [&[(i64, i64)]; TURNS] = [
    &[(-20, 80), (120, 60), (300, 60)],
    &[(60, 60), (120, 60)],
    &[(90, 120), (1_500, 60)],
    &[],
];

/// The bookings of these resources, as book gives them.
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
