//! Advice for a maintainer, chosen by the pattern of an experiment's symptoms. Evaluates nothing:
//! it gets evaluated facts.

use std::collections::BTreeMap;

use crate::model::words::words;
use crate::model::{JumpHealth, StreamHealth};

/// The longest text of an advice, in bytes: it is one paragraph of a mail.
pub const MAX_ADVICE_BYTES: usize = 1_000;

/// A site counts as lost when this many of its experiments are lost for each one that is not.
const SITE_SHARE: usize = 10;

/// A site counts as lost when at least this many neighbours are lost and none is up.
const SITE_NEIGHBOURS: usize = 2;

/// The symptoms of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its remote login.
    pub jump: JumpHealth,
    /// Its required streams.
    pub required: Tally,
    /// Its other streams.
    pub others: Tally,
    /// The experiments near it, without itself: behind the same network, or else of the same name
    /// stem.
    pub neighbours: Neighbours,
    /// Whether a page on which students open it fails.
    pub page_fails: bool,
}

/// How many streams are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Those that transmit.
    pub active: usize,
    /// Those that are connected and do not transmit.
    pub silent: usize,
    /// Those that are not connected.
    pub missing: usize,
    /// Those of unknown state.
    pub unknown: usize,
}

/// How many experiments nearby are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// Those that have a stream or a remote login.
    pub up: usize,
    /// Those that have lost both.
    pub lost: usize,
}

/// A pattern of symptoms that calls for a certain action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// Neither login nor streams, and none of its neighbours has them.
    WholeSiteLost,
    /// Neither login nor streams, while neighbours have them.
    BothDownNeighboursUp,
    /// Neither login nor streams, and there are not enough neighbours to compare with.
    BothDown,
    /// No login and some required streams not active, but a sign of life in others.
    JumpDownStreamsPartly,
    /// No login, while all required streams transmit.
    JumpDownStreamsUp,
    /// Login, but no required stream is connected.
    StreamsDownJumpUp,
    /// Login, and some streams are connected while others are not.
    OneStreamDownJumpUp,
    /// All streams are connected, and one sends nothing.
    SilentButConnected,
    /// Login and streams are fine, and a page on which students open it fails.
    PageFails,
}

// The words are the names in the settings, below `[advice]`.
words!(Pattern {
    WholeSiteLost => "whole_site_lost",
    BothDownNeighboursUp => "both_down_neighbours_up",
    BothDown => "both_down",
    JumpDownStreamsPartly => "jump_down_streams_partly",
    JumpDownStreamsUp => "jump_down_streams_up",
    StreamsDownJumpUp => "streams_down_jump_up",
    OneStreamDownJumpUp => "one_stream_down_jump_up",
    SilentButConnected => "silent_but_connected",
    PageFails => "page_fails",
});

impl Pattern {
    /// The pattern of the facts; `None` when nothing is wrong or too little is known.
    pub fn of(facts: &Facts) -> Option<Self> {
        let of_streams = match facts.jump {
            JumpHealth::Lost => Self::without_login(facts),
            JumpHealth::Up => Self::with_login(facts),
            JumpHealth::Unknown => (facts.all().missing == 0 && facts.all().silent > 0)
                .then_some(Self::SilentButConnected),
        };
        of_streams.or(facts.page_fails.then_some(Self::PageFails))
    }

    fn without_login(facts: &Facts) -> Option<Self> {
        let (required, all) = (facts.required, facts.all());
        if all.unknown > 0 || all.total() == 0 {
            return None;
        }
        if all.missing == all.total() {
            return Some(Self::both_down(facts.neighbours));
        }
        let works = required.active == required.total();
        Some(if works {
            Self::JumpDownStreamsUp
        } else {
            Self::JumpDownStreamsPartly
        })
    }

    fn both_down(neighbours: Neighbours) -> Self {
        match neighbours {
            // One of a hundred that is up says nothing about this one's power.
            Neighbours { up, lost } if up > 0 && up >= lost => Self::BothDownNeighboursUp,
            Neighbours { up, lost } if lost >= SITE_NEIGHBOURS && lost >= up * SITE_SHARE => {
                Self::WholeSiteLost
            }
            Neighbours { .. } => Self::BothDown,
        }
    }

    fn with_login(facts: &Facts) -> Option<Self> {
        let (required, all) = (facts.required, facts.all());
        let is_all_required_missing = required.total() > 0 && required.missing == required.total();
        let is_all_missing = all.total() > 0 && all.missing == all.total();
        if is_all_required_missing || is_all_missing {
            Some(Self::StreamsDownJumpUp)
        } else if all.missing > 0 && all.active > 0 {
            Some(Self::OneStreamDownJumpUp)
        } else {
            (all.silent > 0).then_some(Self::SilentButConnected)
        }
    }

    /// The text where the settings have none.
    fn default_text(self) -> &'static str {
        match self {
            Self::WholeSiteLost => {
                "The whole site is out of reach: probably its network or its power. Ask on site before visiting single experiments."
            }
            Self::BothDownNeighboursUp => {
                "Neither streams nor remote login, while its neighbours are up: probably its power or its computer. It needs a visit."
            }
            Self::BothDown => {
                "Neither streams nor remote login: its power, its computer or its network. It probably needs a visit."
            }
            Self::JumpDownStreamsPartly => {
                "Its computer is on, but remote login and some streams are not as they should be. Without login it needs a restart on site."
            }
            Self::JumpDownStreamsUp => {
                "Students can use it, but there is no remote login. Restart the login client at the next visit."
            }
            Self::StreamsDownJumpUp => {
                "Its computer is up and no stream arrives: log in and restart the client that sends them."
            }
            Self::OneStreamDownJumpUp => {
                "Its computer is up and other streams arrive: log in and look at the program and the camera or sensor of the lost stream."
            }
            Self::SilentButConnected => {
                "It is connected but sends nothing: log in and look at the camera or the sensor."
            }
            Self::PageFails => {
                "The experiment works, but not the page that students open: look at the server of the pages, and at the address in uis of book's manifest."
            }
        }
    }
}

impl Facts {
    /// The same, when the state of the remote login may be outdated: an `Up` counts as unknown,
    /// because a loss is reported after the fault.
    #[must_use]
    pub fn without_login_seen(self) -> Self {
        let jump = match self.jump {
            JumpHealth::Up => JumpHealth::Unknown,
            jump @ (JumpHealth::Lost | JumpHealth::Unknown) => jump,
        };
        Self { jump, ..self }
    }

    fn all(&self) -> Tally {
        let (a, b) = (self.required, self.others);
        Tally {
            active: a.active + b.active,
            silent: a.silent + b.silent,
            missing: a.missing + b.missing,
            unknown: a.unknown + b.unknown,
        }
    }
}

impl Tally {
    fn total(self) -> usize {
        self.active + self.silent + self.missing + self.unknown
    }
}

impl FromIterator<StreamHealth> for Tally {
    fn from_iter<I: IntoIterator<Item = StreamHealth>>(healths: I) -> Self {
        let mut tally = Self::default();
        for health in healths {
            match health {
                StreamHealth::Active => tally.active += 1,
                StreamHealth::Silent => tally.silent += 1,
                StreamHealth::Missing => tally.missing += 1,
                StreamHealth::Unknown => tally.unknown += 1,
            }
        }
        tally
    }
}

/// The texts of all patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice(BTreeMap<Pattern, String>);

/// Why a text of the settings is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdviceError {
    /// There is no pattern of this name.
    #[error("there is no advice called {0:?}: use one of {known}", known = Pattern::ALL.map(Pattern::as_str).join(", "))]
    Unknown(String),
    /// The text for this pattern is empty, longer than `MAX_ADVICE_BYTES`, or of more than one
    /// line.
    #[error("the advice {0} is not usable: write one line of at most {most} bytes, or leave it out", most = MAX_ADVICE_BYTES)]
    Text(Pattern),
}

impl Default for Advice {
    /// The documented texts.
    fn default() -> Self {
        let text = |pattern: Pattern| (pattern, pattern.default_text().to_owned());
        Self(Pattern::ALL.map(text).into())
    }
}

impl Advice {
    /// The documented texts, some of them replaced by name.
    ///
    /// # Errors
    /// Every name that is unknown and every text that is not usable, in the order of their names.
    pub fn with_texts(texts: BTreeMap<String, String>) -> Result<Self, Vec<AdviceError>> {
        let mut advice = Self::default();
        let mut errors = Vec::new();
        for (name, text) in texts {
            match Pattern::named(&name) {
                None => errors.push(AdviceError::Unknown(name)),
                Some(pattern) if !is_usable(&text) => errors.push(AdviceError::Text(pattern)),
                Some(pattern) => drop(advice.0.insert(pattern, text)),
            }
        }
        if errors.is_empty() {
            Ok(advice)
        } else {
            Err(errors)
        }
    }

    /// The advice for these facts; `None` when nothing is wrong or too little is known.
    pub fn of(&self, facts: &Facts) -> Option<&str> {
        self.0.get(&Pattern::of(facts)?).map(String::as_str)
    }
}

fn is_usable(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_ADVICE_BYTES && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use JumpHealth::{Lost, Unknown, Up};

    /// Streams as letters: active, silent, missing, unknown.
    fn tally(letters: &str) -> Tally {
        let health = |letter| match letter {
            'a' => StreamHealth::Active,
            's' => StreamHealth::Silent,
            'm' => StreamHealth::Missing,
            _ => StreamHealth::Unknown,
        };
        letters.chars().map(health).collect()
    }

    fn facts(jump: JumpHealth, required: &str, others: &str, (up, lost): (usize, usize)) -> Facts {
        Facts {
            jump,
            required: tally(required),
            others: tally(others),
            neighbours: Neighbours { up, lost },
            page_fails: false,
        }
    }

    #[test]
    fn a_page_that_fails_counts_where_nothing_else_is_wrong() {
        for (jump, required, expected) in [
            (Up, "aa", Some(Pattern::PageFails)),
            (Unknown, "aa", Some(Pattern::PageFails)),
            (Up, "am", Some(Pattern::OneStreamDownJumpUp)),
            (Lost, "aa", Some(Pattern::JumpDownStreamsUp)),
        ] {
            let facts = Facts {
                page_fails: true,
                ..facts(jump, required, "", (5, 0))
            };
            assert_eq!(Pattern::of(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn symptoms_make_patterns() {
        use Pattern as P;
        let rows = [
            (Up, "aa", "", (5, 0), None),
            (Up, "mm", "", (5, 0), Some(P::StreamsDownJumpUp)),
            (Up, "m", "a", (5, 0), Some(P::StreamsDownJumpUp)),
            (Up, "mm", "", (0, 5), Some(P::StreamsDownJumpUp)),
            (Up, "am", "", (5, 0), Some(P::OneStreamDownJumpUp)),
            (Up, "sm", "", (5, 0), Some(P::SilentButConnected)),
            (Up, "", "mm", (5, 0), Some(P::StreamsDownJumpUp)),
            (Up, "", "am", (5, 0), Some(P::OneStreamDownJumpUp)),
            (Up, "um", "", (5, 0), None),
            (Up, "aa", "m", (5, 0), Some(P::OneStreamDownJumpUp)),
            (Up, "as", "", (5, 0), Some(P::SilentButConnected)),
            (Up, "ss", "", (5, 0), Some(P::SilentButConnected)),
            (Up, "uu", "", (5, 0), None),
            (Up, "", "", (5, 0), None),
            (Unknown, "as", "", (5, 0), Some(P::SilentButConnected)),
            (Unknown, "mm", "", (5, 0), None),
            (Unknown, "aa", "", (5, 0), None),
            (Lost, "aa", "", (5, 0), Some(P::JumpDownStreamsUp)),
            (Lost, "aa", "m", (5, 0), Some(P::JumpDownStreamsUp)),
            (Lost, "am", "", (5, 0), Some(P::JumpDownStreamsPartly)),
            (Lost, "ss", "", (0, 5), Some(P::JumpDownStreamsPartly)),
            (Lost, "mm", "a", (5, 0), Some(P::JumpDownStreamsPartly)),
            (Lost, "mm", "", (5, 1), Some(P::BothDownNeighboursUp)),
            (Lost, "mm", "", (5, 5), Some(P::BothDownNeighboursUp)),
            (Lost, "mm", "", (1, 0), Some(P::BothDownNeighboursUp)),
            (Lost, "mm", "", (1, 5), Some(P::BothDown)),
            (Lost, "mm", "", (1, 99), Some(P::WholeSiteLost)),
            (Up, "", "mm", (5, 0), Some(P::StreamsDownJumpUp)),
            (Lost, "mm", "m", (0, 2), Some(P::WholeSiteLost)),
            (Lost, "mm", "", (0, 1), Some(P::BothDown)),
            (Lost, "mm", "", (0, 0), Some(P::BothDown)),
            (Lost, "uu", "", (5, 0), None),
            (Lost, "", "", (5, 0), None),
        ];
        for (jump, required, others, neighbours, expected) in rows {
            let facts = facts(jump, required, others, neighbours);
            assert_eq!(Pattern::of(&facts), expected, "{facts:?}");
            assert_eq!(Pattern::of(&facts), expected);
        }
    }

    #[test]
    fn every_pattern_has_a_name_and_a_usable_text() {
        for pattern in Pattern::ALL {
            assert_eq!(Pattern::named(pattern.as_str()), Some(pattern));
            assert!(is_usable(pattern.default_text()), "{pattern}");
        }
        assert_eq!(Advice::default().0.len(), Pattern::ALL.len());
    }

    fn texts(rows: &[(&str, &str)]) -> Result<Advice, Vec<AdviceError>> {
        Advice::with_texts(
            rows.iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_text_is_replaced_by_name() {
        let advice =
            texts(&[("streams_down_jump_up", "See https://wiki/restart")]).expect("is taken");
        let given = advice.of(&facts(Up, "mm", "", (0, 0))).expect("an advice");
        assert_eq!(given, "See https://wiki/restart");
        assert_eq!(
            advice.of(&facts(Up, "s", "", (0, 0))),
            Some(Pattern::SilentButConnected.default_text())
        );
        assert_eq!(texts(&[]), Ok(Advice::default()));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let long = "x".repeat(MAX_ADVICE_BYTES + 1);
        let errors = texts(&[
            ("both_down", "a\nb"),
            ("jump_down_streams_up", &long),
            ("nope", "x"),
            ("whole_site_lost", " "),
        ]);
        let expected = vec![
            AdviceError::Text(Pattern::BothDown),
            AdviceError::Text(Pattern::JumpDownStreamsUp),
            AdviceError::Unknown("nope".into()),
            AdviceError::Text(Pattern::WholeSiteLost),
        ];
        assert_eq!(errors, Err(expected));
        assert!(
            AdviceError::Unknown("nope".into())
                .to_string()
                .contains("silent_but_connected")
        );
    }
}
