//! First sentences of a notification: what to do first, and what is special about it. Pure.

use engine::model::Health;
use engine::{Line, Occasion, Summary};

use super::bookings::next;
use super::names::names;
use super::words::Clock;

/// The most experiments in session that are named.
const MAX_NAMES: usize = 4;

/// The sentences, each a paragraph.
pub(super) fn lead(summary: &Summary, clock: Clock<'_>) -> Vec<String> {
    match summary.occasion {
        Occasion::News => first(&summary.news, clock).into_iter().collect(),
        Occasion::Reminder => [reminder(summary, clock)]
            .into_iter()
            .chain(first(&summary.problems, clock))
            .collect(),
        Occasion::Digest => vec![digest(summary)],
        Occasion::Test => vec![
            "This is a TEST: an operator asked labwatch to send it, and nothing is wrong."
                .to_owned(),
        ],
    }
}

/// What to do first, where there are several problems to choose from.
fn first(lines: &[Line], clock: Clock<'_>) -> Option<String> {
    let open = lines
        .iter()
        .filter(|line| line.health != Health::Ok && line.acknowledged.is_none());
    let open: Vec<&Line> = open.collect();
    if open.len() < 2 {
        return None;
    }
    let in_session: Vec<&str> = open
        .iter()
        .filter(|line| line.affected.in_session)
        .map(|line| line.stub.as_str())
        .collect();
    if !in_session.is_empty() {
        let names = names(in_session, MAX_NAMES);
        return Some(format!("Look first at {names}: in session now."));
    }
    Some(match next(&open, clock) {
        Some((line, when)) => format!(
            "Look first at {}: booked next, {when}.",
            super::names::name(line.stub.as_str())
        ),
        None => "None of these is booked in the next 7 days.".to_owned(),
    })
}

fn reminder(summary: &Summary, clock: Clock<'_>) -> String {
    let stop = "To get no more of them, acknowledge what is open.";
    match summary.reminder {
        Some(reminder) => format!(
            "This is reminder {}: nothing is new, but this is still open. The next one comes {}. {stop}",
            reminder.number,
            clock.at(reminder.next)
        ),
        None => format!("This is a reminder: nothing is new, but this is still open. {stop}"),
    }
}

fn digest(summary: &Summary) -> String {
    let is_well = summary.problems.is_empty() && summary.alerts.is_empty();
    match (is_well, summary.background.is_empty()) {
        (true, true) => "All is well.".to_owned(),
        (true, false) => "No problems, but something worth knowing.".to_owned(),
        (false, _) => "This is still open; nothing is new since the last notification.".to_owned(),
    }
}
