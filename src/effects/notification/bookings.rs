//! Who needs the experiments of a group, and when: current sessions and coming bookings. Pure.

use engine::Line;
use engine::model::Health;

use super::names::{name, names};
use super::words::{Clock, count};

/// The most experiments in session that are named.
const MAX_NAMES: usize = 4;

/// The text about sessions and bookings; `None` when the experiments are ok or not booked for the
/// next week.
pub(super) fn needed(lines: &[&Line], clock: Clock<'_>) -> Option<String> {
    let bad = || lines.iter().filter(|line| line.health != Health::Ok);
    let sum = |of: fn(&Line) -> usize| bad().map(|line| of(line)).sum::<usize>();
    let (day, week) = (
        sum(|line| line.affected.next_day),
        sum(|line| line.affected.next_week),
    );
    if week == 0 {
        return None;
    }
    let is_one = lines.len() == 1;
    let in_session: Vec<&str> = bad()
        .filter(|line| line.affected.in_session)
        .map(|line| line.stub.as_str())
        .collect();
    let session = match (in_session.is_empty(), is_one) {
        (true, _) => None,
        (false, true) => Some("in session now".to_owned()),
        (false, false) => Some(format!("in session now: {}", names(in_session, MAX_NAMES))),
    };
    let booked = if day == 0 {
        format!("{} in 7 days", count(week, "booking"))
    } else {
        format!("{} in 24 h", count(day, "booking"))
    };
    let next = next(lines, clock).map(|(line, when)| {
        if is_one {
            format!("the next {when}")
        } else {
            format!("the next of {} {when}", name(line.stub.as_str()))
        }
    });
    let parts = session.into_iter().chain([booked]).chain(next);
    Some(parts.collect::<Vec<_>>().join(", "))
}

/// The experiment that is booked next, and when the booking begins: `at 10:00 GMT (in 9 h)`.
pub(super) fn next<'a>(lines: &[&'a Line], clock: Clock<'_>) -> Option<(&'a Line, String)> {
    let bad = lines.iter().filter(|line| line.health != Health::Ok);
    let coming = bad.filter_map(|line| {
        let start = line.affected.first_start?;
        (start > clock.now && line.affected.next_week > 0).then_some((start, *line))
    });
    let (start, line) = coming.min_by_key(|(start, line)| (*start, line.stub.clone()))?;
    let when = format!("at {} ({})", clock.at(start), clock.ahead(start));
    Some((line, when))
}
