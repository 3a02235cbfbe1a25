//! Groups of experiments with the same text, and what happened to them. Pure.

use std::collections::HashMap;

use engine::model::Health;
use engine::{Issue, Line, Steadiness};

use super::symptoms::symptoms;
use super::words;

/// What happened to an experiment, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Turn {
    /// It was ok, or better than now.
    Down,
    /// It is unsteady: unusable several times a day.
    Unsteady,
    /// It is flapping: unusable several times an hour.
    Flapping,
    /// It was ok, and can still be used.
    Degraded,
    /// Its health is not known any more.
    Unknown,
    /// Its health is as it was last notified, for another cause.
    Still(Health),
    /// It can be used again, degraded.
    PartlyBack,
    /// It is ok, and was last notified as bad.
    Back,
    /// It is ok, and was never notified: book does not list it.
    Unlisted,
}

impl Turn {
    pub(super) fn of(line: &Line) -> Self {
        let could_not_be_used = matches!(line.notified, Health::Down | Health::Flapping);
        match line.health {
            Health::Ok if line.notified == Health::Ok && !line.listed => Self::Unlisted,
            Health::Ok => Self::Back,
            _ if matches!(line.steadiness, Some(Steadiness::Unsteady(_))) => Self::Unsteady,
            health if health == line.notified => Self::Still(health),
            Health::Down => Self::Down,
            Health::Flapping => Self::Flapping,
            Health::Degraded if could_not_be_used => Self::PartlyBack,
            Health::Degraded => Self::Degraded,
            Health::Unknown => Self::Unknown,
        }
    }

    /// The text in the title.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Unsteady => "unsteady",
            Self::Flapping => "flapping",
            Self::Degraded => "degraded",
            Self::Unknown | Self::Still(Health::Unknown) => "not evaluated",
            Self::Still(Health::Down) => "still down",
            Self::Still(Health::Flapping) => "still flapping",
            Self::Still(Health::Degraded | Health::Ok) => "still degraded",
            Self::PartlyBack => "partly back",
            Self::Back => "back",
            Self::Unlisted => "new, not listed in book",
        }
    }

    /// The text of the state.
    fn state(self, health: Health) -> &'static str {
        match (self, health) {
            (Self::Still(_), _) => self.as_str(),
            (Self::PartlyBack, _) => "partly back: degraded",
            (Self::Unsteady, Health::Flapping) => "unsteady: flapping",
            (Self::Unsteady, Health::Degraded) => "unsteady: degraded",
            (Self::Unsteady, _) => "unsteady: down",
            _ => words::state(health),
        }
    }
}

/// All facts about an experiment apart from its name and its times.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Story {
    /// The state.
    pub(super) state: &'static str,
    /// What is wrong.
    pub(super) why: String,
    /// Whether it can be booked.
    pub(super) bookable: &'static str,
    /// What can be done.
    pub(super) advice: Option<String>,
    /// The worst that it was, where it is well again.
    pub(super) was: Option<Health>,
    /// How often it was unusable, if it is unsteady.
    pub(super) steadiness: Option<String>,
    /// Who has acknowledged it, and the text of the acknowledgement.
    pub(super) acknowledged: Option<(String, String)>,
}

impl Story {
    fn of(line: &Line, is_news: bool) -> Self {
        let turn = Turn::of(line);
        Self {
            state: if is_news {
                turn.state(line.health)
            } else {
                words::state(line.health)
            },
            why: is_news
                .then(|| changed(line))
                .flatten()
                .unwrap_or_else(|| symptoms(&line.issues, &line.stub)),
            bookable: words::bookable(line),
            advice: line.advice.clone(),
            was: (line.health == Health::Ok).then(|| line.worst.unwrap_or(line.notified)),
            steadiness: words::steadiness(line),
            acknowledged: line
                .acknowledged
                .as_ref()
                .map(|by| (by.who.clone(), by.text.clone())),
        }
    }
}

/// What is wrong, split into new, notified before and over, where the state is the same and the
/// symptoms differ.
pub(super) fn changed(line: &Line) -> Option<String> {
    if !matches!(Turn::of(line), Turn::Still(_)) || line.issues == line.notified_issues {
        return None;
    }
    let of = |issues: &[Issue], others: &[Issue], is_in: bool| {
        let chosen = issues
            .iter()
            .filter(|issue| others.contains(issue) == is_in);
        symptoms(&chosen.cloned().collect::<Vec<_>>(), &line.stub)
    };
    let parts = [
        ("new: ", of(&line.issues, &line.notified_issues, false)),
        ("as before: ", of(&line.issues, &line.notified_issues, true)),
        (
            "no longer: ",
            of(&line.notified_issues, &line.issues, false),
        ),
    ];
    let parts = parts.iter().filter(|(_, text)| !text.is_empty());
    let parts: Vec<String> = parts.map(|(what, text)| format!("{what}{text}")).collect();
    Some(parts.join("; "))
}

/// Experiments with the same facts, in the order in which they came.
pub(super) struct Group<'a> {
    pub(super) story: Story,
    pub(super) lines: Vec<&'a Line>,
}

/// The lines grouped by their facts, those that cannot be used first, then in the order in which
/// the first of each came.
pub(super) fn groups<'a>(
    lines: impl IntoIterator<Item = &'a Line>,
    is_news: bool,
) -> Vec<Group<'a>> {
    let mut places: HashMap<Story, usize> = HashMap::new();
    let mut all: Vec<Group<'a>> = Vec::new();
    for line in lines {
        let story = Story::of(line, is_news);
        let place = *places.entry(story.clone()).or_insert(all.len());
        match all.get_mut(place) {
            Some(group) => group.lines.push(line),
            None => all.push(Group {
                story,
                lines: vec![line],
            }),
        }
    }
    all.sort_by_key(|group| !group.lines.iter().any(|line| line.health.is_unusable()));
    all
}

#[cfg(test)]
mod tests {
    use super::super::content::tests::line;
    use super::*;
    use Health::{Degraded, Down, Flapping, Ok, Unknown};

    #[test]
    fn every_turn_has_its_word() {
        for (health, notified, listed, said) in [
            (Down, Ok, true, "down"),
            (Down, Degraded, true, "down"),
            (Down, Down, true, "still down"),
            (Degraded, Ok, true, "degraded"),
            (Degraded, Down, true, "partly back"),
            (Degraded, Degraded, true, "still degraded"),
            (Flapping, Down, true, "flapping"),
            (Unknown, Down, true, "not evaluated"),
            (Ok, Down, true, "back"),
            (Ok, Ok, true, "back"),
            (Ok, Ok, false, "new, not listed in book"),
            (Ok, Down, false, "back"),
        ] {
            let line = Line {
                notified,
                listed,
                ..line("pend00", health)
            };
            assert_eq!(
                Turn::of(&line).as_str(),
                said,
                "{health} {notified} {listed}"
            );
        }
        let unsteady = Line {
            steadiness: Some(Steadiness::Unsteady(4)),
            ..line("pend00", Down)
        };
        assert_eq!(Turn::of(&unsteady).as_str(), "unsteady");
        assert_eq!(Turn::of(&unsteady).state(Down), "unsteady: down");
        assert_eq!(Turn::of(&unsteady).state(Degraded), "unsteady: degraded");
    }

    #[test]
    fn a_change_of_cause_is_said() {
        let line = Line {
            notified: Down,
            issues: vec![Issue::RelayOutage],
            notified_issues: vec![Issue::JumpLost],
            ..line("pend00", Down)
        };
        assert_eq!(
            Story::of(&line, true).why,
            "new: relay has been silent for too long; no longer: remote login is lost"
        );
        assert_eq!(
            Story::of(&line, false).why,
            "relay has been silent for too long"
        );
    }

    #[test]
    fn what_cannot_be_used_stands_first() {
        let lines = [line("a", Degraded), line("b", Down), line("c", Degraded)];
        let groups = groups(&lines, true);
        let names = |group: &Group<'_>| -> Vec<String> {
            group
                .lines
                .iter()
                .map(|line| line.stub.to_string())
                .collect()
        };
        assert_eq!(
            groups.iter().map(names).collect::<Vec<_>>(),
            [vec!["b"], vec!["a", "c"]]
        );
    }
}
