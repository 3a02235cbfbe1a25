//! The title of a notification: what happened to which experiments. Pure.

use engine::model::Health;
use engine::{Line, Occasion, Steadiness, Summary};

use super::groups::{Turn, changed};
use super::names::names;
use super::words::{self, clip};

/// The most names or ranges of names in one group.
const MAX_NAMES: usize = 4;

/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 160;

/// The longest text of an alert in a title, in characters.
const MAX_ALERT_CHARS: usize = 70;

/// The longest text about the change of a single experiment, in characters.
const MAX_CHANGE_CHARS: usize = 60;

/// A shorter beginning of an alert says too little, in bytes.
const MIN_GIST_BYTES: usize = 12;

/// The separator of two groups.
const BETWEEN: &str = " \u{b7} ";

/// `[lab] down: pend01 · back: pend00`.
pub(super) fn title(summary: &Summary, prefix: &str) -> String {
    let said = match summary.occasion {
        Occasion::News => happened(summary),
        Occasion::Reminder => match summary.reminder.map(|reminder| reminder.number) {
            Some(number) => format!("reminder {number}: {}", standing(summary)),
            None => format!("reminder: {}", standing(summary)),
        },
        Occasion::Digest => format!("digest: {}", standing(summary)),
        Occasion::Test => "TEST of notifications, nothing is wrong".to_owned(),
    };
    clip(&format!("{} {said}", prefix.trim()), MAX_TITLE_CHARS)
}

fn happened(summary: &Summary) -> String {
    let mut parts: Vec<String> = new_alerts(summary).into_iter().collect();
    parts.extend(turns(&summary.news));
    if parts.is_empty() {
        return format!("still {}", standing(summary));
    }
    parts.join(BETWEEN)
}

/// The first new alert, and how many more there are.
fn new_alerts(summary: &Summary) -> Option<String> {
    let new = summary.alerts.iter().filter(|alert| alert.new);
    first_of(new.map(|alert| match alert.ended {
        Some(lasted) => format!("{} after {}", gist(&alert.text), words::spell(lasted)),
        None => gist(&alert.text),
    }))
}

fn first_of(mut alerts: impl Iterator<Item = String>) -> Option<String> {
    let first = alerts.next()?;
    Some(match alerts.count() {
        0 => first,
        more => format!("{first} (and {} more)", words::count(more, "alert")),
    })
}

/// The beginning of an alert's text, up to a colon or full stop, unless that is too short.
fn gist(text: &str) -> String {
    let ends = [": ", "; ", ". "]
        .iter()
        .filter_map(|mark| text.find(mark))
        .filter(|&at| at >= MIN_GIST_BYTES);
    let gist = ends.min().and_then(|at| text.get(..at)).unwrap_or(text);
    clip(gist.trim_end_matches('.'), MAX_ALERT_CHARS)
}

/// The experiments by turn, the worst first.
fn turns(news: &[Line]) -> Vec<String> {
    let mut turns: Vec<Turn> = news.iter().map(Turn::of).collect();
    turns.sort_unstable();
    turns.dedup();
    let said = turns.into_iter().map(|turn| {
        let taken: Vec<&Line> = news.iter().filter(|line| Turn::of(line) == turn).collect();
        let said = group(turn.as_str(), taken.iter().copied()).unwrap_or_default();
        match taken.as_slice() {
            [one] => how(one).map_or(said.clone(), |how| {
                format!("{said} ({})", clip(&how, MAX_CHANGE_CHARS))
            }),
            _ => said,
        }
    });
    said.collect()
}

/// How a single experiment changed, where its group does not say that.
fn how(line: &Line) -> Option<String> {
    match line.steadiness {
        Some(Steadiness::Unsteady(times)) => {
            Some(format!("{} {times} times in 24 h", words::swing(line)))
        }
        Some(Steadiness::Steady(_)) => Some("steady again".to_owned()),
        None => changed(line),
    }
}

/// What some are; `None` where there are none.
fn group<'a>(what: &str, lines: impl Iterator<Item = &'a Line>) -> Option<String> {
    let stubs: Vec<&str> = lines.map(|line| line.stub.as_str()).collect();
    (!stubs.is_empty()).then(|| format!("{what}: {}", names(stubs, MAX_NAMES)))
}

/// The overall state, whatever is new. Acknowledged problems come last.
fn standing(summary: &Summary) -> String {
    let alerts = summary.alerts.iter().filter(|alert| alert.ended.is_none());
    let alerts = first_of(alerts.map(|alert| gist(&alert.text)));
    let (known, open): (Vec<&Line>, Vec<&Line>) = summary
        .problems
        .iter()
        .partition(|line| line.acknowledged.is_some());
    let open = |health: Health| {
        let those = open.iter().filter(|line| line.health == health);
        group(words::state(health), those.copied())
    };
    let health = [
        Health::Down,
        Health::Flapping,
        Health::Degraded,
        Health::Unknown,
    ];
    let parts: Vec<String> = alerts
        .into_iter()
        .chain(health.into_iter().filter_map(open))
        .chain(group("acknowledged", known.into_iter()))
        .collect();
    match (parts.is_empty(), summary.background.is_empty()) {
        (false, _) => parts.join(BETWEEN),
        (true, true) => "all is well".to_owned(),
        (true, false) => "no problems, but something worth knowing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_an_alert_fits_a_title() {
        for (text, expected) in [
            (
                "no report from relay: check that it runs. 130 experiments are not evaluated",
                "no report from relay",
            ),
            (
                "relay: cannot connect. Check that it runs",
                "relay: cannot connect",
            ),
            ("book has no manifest.", "book has no manifest"),
            ("relay: mute", "relay: mute"),
        ] {
            assert_eq!(gist(text), expected);
        }
        assert_eq!(gist(&"\u{e9}".repeat(200)).chars().count(), MAX_ALERT_CHARS);
    }
}
