//! The subject and the first line of a mail: what happened, or what is still so. Pure, and bounded whatever comes in.

use super::compose::MAX_ALERT_CHARS;
use super::words;
use engine::model::Health;
use engine::{Line, Occasion, Summary};

/// How many experiments are named in the subject and in the first line.
const MAX_NAMES: usize = 4;

/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 160;

/// How much of an alert fits beside the rest of a subject, in characters.
const MAX_SUBJECT_ALERT_CHARS: usize = 70;

/// A shorter beginning of an alert says too little, in bytes.
const MIN_GIST_BYTES: usize = 12;

/// The longest name in subject and first line, in characters.
const MAX_NAME_CHARS: usize = 40;

/// The subject says what happened: `lab 2 down, 1 back: pend03, spin01`.
pub(super) fn subject(summary: &Summary, prefix: &str) -> String {
    let said = match summary.occasion {
        Occasion::News => happened(summary),
        Occasion::Reminder => format!("still {}", standing(summary)),
        Occasion::Digest => format!("digest: {}", standing(summary)),
    };
    words::clip(&format!("{} {said}", prefix.trim()), MAX_SUBJECT_CHARS)
}

fn happened(summary: &Summary) -> String {
    let mut parts: Vec<String> = subject_alert(summary).into_iter().collect();
    parts.extend(counted(&news_groups(summary)));
    if parts.is_empty() {
        parts.push(nothing_new(summary));
    }
    parts.join("; ")
}

/// The first new alert, and how many more there are.
fn subject_alert(summary: &Summary) -> Option<String> {
    let mut new = summary.alerts.iter().filter(|alert| alert.new);
    let first = gist(&new.next()?.text);
    Some(match new.count() {
        0 => first,
        1 => format!("{first} (and 1 more alert)"),
        more => format!("{first} (and {more} more alerts)"),
    })
}

/// What an alert says before it goes into detail: its words up to a colon or full stop, unless those are too few to say anything.
fn gist(text: &str) -> String {
    let ends = [": ", "; ", ". "]
        .iter()
        .filter_map(|mark| text.find(mark))
        .filter(|&at| at >= MIN_GIST_BYTES);
    let gist = ends.min().and_then(|at| text.get(..at)).unwrap_or(text);
    words::clip(gist.trim_end_matches('.'), MAX_SUBJECT_ALERT_CHARS)
}

/// What may have happened to an experiment, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Is(Health),
    /// It is as bad as it was told, but for another cause.
    Changed,
    Back,
}

impl Turn {
    const ALL: [Self; 6] = [
        Self::Is(Health::Down),
        Self::Is(Health::Flapping),
        Self::Is(Health::Degraded),
        Self::Is(Health::Unknown),
        Self::Changed,
        Self::Back,
    ];

    fn of(line: &Line) -> Self {
        match line.health {
            Health::Ok => Self::Back,
            Health::Unknown | Health::Degraded | Health::Flapping | Health::Down
                if line.health == line.notified =>
            {
                Self::Changed
            }
            Health::Unknown | Health::Degraded | Health::Flapping | Health::Down => {
                Self::Is(line.health)
            }
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Is(health) => words::state(health),
            Self::Changed => "changed",
            Self::Back => "back",
        }
    }
}

type Group<'a> = (&'static str, Vec<&'a Line>);

/// The news by what happened, the worst first, without empty groups.
fn news_groups(summary: &Summary) -> Vec<Group<'_>> {
    let of = |turn: Turn| {
        (
            turn.as_str(),
            summary
                .news
                .iter()
                .filter(|line| Turn::of(line) == turn)
                .collect::<Vec<_>>(),
        )
    };
    Turn::ALL
        .into_iter()
        .map(of)
        .filter(|(_, lines)| !lines.is_empty())
        .collect()
}

/// The open problems by their health, the worst first, without empty groups.
fn problem_groups(summary: &Summary) -> Vec<Group<'_>> {
    let of = |health| {
        (
            words::state(health),
            summary
                .problems
                .iter()
                .filter(|line| line.health == health)
                .collect::<Vec<_>>(),
        )
    };
    [
        Health::Down,
        Health::Flapping,
        Health::Degraded,
        Health::Unknown,
    ]
    .into_iter()
    .map(of)
    .filter(|(_, lines)| !lines.is_empty())
    .collect()
}

/// `2 down, 1 back: pend03, spin01`: how many of each, and who the worst are.
fn counted(groups: &[Group<'_>]) -> Option<String> {
    let (_, worst) = groups.first()?;
    let counts: Vec<String> = groups
        .iter()
        .map(|(as_str, lines)| format!("{} {as_str}", lines.len()))
        .collect();
    Some(format!("{}: {}", counts.join(", "), names(worst)))
}

fn names(lines: &[&Line]) -> String {
    let named: Vec<String> = lines
        .iter()
        .take(MAX_NAMES)
        .map(|line| words::clip(line.stub.as_str(), MAX_NAME_CHARS))
        .collect();
    let more = lines.len().saturating_sub(MAX_NAMES);
    if more > 0 {
        format!("{} and {more} more", named.join(", "))
    } else {
        named.join(", ")
    }
}

fn nothing_new(summary: &Summary) -> String {
    let is_well = summary.problems.is_empty() && summary.alerts.is_empty();
    if is_well {
        standing(summary)
    } else {
        format!("still {}", standing(summary))
    }
}

/// How things are, whatever is new.
fn standing(summary: &Summary) -> String {
    let alerts = summary
        .alerts
        .iter()
        .filter(|alert| alert.ended.is_none())
        .count();
    let alerts = match alerts {
        0 => None,
        1 => Some("1 system alert".to_owned()),
        more => Some(format!("{more} system alerts")),
    };
    let parts: Vec<String> = alerts
        .into_iter()
        .chain(counted(&problem_groups(summary)))
        .collect();
    match (parts.is_empty(), summary.background.is_empty()) {
        (false, _) => parts.join("; "),
        (true, true) => "all is well".to_owned(),
        (true, false) => "no problems, but something worth knowing".to_owned(),
    }
}

/// The first line: the worst first, in plain words.
pub(super) fn headline(summary: &Summary) -> String {
    match summary.occasion {
        Occasion::News => what_happened(summary),
        Occasion::Reminder => format!("Nothing new, but still: {}.", standing(summary)),
        Occasion::Digest => sentence(&standing(summary)),
    }
}

fn what_happened(summary: &Summary) -> String {
    let mut sentences: Vec<String> = summary
        .alerts
        .iter()
        .filter(|alert| alert.new)
        .take(1)
        .map(|alert| sentence(&alert.text))
        .collect();
    sentences.extend(
        health_groups(summary)
            .into_iter()
            .map(|(health, lines)| group_sentence(health, &lines)),
    );
    if sentences.is_empty() {
        sentences.push(sentence(&format!("nothing new: {}", nothing_new(summary))));
    }
    sentences.join(" ")
}

/// The news by health, the worst first, without empty groups.
fn health_groups(summary: &Summary) -> Vec<(Health, Vec<&Line>)> {
    let of = |health| {
        (
            health,
            summary
                .news
                .iter()
                .filter(|line| line.health == health)
                .collect::<Vec<_>>(),
        )
    };
    [
        Health::Down,
        Health::Flapping,
        Health::Degraded,
        Health::Unknown,
        Health::Ok,
    ]
    .into_iter()
    .map(of)
    .filter(|(_, lines)| !lines.is_empty())
    .collect()
}

fn group_sentence(health: Health, lines: &[&Line]) -> String {
    match lines {
        [line] if health == Health::Ok => format!(
            "{} is {}.",
            words::clip(line.stub.as_str(), MAX_NAME_CHARS),
            words::matter(line)
        ),
        [line] => {
            let why = if line.issues.is_empty() {
                String::new()
            } else {
                format!(": {}", words::issues(&line.issues))
            };
            format!(
                "{} is {}{why}.",
                words::clip(line.stub.as_str(), MAX_NAME_CHARS),
                words::state(health)
            )
        }
        lines => format!(
            "{} experiments are {}: {}.",
            lines.len(),
            words::state(health),
            names(lines)
        ),
    }
}

/// With a capital at its start and one full stop at its end.
fn sentence(text: &str) -> String {
    let text = words::clip(text, MAX_ALERT_CHARS);
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), chars.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_an_alert_fits_a_subject() {
        for (text, expected) in [
            (
                "relay tells nothing: check that it runs. 130 experiments are not judged",
                "relay tells nothing",
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
        assert_eq!(
            gist(&"\u{e9}".repeat(200)).chars().count(),
            MAX_SUBJECT_ALERT_CHARS
        );
    }

    #[test]
    fn a_sentence_has_a_capital_and_one_full_stop() {
        assert_eq!(sentence("relay tells again.."), "Relay tells again.");
        assert_eq!(sentence(""), "");
    }
}
